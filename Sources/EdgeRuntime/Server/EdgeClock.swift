import CoreTypes
import Glibc

/// The wall clock read once, and what the monotonic clock has counted since: it never runs backwards, and an
/// instant stored by one process can be compared by the next.
struct EdgeClock: Sendable {
    private let offset: Int64
    /// When the wall clock was read.
    let started: Instant

    init() {
        started = Instant(nanoseconds: Self.read(CLOCK_REALTIME))
        offset = started.nanoseconds &- Self.read(CLOCK_MONOTONIC)
    }

    var now: Instant { Instant(nanoseconds: Self.read(CLOCK_MONOTONIC) &+ offset) }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}
