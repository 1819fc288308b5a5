import CoreTypes
import Media
import Testing

@Suite struct AnnouncementTests {
    private static func make() -> Announcement {
        Announcement(format: .pcmu, source: 77, sequenceNumber: .max, timestamp: .max - 159)
    }

    private static func instant(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

    /// Ticks until nothing is sent any more: the packets, and the plays that ended.
    private static func drain(_ announcement: inout Announcement) throws -> (packets: [(RTPHeader, [UInt8])], finished: [UInt32]) {
        var packets: [(RTPHeader, [UInt8])] = []
        var finished: [UInt32] = []
        var buffer = [UInt8](repeating: 0, count: Announcement.packetSize)
        for _ in 0..<1000 where announcement.isPlaying {
            var span = buffer.mutableSpan
            let packet = announcement.tick(into: &span)
            if let token = packet.finished { finished.append(token) }
            guard packet.size > 0 else { continue }
            let parsed = try RTPPacket.parse(buffer.span)
            packets.append((parsed.header, Array(buffer[parsed.payload])))
        }
        return (packets, finished)
    }

    @Test func clipsFollowWithoutAGap() throws {
        var announcement = Self.make()
        let first = [UInt8](repeating: 1, count: 200)
        let second = [UInt8](repeating: 2, count: 150)
        #expect(announcement.play([first, second], bargeIn: false, token: 5, now: Self.instant(0)) == nil)
        let (packets, finished) = try Self.drain(&announcement)
        #expect(packets.count == 3)
        #expect(packets.flatMap(\.1) == first + second + [UInt8](repeating: 0xFF, count: 130))
        #expect(packets.map(\.0.marker) == [true, false, false])
        #expect(packets.map(\.0.sequenceNumber) == [.max, 0, 1])
        #expect(packets.map(\.0.timestamp) == [.max - 159, 0, 160])
        #expect(packets.allSatisfy { $0.0.source == 77 && $0.0.payloadType == 0 })
        #expect(finished == [5])
    }

    @Test func timestampCountsTheSilenceBetweenPlays() throws {
        var announcement = Self.make()
        _ = announcement.play([[UInt8](repeating: 1, count: 160)], bargeIn: false, token: 1, now: Self.instant(0))
        let before = try Self.drain(&announcement).packets[0].0
        _ = announcement.play([[UInt8](repeating: 1, count: 160)], bargeIn: false, token: 2, now: Self.instant(1020))
        let after = try Self.drain(&announcement).packets[0].0
        #expect(after.marker)
        #expect(after.sequenceNumber == before.sequenceNumber &+ 1)
        // 20 ms of the packet itself and a second of silence.
        #expect(after.timestamp == before.timestamp &+ 160 &+ 8000)
    }

    @Test func playsWaitForEachOther() throws {
        var announcement = Self.make()
        for token in 1...3 as ClosedRange<UInt32> {
            _ = announcement.play([[UInt8](repeating: UInt8(token), count: 160)], bargeIn: false, token: token, now: Self.instant(0))
        }
        let (packets, finished) = try Self.drain(&announcement)
        #expect(packets.map { $0.1[0] } == [1, 2, 3])
        #expect(packets.map(\.0.marker) == [true, false, false])
        #expect(finished == [1, 2, 3])
    }

    @Test func aKeyEndsWhatMayBeInterrupted() throws {
        var announcement = Self.make()
        _ = announcement.play([[UInt8](repeating: 1, count: 800)], bargeIn: true, token: 1, now: Self.instant(0))
        _ = announcement.play([[UInt8](repeating: 2, count: 160)], bargeIn: false, token: 2, now: Self.instant(0))
        #expect(announcement.interrupt() == [1])
        #expect(announcement.interrupt() == [])
        #expect(try Self.drain(&announcement).finished == [2])
        #expect(announcement.interrupt() == [])
    }

    @Test func nothingToSayEndsAtOnce() throws {
        var announcement = Self.make()
        _ = announcement.play([], bargeIn: true, token: 9, now: Self.instant(0))
        let (packets, finished) = try Self.drain(&announcement)
        #expect(packets.isEmpty)
        #expect(finished == [9])
    }

    @Test func tooManyWaitingPlaysAreReported() {
        var announcement = Self.make()
        var dropped: [UInt32] = []
        for token in 0..<10 as Range<UInt32> {
            if let token = announcement.play([[1]], bargeIn: true, token: token, now: Self.instant(0)) { dropped.append(token) }
        }
        #expect(dropped == [7, 8])
    }
}
