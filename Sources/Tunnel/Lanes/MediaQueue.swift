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

/// The last packets sent on a channel, so that what a dying lane may have swallowed can be sent again.
struct RecentPackets: Sendable {
    private var packets: [(packet: [UInt8], sent: Instant)] = []
    /// Where the oldest is.
    private var first = 0
    private static let kept = 4

    mutating func note(_ packet: ArraySlice<UInt8>, now: Instant) {
        guard packets.count == Self.kept else { return packets.append((Array(packet), now)) }
        // In the memory of the one that goes.
        packets[first].packet.replaceSubrange(0..., with: packet)
        packets[first].sent = now
        first = (first + 1) % Self.kept
    }

    /// Those no older than `age`, oldest first.
    func younger(than age: Duration, now: Instant) -> [[UInt8]] {
        (packets[first...] + packets[..<first]).filter { now - $0.sent <= age }.map(\.packet)
    }
}
