internal import CoreTypes

/// Measures the datagram lane in our direction: probes carry how many datagrams were sent by then, echoes how many
/// had arrived. Two echoes give the loss between them, of media and probes alike.
struct LaneMeter: Sendable {
    private struct Probe: Sendable {
        let number: UInt32
        let sent: UInt64
        let time: Instant
        let isWide: Bool
    }

    private struct Sample: Sendable {
        let sent: UInt64
        let received: UInt64
        /// Probes as long as bundles that had not been answered: what loses those alone is no loss of media.
        let unanswered: UInt64

        func lost(since first: Sample) -> UInt64 {
            let sent = sent - min(sent, first.sent)
            let lost = sent - min(sent, received - min(received, first.received))
            return lost - min(lost, unanswered - min(unanswered, first.unanswered))
        }
    }

    private(set) var sent: UInt64 = 0
    private(set) var received: UInt64 = 0
    private var nextNumber: UInt32 = 0
    private var waiting: [Probe] = []
    private var samples: [Sample] = []
    /// Round trip of the last echo, and smoothed as in RFC 6298 §2.
    private(set) var roundTrip: Duration?
    private(set) var lastEcho: Instant?
    /// Since when probes have been sent without a long gap in the answers.
    private(set) var goodSince: Instant?
    private(set) var lastReceived: Instant?
    /// The usual time between two datagrams from the far end, in nanoseconds; nil until ten have come.
    private var rhythm: (gap: Int64, count: Int) = (0, 0)

    /// When a probe as long as a bundle was last sent and last answered, and how many have gone without an answer since.
    private var wide: (sent: Instant?, answered: Instant?, missing: Int) = (nil, nil, 0)
    private var unanswered: UInt64 = 0

    private static let kept = 16
    private static let soundCount: UInt64 = 100
    /// How often the path is asked whether it takes bundles, and how often where it has not answered so.
    private static let wideInterval = Duration.seconds(1)
    private static let wideRetry = Duration.seconds(10)
    private static let wideTries = 3
    /// What may be lost between two echoes before long datagrams are suspected: so many, and so many thousandths.
    private static let suddenLoss: UInt64 = 3
    private static let suddenShare: UInt64 = 150

    /// The lane was opened anew: counters start over on both sides.
    mutating func reset() { self = LaneMeter() }

    mutating func noteSent() { sent += 1 }

    mutating func noteReceived(now: Instant) {
        received += 1
        defer { lastReceived = now }
        guard let lastReceived else { return }
        let gap = min((now - lastReceived).clampedNanoseconds, 1_000_000_000)
        rhythm = (rhythm.count == 0 ? gap : rhythm.gap + (gap - rhythm.gap) / 8, min(rhythm.count + 1, 10))
    }

    /// Forgets how steadily datagrams came.
    mutating func forgetRhythm() { rhythm = (0, 0) }

    /// When silence becomes suspicious: three usual gaps after the last datagram, and no less than `least`. Nil where
    /// datagrams have not been coming at least every 45 ms or so.
    func suspicious(after least: Duration) -> Instant? {
        guard rhythm.count == 10, rhythm.gap < 45_000_000, let lastReceived else { return nil }
        return lastReceived + max(least, .nanoseconds(3 * rhythm.gap))
    }

    /// Whether datagrams as long as bundles have lately arrived.
    func isWide(_ now: Instant) -> Bool { wide.answered.map { now - $0 < Self.wideInterval * Self.wideTries + .milliseconds(500) } ?? false }

    /// The path may have changed.
    mutating func forgetWidth() { wide.answered = nil }

    /// The frame of the next probe.
    ///
    /// - Parameter width: how long a bundle would be, in bytes; from time to time the probe is as long. 0: never.
    mutating func probe(now: Instant, width: Int = 0) -> DatagramFrame {
        nextNumber &+= 1
        let pause = wide.missing < Self.wideTries ? Self.wideInterval : Self.wideRetry
        let isWide = width > DatagramFrame.probeSize && wide.sent.map { now - $0 >= pause } ?? true
        if isWide {
            wide = (now, wide.answered, wide.missing + 1)
            unanswered += 1
        }
        if waiting.count == Self.kept { waiting.removeFirst() }
        waiting.append(Probe(number: nextNumber, sent: sent + 1, time: now, isWide: isWide))
        let stamp = PingStamp(number: nextNumber, time: UInt64(bitPattern: now.nanoseconds))
        return .probe(stamp, sent: sent + 1, padding: isWide ? width - DatagramFrame.probeSize : 0)
    }

    /// False for an echo of no probe of ours.
    mutating func echo(_ stamp: PingStamp, received count: UInt64, now: Instant) -> Bool {
        guard let place = waiting.firstIndex(where: { $0.number == stamp.number }) else { return false }
        let probe = waiting.remove(at: place)
        let taken = now - probe.time
        roundTrip = roundTrip.map { $0 + (taken - $0) / 8 } ?? taken
        lastEcho = now
        if probe.isWide {
            (wide.answered, wide.missing) = (now, 0)
            unanswered -= min(unanswered, 1)
        }
        goodSince = goodSince ?? now
        // Echoes may overtake each other; the counters never run backwards.
        if let last = samples.last, probe.sent < last.sent || count < last.received { return true }
        // Of those sent later nothing is known yet.
        let later = UInt64(waiting.count { $0.isWide && $0.number &- probe.number < UInt32.max / 2 })
        let sample = Sample(sent: probe.sent, received: count, unanswered: unanswered - min(unanswered, later))
        if let last = samples.last { judgeWidth(lost: sample.lost(since: last), of: sample.sent - last.sent) }
        if samples.count == Self.kept { samples.removeFirst() }
        samples.append(sample)
        return true
    }

    /// Much is lost all of a sudden: perhaps the long ones are, where the path has changed.
    private mutating func judgeWidth(lost: UInt64, of sent: UInt64) {
        if lost >= Self.suddenLoss, lost * 1000 / max(sent, 1) > Self.suddenShare { forgetWidth() }
    }

    /// Echoes have stayed out: what was measured before says nothing of now.
    mutating func noteSilence() {
        goodSince = nil
        samples = []
        forgetWidth()
    }

    /// Loss over as long as is ever measured, and over more than probes; nil before.
    var soundLoss: Int? {
        guard samples.count == Self.kept, let first = samples.first, let last = samples.last else { return nil }
        return last.sent >= first.sent + Self.soundCount ? loss : nil
    }

    /// How many answers the present measurement rests on.
    var echoes: Int { samples.count }

    /// Loss in thousandths over the last probes; nil with fewer than four echoes or ten datagrams.
    var loss: Int? {
        guard samples.count >= 4, let first = samples.first, let last = samples.last, last.sent >= first.sent + 10 else { return nil }
        return Int(clamping: last.lost(since: first) * 1000 / (last.sent - first.sent))
    }
}
