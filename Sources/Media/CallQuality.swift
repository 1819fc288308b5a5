/// How a codec counts in the E-model.
public enum VoiceCodec: String, Hashable, Sendable, CaseIterable {
    /// G.711 in a phone that conceals what is lost (G.711 Appendix I or the like), as all phones of today do.
    case g711
    case g711WithoutConcealment
    case g722
    case g729

    /// Of the static payload types (RFC 3551 §6) those that are rated here; all of them count time in 8000 Hz.
    public init?(payloadType: UInt8) {
        switch payloadType {
        case 0, 8: self = .g711
        case 9: self = .g722
        case 18: self = .g729
        default: return nil
        }
    }

    /// Ie, the impairment of the codec itself: G.113 Appendix I; for G.722 at 64 kbit/s Ie,WB of Appendix IV.
    public var impairment: Double {
        switch self {
        case .g711, .g711WithoutConcealment: return 0
        case .g722: return 13
        case .g729: return 11
        }
    }

    /// Bpl, robustness against random loss: G.113 Appendix I. For G.722 that of a codec without concealment is taken,
    /// which is the careful choice.
    public var robustness: Double {
        switch self {
        case .g711: return 25.1
        case .g711WithoutConcealment, .g722: return 4.3
        case .g729: return 19
        }
    }

    /// R of a call without any impairment: G.107 §7.7 with all defaults, and G.107.1 for wideband.
    public var bestRating: Double { isWideband ? 129 : 93.2 }

    public var isWideband: Bool {
        switch self {
        case .g722: return true
        case .g711, .g711WithoutConcealment, .g729: return false
        }
    }
}

/// The E-model (ITU-T G.107) with the defaults for everything a network does not change: R = R0 − Id − Ie,eff.
public struct CallQuality: Hashable, Sendable {
    public var codec: VoiceCodec
    /// Lost packets, 0...1; taken to be lost at random (BurstR = 1).
    public var loss: Double
    /// From mouth to ear, one way.
    public var delay: Duration

    public init(codec: VoiceCodec, loss: Double, delay: Duration) {
        self.codec = codec
        self.loss = min(max(loss, 0), 1)
        self.delay = max(delay, .zero)
    }

    /// The rating R: 0...93.2, for wideband 0...129.
    public var rating: Double { max(0, codec.bestRating - delayImpairment - lossImpairment) }

    /// 1...4.5: G.107 Annex B; a wideband rating is brought to the same scale first (G.107.1 Annex A).
    public var mos: Double { Self.mos(rating: codec.isWideband ? rating / 1.29 : rating) }

    /// Id: 0.024·d + 0.11·(d − 177.3) where d is above 177.3 ms, which follows G.107 §7.4 with its defaults (TELR 65 dB)
    /// up to 400 ms.
    public var delayImpairment: Double {
        let milliseconds = Double(delay.components.seconds) * 1e3 + Double(delay.components.attoseconds) / 1e15
        return 0.024 * milliseconds + (milliseconds > 177.3 ? 0.11 * (milliseconds - 177.3) : 0)
    }

    /// Ie,eff = Ie + (95 − Ie) · Ppl / (Ppl + Bpl) (G.107 §7.5).
    public var lossImpairment: Double {
        let percent = loss * 100
        return codec.impairment + (95 - codec.impairment) * percent / (percent + codec.robustness)
    }

    /// Mean opinion score of a rating (G.107 Annex B).
    public static func mos(rating: Double) -> Double {
        if rating <= 0 { return 1 }
        if rating >= 100 { return 4.5 }
        // Just above 0 the polynomial dips below the scale.
        return max(1, 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6)
    }
}
