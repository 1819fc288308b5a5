internal import CoreTypes

/// Tells which packets of the stream lane come too late to be heard: TCP holds all behind a lost segment back, and
/// hands out a burst of which only the newest part is of use.
///
/// A packet's lateness is how much longer it took than the fastest of the last seconds, by its RTP timestamp and
/// the stream's clock. Packets that share a timestamp share a verdict: an RFC 4733 event keeps one while it lasts, also
/// where audio goes on between its packets. A clock that is set back (a later packet of the same kind with an earlier
/// timestamp, which no queue explains) begins anew, as does a source.
struct LatenessGate: Sendable {
    private let clockRate: Int64
    private var source: UInt32 = 0
    private var origin: (time: Instant, timestamp: UInt32)?
    /// The smallest transit of this half-window and of the one before, in nanoseconds from `origin`.
    private var fastest: (current: Int64, previous: Int64) = (.max, .max)
    private var halfBegan = Instant(nanoseconds: 0)
    /// The last packet in the order of sequence numbers, and what was said of it.
    private var newest: RTPFields?
    private var newestWasLate = false

    private static let half = Duration.seconds(5)
    /// A leap of the timestamp that no queue explains: the source has begun anew.
    private static let leap: Int64 = 5_000_000_000
    /// Sequence numbers by which a packet may be overtaken; RFC 3550 A.1 says as much.
    private static let disorder: Int16 = 100

    init(clockRate: UInt32) { self.clockRate = Int64(clockRate) }

    mutating func isLate(_ packet: RTPFields, limit: Duration, now: Instant) -> Bool {
        guard clockRate > 0 else { return false }
        guard let origin, let newest, source == packet.source else { return restart(packet, now) }
        let distance = Int16(bitPattern: packet.sequence &- newest.sequence)
        let isOvertaken = distance < 0 && distance >= -Self.disorder
        if !isOvertaken, Int32(bitPattern: packet.timestamp &- newest.timestamp) <= 0 {
            guard packet.timestamp == newest.timestamp || packet.payloadType != newest.payloadType else { return restart(packet, now) }
            self.newest?.sequence = packet.sequence
            return newestWasLate
        }
        let media = Int64(Int32(bitPattern: packet.timestamp &- origin.timestamp)) * 1_000_000_000 / clockRate
        let transit = (now - origin.time).clampedNanoseconds &- media
        turn(now)
        let base = min(fastest.current, fastest.previous)
        guard base != .max, transit &- base < Self.leap, base &- transit < Self.leap else { return restart(packet, now) }
        fastest.current = min(fastest.current, transit)
        // Keeps the difference of timestamps far from the half of its range.
        if media > 3_600_000_000_000 { rebase(packet, now, transit) }
        let isLate = transit &- base > limit.clampedNanoseconds
        if !isOvertaken { (self.newest, newestWasLate) = (packet, isLate) }
        return isLate
    }

    private mutating func turn(_ now: Instant) {
        guard now - halfBegan >= Self.half else { return }
        fastest = (.max, fastest.current == .max ? fastest.previous : fastest.current)
        halfBegan = now
    }

    private mutating func restart(_ packet: RTPFields, _ now: Instant) -> Bool {
        source = packet.source
        origin = (now, packet.timestamp)
        fastest = (0, .max)
        halfBegan = now
        newest = packet
        newestWasLate = false
        return false
    }

    private mutating func rebase(_ packet: RTPFields, _ now: Instant, _ transit: Int64) {
        origin = (now, packet.timestamp)
        fastest.current = fastest.current == .max ? .max : fastest.current - transit
        fastest.previous = fastest.previous == .max ? .max : fastest.previous - transit
    }
}
