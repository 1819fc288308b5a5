public import CoreTypes

/// What was received of the RTP of one far end: sequence numbers by RFC 3550 A.1, loss by A.3, jitter by A.8.
///
/// A far end may begin again under another SSRC or with other sequence numbers: what was counted until then stays.
/// The source lock has already found the sender to be the true one, so there is no probation here.
public struct ReceptionStatistics: Equatable, Sendable {
    /// RFC 3550 A.1 `MAX_DROPOUT`: a larger step forward is no loss but perhaps a new start.
    static let maximumDropout: UInt16 = 3000
    /// RFC 3550 A.1 `MAX_MISORDER`: packets that are later than this are no reordering.
    static let maximumMisorder: UInt16 = 100
    /// A transit time that moves by more than a second at once is another clock, not jitter. In units of 8000 Hz.
    static let maximumStep: UInt32 = 8000
    /// Nanoseconds of one unit of the 8000 Hz clock.
    private static let unit: Int64 = 125_000

    /// SSRC of the stream that is coming in; nil before the first packet.
    public private(set) var source: UInt32?
    /// Packets, of all streams; those repeated or late are counted, too.
    public private(set) var received: UInt64 = 0
    /// Packets expected and missing in the streams before this one.
    private var earlierExpected: UInt64 = 0
    private var earlierLost: UInt64 = 0

    // This stream.
    private var baseSequence: UInt16 = 0
    private var maximumSequence: UInt16 = 0
    private var wraps: UInt32 = 0
    private var badSequence: UInt16?
    private var receivedInStream: UInt64 = 0

    // Jitter: arrival minus timestamp of the last packet, and the estimate times 16, in units of 8000 Hz.
    private var transit: UInt32?
    private var scaledJitter: UInt32 = 0
    private var isJitterKnown = false

    public init() {}

    /// Counts a packet.
    ///
    /// - Parameter isTimed: whether its timestamp tells when it was made on a clock of 8000 Hz. Those of
    ///   telephone-event do not: all packets of a key bear the time it was pressed (RFC 4733 §2.5.1.1).
    public mutating func receive(_ header: RTPHeader, at now: Instant, isTimed: Bool) {
        guard header.source == source else { return begin(header, now, isTimed) }
        guard advance(to: header.sequenceNumber) else { return }
        received &+= 1
        receivedInStream &+= 1
        if isTimed { measure(header, now) }
    }

    /// Packets that should have come: up to the highest sequence number seen (RFC 3550 A.3).
    public var expected: UInt64 { earlierExpected &+ expectedInStream }

    /// Packets that did not come; repeated ones do not make up for others that are missing in another stream.
    public var lost: UInt64 { earlierLost &+ lostInStream }

    /// Interarrival jitter (RFC 3550 §6.4.1); nil before two timed packets.
    public var jitter: Duration? {
        isJitterKnown ? .nanoseconds(Int64(scaledJitter) * Self.unit / 16) : nil
    }

    private var expectedInStream: UInt64 {
        guard source != nil else { return 0 }
        return UInt64(wraps) * 65536 + UInt64(maximumSequence) &- UInt64(baseSequence) &+ 1
    }

    private var lostInStream: UInt64 {
        let expected = expectedInStream
        return expected > receivedInStream ? expected - receivedInStream : 0
    }

    private mutating func begin(_ header: RTPHeader, _ now: Instant, _ isTimed: Bool) {
        restart(at: header.sequenceNumber)
        source = header.source
        received &+= 1
        receivedInStream = 1
        if isTimed { measure(header, now) }
    }

    /// Closes the books of the stream and opens them again.
    private mutating func restart(at sequence: UInt16) {
        earlierExpected &+= expectedInStream
        earlierLost &+= lostInStream
        baseSequence = sequence
        maximumSequence = sequence
        wraps = 0
        badSequence = nil
        receivedInStream = 0
        transit = nil
    }

    /// RFC 3550 A.1; false for a packet that is not counted since it fits nowhere.
    private mutating func advance(to sequence: UInt16) -> Bool {
        let step = sequence &- maximumSequence
        if step < Self.maximumDropout {
            if sequence < maximumSequence { wraps &+= 1 }
            maximumSequence = sequence
            return true
        }
        guard step <= UInt16.max - Self.maximumMisorder else { return true }
        guard sequence == badSequence else {
            badSequence = sequence &+ 1
            return false
        }
        // Two in a row: the far end has begun again.
        restart(at: sequence)
        return true
    }

    /// RFC 3550 A.8, in integers.
    private mutating func measure(_ header: RTPHeader, _ now: Instant) {
        let arrival = UInt32(truncatingIfNeeded: now.nanoseconds / Self.unit)
        let transit = arrival &- header.timestamp
        defer { self.transit = transit }
        guard let last = self.transit else { return }
        let difference = Int32(bitPattern: transit &- last).magnitude
        guard difference < Self.maximumStep else { return }
        scaledJitter = scaledJitter &+ difference &- (scaledJitter &+ 8) >> 4
        isJitterKnown = true
    }
}
