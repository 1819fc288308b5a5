import CoreTypes
import Tunnel

/// How the line between branch and PBX behaves, as a function of time since the start.
struct SimulatedLine: Sendable {
    var oneWay: Duration = .milliseconds(40)
    var jitter: Duration = .milliseconds(20)
    /// Thousandths of packets lost, each by itself.
    var loss = 0
    /// Further loss that only datagrams have.
    var datagramLoss = 0
    /// Bytes a second of datagrams the line takes each way; what is too much is lost. Nil: all.
    var datagramRate: Int?
    /// When nothing gets through.
    var cuts: [Range<Duration>] = []
    /// When datagrams do not, though the stream does.
    var blocked: [Range<Duration>] = []
    /// After what TCP sends a lost segment again for the first time. Where others follow it at once, as in a call, that is a
    /// round trip and what it takes to notice (RFC 8985).
    var firstRepair: Duration = .milliseconds(280)
    /// Bytes a second each way.
    var rate = 1_250_000

    func isCut(_ time: Duration) -> Bool { cuts.contains { $0.contains(time) } }
    /// When datagrams longer than `narrow` get lost.
    var narrowed: [Range<Duration>] = []
    static let narrow = 548

    func isBlocked(_ time: Duration) -> Bool { blocked.contains { $0.contains(time) } }
    func isTooLong(_ count: Int, _ time: Duration) -> Bool { count > Self.narrow && narrowed.contains { $0.contains(time) } }
}

enum SimulatedSide: Int, CaseIterable {
    case edge, headend
    var other: SimulatedSide { self == .edge ? .headend : .edge }
}

/// What a node wants of the world.
enum NodeOutput {
    case stream([UInt8])
    case datagram([UInt8])
    case close
    /// Only of nodes without cryptography: the world pretends a handshake.
    case startLane
    case app(TunnelSession.Action)
}

/// One end of the tunnel.
protocol SimulatedNode: AnyObject {
    var nextDeadline: Instant? { get }
    var status: TunnelStatus { get }
    func connected(_ now: Instant) -> [NodeOutput]
    func streamEnded(_ now: Instant) -> [NodeOutput]
    func streamArrived(_ bytes: [UInt8], _ now: Instant) -> [NodeOutput]
    func datagramArrived(_ bytes: [UInt8], _ now: Instant) -> [NodeOutput]
    func command(_ event: TunnelSession.Event, _ now: Instant) -> [NodeOutput]
    func tick(_ now: Instant) -> [NodeOutput]
}

/// An edge and a headend on a seeded line, in virtual time. TCP delivers in order and repairs its losses late;
/// UDP loses and disorders.
final class SimulatedWorld {
    enum Happening: Sendable {
        case streamArrival(SimulatedSide, [UInt8], epoch: Int)
        case taken(SimulatedSide, Int, epoch: Int)
        case datagramArrival(SimulatedSide, [UInt8])
        case ended(SimulatedSide, epoch: Int)
        case dialled(epoch: Int)
        case laneUp(SimulatedSide)
        case laneFailed
        case work(Int)
    }

    let line: SimulatedLine
    let start: Instant
    var now: Instant
    var dice: SeededRandom
    var nodes: [any SimulatedNode] = []
    var fleet: HeadendFleet
    var queue = DeadlineQueue<Happening>()
    /// Which connection there is; what is older has no effect.
    var epoch = 0
    var isConnected = [false, false]
    var unsent = [0, 0]
    var lastTaken: [Instant]
    var lastArrival: [Instant]
    var queued = [0.0, 0.0]
    var queuedAt: [Instant]
    var inFlight: [[(arrival: Instant, size: Int)]] = [[], []]
    var sentDatagrams: [[(time: Duration, bytes: [UInt8])]] = [[], []]
    var onAction: (SimulatedSide, TunnelSession.Action) -> Void = { _, _ in }
    var onWork: (Int) -> Void = { _ in }

    init(line: SimulatedLine, seed: UInt64, start: Instant = Instant(nanoseconds: 1_000_000_000_000)) {
        self.line = line
        self.start = start
        now = start
        dice = SeededRandom(state: seed)
        fleet = HeadendFleet(count: 1, seed: seed)
        lastTaken = [start, start]
        queuedAt = [start, start]
        lastArrival = [start, start]
    }

    var elapsed: Duration { now - start }
    func node(_ side: SimulatedSide) -> any SimulatedNode { nodes[side.rawValue] }
    private func isCut(_ time: Instant) -> Bool { line.isCut(time - start) }
    private func chance(_ thousandths: Int) -> Bool { Int.random(in: 0..<1000, using: &dice) < thousandths }

    private func delay() -> Duration {
        line.oneWay + .nanoseconds(Int64.random(in: 0...line.jitter.clampedNanoseconds, using: &dice))
    }

    // MARK: Running

    func run(until end: Duration) {
        let limit = start + end
        while let next = nextTime, next <= limit {
            now = max(now, next)
            while let happening = queue.popDue(at: now) { perform(happening) }
            if let due = fleet.nextDeadline, due <= now { fleetEvent(.tick) }
            for side in SimulatedSide.allCases where node(side).nextDeadline.map({ $0 <= now }) ?? false {
                outputs(node(side).tick(now), of: side)
            }
        }
        now = limit
    }

    private var nextTime: Instant? {
        ([queue.next, fleet.nextDeadline] + nodes.map(\.nextDeadline)).compactMap { $0 }.min()
    }

    func command(_ side: SimulatedSide, _ event: TunnelSession.Event) { outputs(node(side).command(event, now), of: side) }

    func fleetEvent(_ event: HeadendFleet.Event) {
        for action in fleet.handle(event, now: now) {
            switch action {
            case .dial: dial()
            case .hangUp: epoch += 1
            case .setStanding, .move: break
            }
        }
    }

    /// A SYN, again after 1 s and 3 s; then TLS takes one more round trip.
    private func dial() {
        epoch += 1
        for wait in [0, 1, 3] {
            let sent = now + .seconds(wait)
            let done = sent + line.oneWay * 4
            guard !isCut(sent), !isCut(done), !chance(line.loss * 2) else { continue }
            return queue.schedule(.dialled(epoch: epoch), at: done)
        }
    }

    private func perform(_ happening: Happening) {
        switch happening {
        case .dialled(let number) where number == epoch: connect()
        case .streamArrival(let side, let bytes, let number) where number == epoch && isConnected[side.rawValue]:
            outputs(node(side).streamArrived(bytes, now), of: side)
            if side == .edge { fleetEvent(.heard(0)) }
        case .taken(let side, let size, let number) where number == epoch && isConnected[side.rawValue]:
            unsent[side.rawValue] -= size
            outputs(node(side).command(.streamUnsent(unsent[side.rawValue]), now), of: side)
        case .ended(let side, let number) where number == epoch && isConnected[side.rawValue]: ended(side, tell: true)
        case .datagramArrival(let side, let bytes): outputs(node(side).datagramArrived(bytes, now), of: side)
        case .laneUp(let side): outputs(node(side).command(.laneOpened(maximumPayload: 1363), now), of: side)
        case .laneFailed: outputs(node(.edge).command(.laneFailed, now), of: .edge)
        case .work(let kind): onWork(kind)
        case .dialled, .streamArrival, .taken, .ended: break
        }
    }

    private func connect() {
        for side in SimulatedSide.allCases where isConnected[side.rawValue] { ended(side, tell: true) }
        isConnected = [true, true]
        unsent = [0, 0]
        inFlight = [[], []]
        lastTaken = [now, now]
        lastArrival = [now, now]
        for side in SimulatedSide.allCases.reversed() { outputs(node(side).connected(now), of: side) }
    }

    private func ended(_ side: SimulatedSide, tell: Bool) {
        isConnected[side.rawValue] = false
        if tell { outputs(node(side).streamEnded(now), of: side) }
        if side == .edge { fleetEvent(.down(0)) }
    }

    // MARK: The line

    private func outputs(_ outputs: [NodeOutput], of side: SimulatedSide) {
        for output in outputs {
            switch output {
            case .stream(let bytes): sendStream(bytes, from: side)
            case .datagram(let bytes): sendDatagram(bytes, from: side)
            case .close: close(side)
            case .startLane: startLane()
            case .app(let action):
                if side == .edge, case .report(.up(_, let resumed)) = action { fleetEvent(.up(0, resumed: resumed)) }
                onAction(side, action)
            }
        }
    }

    private func close(_ side: SimulatedSide) {
        guard isConnected[side.rawValue] else { return }
        var told = now
        while isCut(told) { told = told + .milliseconds(500) }
        queue.schedule(.ended(side.other, epoch: epoch), at: told + delay())
        ended(side, tell: false)
    }

    private func startLane() {
        let time = elapsed
        guard !line.isBlocked(time), !line.isCut(time), !chance(line.loss * 3) else {
            return queue.schedule(.laneFailed, at: now + .seconds(5))
        }
        queue.schedule(.laneUp(.headend), at: now + line.oneWay * 3)
        queue.schedule(.laneUp(.edge), at: now + line.oneWay * 4)
    }

    /// A buffer of 3000 bytes in front of a thin line. 65 bytes a datagram are DTLS, UDP and IP.
    private func fits(_ count: Int, _ side: SimulatedSide) -> Bool {
        guard let rate = line.datagramRate else { return true }
        let passed = Double((now - queuedAt[side.rawValue]).clampedNanoseconds) / 1e9
        queuedAt[side.rawValue] = now
        queued[side.rawValue] = max(0, queued[side.rawValue] - passed * Double(rate))
        guard queued[side.rawValue] + Double(count + 65) <= 3000 else { return false }
        queued[side.rawValue] += Double(count + 65)
        return true
    }

    private func sendDatagram(_ bytes: [UInt8], from side: SimulatedSide) {
        sentDatagrams[side.rawValue].append((elapsed, bytes))
        guard !line.isCut(elapsed), !line.isBlocked(elapsed), !chance(line.loss), !chance(line.datagramLoss) else { return }
        guard !line.isTooLong(bytes.count, elapsed), fits(bytes.count, side) else { return }
        queue.schedule(.datagramArrival(side.other, bytes), at: now + delay())
    }

    private func sendStream(_ bytes: [UInt8], from side: SimulatedSide) {
        guard isConnected[side.rawValue] else { return }
        unsent[side.rawValue] += bytes.count
        for begin in stride(from: 0, to: bytes.count, by: 1400) {
            sendSegment(Array(bytes[begin..<min(begin + 1400, bytes.count)]), from: side)
        }
    }

    /// The network takes a segment when the line is free and less than 28 kB are under way; a lost one is sent
    /// again after the line's first repair, then after 280 ms, 560 ms and so on, and holds back all behind it.
    private func sendSegment(_ bytes: [UInt8], from side: SimulatedSide) {
        let index = side.rawValue
        var taken = max(now, lastTaken[index]) + .nanoseconds(Int64(bytes.count) * 1_000_000_000 / Int64(line.rate))
        while inFlight[index].reduce(0, { $0 + ($1.arrival > taken ? $1.size : 0) }) > 28_000, let first = inFlight[index].first {
            taken = max(taken, first.arrival)
            inFlight[index].removeFirst()
        }
        var sent = taken
        var (wait, next) = (line.firstRepair, max(line.firstRepair * 2, .milliseconds(280)))
        while isCut(sent) || chance(line.loss), sent - taken < .seconds(30) {
            sent = sent + wait
            (wait, next) = (next, min(next * 2, .seconds(10)))
        }
        let arrival = max(lastArrival[index] + .nanoseconds(1), sent + delay())
        lastTaken[index] = taken
        lastArrival[index] = arrival
        inFlight[index].append((arrival, bytes.count))
        if inFlight[index].count > 64 { inFlight[index].removeAll { $0.arrival <= now } }
        queue.schedule(.taken(side, bytes.count, epoch: epoch), at: taken)
        queue.schedule(.streamArrival(side.other, bytes, epoch: epoch), at: arrival)
    }
}

/// A session without cryptography.
final class PlainNode: SimulatedNode {
    var session: TunnelSession
    private let side: SimulatedSide
    private var greeter: TunnelGreeter?

    init(_ side: SimulatedSide, limits: TunnelLimits = .init(), timers: TunnelTimers = .init()) {
        self.side = side
        let token = side == .headend ? SessionToken(bytes: [UInt8](repeating: 0xA5, count: 16)) : nil
        session = TunnelSession(role: side == .edge ? .edge : .headend, token: token, limits: limits, timers: timers)
    }

    var nextDeadline: Instant? { session.nextDeadline }
    var status: TunnelStatus { session.status }

    func connected(_ now: Instant) -> [NodeOutput] {
        guard side == .headend else { return map(session.handle(.connected, now: now)) }
        greeter = TunnelGreeter(now: now)
        return []
    }

    func streamEnded(_ now: Instant) -> [NodeOutput] {
        greeter = nil
        return map(session.handle(.disconnected, now: now))
    }

    func streamArrived(_ bytes: [UInt8], _ now: Instant) -> [NodeOutput] {
        guard let step = greeter?.receive(bytes) else { return map(session.handle(.streamBytes(bytes), now: now)) }
        guard case .greeted(let hello, let rest) = step else { return [] }
        greeter = nil
        return map(session.handle(.greeted(hello, rest: rest), now: now))
    }

    func datagramArrived(_ bytes: [UInt8], _ now: Instant) -> [NodeOutput] { map(session.handle(.datagram(bytes), now: now)) }
    func command(_ event: TunnelSession.Event, _ now: Instant) -> [NodeOutput] { map(session.handle(event, now: now)) }
    func tick(_ now: Instant) -> [NodeOutput] { map(session.handle(.tick, now: now)) }

    private func map(_ actions: [TunnelSession.Action]) -> [NodeOutput] {
        actions.map {
            switch $0 {
            case .writeStream(let bytes): return .stream(bytes)
            case .writeDatagram(let frame): return .datagram(frame.encoded)
            case .closeStream: return .close
            case .startLane: return .startLane
            default: return .app($0)
            }
        }
    }
}
