internal import CoreTypes

/// Packets that wait for room on the stream lane, as frames: a bounded queue from which what is too old is never taken.
struct MediaQueue: Sendable {
    private struct Entry: Sendable {
        let end: Int
        let since: Instant
    }

    private let capacity: Int
    private let maximumAge: Duration
    /// The frames, one behind the other, and where each ends.
    private var bytes: [UInt8] = []
    private var entries: [Entry] = []
    /// The first that waits, and where it begins.
    private var first = 0
    private var start = 0
    /// Dropped for their age or for want of room.
    private(set) var dropped: UInt64 = 0

    init(capacity: Int, maximumAge: Duration) {
        self.capacity = max(1, capacity)
        self.maximumAge = maximumAge
    }

    var count: Int { entries.count - first }

    mutating func append(_ channel: MediaChannel, _ packet: ArraySlice<UInt8>, now: Instant) {
        guard let length = UInt16(exactly: packet.count) else {
            dropped += 1
            return
        }
        if count >= capacity {
            removeFirst()
            dropped += 1
        }
        FrameHead.append(channel.head, to: &bytes)
        bytes.appendInteger(length)
        bytes += packet
        entries.append(Entry(end: bytes.count, since: now))
    }

    /// The oldest packet young enough, as a frame at the end of `frames`; false where there is none.
    mutating func appendNext(to frames: inout [UInt8], now: Instant) -> Bool {
        while first < entries.count {
            let entry = entries[first]
            let isYoung = now - entry.since <= maximumAge
            if isYoung { frames += bytes[start..<entry.end] } else { dropped += 1 }
            removeFirst()
            if isYoung { return true }
        }
        return false
    }

    mutating func removeAll() {
        dropped += UInt64(count)
        forget()
    }

    private mutating func removeFirst() {
        guard first < entries.count else { return }
        start = entries[first].end
        first += 1
        if first == entries.count {
            forget()
        } else if first >= capacity {
            let gone = start
            bytes.removeFirst(gone)
            entries = entries[first...].map { Entry(end: $0.end - gone, since: $0.since) }
            (first, start) = (0, 0)
        }
    }

    private mutating func forget() {
        bytes.removeAll(keepingCapacity: true)
        entries.removeAll(keepingCapacity: true)
        (first, start) = (0, 0)
    }
}

/// What was sent last by datagrams, so that what a dying lane may have swallowed can be sent again.
struct RecentPackets: Sendable {
    private let maximumAge: Duration
    private var batches: [(packets: PacketBatch, sent: Instant)] = []

    init(maximumAge: Duration) { self.maximumAge = maximumAge }

    mutating func note(_ packets: PacketBatch, now: Instant) {
        let old = batches.prefix { now - $0.sent > maximumAge }.count
        if old > 0 { batches.removeFirst(old) }
        batches.append((packets, now))
    }

    /// Those young enough, oldest first.
    func young(now: Instant) -> [PacketBatch] { batches.filter { now - $0.sent <= maximumAge }.map(\.packets) }

    mutating func removeAll() { batches = [] }
}
