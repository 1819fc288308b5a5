import CoreTypes
import HotDeskPolicy
import Media

/// Port pairs the shell has bound for us. First in, first out, so that a pair rests as long as it can
/// before it serves another call.
struct MediaPortPool: Sendable {
    /// Pairs kept back for emergency calls.
    static let emergencyReserve = 4
    /// The pool is topped up when fewer are free than this, or than half of what is in use: a busy site takes many
    /// more before the shell has answered.
    static let low = 32
    static let highest = 512

    private struct Queue: Sendable {
        var items: [MediaPorts] = []
        var head = 0
        var outstanding = false
        /// The shell has said that the range is used up: nothing is asked until a pair comes back.
        var exhausted = false

        var count: Int { items.count - head }

        mutating func pop() -> MediaPorts? {
            guard head < items.count else { return nil }
            defer {
                head += 1
                if head > 64, head * 2 > items.count {
                    items.removeFirst(head)
                    head = 0
                }
            }
            return items[head]
        }
    }

    /// Streams that lie open at the headend for the next calls, where there is a tunnel.
    static let streams = 8

    private var v4 = Queue()
    private var v6 = Queue()
    private var tunnel = Queue()
    private let hasTunnel: Bool
    private let families: [IPAddress.Family]

    init(addresses: [IPAddress], hasTunnel: Bool = false) {
        self.hasTunnel = hasTunnel
        families = Array(Set(addresses.map(\.family))).sorted { $0.rawValue < $1.rawValue }
    }

    var free: Int { v4.count + v6.count }

    /// Pairs were asked for and are on their way.
    var isExpectingMore: Bool { v4.outstanding || v6.outstanding }

    mutating func add(_ ports: [MediaPorts]) {
        for pair in ports where pair.tunnelStream != nil {
            tunnel.items.append(pair)
            tunnel.outstanding = false
        }
        for pair in ports where pair.tunnelStream == nil {
            change(pair.address.family) {
                $0.items.append(pair)
                $0.outstanding = false
                $0.exhausted = false
            }
        }
        if ports.isEmpty {
            for family in families {
                change(family) {
                    if $0.outstanding { $0.exhausted = true }
                    $0.outstanding = false
                }
            }
        }
    }

    /// Two pairs, one for each leg, or nil where too few are left. The last ones are for emergency calls only.
    mutating func takeTwo(_ first: IPAddress.Family, _ second: IPAddress.Family, emergency: Bool) -> (MediaPorts, MediaPorts)? {
        guard let one = take(first, emergency: emergency) else { return nil }
        guard let two = take(second, emergency: emergency) else {
            change(first) { $0.items.append(one) }
            return nil
        }
        return (one, two)
    }

    /// A pair of sockets for the phone and a stream of the tunnel for the PBX.
    mutating func takeWithStream(_ family: IPAddress.Family, emergency: Bool) -> (MediaPorts, MediaPorts)? {
        guard let one = take(family, emergency: emergency) else { return nil }
        guard let stream = takeStream(emergency: emergency) else {
            change(family) { $0.items.append(one) }
            return nil
        }
        return (one, stream)
    }

    mutating func takeStream(emergency: Bool) -> MediaPorts? { emergency || tunnel.count > 1 ? tunnel.pop() : nil }

    /// A stream that waits for its call has another address; false where it serves one already.
    mutating func move(_ ports: MediaPorts) -> Bool {
        guard let index = tunnel.items[tunnel.head...].firstIndex(where: { $0.id == ports.id }) else { return false }
        tunnel.items[index] = ports
        return true
    }

    mutating func take(_ family: IPAddress.Family, emergency: Bool) -> MediaPorts? {
        var taken: MediaPorts?
        change(family) { queue in
            guard emergency || queue.count > Self.emergencyReserve else { return }
            taken = queue.pop()
        }
        return taken
    }

    /// The reservations to ask the shell for now.
    mutating func wanted(inUse: Int) -> [MediaCommand] {
        let enough = min(max(Self.low, inUse / 2), Self.highest)
        var commands: [MediaCommand] = []
        for family in families {
            change(family) {
                guard $0.count < enough, !$0.outstanding, !$0.exhausted else { return }
                $0.outstanding = true
                commands.append(.reserve(count: enough, family: family))
            }
        }
        if hasTunnel, tunnel.count < Self.streams, !tunnel.outstanding {
            tunnel.outstanding = true
            commands.append(.reserveStreams(count: min(max(Self.streams, inUse / 8), Self.highest / 4)))
        }
        return commands
    }

    private mutating func change(_ family: IPAddress.Family, _ body: (inout Queue) -> Void) {
        switch family {
        case .v4: body(&v4)
        case .v6: body(&v6)
        }
    }
}

extension EdgeProxy {
    mutating func replenishPorts() {
        for command in ports.wanted(inUse: 2 * (calls.count + waitingForPorts.count)) { out.append(.media(command)) }
    }

    mutating func media(_ event: MediaEvent) {
        switch event {
        case .portsReady(let pairs):
            ports.add(pairs)
            beginWaiting()
        case .portsMoved(let pair): portsMoved(pair)
        case .digit(let session, let digit): localCallDigit(session, digit, as: .event)
        case .tone(let session, let digit): localCallDigit(session, digit, as: .tone)
        case .played(let session, let token): localCallPlayed(session, token)
        case .sourceLocked(let session, let leg, let source):
            mediaHeard(session)
            noteSource(session, leg: leg, source)
        case .restored(let session, let ports): mediaRestored(session, ports)
        case .silent(let session, let duration): mediaSilent(session, duration)
        case .quality(let session, let legs): qualityMeasured(session, legs)
        }
    }
}
