import CoreTypes

/// A message that is sent again until something happens: the bytes, when next, and how long after the last.
struct Retransmission: Sendable {
    let bytes: [UInt8]
    /// Nil where the transport itself retransmits.
    var due: Instant?
    var interval: Int64

    /// On a reliable transport nothing is due.
    init(_ bytes: [UInt8], every interval: Int64, from now: Instant, on transport: TransportProtocol) {
        self.bytes = bytes
        self.interval = interval
        due = transport.isReliable ? nil : now.after(interval)
    }

    func isDue(at now: Instant) -> Bool {
        guard let due else { return false }
        return due <= now
    }

    /// Counts from now, not from when it was due: after a stall nothing is sent in a burst.
    mutating func restart(interval next: Int64, from now: Instant) {
        interval = next
        due = now.after(next)
    }

    /// The earlier of the retransmission and the end.
    func earliest(_ end: Instant) -> Instant {
        guard let due else { return end }
        return min(due, end)
    }
}
