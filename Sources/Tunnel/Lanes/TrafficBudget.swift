internal import CoreTypes

/// What one peer may spend: a bucket that fills at a steady rate and holds one second's worth.
struct TrafficBudget: Sendable {
    /// In billionths of a unit, so that nothing is lost between two close instants.
    private var level: Int64
    private let rate: Int64
    private var updated: Instant?

    init(perSecond: Int) {
        rate = Int64(clamping: max(1, min(perSecond, 1 << 32)))
        level = rate * 1_000_000_000
    }

    /// Takes `amount`; the level may go below nothing by one taking, so that no single item is ever too large.
    /// False where nothing was left before: the item is over budget.
    mutating func take(_ amount: Int, now: Instant) -> Bool {
        fill(now)
        guard level > 0 else { return false }
        level -= Int64(clamping: min(amount, 1 << 30)) * 1_000_000_000
        return true
    }

    /// When something will be left again; nil: there is.
    mutating func recovers(now: Instant) -> Instant? {
        fill(now)
        guard level <= 0 else { return nil }
        return now + .nanoseconds(-level / rate + 1_000_000)
    }

    private mutating func fill(_ now: Instant) {
        defer { updated = now }
        guard let updated, now > updated else { return }
        let passed = min((now - updated).clampedNanoseconds, 1_000_000_000)
        level = min(rate * 1_000_000_000, level + rate * passed)
    }
}
