import CoreTypes
import Testing
import Tunnel

/// Signalling and media both ways over a world, and what came of them.
final class SimulatedCalls {
    let world: SimulatedWorld
    let streamCount: Int
    var signalsSent = [0, 0]
    var signalsReceived: [[Int]] = [[], []]
    /// By sending side.
    var signalSentAt: [[Instant]] = [[], []]
    var slowestSignal = Duration.zero
    var refused = 0
    /// By receiving side: when each packet of the first stream was sent, and when it came.
    var sentAt: [[Instant]] = [[], []]
    var cameAt: [[Int: Instant]] = [[:], [:]]
    /// In the order of time.
    var arrivals: [[Instant]] = [[], []]
    var twice = 0
    var ids: [StreamID] = []
    var boundCount = 0
    var lostStreams = 0
    var reports: [[(Duration, TunnelSession.Report)]] = [[], []]
    var drops: [TunnelSession.Drop: Int] = [:]
    var isTalking = true

    static let signalEvery = Duration.milliseconds(70)

    /// - Parameter talkAt: when calls begin; half a second later somebody speaks.
    init(_ world: SimulatedWorld, streams: Int = 2, talkAt: Duration = .milliseconds(1500)) {
        self.world = world
        streamCount = streams
        world.onAction = { [unowned self] side, action in self.note(side, action) }
        world.onWork = { [unowned self] kind in self.work(kind) }
        world.fleetEvent(.start)
        world.queue.schedule(.work(0), at: world.start + .seconds(1))
        world.queue.schedule(.work(1), at: world.start + talkAt)
        world.queue.schedule(.work(2), at: world.start + talkAt + .milliseconds(500))
    }

    private func work(_ kind: Int) {
        guard SimulatedSide.allCases.allSatisfy({ !ups($0).isEmpty }) else {
            return world.queue.schedule(.work(kind), at: world.now + .milliseconds(100))
        }
        switch kind {
        case 0:
            guard isTalking else { return }
            for side in SimulatedSide.allCases {
                signalsSent[side.rawValue] += 1
                signalSentAt[side.rawValue].append(world.now)
                world.command(side, .sendSignal(.any, Array("\(signalsSent[side.rawValue])".utf8)))
            }
            world.queue.schedule(.work(0), at: world.now + Self.signalEvery)
        case 1:
            for place in 0..<streamCount {
                guard let id = StreamID(rawValue: 32 + 2 * UInt16(place)) else { continue }
                ids.append(id)
                world.command(.edge, .openStream(StreamBinding(id: id)))
                let far = Endpoint(address: IPAddress(v4: 0x0A00_0002), port: 30_000)
                world.command(.edge, .updateStream(StreamUpdate(id: id, rtp: far, rtcp: far)))
            }
        default:
            guard isTalking else { return }
            sendMedia()
            world.queue.schedule(.work(2), at: world.now + .milliseconds(20))
        }
    }

    private func sendMedia() {
        for side in SimulatedSide.allCases {
            let number = sentAt[side.other.rawValue].count
            sentAt[side.other.rawValue].append(world.now)
            var packets = PacketBatch()
            for id in ids { packets.append(stream: UInt32(id.rawValue), isControl: false, rtpPacket(number, source: UInt32(id.rawValue))[...]) }
            world.command(side, .sendMedia(packets))
        }
    }

    private func note(_ side: SimulatedSide, _ action: TunnelSession.Action) {
        switch action {
        case .deliverSignal(_, let bytes):
            let number = Int(String(decoding: bytes, as: UTF8.self)) ?? -1
            signalsReceived[side.rawValue].append(number)
            let sent = signalSentAt[side.other.rawValue]
            if sent.indices.contains(number - 1) { slowestSignal = max(slowestSignal, world.now - sent[number - 1]) }
        case .deliverMedia(let packets):
            for entry in packets.entries where ids.first.map({ UInt32($0.rawValue) }) == entry.stream { heard(packets.packet(entry), side) }
        case .streamWanted(let binding):
            world.command(.headend, .bindStream(binding.id, Endpoint(address: IPAddress(v4: 0x0A00_0001), port: 20_000 + binding.id.rawValue)))
        case .streamBound: boundCount += 1
        case .streamEnded: lostStreams += 1
        case .report(let report): reports[side.rawValue].append((world.elapsed, report))
        case .dropped(let drop):
            drops[drop, default: 0] += 1
            if drop == .signallingFull || drop == .notConnected { refused += 1 }
        default: break
        }
    }

    private func heard(_ packet: ArraySlice<UInt8>, _ side: SimulatedSide) {
        let number = packet.dropFirst(4).prefix(4).reduce(0) { $0 << 8 | Int($1) } / 160
        arrivals[side.rawValue].append(world.now)
        if cameAt[side.rawValue].updateValue(world.now, forKey: number) != nil { twice += 1 }
    }

    var history: String {
        SimulatedSide.allCases.map { side in
            "\(side): " + reports[side.rawValue].map { "\($0.0) \($0.1)" }.joined(separator: "; ")
        }.joined(separator: "\n")
    }

    // MARK: What is asserted

    /// Signals all came, once, in order.
    func expectSignalsWhole(_ location: SourceLocation = #_sourceLocation) {
        for side in SimulatedSide.allCases {
            let got = signalsReceived[side.other.rawValue]
            let whole = got == Array(1...max(1, signalsSent[side.rawValue]))
            #expect(whole, "from \(side): \(got.count) of \(signalsSent[side.rawValue])", sourceLocation: location)
        }
    }

    /// Time from sending to delivery.
    func ages(at side: SimulatedSide) -> [Duration] {
        cameAt[side.rawValue].compactMap { number, came in
            number < sentAt[side.rawValue].count ? came - sentAt[side.rawValue][number] : nil
        }
    }

    /// The longest run of packets in a row that never came, in the time given, as time.
    func longestGap(at side: SimulatedSide, in range: Range<Duration>) -> Duration {
        var run = 0
        var longest = 0
        for (number, sent) in sentAt[side.rawValue].enumerated() where range.contains(sent - world.start) {
            run = cameAt[side.rawValue][number] == nil ? run + 1 : 0
            longest = max(longest, run)
        }
        return .milliseconds(20 * longest)
    }

    /// Thousandths of packets that never came.
    func loss(at side: SimulatedSide, in range: Range<Duration>) -> Int {
        let numbers = sentAt[side.rawValue].indices.filter { range.contains(sentAt[side.rawValue][$0] - world.start) }
        let lost = numbers.filter { cameAt[side.rawValue][$0] == nil }.count
        return numbers.isEmpty ? 0 : lost * 1000 / numbers.count
    }

    func lanes(_ side: SimulatedSide) -> [(Duration, Lane)] {
        reports[side.rawValue].compactMap { time, report in
            if case .lane(let lane, _) = report { return (time, lane) }
            return nil
        }
    }

    func ups(_ side: SimulatedSide) -> [(Duration, Bool)] {
        reports[side.rawValue].compactMap { time, report in
            if case .up(_, let resumed) = report { return (time, resumed) }
            return nil
        }
    }
}

/// 20 ms of G.711 under a number that is also its sequence number.
func rtpPacket(_ number: Int, source: UInt32 = 1, payload: Int = 160) -> [UInt8] {
    let timestamp = UInt32(truncatingIfNeeded: number * 160)
    return [0x80, 0, UInt8(truncatingIfNeeded: number >> 8), UInt8(truncatingIfNeeded: number)]
        + (0..<4).map { UInt8(truncatingIfNeeded: timestamp >> (24 - 8 * UInt32($0))) }
        + (0..<4).map { UInt8(truncatingIfNeeded: source >> (24 - 8 * UInt32($0))) }
        + [UInt8](repeating: 0xD5, count: payload)
}

extension PacketBatch {
    /// One packet of a stream.
    init(_ channel: MediaChannel, _ packet: [UInt8]) {
        self.init()
        append(stream: UInt32(channel.stream.rawValue), isControl: channel.isControl, packet[...])
    }
}
