import CoreTypes

/// A message that is sent again until something happens: the bytes, when next, and how long after the last.
struct Retransmission: Sendable {
    let bytes: [UInt8]
    /// Nil where the transport itself retransmits.
    var due: Instant?
    var interval: Int64

    /// On a reliable transport nothing is due.
    init(_ bytes: [UInt8], every interval: Int64, from now: Instant, on transport: TransportProtocol) {
        self.bytes = bytes.fitted
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

extension [UInt8] {
    /// The same bytes without room to grow, for what is kept for half a minute.
    var fitted: [UInt8] {
        guard capacity > count + count / 2 else { return self }
        return withUnsafeBufferPointer { Array($0) }
    }
}
