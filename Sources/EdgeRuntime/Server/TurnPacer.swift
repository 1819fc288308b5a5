import CoreTypes

/// Decides when a busy loop rests for a moment, so that one wake-up serves what arrived meanwhile.
///
/// On a small machine the wake-up and the cold caches after it cost more than a message does. Where messages are few, none
/// waits; where they are many, none waits longer than `rest`.
struct TurnPacer {
    /// How long a turn's end may put off the next turn.
    static let rest = Duration.milliseconds(10)
    /// Over which time messages are counted.
    static let window = Duration.milliseconds(100)
    /// Messages within a window that make the loop busy: 250 a second.
    static let busyCount = 25

    private var windowEnd = Instant(nanoseconds: .min)
    private var count = 0
    private var wasBusy = false
    private var hasMore = false
    private var isResting = false

    /// One message came.
    mutating func received(at now: Instant) {
        count &+= 1
        guard now >= windowEnd else { return }
        wasBusy = count >= Self.busyCount && now < windowEnd + Self.window
        count = 1
        windowEnd = now + Self.window
    }

    /// A socket's burst is over. True where the loop is to rest once it has done with its other sockets.
    ///
    /// - Parameter isDrained: whether the socket gave all it had.
    mutating func burstEnded(isDrained: Bool) -> Bool {
        if !isDrained { hasMore = true }
        guard !isResting, wasBusy || count >= Self.busyCount else { return false }
        isResting = true
        return true
    }

    /// The loop has done with all its sockets: how long it is to rest now. What is left in a socket is read first.
    mutating func turnEnded() -> Duration {
        defer { (hasMore, isResting) = (false, false) }
        return hasMore ? .zero : Self.rest
    }
}
