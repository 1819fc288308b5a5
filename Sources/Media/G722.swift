internal import CSpanDSP

/// ITU-T G.722 at 64 kbit/s on spandsp, against samples at 8000 Hz: a byte a sample. The upper half of the band is left
/// empty by the encoder and passed over by the decoder.
final class G722Encoder {
    private let state: OpaquePointer?

    init() { state = g722_encode_init(nil, 64_000, Int32(G722_SAMPLE_RATE_8000)) }
    deinit { if let state { g722_encode_free(state) } }

    func encode(_ samples: [Int16]) -> [UInt8] {
        guard let state, !samples.isEmpty else { return [] }
        return [UInt8](unsafeUninitializedCapacity: samples.count * 2) { output, count in
            count = Int(g722_encode(state, output.baseAddress, samples, Int32(clamping: samples.count)))
        }
    }
}

final class G722Decoder {
    private let state: OpaquePointer?

    init() { state = g722_decode_init(nil, 64_000, Int32(G722_SAMPLE_RATE_8000)) }
    deinit { if let state { g722_decode_free(state) } }

    func decode(_ bytes: [UInt8]) -> [Int16] {
        guard let state, !bytes.isEmpty else { return [] }
        return [Int16](unsafeUninitializedCapacity: bytes.count * 2) { output, count in
            count = Int(g722_decode(state, output.baseAddress, bytes, Int32(clamping: bytes.count)))
        }
    }
}

extension AudioFormat {
    /// Samples at 8000 Hz as bytes of the wire, from the beginning of a stream.
    public func encode(_ samples: [Int16]) -> [UInt8] {
        switch self {
        case .pcmu: return samples.map(G711.muLaw)
        case .pcma: return samples.map(G711.aLaw)
        case .g722: return G722Encoder().encode(samples)
        }
    }

    /// The samples at 8000 Hz that the bytes of a whole stream stand for.
    public func decode(_ bytes: some Sequence<UInt8>) -> [Int16] {
        switch self {
        case .pcmu: return bytes.map { G711.muLawSamples[Int($0)] }
        case .pcma: return bytes.map { G711.aLawSamples[Int($0)] }
        case .g722: return G722Decoder().decode(Array(bytes))
        }
    }
}
