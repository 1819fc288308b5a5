import CoreTypes

/// So many at once, and one more each time its interval has passed.
struct TokenBucket: Sendable, Equatable {
    /// When the bucket will be full again: every token that is taken puts it off by one interval.
    private var full: Instant

    init(now: Instant) { full = now }

    /// Whether there was a token left.
    mutating func take(now: Instant, burst: Int, interval: Duration) -> Bool {
        let from = max(full, now)
        guard from - now <= interval * (burst - 1) else { return false }
        full = from + interval
        return true
    }
}
