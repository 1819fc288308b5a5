internal import CoreTypes

/// Packets that wait for room on the stream lane: a bounded queue from which what is too old is never taken.
struct MediaQueue: Sendable {
    private struct Entry: Sendable {
        let channel: MediaChannel
        let packet: [UInt8]
        let since: Instant
    }

    private let capacity: Int
    private let maximumAge: Duration
    private var entries: [Entry?] = []
    private var first = 0
    /// Dropped for their age or for want of room.
    private(set) var dropped: UInt64 = 0

    init(capacity: Int, maximumAge: Duration) {
        self.capacity = max(1, capacity)
        self.maximumAge = maximumAge
    }

    var count: Int { entries.count - first }

    mutating func append(_ channel: MediaChannel, _ packet: [UInt8], now: Instant) {
        if count >= capacity { dropFirst() }
        entries.append(Entry(channel: channel, packet: packet, since: now))
    }

    /// The oldest packet young enough, as a frame at the end of `bytes`; false where there is none.
    mutating func appendNext(to bytes: inout [UInt8], now: Instant) -> Bool {
        while let entry = popFirst() {
            guard now - entry.since <= maximumAge, let length = UInt16(exactly: entry.packet.count) else {
                dropped += 1
                continue
            }
            FrameHead.append(entry.channel.head, to: &bytes)
            bytes.appendInteger(length)
            bytes += entry.packet
            return true
        }
        return false
    }

    mutating func removeAll() {
        dropped += UInt64(count)
        entries.removeAll(keepingCapacity: true)
        first = 0
    }

    private mutating func dropFirst() {
        guard popFirst() != nil else { return }
        dropped += 1
    }

    private mutating func popFirst() -> Entry? {
        guard first < entries.count, let entry = entries[first] else { return nil }
        entries[first] = nil
        first += 1
        if first == entries.count {
            entries.removeAll(keepingCapacity: true)
            first = 0
        } else if first >= capacity {
            entries.removeFirst(first)
            first = 0
        }
        return entry
    }
}

/// The last packets sent on a channel, so that what a dying lane may have swallowed can be sent again.
struct RecentPackets: Sendable {
    private var packets: [(packet: [UInt8], sent: Instant)] = []
    /// Where the oldest is.
    private var first = 0
    private static let kept = 4

    mutating func note(_ packet: [UInt8], now: Instant) {
        guard packets.count == Self.kept else { return packets.append((packet, now)) }
        packets[first] = (packet, now)
        first = (first + 1) % Self.kept
    }

    /// Those no older than `age`, oldest first.
    func younger(than age: Duration, now: Instant) -> [[UInt8]] {
        (packets[first...] + packets[..<first]).filter { now - $0.sent <= age }.map(\.packet)
    }
}
