public import CoreTypes

/// How many requests the phones' web server takes: a bucket for each source and one for all.
///
/// Phones ask for many files that do not exist, several phones may share an address, and all of them may come up at
/// once: what is over the limit is told to come back, and nobody is shut out.
public struct RequestBudget: Sendable {
    public struct Limits: Sendable, Equatable {
        /// Requests one source may make at once, and then each second.
        public var burst = 400.0
        public var rate = 20.0
        /// Of all sources together.
        public var totalBurst = 3000.0
        public var totalRate = 400.0
        /// Sources remembered.
        public var sources = 4096
        public init() {}
    }

    private struct Bucket: Sendable {
        var tokens: Double
        var filled: Instant

        mutating func take(burst: Double, rate: Double, _ now: Instant) -> Bool {
            let seconds = Double((now - filled).clampedNanoseconds) / 1e9
            tokens = min(burst, tokens + max(0, seconds) * rate)
            filled = now
            guard tokens >= 1 else { return false }
            tokens -= 1
            return true
        }
    }

    private let limits: Limits
    private var bySource: [IPAddress: Bucket] = [:]
    private var total: Bucket

    public init(limits: Limits = Limits(), now: Instant) {
        self.limits = limits
        total = Bucket(tokens: limits.totalBurst, filled: now)
    }

    /// Whether one more request of the source is taken.
    public mutating func take(_ source: IPAddress, now: Instant) -> Bool {
        if bySource[source] == nil {
            if bySource.count >= limits.sources { forgetFull(now) }
            bySource[source] = Bucket(tokens: limits.burst, filled: now)
        }
        guard bySource[source]?.take(burst: limits.burst, rate: limits.rate, now) == true else { return false }
        return total.take(burst: limits.totalBurst, rate: limits.totalRate, now)
    }

    /// Drops the sources whose buckets are full again: they are as good as new. Where that frees nothing, all go.
    private mutating func forgetFull(_ now: Instant) {
        let full = Duration.milliseconds(Int64(limits.burst / limits.rate * 1000))
        bySource = bySource.filter { now - $0.value.filled < full }
        if bySource.count >= limits.sources { bySource.removeAll(keepingCapacity: true) }
    }
}
