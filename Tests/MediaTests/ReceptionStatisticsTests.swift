import CoreTypes
import Media
import Testing

@Suite struct ReceptionStatisticsTests {
    private static func header(_ sequence: UInt16, timestamp: UInt32 = 0, source: UInt32 = 1) -> RTPHeader {
        RTPHeader(marker: false, payloadType: 0, sequenceNumber: sequence, timestamp: timestamp, source: source)
    }

    /// Sequence numbers as they come, how many should have, and how many are missing (RFC 3550 A.1, A.3).
    @Test(arguments: [
        ([], 0, 0),
        ([7], 1, 0),
        ([1, 2, 3, 4], 4, 0),
        ([1, 2, 5], 5, 2),
        // Late and repeated.
        ([1, 3, 2], 3, 0),
        ([1, 2, 2, 2, 4], 4, 0),
        ([1, 2, 2, 5], 5, 1),
        // Over the end of the numbers, once and with a gap there.
        ([65534, 65535, 0, 1], 4, 0),
        ([65534, 2], 5, 3),
        ([65535, 65534, 0], 2, 0),
        // The last step that is loss, and the first that is none: the packet is left out until another follows it.
        ([1, 3000], 3000, 2998),
        ([1, 3001], 1, 0),
        ([1, 3001, 2], 2, 0),
        // Begun again: two in a row, the first of which was left out (A.1).
        ([1, 2, 30000, 30001, 30003], 5, 1),
        // Loss of before the new start stays.
        ([1, 4, 30000, 30001], 5, 2),
        // Behind by a hundred at most is late; by more, a new start.
        ([200, 101], 1, -1),
        ([200, 50, 51], 2, 0),
    ] as [([UInt16], UInt64, Int)])
    func sequences(numbers: [UInt16], expected: UInt64, lost: Int) {
        var statistics = ReceptionStatistics()
        for number in numbers { statistics.receive(Self.header(number), at: Instant(nanoseconds: 0), isTimed: false) }
        #expect(statistics.expected == expected)
        #expect(statistics.lost == UInt64(max(0, lost)))
    }

    @Test func longStreamsWrapManyTimes() {
        var statistics = ReceptionStatistics()
        var sequence: UInt16 = 65000
        for index in 0..<200_000 {
            sequence &+= 1
            if index % 100 == 99 { continue }
            statistics.receive(Self.header(sequence), at: Instant(nanoseconds: 0), isTimed: false)
        }
        #expect(statistics.received == 198_000)
        #expect(statistics.expected == 199_999)
        #expect(statistics.lost == 1_999)
    }

    @Test func aNewSourceKeepsWhatWasCounted() {
        var statistics = ReceptionStatistics()
        for (sequence, source) in [(10, 1), (12, 1), (60_000, 2), (60_003, 2)] as [(UInt16, UInt32)] {
            statistics.receive(Self.header(sequence, source: source), at: Instant(nanoseconds: 0), isTimed: false)
        }
        #expect(statistics.source == 2)
        #expect(statistics.received == 4)
        #expect(statistics.expected == 7)
        #expect(statistics.lost == 3)
    }

    /// Arrivals in milliseconds of packets made every 20 ms, and the jitter in microseconds after them (A.8: each
    /// difference moves the estimate by a sixteenth of it).
    @Test(arguments: [
        ([0], nil),
        ([0, 20, 40, 60], 0),
        ([0, 36], 1000),
        ([0, 4], 1000),
        // 16 ms, then 16 ms back: 1000 + (16000 - 1000) / 16, in the integers of A.8.
        ([0, 36, 40], 1937),
        // Another clock altogether is no jitter.
        ([0, 20, 5_000, 5_020], 0),
    ] as [([Int64], Int64?)])
    func jitter(arrivals: [Int64], microseconds: Int64?) {
        var statistics = ReceptionStatistics()
        for (index, arrival) in arrivals.enumerated() {
            statistics.receive(
                Self.header(UInt16(index), timestamp: 4_294_967_200 &+ UInt32(index) * 160),
                at: Instant(nanoseconds: arrival * 1_000_000), isTimed: true)
        }
        #expect(statistics.jitter.map { $0.clampedNanoseconds / 1000 } == microseconds)
    }

    @Test func keysSayNothingOfTime() {
        var meter = LegMeter()
        for index in 0..<10 {
            let type: UInt8 = index < 5 ? 8 : 101
            let header = RTPHeader(
                marker: false, payloadType: type, sequenceNumber: UInt16(index), timestamp: UInt32(min(index, 5)) * 160, source: 1)
            meter.receive(header, telephoneEvent: 101, at: Instant(nanoseconds: Int64(index) * 20_000_000))
        }
        #expect(meter.quality.jitter == .zero)
        #expect(meter.quality.codec == .g711)
        #expect(meter.quality.received == 10)
    }
}
