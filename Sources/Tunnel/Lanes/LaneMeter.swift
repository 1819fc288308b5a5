internal import CoreTypes

/// Measures the datagram lane in our direction: probes carry how many datagrams were sent by then, echoes how many
/// had arrived. Two echoes give the loss between them, of media and probes alike.
struct LaneMeter: Sendable {
    private struct Probe: Sendable {
        let number: UInt32
        let sent: UInt64
        let time: Instant
    }

    private struct Sample: Sendable {
        let sent: UInt64
        let received: UInt64
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

    private static let kept = 16

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

    /// The frame of the next probe.
    mutating func probe(now: Instant) -> DatagramFrame {
        nextNumber &+= 1
        if waiting.count == Self.kept { waiting.removeFirst() }
        waiting.append(Probe(number: nextNumber, sent: sent + 1, time: now))
        return .probe(PingStamp(number: nextNumber, time: UInt64(bitPattern: now.nanoseconds)), sent: sent + 1)
    }

    /// False for an echo of no probe of ours.
    mutating func echo(_ stamp: PingStamp, received count: UInt64, now: Instant) -> Bool {
        guard let place = waiting.firstIndex(where: { $0.number == stamp.number }) else { return false }
        let probe = waiting.remove(at: place)
        let taken = now - probe.time
        roundTrip = roundTrip.map { $0 + (taken - $0) / 8 } ?? taken
        lastEcho = now
        goodSince = goodSince ?? now
        // Echoes may overtake each other; the counters never run backwards.
        if let last = samples.last, probe.sent < last.sent || count < last.received { return true }
        if samples.count == Self.kept { samples.removeFirst() }
        samples.append(Sample(sent: probe.sent, received: count))
        return true
    }

    /// Echoes have stayed out: what was measured before says nothing of now.
    mutating func noteSilence() {
        goodSince = nil
        samples = []
    }

    /// How many answers the present measurement rests on.
    var echoes: Int { samples.count }

    /// Loss in thousandths over the last probes; nil with fewer than four echoes or ten datagrams.
    var loss: Int? {
        guard samples.count >= 4, let first = samples.first, let last = samples.last, last.sent >= first.sent + 10 else { return nil }
        let sent = last.sent - first.sent
        let lost = sent - min(sent, last.received - first.received)
        return Int(clamping: lost * 1000 / sent)
    }
}
