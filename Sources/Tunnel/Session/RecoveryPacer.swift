public import CoreTypes

/// What may come first when a whole site comes back: a smaller rank before a larger.
public enum RecoveryRank: UInt8, Hashable, Comparable, Sendable, CaseIterable {
    /// In an emergency call, or inside its call-back window.
    case emergencyCall
    case emergencyCapable
    /// Has a call.
    case inCall
    /// A person is logged in.
    case occupied
    case other

    public static func < (left: RecoveryRank, right: RecoveryRank) -> Bool { left.rawValue < right.rawValue }
}

/// Spreads the work of a site's return: so many at once, then so many in each interval, by rank and then in the
/// order given.
public struct RecoveryPacer<Item: Hashable & Sendable>: Sendable {
    public struct Pace: Hashable, Sendable {
        public var burst = 10
        public var interval: Duration = .milliseconds(100)
        public var perInterval = 5
        public init() {}
    }

    private let pace: Pace
    private var waiting: [Item]
    private var place = 0
    /// When the next group is due; nil: nothing waits.
    public private(set) var nextDeadline: Instant?

    public init(_ items: [(item: Item, rank: RecoveryRank)], pace: Pace = .init(), now: Instant) {
        self.pace = pace
        waiting = items.enumerated().sorted { ($0.element.rank, $0.offset) < ($1.element.rank, $1.offset) }.map(\.element.item)
        nextDeadline = waiting.isEmpty ? nil : now
    }

    public var remaining: Int { waiting.count - place }

    /// Those whose turn it is, in order. A late call catches up no more than one group.
    public mutating func take(now: Instant) -> [Item] {
        guard let due = nextDeadline, due <= now else { return [] }
        let count = max(1, place == 0 ? pace.burst : pace.perInterval)
        let group = Array(waiting[place..<min(place + count, waiting.count)])
        place += group.count
        nextDeadline = place < waiting.count ? now + pace.interval : nil
        return group
    }
}
