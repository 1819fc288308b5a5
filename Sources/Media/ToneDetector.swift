internal import CSpanDSP

/// Finds keys in audio (ITU-T Q.23, Q.24) on spandsp. Belongs to one thread and one stream.
public final class ToneDetector {
    private let state: OpaquePointer?
    private var wideband: G722Decoder?

    public init() {
        state = dtmf_rx_init(nil, nil, nil)
        // What a person says is no key: the upper tone is to be at most 8 dB below the lower and 4 dB above it, both
        // louder than -35 dBm0.
        if let state { dtmf_rx_parms(state, 0, 8, 4, -35) }
    }

    deinit { if let state { dtmf_rx_free(state) } }

    /// Takes the payload of one packet; the keys that begin in it, as ASCII.
    public func receive(_ payload: [UInt8], format: AudioFormat) -> [UInt8] {
        guard let state else { return [] }
        let samples = samples(payload, format)
        dtmf_rx(state, samples, Int32(clamping: samples.count))
        var keys = [CChar](repeating: 0, count: 16)
        let count = dtmf_rx_get(state, &keys, Int32(keys.count) - 1)
        return keys.prefix(count).map { UInt8(bitPattern: $0) }.filter(Self.isKey)
    }

    /// Whether a tone is, or may be, sounding at the end of what was received.
    public var isSounding: Bool {
        guard let state else { return false }
        return dtmf_rx_status(state) != 0
    }

    private func samples(_ payload: [UInt8], _ format: AudioFormat) -> [Int16] {
        switch format {
        case .pcmu, .pcma: return format.decode(payload)
        case .g722:
            let decoder = wideband ?? G722Decoder()
            wideband = decoder
            return decoder.decode(payload)
        }
    }

    private static func isKey(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "*"), UInt8(ascii: "#"), UInt8(ascii: "A")...UInt8(ascii: "D"): return true
        default: return false
        }
    }
}
