/// A point in time: nanoseconds since the Unix epoch, on a clock that never runs backwards.
///
/// The shell reads the wall clock once at start and adds what a monotonic clock has counted since, so an
/// instant can be stored, read back after a restart, and still be compared.
public struct Instant: Hashable, Comparable, Sendable, Codable {
    /// Nanoseconds since 1970-01-01T00:00:00Z.
    public var nanoseconds: Int64

    @inlinable
    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// Whole seconds since the Unix epoch.
    public var unixSeconds: Int64 { nanoseconds / 1_000_000_000 }

    @inlinable
    public static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }

    /// Adds a duration; saturates at the ends of the range instead of trapping.
    public static func + (instant: Instant, duration: Duration) -> Instant {
        let (sum, overflow) = instant.nanoseconds.addingReportingOverflow(duration.clampedNanoseconds)
        guard overflow else { return Instant(nanoseconds: sum) }
        return Instant(nanoseconds: duration.clampedNanoseconds > 0 ? .max : .min)
    }

    /// The time from `right` to `left`; saturates instead of trapping.
    public static func - (left: Instant, right: Instant) -> Duration {
        let (difference, overflow) = left.nanoseconds.subtractingReportingOverflow(right.nanoseconds)
        return .nanoseconds(overflow ? (left > right ? Int64.max : Int64.min) : difference)
    }
}

extension Duration {
    /// This duration in nanoseconds, held inside what an `Int64` can say (about 292 years).
    public var clampedNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds > 0 ? .max : .min }
        let (sum, carry) = whole.addingReportingOverflow(attoseconds / 1_000_000_000)
        if carry { return seconds > 0 ? .max : .min }
        return sum
    }
}
