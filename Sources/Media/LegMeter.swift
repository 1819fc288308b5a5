public import CoreTypes

/// Gathers the quality of one leg, packet by packet, without memory of its own.
public struct LegMeter: Equatable, Sendable {
    /// A sender report that was passed on to the far end of the leg.
    private struct Passed: Equatable, Sendable {
        var time: UInt32
        var at: Instant
    }

    /// A round trip beyond this is a wrong DLSR, not a line.
    private static let longestRoundTrip = Duration.seconds(10)

    public private(set) var reception = ReceptionStatistics()
    private var codec: VoiceCodec?
    // The far end's answer is about the last report, or the one before if the two have crossed.
    private var lastPassed: Passed?
    private var previousPassed: Passed?
    private var roundTrips: Duration = .zero
    private var roundTripCount = 0
    /// Sum of the fractions, in 1/256.
    private var reportedLoss: UInt64 = 0
    private var reportCount: UInt64 = 0
    private var reportedJitter: UInt32 = 0

    public init() {}

    /// An RTP packet of the leg's far end was accepted.
    public mutating func receive(_ header: RTPHeader, telephoneEvent: UInt8?, at now: Instant) {
        let isEvent = header.payloadType == telephoneEvent
        let codec = VoiceCodec(payloadType: header.payloadType)
        // 13 is comfort noise (RFC 3389): in the place of voice, whatever codec that has.
        if !isEvent, header.payloadType != 13 { self.codec = codec }
        reception.receive(header, at: now, isTimed: codec != nil)
    }

    /// A sender report of the other leg went out to the far end of this one.
    public mutating func passed(_ report: SenderReport, at now: Instant) {
        previousPassed = lastPassed
        lastPassed = Passed(time: report.time, at: now)
    }

    /// The far end of this leg reports on the stream `source`, which is what the other leg's far end sends.
    public mutating func reported(_ report: ReceptionReport, on source: UInt32?, at now: Instant) {
        guard report.source == source else { return }
        reportedLoss &+= UInt64(report.fractionLost)
        reportCount &+= 1
        reportedJitter = report.jitter
        guard report.lastSenderReport != 0, let sent = passed(report.lastSenderReport) else { return }
        let delay = Duration.nanoseconds(Int64(report.delay) * 1_000_000_000 / 65536)
        let roundTrip = now - sent - delay
        guard roundTrip <= Self.longestRoundTrip, roundTrip >= .seconds(-1) else { return }
        // Two clocks that are not quite of one speed may give less than nothing (RFC 3550 §6.4.1).
        roundTrips += max(.zero, roundTrip)
        roundTripCount &+= 1
    }

    private func passed(_ time: UInt32) -> Instant? {
        if lastPassed?.time == time { return lastPassed?.at }
        return previousPassed?.time == time ? previousPassed?.at : nil
    }

    /// What was gathered so far.
    public var quality: LegQuality {
        var reported: LegQuality.Reported?
        if reportCount > 0 {
            reported = LegQuality.Reported(
                loss: Double(reportedLoss) / 256 / Double(reportCount),
                jitter: codec == nil ? nil : .microseconds(Int64(reportedJitter) * 125))
        }
        return LegQuality(
            received: reception.received, expected: reception.expected, lost: reception.lost, jitter: reception.jitter,
            roundTrip: roundTripCount > 0 ? roundTrips / roundTripCount : nil, reported: reported, codec: codec)
    }
}
