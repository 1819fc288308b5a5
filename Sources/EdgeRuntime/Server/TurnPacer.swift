import CoreTypes
import Glibc

/// Decides when a busy loop rests for a moment, so that one wake-up serves what arrived meanwhile.
///
/// On a small machine the wake-up and the cold caches after it cost more than a message or a packet does. Where they are few, none
/// waits; where they are many, none waits longer than `rest`.
struct TurnPacer {
    /// How long a turn's end may put off the next turn.
    let rest: Duration
    /// Messages or packets within a window that make the loop busy.
    let busyCount: Int
    /// Over which time they are counted.
    static let window = Duration.milliseconds(100)

    /// From 250 messages a second on.
    static let signalling = TurnPacer(rest: .milliseconds(10), busyCount: 25)
    /// Packets of the tunnel: from 1000 a second on, which is ten calls. Beside the 20 ms a packet takes to be spoken, and the
    /// jitter of any WAN, nobody hears the rest.
    static let media = TurnPacer(rest: .milliseconds(4), busyCount: 100)

    private var windowEnd = Instant(nanoseconds: .min)
    private var count = 0
    private var wasBusy = false
    private var hasMore = false
    private var isResting = false

    init(rest: Duration, busyCount: Int) {
        self.rest = rest
        self.busyCount = busyCount
    }

    /// So many messages or packets came; none, too, tells that time has passed.
    mutating func received(_ number: Int = 1, at now: Instant) {
        count &+= number
        guard now >= windowEnd else { return }
        wasBusy = count >= busyCount && now < windowEnd + Self.window
        count = number
        windowEnd = now + Self.window
    }

    /// A socket's burst is over. True where the loop is to rest once it has done with its other sockets.
    ///
    /// - Parameter isDrained: whether the socket gave all it had.
    mutating func burstEnded(isDrained: Bool) -> Bool {
        if !isDrained { hasMore = true }
        guard !isResting, wasBusy || count >= busyCount else { return false }
        isResting = true
        return true
    }

    /// The loop has done with all its sockets: how long it is to rest now. What is left in a socket is read first.
    mutating func turnEnded() -> Duration {
        defer { (hasMore, isResting) = (false, false) }
        return hasMore ? .zero : rest
    }

    /// Rests on the loop's thread where a turn has ended.
    mutating func restAfterTurn() {
        let nanoseconds = turnEnded().clampedNanoseconds
        guard nanoseconds > 0 else { return }
        var time = timespec(tv_sec: 0, tv_nsec: Int(nanoseconds))
        nanosleep(&time, nil)
    }
}
