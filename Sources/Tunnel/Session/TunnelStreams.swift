internal import CoreTypes

/// One media stream of a session.
struct TunnelStream: Sendable {
    let binding: StreamBinding
    var update: StreamUpdate?
    var bound: Endpoint?
    var receiving: Lane?
    /// The packet sent before and when, while packets are sent twice.
    var last: (packet: [UInt8], sent: Instant)?
    private var duplicates = DuplicateFilter()
    private var lateness: LatenessGate

    init(_ binding: StreamBinding) {
        self.binding = binding
        lateness = LatenessGate(clockRate: binding.clockRate)
    }

    enum Verdict { case deliver, late, duplicate }

    /// - Parameter lateAfter: how much longer than the fastest a packet may take; nil: as long as it likes.
    mutating func receive(_ packet: ArraySlice<UInt8>, isControl: Bool, by lane: Lane, lateAfter: Duration?, now: Instant) -> Verdict {
        receiving = lane
        guard !isControl, let fields = RTPFields(packet) else { return .deliver }
        // Judged first, so that a late copy does not stand in the way of nothing, and a punctual one is remembered.
        if let lateAfter, lateness.isLate(fields, limit: lateAfter, now: now) { return .late }
        return duplicates.accept(fields) ? .deliver : .duplicate
    }
}

/// The connection's life: what was heard when, and the round trip on the stream.
struct KeepAlive: Sendable {
    let since: Instant
    var lastHeard: Instant
    var nextPing: Instant
    private(set) var roundTrip: Duration?
    /// The last six round trips: the fastest is the line's, and TCP that repairs losses shows in the slowest.
    private(set) var recent: [Duration] = []
    private var number: UInt32 = 0

    init(now: Instant) {
        since = now
        lastHeard = now
        nextPing = now
    }

    /// How much longer than the fastest packet of a stream one may take on this connection and still be of use. One lost
    /// segment holds up what follows for a round trip and what it takes to notice; a jitter buffer makes room for as much. Dropping
    /// what waited for one repair would lose many packets for each that the line lost; waiting for more would spoil the talk.
    func lateAfter(_ timers: TunnelTimers) -> Duration {
        guard let fastest = recent.min() else { return timers.mediaAge }
        return min(timers.mediaAge + fastest * 7 / 4, max(timers.mediaAge, timers.longestRepair))
    }

    mutating func ping(now: Instant, interval: Duration) -> TunnelFrame {
        number &+= 1
        nextPing = now + interval
        return .ping(PingStamp(number: number, time: UInt64(bitPattern: now.nanoseconds)))
    }

    /// A stamp from the future or of the distant past is no answer to a ping of ours.
    mutating func pong(_ stamp: PingStamp, now: Instant) {
        let taken = now - Instant(nanoseconds: Int64(bitPattern: stamp.time))
        guard stamp.number <= number, taken >= .zero, taken < .seconds(60) else { return }
        roundTrip = roundTrip.map { $0 + (taken - $0) / 8 } ?? taken
        if recent.count == 6 { recent.removeFirst() }
        recent.append(taken)
    }
}

/// Counted frames that came, and when they must be acknowledged.
struct Receipts: Sendable {
    private(set) var received: UInt64 = 0
    private var acknowledged: UInt64 = 0
    private(set) var due: Instant?

    /// True: an acknowledgement is due at once.
    mutating func note(now: Instant, limits: TunnelLimits, timers: TunnelTimers) -> Bool {
        received += 1
        due = due ?? now + timers.acknowledgeDelay
        return received - acknowledged >= UInt64(max(1, limits.acknowledgeEvery))
    }

    mutating func acknowledge() -> TunnelFrame {
        acknowledged = received
        due = nil
        return .acknowledge(received)
    }
}
