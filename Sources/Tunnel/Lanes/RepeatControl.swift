internal import CoreTypes

/// Decides whether each packet goes by datagrams twice: with the next one of its stream it is there once more, and a datagram that
/// got lost has taken nothing along (as RFC 2198 does within one stream).
///
/// Twice as many bytes do harm where the line is too thin for them. So what is lost is watched, and where it grows much the
/// copies stop for a moment: if less is lost without them, they were the reason.
struct RepeatControl: Sendable {
    private enum State: Sendable {
        case off
        /// With how much loss it began, and since when it has been far more.
        case on(before: Int, grownSince: Instant?)
        /// Off for a look; what was lost with copies.
        case looking(since: Instant, with: Int)
        case resting(until: Instant)
    }

    /// Loss in thousandths from which copies help, and below which they are in vain.
    private static let worthwhile = 10
    private static let vain = 3
    /// As long as the measurement of loss reaches back, and a little more: what lasts so long is no single outage.
    private static let window = Duration.milliseconds(3500)
    private static let growth = 50
    /// What is on its way at a probe looks lost now and then; so much of what is measured counts.
    private static let share = 16
    /// How long hardly anything must have been lost.
    private static let patience = Duration.seconds(10)
    private static let rest = Duration.seconds(60)
    private static let longestRest = Duration.seconds(600)

    private var state: State = .off
    /// Loss smoothed, times `share`.
    private var usual = 0
    private var calmSince: Instant?
    private var rests = 0
    private var lastRest: Instant?

    var isOn: Bool {
        switch state {
        case .on: return true
        case .off, .looking, .resting: return false
        }
    }

    /// Whether much of what is measured was lost of copies.
    var isMeasured: Bool {
        switch state {
        case .on, .looking: return true
        case .off, .resting: return false
        }
    }

    /// The lane is gone, or nobody speaks: what was measured says nothing of later.
    mutating func stop() {
        usual = 0
        calmSince = nil
        switch state {
        case .resting: return
        case .off, .on, .looking: state = .off
        }
    }

    /// So much was lost that media leaves the lane: perhaps for the copies.
    mutating func laneFell(_ now: Instant) {
        switch state {
        case .on, .looking: takeRest(now)
        case .off, .resting: break
        }
        stop()
    }

    /// - Parameter loss: thousandths of our datagrams over the last seconds.
    mutating func judge(loss: Int, now: Instant) {
        usual += loss - usual / Self.share
        switch state {
        case .off:
            if usual >= Self.worthwhile * Self.share { begin(loss, now) }
        case .on(let before, let grown):
            noteCalm(loss, now)
            let since = loss > before * 2 + Self.growth ? grown ?? now : nil
            state = .on(before: before, grownSince: since)
            if let since, now - since >= Self.window {
                state = .looking(since: now, with: loss)
            } else if let calm = calmSince, now - calm >= Self.patience {
                state = .off
                rests = 0
            }
        case .looking(let since, let with):
            guard now - since >= Self.window else { return }
            // Long after, it is another line that is seen.
            if now - since > Self.window * 2 {
                state = .off
            } else if loss * 3 <= with {
                takeRest(now)
            } else {
                begin(loss, now)
            }
        case .resting(let until):
            if until <= now { state = .off }
        }
    }

    private mutating func takeRest(_ now: Instant) {
        if let last = lastRest, now - last > Self.longestRest * 2 { rests = 0 }
        lastRest = now
        state = .resting(until: now + min(Self.rest * (1 << min(rests, 8)), Self.longestRest))
        rests += 1
    }

    private mutating func begin(_ loss: Int, _ now: Instant) {
        state = .on(before: max(loss, usual / Self.share), grownSince: nil)
        calmSince = nil
    }

    private mutating func noteCalm(_ loss: Int, _ now: Instant) { calmSince = loss <= Self.vain ? calmSince ?? now : nil }
}
