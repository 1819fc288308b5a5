public import CoreTypes

/// Whether a connection that nobody knows yet is taken, so that strangers cost the loop a bounded share of its time and
/// memory. A neighbour is an IPv4 address, or an IPv6 network of 64 bits.
///
/// Each handshake of TLS takes a loop about a millisecond, so the rates are its shares in thousandths. A neighbour from which a
/// site has come before has a budget of its own: strangers, however many, do not keep it out.
public struct DoorKeeper: Sendable {
    public struct Limits: Hashable, Sendable {
        /// Connections of one neighbour that have not said who they are.
        public var openPerStranger = 16
        public var openPerAcquaintance = 64
        /// Connections in a second: of one stranger, of all strangers, of one neighbour with a site.
        public var perStranger = 8
        public var strangers = 64
        public var perAcquaintance = 64
        /// Neighbours that are remembered.
        public var maximumNeighbours = 4096
        public init() {}
    }

    private struct Neighbour: Hashable, Sendable {
        var high: UInt64
        var low: UInt64

        init(_ address: IPAddress) {
            switch address.family {
            case .v4: (high, low) = (0, address.low)
            case .v6: (high, low) = (address.high, 0)
            }
        }
    }

    private let limits: Limits
    private var strangers: TrafficBudget
    private var byStranger: [Neighbour: TrafficBudget] = [:]
    private var byAcquaintance: [Neighbour: (budget: TrafficBudget, seen: Instant)] = [:]
    private var open: [Neighbour: Int] = [:]

    public init(limits: Limits = .init()) {
        self.limits = limits
        strangers = TrafficBudget(perSecond: limits.strangers)
    }

    /// Whether it is taken; then `closed` must follow.
    public mutating func opens(from address: IPAddress, now: Instant) -> Bool {
        let neighbour = Neighbour(address)
        guard mayOpen(neighbour, now) else { return false }
        open[neighbour, default: 0] += 1
        return true
    }

    private mutating func mayOpen(_ neighbour: Neighbour, _ now: Instant) -> Bool {
        let count = open[neighbour] ?? 0
        if byAcquaintance[neighbour] != nil {
            guard count < limits.openPerAcquaintance else { return false }
            return byAcquaintance[neighbour]?.budget.take(1, now: now) ?? false
        }
        guard count < limits.openPerStranger else { return false }
        // Forgetting gives a stranger a second's worth again; the rate of all of them holds.
        if byStranger.count >= limits.maximumNeighbours { byStranger.removeAll(keepingCapacity: true) }
        guard byStranger[neighbour, default: TrafficBudget(perSecond: limits.perStranger)].take(1, now: now) else { return false }
        return strangers.take(1, now: now)
    }

    /// It is known now, or gone.
    public mutating func closed(from address: IPAddress) {
        let neighbour = Neighbour(address)
        guard let count = open[neighbour] else { return }
        open[neighbour] = count > 1 ? count - 1 : nil
    }

    /// A site has come from there.
    public mutating func noteSite(at address: IPAddress, now: Instant) {
        let neighbour = Neighbour(address)
        if byAcquaintance[neighbour] == nil, byAcquaintance.count >= limits.maximumNeighbours,
            let oldest = byAcquaintance.min(by: { $0.value.seen < $1.value.seen })
        {
            byAcquaintance[oldest.key] = nil
        }
        byAcquaintance[neighbour, default: (TrafficBudget(perSecond: limits.perAcquaintance), now)].seen = now
    }
}
