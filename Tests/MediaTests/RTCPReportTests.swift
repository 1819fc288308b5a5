import CoreTypes
import Media
import Testing

@Suite struct RTCPReportTests {
    static func words(_ words: [UInt32]) -> [UInt8] {
        words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (24 - 8 * UInt32($0))) } }
    }

    /// A sender report with blocks (RFC 3550 §6.4.1).
    static func senderReport(_ source: UInt32, time: UInt32, blocks: [[UInt32]] = []) -> [UInt8] {
        let head = 0x80C8_0000 | UInt32(blocks.count) << 24 | UInt32(6 + 6 * blocks.count)
        return words([head, source, time >> 16, time << 16, 0, 50, 8000] + blocks.joined())
    }

    static func receiverReport(_ source: UInt32, blocks: [[UInt32]]) -> [UInt8] {
        words([0x80C9_0000 | UInt32(blocks.count) << 24 | UInt32(1 + 6 * blocks.count), source] + blocks.joined())
    }

    static func block(_ source: UInt32, fraction: UInt32, jitter: UInt32, last: UInt32 = 0, delay: UInt32 = 0) -> [UInt32] {
        [source, fraction << 24 | 5, 1000, jitter, last, delay]
    }

    private static func read(_ bytes: [UInt8]) -> [RTCPReport] {
        var reports: [RTCPReport] = []
        RTCPReport.read(bytes.span) { reports.append($0) }
        return reports
    }

    @Test func reportsAreRead() {
        let source: [UInt8] = Self.words([0x81CA_0002, 7, 0x0100_0000])
        let bytes = Self.senderReport(7, time: 0xAABB_CCDD, blocks: [Self.block(9, fraction: 64, jitter: 80, last: 3, delay: 4)]) + source
        #expect(
            Self.read(bytes) == [
                .sender(SenderReport(source: 7, time: 0xAABB_CCDD)),
                .block(ReceptionReport(source: 9, fractionLost: 64, jitter: 80, lastSenderReport: 3, delay: 4)),
            ])
        let two = Self.receiverReport(7, blocks: [Self.block(1, fraction: 0, jitter: 1), Self.block(2, fraction: 255, jitter: 2)])
        #expect(
            Self.read(two) == [
                .block(ReceptionReport(source: 1, fractionLost: 0, jitter: 1)),
                .block(ReceptionReport(source: 2, fractionLost: 255, jitter: 2)),
            ])
    }

    @Test func cutAtEveryByteNothingIsReadPastTheEnd() {
        let whole = Self.senderReport(7, time: 1, blocks: [Self.block(9, fraction: 1, jitter: 1)])
        for length in 0..<whole.count { #expect(Self.read(Array(whole.prefix(length))).isEmpty) }
        // More blocks promised than there are.
        var lying = whole
        lying[0] = 0x9F
        #expect(Self.read(lying).count == 2)
        #expect(Self.read(Self.words([0x9FC9_0000])).isEmpty)
        #expect(Self.read(Self.words([0x9FC8_0001, 7])).isEmpty)
    }

    /// RFC 3550 figure 2: the report left at 0xb710:8000 s, its answer came 6.125 s later, DLSR was 5.25 s.
    @Test func roundTripIsThatOfTheFigureInTheRFC() {
        var meter = LegMeter()
        let start = Instant(nanoseconds: 1_000_000_000)
        meter.passed(SenderReport(source: 5, time: 0xB710_8000), at: start)
        meter.reported(
            ReceptionReport(source: 5, fractionLost: 0, jitter: 0, lastSenderReport: 0xB710_8000, delay: 0x0005_4000), on: 5,
            at: start + .milliseconds(6125))
        #expect(meter.quality.roundTrip == .milliseconds(875))
    }

    @Test func roundTripsThatCannotBeAreLeftOut() {
        var meter = LegMeter()
        let start = Instant(nanoseconds: 0)
        for time in 1...3 as ClosedRange<UInt32> { meter.passed(SenderReport(source: 5, time: time), at: start + .seconds(Int64(time))) }
        func answer(_ last: UInt32, after: Duration, delay: UInt32 = 0, source: UInt32 = 5) -> Duration? {
            var meter = meter
            meter.reported(
                ReceptionReport(source: source, fractionLost: 0, jitter: 0, lastSenderReport: last, delay: delay), on: 5, at: start + after)
            return meter.quality.roundTrip
        }
        #expect(answer(3, after: .milliseconds(3080)) == .milliseconds(80))
        #expect(answer(2, after: .milliseconds(3080)) == .milliseconds(1080))
        #expect(answer(1, after: .milliseconds(3080)) == nil, "only the last two are remembered")
        #expect(answer(0, after: .milliseconds(3080)) == nil)
        #expect(answer(3, after: .seconds(60)) == nil)
        #expect(answer(3, after: .milliseconds(3080), delay: .max) == nil)
        #expect(answer(3, after: .seconds(3), delay: 655) == .zero, "a little less than nothing is nothing")
        #expect(answer(3, after: .milliseconds(3080), source: 6) == nil, "a report on somebody else's stream")
    }

    @Test func reportedLossIsTheMean() {
        var meter = LegMeter()
        meter.receive(
            RTPHeader(marker: false, payloadType: 0, sequenceNumber: 1, timestamp: 0, source: 9), telephoneEvent: nil,
            at: Instant(nanoseconds: 0))
        for fraction in [0, 64, 128] as [UInt8] {
            meter.reported(ReceptionReport(source: 5, fractionLost: fraction, jitter: 80), on: 5, at: Instant(nanoseconds: 0))
        }
        #expect(meter.quality.reported == LegQuality.Reported(loss: 0.25, jitter: .milliseconds(10)))
    }
}
