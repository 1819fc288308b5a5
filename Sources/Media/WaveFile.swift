/// Why bytes are not a recording we can speak.
public enum WaveProblem: Error, Hashable, Sendable, CustomStringConvertible {
    case notRIFF
    /// A chunk reaches over the end, or there is no `fmt ` or no `data`.
    case truncated
    case noFormat
    case noData
    /// Not PCM, one channel, 8000 Hz, 16 bits.
    case unsupported(encoding: UInt16, channels: UInt16, rate: UInt32, bits: UInt16)

    public var description: String {
        switch self {
        case .notRIFF: return "not a RIFF WAVE file"
        case .truncated: return "the file ends inside a chunk"
        case .noFormat: return "the file has no fmt chunk before its data"
        case .noData: return "the file has no data chunk"
        case .unsupported(let encoding, let channels, let rate, let bits):
            return "encoding \(encoding), \(channels) channels, \(rate) Hz, \(bits) bits; wanted PCM (1), 1 channel, 8000 Hz, 16 bits"
        }
    }
}

/// RIFF WAVE files of PCM, 16 bits, one channel, 8000 Hz.
public enum WaveFile {
    /// The samples of a file. Chunks of other kinds are skipped; a `data` chunk that ends early gives what is there.
    public static func samples(of file: [UInt8]) throws(WaveProblem) -> [Int16] {
        let bytes = file.span
        guard bytes.count >= 12, name(bytes, 0) == "RIFF", name(bytes, 8) == "WAVE" else { throw .notRIFF }
        var offset = 12
        var isFormatKnown = false
        while offset + 8 <= bytes.count {
            let size = Int(littleUInt32(bytes, offset + 4))
            let body = offset + 8
            switch name(bytes, offset) {
            case "fmt ":
                guard size >= 16, body + size <= bytes.count else { throw .truncated }
                try checkFormat(bytes, body)
                isFormatKnown = true
            case "data":
                guard isFormatKnown else { throw .noFormat }
                return samples(bytes, body..<min(body + size, bytes.count))
            default:
                break
            }
            // Chunks begin at even places.
            offset = body + size + size % 2
        }
        throw offset > bytes.count ? .truncated : .noData
    }

    private static func checkFormat(_ bytes: Span<UInt8>, _ body: Int) throws(WaveProblem) {
        let encoding = littleUInt16(bytes, body)
        let channels = littleUInt16(bytes, body + 2)
        let rate = littleUInt32(bytes, body + 4)
        let bits = littleUInt16(bytes, body + 14)
        guard encoding == 1, channels == 1, rate == 8000, bits == 16 else {
            throw .unsupported(encoding: encoding, channels: channels, rate: rate, bits: bits)
        }
    }

    private static func samples(_ bytes: Span<UInt8>, _ range: Range<Int>) -> [Int16] {
        var samples: [Int16] = []
        samples.reserveCapacity(range.count / 2)
        for offset in stride(from: range.lowerBound, to: range.upperBound - 1, by: 2) {
            samples.append(Int16(bitPattern: littleUInt16(bytes, offset)))
        }
        return samples
    }

    private static func name(_ bytes: Span<UInt8>, _ offset: Int) -> String {
        String(decoding: (0..<4).map { bytes[offset + $0] }, as: UTF8.self)
    }

    private static func littleUInt16(_ bytes: Span<UInt8>, _ offset: Int) -> UInt16 {
        UInt16(bytes[offset]) | UInt16(bytes[offset + 1]) << 8
    }

    private static func littleUInt32(_ bytes: Span<UInt8>, _ offset: Int) -> UInt32 {
        UInt32(littleUInt16(bytes, offset)) | UInt32(littleUInt16(bytes, offset + 2)) << 16
    }
}
