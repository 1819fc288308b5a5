import CoreTypes
import Media

extension FuzzTarget {
    /// A leg of a relay, packet by packet: the first byte of each says its source, the second its length. One source alone
    /// is let through once one is locked, and no key is reported that no packet carried.
    public static let media = FuzzTarget("media", maximumLength: 2048) { bytes in
        var choices = Choices(bytes)
        var leg = MediaLegScript()
        while !choices.isOver {
            let kind = choices.byte()
            let packet = choices.take(Int(choices.byte()))
            if let problem = leg.receive(packet, kind) { return problem }
        }
        _ = leg.meter.quality
        return nil
    }
}

private struct MediaLegScript {
    private static let endpoints = (0..<4).map { Endpoint(address: IPAddress(v4: 0xC000_0264 + UInt32($0 / 2)), port: 30_000 + UInt16($0)) }

    var lock = SourceLock(signalled: endpoints[0], control: endpoints[1])
    var meter = LegMeter()
    var decoder = TelephoneEventDecoder()
    var now = Instant(nanoseconds: 1_800_000_000_000_000_000)

    mutating func receive(_ packet: [UInt8], _ kind: UInt8) -> String? {
        let source = Self.endpoints[Int(kind & 3)]
        now = now + .milliseconds(Int64(kind >> 4) * 7)
        if kind & 4 != 0 { return control(packet, from: source) }
        if kind & 8 != 0 { lock.update(signalled: Self.endpoints[Int(kind >> 6)], control: nil) }
        guard let rtp = try? RTPPacket.parse(packet.span) else { return nil }
        guard rtp.payload.upperBound <= packet.count else { return "a payload that reaches over the end" }
        let locked = lock.source
        switch lock.receive(rtp.header, from: source) {
        case .accept, .lock: break
        case .probation, .foreign: return nil
        }
        if kind & 8 == 0, let locked, locked != source, source != lock.signalled { return "a third party was let through" }
        meter.receive(rtp.header, telephoneEvent: 101, at: now)
        guard let event = TelephoneEvent(payload: packet.span.extracting(rtp.payload)) else { return nil }
        guard let key = decoder.receive(event, header: rtp.header) else { return nil }
        return key == event.key ? nil : "a key that was not pressed"
    }

    private mutating func control(_ packet: [UInt8], from source: Endpoint) -> String? {
        guard (try? RTCPCompound.check(packet.span)) != nil else { return nil }
        let verdict = lock.receiveControl(from: source)
        var reports: [RTCPReport] = []
        RTCPReport.read(packet.span) { reports.append($0) }
        for report in reports {
            switch report {
            case .sender(let sender): meter.passed(sender, at: now)
            case .block(let block): meter.reported(block, on: block.source, at: now)
            }
        }
        if verdict == .accept, source.address != lock.source?.address { return "RTCP of a third party was let through" }
        return nil
    }
}
