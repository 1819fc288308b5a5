import Testing

@testable import Media

@Suite struct G711Tests {
    /// Values of ITU-T G.711 tables 1 and 2, scaled to sixteen bits.
    @Test(arguments: [
        (.pcmu, 0x00, -32124), (.pcmu, 0x80, 32124), (.pcmu, 0xFF, 0), (.pcmu, 0x7F, 0), (.pcmu, 0xF0, 120), (.pcmu, 0xEF, 132),
        (.pcmu, 0x8F, 16764), (.pcmu, 0xFE, 8), (.pcmu, 0x7E, -8),
        (.pcma, 0xD5, 8), (.pcma, 0x55, -8), (.pcma, 0x2A, -32256), (.pcma, 0xAA, 32256), (.pcma, 0x80, 5504), (.pcma, 0x00, -5504),
        (.pcma, 0xC5, 264), (.pcma, 0xDA, 248),
    ] as [(AudioFormat, UInt8, Int16)])
    func decoding(format: AudioFormat, code: UInt8, sample: Int16) {
        #expect(format.decode([code]) == [sample])
    }

    @Test(arguments: [AudioFormat.pcmu, .pcma])
    func everyCodeSurvivesARoundTrip(format: AudioFormat) {
        for code in UInt8.min...UInt8.max {
            let again = format.encode(format.decode([code]))
            // µ-law has two zeros.
            #expect(again == [format == .pcmu && code == 0x7F ? 0xFF : code])
        }
    }

    /// Quantisation is never off by more than half a step of a segment, and louder samples get louder codes.
    @Test(arguments: [AudioFormat.pcmu, .pcma])
    func everySampleIsNearItsCode(format: AudioFormat) {
        let samples = stride(from: Int(Int16.min), through: Int(Int16.max), by: 61).map { Int16($0) }
        let decoded = format.decode(format.encode(samples))
        for (sample, level) in zip(samples, decoded) {
            #expect(abs(Int(level) - Int(sample)) <= abs(Int(sample)) / 32 + 8, "sample \(sample)")
        }
        #expect(zip(decoded, decoded.dropFirst()).allSatisfy { $0 <= $1 })
    }

    /// Weighted sums over all codes and all samples from 0 up, as an independent implementation gives them. (Below 0
    /// implementations differ by how they round; those samples are covered above.)
    @Test(arguments: [(.pcmu, 98_107_392, 621_352_079), (.pcma, 100_139_008, 701_943_486)] as [(AudioFormat, Int, Int)])
    func wholeTables(format: AudioFormat, decoded: Int, encoded: Int) {
        let levels = format.decode((0...255).map { UInt8($0) })
        #expect(levels.enumerated().reduce(0) { $0 + ($1.offset + 1) * Int($1.element) } == decoded)
        let codes = format.encode((0...Int16.max).map { $0 })
        #expect(codes.enumerated().reduce(0) { $0 + ($1.offset % 251 + 1) * Int($1.element) } == encoded)
    }

    @Test func extremes() {
        #expect(AudioFormat.pcmu.encode([.min, .max, 0]) == [0x00, 0x80, 0xFF])
        #expect(AudioFormat.pcma.encode([.min, .max, 0, -1]) == [0x2A, 0xAA, 0xD5, 0x55])
        #expect(AudioFormat.pcmu.encode([0]) == [AudioFormat.pcmu.silence])
        #expect(AudioFormat.pcma.encode([0]) == [AudioFormat.pcma.silence])
    }
}
