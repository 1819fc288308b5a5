public import CoreTypes

/// What comes first when a site has its PBX back: a smaller rank before a larger.
enum RecoveryRank: UInt8, Comparable, Sendable, CaseIterable {
    /// An emergency call, or who may be called back after one.
    case emergencyCall
    /// The site's own account, by which any desk can call for help and be called back.
    case emergencyCapable
    case inCall
    /// A person who is logged in.
    case occupied
    case other

    static func < (left: RecoveryRank, right: RecoveryRank) -> Bool { left.rawValue < right.rawValue }
}

/// How fast a site comes back.
public struct RecoveryPace: Hashable, Sendable {
    /// So many requests at once, after a time in which there was nothing to do.
    public var burst = 10
    /// Then so many in each interval.
    public var perInterval = 5
    public var interval: Duration = .milliseconds(100)
    public init() {}
}

/// Spreads the work of a site's return: by rank, and in the order it was added within one. A bucket of `burst` tokens, filled by
/// `perInterval` each `interval`.
struct RecoveryQueue<Item: Hashable & Sendable>: Sendable {
    private let pace: RecoveryPace
    private var lists: [ArraySlice<Item>] = Array(repeating: [], count: RecoveryRank.allCases.count)
    private var held: Set<Item> = []
    private var tokens: Int
    /// When tokens were last added.
    private var filled: Instant

    init(pace: RecoveryPace, now: Instant) {
        self.pace = pace
        tokens = pace.burst
        filled = now
    }

    var isEmpty: Bool { held.isEmpty }
    var count: Int { held.count }
    func holds(_ item: Item) -> Bool { held.contains(item) }

    /// When the next turn is; nil: nothing waits.
    var nextDeadline: Instant? { isEmpty ? nil : tokens > 0 ? filled : filled + pace.interval }

    /// An item that waits already keeps its place.
    mutating func add(_ item: Item, _ rank: RecoveryRank) {
        if held.insert(item).inserted { lists[Int(rank.rawValue)].append(item) }
    }

    /// Those whose turn it is, in order.
    mutating func take(now: Instant) -> [Item] {
        fill(now)
        var taken: [Item] = []
        for index in lists.indices where tokens > 0 && !lists[index].isEmpty {
            let some = lists[index].prefix(tokens)
            taken += some
            tokens -= some.count
            lists[index] = lists[index].dropFirst(some.count)
            if lists[index].isEmpty { lists[index] = [] }
        }
        held.subtract(taken)
        return taken
    }

    private mutating func fill(_ now: Instant) {
        let passed = (now - filled).clampedNanoseconds / max(1, pace.interval.clampedNanoseconds)
        guard passed > 0 else { return }
        tokens = min(pace.burst, tokens + Int(min(passed, Int64(pace.burst))) * max(1, pace.perInterval))
        filled = now
    }
}
