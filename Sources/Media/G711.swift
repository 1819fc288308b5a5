/// ITU-T G.711: eight bits a sample, µ-law and A-law, against linear samples of sixteen bits.
public enum G711 {
    /// Samples, and bytes, in the 20 ms that a packet carries (RFC 3551 §4.2).
    public static let samplesPerPacket = 160

    /// Sample by code, for all 256.
    static let muLawSamples: [Int16] = (0...255).map { muLawSample(UInt8($0)) }
    static let aLawSamples: [Int16] = (0...255).map { aLawSample(UInt8($0)) }

    /// Added before the segment is looked for, so that segments begin at powers of two.
    private static let muLawBias: Int32 = 0x84
    private static let muLawClip: Int32 = 32635

    /// Sign, three bits of segment, four of step; all inverted on the wire.
    static func muLaw(_ sample: Int16) -> UInt8 {
        let sign: UInt8 = sample < 0 ? 0x80 : 0
        let magnitude = min(abs(Int32(sample)), muLawClip) + muLawBias
        let segment = Int32(24 - magnitude.leadingZeroBitCount)
        let step = (magnitude >> (segment + 3)) & 0x0F
        return ~(sign | UInt8(truncatingIfNeeded: segment << 4 | step))
    }

    static func muLawSample(_ code: UInt8) -> Int16 {
        let bits = ~code
        let segment = Int32(bits >> 4 & 0x07)
        let magnitude = ((Int32(bits & 0x0F) << 3) + muLawBias) << segment - muLawBias
        return Int16(truncatingIfNeeded: bits & 0x80 != 0 ? -magnitude : magnitude)
    }

    /// Sign, segment and step as µ-law, but the first two segments are linear, and every other bit is inverted.
    static func aLaw(_ sample: Int16) -> UInt8 {
        let sign: UInt8 = sample < 0 ? 0 : 0x80
        // One's complement of a negative sample, so that -1 and 0 are the two innermost steps.
        let magnitude = Int32(sample < 0 ? ~sample : sample) >> 4
        let code: Int32
        if magnitude < 0x20 {
            code = magnitude
        } else {
            let segment = Int32(28 - magnitude.leadingZeroBitCount)
            code = segment << 4 | (magnitude >> (segment - 1)) & 0x0F
        }
        return (sign | UInt8(truncatingIfNeeded: code)) ^ 0x55
    }

    static func aLawSample(_ code: UInt8) -> Int16 {
        let bits = code ^ 0x55
        let segment = Int32(bits >> 4 & 0x07)
        let step = Int32(bits & 0x0F) << 4
        let magnitude = segment == 0 ? step + 8 : (step + 0x108) << (segment - 1)
        return Int16(truncatingIfNeeded: bits & 0x80 != 0 ? magnitude : -magnitude)
    }
}

extension AudioFormat {
    /// By its static payload type.
    public init?(payloadType: UInt8) {
        guard let format = Self.allCases.first(where: { $0.payloadType == payloadType }) else { return nil }
        self = format
    }

    /// Static payload type (RFC 3551 §6).
    public var payloadType: UInt8 {
        switch self {
        case .pcmu: return 0
        case .pcma: return 8
        case .g722: return 9
        }
    }

    /// The code of a silent sample; of G.722 what a silent stream settles at.
    public var silence: UInt8 {
        switch self {
        case .pcmu: return 0xFF
        case .pcma: return 0xD5
        case .g722: return 0xFA
        }
    }
}
