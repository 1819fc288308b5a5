/// How the media of one leg of a call fared.
public struct LegQuality: Hashable, Sendable {
    /// What the far end of the leg says it received (RFC 3550 §6.4.1): what is lost on either leg is missing there.
    public struct Reported: Hashable, Sendable {
        /// The mean of its reports, 0...1.
        public var loss: Double
        /// Of its last report; nil where the stream's clock is not known.
        public var jitter: Duration?

        public init(loss: Double, jitter: Duration?) {
            self.loss = loss
            self.jitter = jitter
        }
    }

    /// RTP packets that came from the far end.
    public var received: UInt64
    public var expected: UInt64
    public var lost: UInt64
    /// Nil where the codec's clock is not known.
    public var jitter: Duration?
    /// From the edge to the far end and back; nil without RTCP of both far ends.
    public var roundTrip: Duration?
    /// Nil where it sent no report.
    public var reported: Reported?
    /// Nil: not one the E-model is known for here.
    public var codec: VoiceCodec?

    public init(
        received: UInt64, expected: UInt64, lost: UInt64, jitter: Duration? = nil, roundTrip: Duration? = nil,
        reported: Reported? = nil, codec: VoiceCodec? = nil
    ) {
        self.received = received
        self.expected = expected
        self.lost = lost
        self.jitter = jitter
        self.roundTrip = roundTrip
        self.reported = reported
        self.codec = codec
    }

    /// Lost of what was expected, 0...1.
    public var loss: Double { expected == 0 ? 0 : Double(lost) / Double(expected) }

    /// What comes from the far end is worth so much when it is here; nil where nothing came or the codec is not rated.
    public var mos: Double? {
        guard received > 0, let codec else { return nil }
        return CallQuality(codec: codec, loss: loss, delay: delay(jitter)).mos
    }

    /// What the far end hears is worth so much, by its own reports; nil without any.
    public var reportedMOS: Double? {
        guard let reported, let codec else { return nil }
        return CallQuality(codec: codec, loss: reported.loss, delay: delay(reported.jitter)).mos
    }

    /// A packet of 20 ms, half the round trip, and a buffer of twice the jitter.
    private func delay(_ jitter: Duration?) -> Duration {
        .milliseconds(20) + (roundTrip ?? .zero) / 2 + (jitter ?? .zero) * 2
    }
}
