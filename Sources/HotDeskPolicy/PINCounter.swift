import CoreTypes

/// The tries and locks of one extension or one device.
struct PINCounter: Sendable {
    /// One try, and the extension it was made for.
    struct Try: Codable, Equatable, Sendable {
        var at: Instant
        var number: ExtensionNumber?
    }

    /// When each try of the running window was made, oldest first; never more than the rule allows.
    private(set) var tries: [Try] = []
    private(set) var lockedUntil: Instant?
    /// How many locks there were that have not decayed: the next one lasts `lock` times two to this power.
    private(set) var level: Int = 0
    /// What the decay is counted from: the end of the last lock, or the last step down.
    private(set) var quietSince: Instant?
    /// Which counter is given up first where there are too many.
    private(set) var lastUse: Instant

    init(now: Instant) { lastUse = now }

    /// Nil: open. A full window that has not become a lock yet closes the counter until its oldest try has aged.
    func closed(at now: Instant, _ rules: PINRules) -> Instant? {
        if let lockedUntil, lockedUntil > now { return lockedUntil }
        let counted = tries.filter { now - $0.at < rules.within }
        guard counted.count >= rules.tryLimit, let oldest = counted.first else { return nil }
        return oldest.at + rules.within
    }

    func isLocked(at now: Instant) -> Bool { lockedUntil.map { $0 > now } ?? false }

    mutating func count(_ number: ExtensionNumber?, at now: Instant, _ rules: PINRules) {
        advance(to: now, rules)
        lastUse = now
        tries.append(Try(at: now, number: number))
    }

    /// A counted try has failed: a full window becomes a lock.
    mutating func settle(at now: Instant, _ rules: PINRules) {
        advance(to: now, rules)
        guard tries.count >= rules.tryLimit, !isLocked(at: now) else { return }
        let until = now + rules.lockLength(level: level)
        lockedUntil = until
        quietSince = until
        level = min(level + 1, rules.highestLevel)
        tries = []
    }

    /// Takes back tries, the lock and the doublings.
    mutating func clear() {
        tries = []
        lockedUntil = nil
        level = 0
        quietSince = nil
    }

    /// Takes back the tries of one extension, whose person has proved to be the right one.
    mutating func forgive(_ number: ExtensionNumber) {
        tries.removeAll { $0.number == number }
    }

    /// Lets go of what has aged: tries, a lock that is over, and one doubling for each quiet period.
    mutating func advance(to now: Instant, _ rules: PINRules) {
        tries.removeAll { now - $0.at >= rules.within }
        if let lockedUntil, lockedUntil <= now { self.lockedUntil = nil }
        while level > 0, let since = quietSince, now - since >= rules.quietPeriod {
            level -= 1
            quietSince = since + rules.quietPeriod
        }
        if level == 0, lockedUntil == nil { quietSince = nil }
    }

    /// Whether nothing is remembered here.
    var isBlank: Bool { tries.isEmpty && lockedUntil == nil && level == 0 }
}

extension PINRules {
    var tryLimit: Int { max(1, attempts) }

    /// Never zero, or the decay would not end.
    var quietPeriod: Duration { max(maximumLock, .seconds(1)) }

    /// The level from which on locks are as long as they get.
    var highestLevel: Int {
        var level = 0
        while level < 40, lockLength(level: level) < maximumLock { level += 1 }
        return level
    }

    func lockLength(level: Int) -> Duration {
        var length = max(lock, .seconds(1))
        for _ in 0..<max(0, min(level, 40)) where length < maximumLock { length = length * 2 }
        return min(length, max(maximumLock, .seconds(1)))
    }
}

extension PINCounter {
    /// A counter as it is stored.
    struct Record: Codable, Equatable, Sendable {
        var tries: [Try]
        var lockedUntil: Instant?
        var level: Int
        var quietSince: Instant?
        var lastUse: Instant
    }

    var record: Record {
        Record(tries: tries, lockedUntil: lockedUntil, level: level, quietSince: quietSince, lastUse: lastUse)
    }

    /// A stored counter, held within what the rules could have made of it by `now`: a clock that stood wrong, then
    /// or now, neither locks anybody for longer than a lock lasts nor keeps a try for ever.
    init(_ record: Record, now: Instant, _ rules: PINRules) {
        level = max(0, min(record.level, rules.highestLevel))
        let longest = now + rules.lockLength(level: max(0, level - 1))
        lockedUntil = record.lockedUntil.map { min($0, longest) }
        quietSince = level == 0 ? nil : min(record.quietSince ?? now, lockedUntil ?? now)
        tries = Array(
            record.tries.map { Try(at: min($0.at, now), number: $0.number) }.sorted { $0.at < $1.at }.suffix(rules.tryLimit))
        lastUse = min(record.lastUse, now)
        advance(to: now, rules)
    }
}
