import CoreTypes
import Tunnel

extension FuzzTarget {
    /// A session of the tunnel and what its far end says: the first byte is the role, then pieces of the stream or datagrams, a
    /// byte of kind and a byte of length each. Only the other role's frames do anything, and the state stays inside its limits.
    public static let tunnel = FuzzTarget("tunnel", maximumLength: 4096) { bytes in
        var choices = Choices(bytes)
        var script = TunnelScript(isHeadend: choices.byte() & 1 == 1)
        while !choices.isOver {
            let kind = choices.byte()
            script.step(kind, choices.take(Int(choices.byte())))
        }
        return script.problem
    }

    /// What stands first on a connection, and the first datagram of a lane.
    public static let tunnelDoor = FuzzTarget("tunnel-door", maximumLength: 2048) { bytes in
        var greeter = TunnelGreeter(now: Instant(nanoseconds: 0))
        _ = greeter.receive(bytes)
        _ = laneToken(inFirst: bytes)
        let token = TunnelEnrolment.Token(secret: Array(1...16))
        let secret = [UInt8](repeating: 7, count: 32)
        if case .value(let request) = TunnelEnrolment.readRequest(bytes), TunnelEnrolment.proves(request, token, exported: secret) {
            return "a request without the token was believed"
        }
        if case .value = TunnelEnrolment.readAnswer(bytes, token, exported: secret) { return "an answer without the token was believed" }
        return nil
    }
}

private struct TunnelScript {
    private var session: TunnelSession
    private var now = Instant(nanoseconds: 1_800_000_000_000_000_000)
    private(set) var problem: String?

    init(isHeadend: Bool) {
        let token = SessionToken(bytes: Array(repeating: 1, count: 16))
        session = TunnelSession(role: isHeadend ? .headend : .edge, token: isHeadend ? token : nil)
        if isHeadend {
            look(session.handle(.greeted(TunnelHello(), rest: []), now: now))
        } else {
            look(session.handle(.connected, now: now))
        }
        look(session.handle(.laneOpened(maximumPayload: 1363), now: now))
    }

    mutating func step(_ kind: UInt8, _ bytes: [UInt8]) {
        now = now + .milliseconds(Int64(kind >> 3) * 10)
        switch kind & 7 {
        case 0...4: look(session.handle(.streamBytes(bytes), now: now))
        case 5: look(session.handle(.datagram(bytes), now: now))
        case 6: look(session.handle(.tick, now: now))
        default: look(session.handle(bytes.first.map { $0 & 1 } == 1 ? .sendMedia(media(bytes)) : .sendSignal(.any, bytes), now: now))
        }
    }

    /// Packets of two bytes and more, for a few streams, that leave together.
    private func media(_ bytes: [UInt8]) -> PacketBatch {
        var batch = PacketBatch()
        var rest = bytes[...]
        while let first = rest.popFirst() {
            let packet = rest.prefix(Int(first >> 3) + 2)
            batch.append(stream: 32 + UInt32(first & 6), isControl: first & 1 == 0, packet)
            rest = rest.dropFirst(packet.count)
        }
        return batch
    }

    private mutating func look(_ actions: [TunnelSession.Action]) {
        for action in actions {
            switch (action, session.role) {
            case (.streamWanted, .edge), (.streamUpdated, .edge), (.certificateWanted, .edge), (.streamBound, .headend), (.wayChanged, .headend),
                (.certificateGiven, .headend):
                problem = "a frame of the wrong role was performed: \(action)"
            case (.deliverMedia(let packets), _):
                for entry in packets.entries where packets.packet(entry).count > session.limits.maximumMedia {
                    problem = "media of \(packets.packet(entry).count) bytes"
                }
            default: break
            }
        }
        if session.status.streams.count > session.limits.maximumStreams { problem = "more streams than allowed" }
    }
}
