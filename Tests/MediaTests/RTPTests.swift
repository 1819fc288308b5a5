import Media
import Testing

@Suite struct RTPTests {
    static let fixed: [UInt8] = [0x80, 0xE5, 0x12, 0x34, 0, 0, 0, 160, 0xDE, 0xAD, 0xBE, 0xEF]

    private static func parse(_ bytes: [UInt8]) -> Result<RTPPacket, RTPProblem> {
        do throws(RTPProblem) { return .success(try RTPPacket.parse(bytes.span)) } catch { return .failure(error) }
    }

    @Test func headerIsReadAndWritten() throws {
        let packet = try RTPPacket.parse((Self.fixed + [1, 2, 3]).span)
        let header = RTPHeader(marker: true, payloadType: 101, sequenceNumber: 0x1234, timestamp: 160, source: 0xDEAD_BEEF)
        #expect(packet.header == header)
        #expect(packet.payload == 12..<15)
        var written = [UInt8](repeating: 0, count: RTPHeader.size)
        var span = written.mutableSpan
        let isWritten = header.write(into: &span)
        #expect(isWritten)
        #expect(written == Self.fixed)
        var short = [UInt8](repeating: 7, count: 11)
        var shortSpan = short.mutableSpan
        let isShortWritten = header.write(into: &shortSpan)
        #expect(!isShortWritten)
        #expect(short.allSatisfy { $0 == 7 })
    }

    /// First byte, bytes after the fixed header, and where the payload lies or what is wrong.
    @Test(arguments: [
        (0x80, [], .success(12..<12)),
        (0x81, [9, 9, 9, 9, 5], .success(16..<17)),
        (0x81, [9, 9, 9], .failure(.length)),
        (0x8F, [UInt8](repeating: 0, count: 59), .failure(.length)),
        (0x90, [0, 0, 0, 1, 9, 9, 9, 9, 5, 5], .success(20..<22)),
        (0x90, [0, 0, 0, 0], .success(16..<16)),
        (0x90, [0, 0, 0xFF, 0xFF, 9, 9, 9, 9], .failure(.length)),
        (0x90, [0, 0, 0], .failure(.length)),
        (0xA0, [5, 5, 0, 2], .success(12..<14)),
        (0xA0, [5, 5, 0, 4], .success(12..<12)),
        (0xA0, [5, 5, 0, 5], .failure(.length)),
        (0xA0, [5, 5, 0, 0], .failure(.length)),
        (0x00, [5], .failure(.version)),
        (0x40, [5], .failure(.version)),
        (0xC0, [5], .failure(.version)),
    ] as [(UInt8, [UInt8], Result<Range<Int>, RTPProblem>)])
    func lengths(first: UInt8, rest: [UInt8], expected: Result<Range<Int>, RTPProblem>) {
        var bytes = Self.fixed + rest
        bytes[0] = first
        #expect(Self.parse(bytes).map(\.payload) == expected)
    }

    @Test func packetCutAtEveryByteIsNeverReadPastItsEnd() {
        let whole = [0xB1] + Self.fixed.dropFirst() + [9, 9, 9, 9, 0, 0, 0, 1, 9, 9, 9, 9, 5, 5, 0, 2]
        for length in 0..<whole.count {
            switch Self.parse(Array(whole.prefix(length))) {
            case .success(let packet): #expect(packet.payload.upperBound <= length)
            case .failure(let problem): #expect(length < 12 ? problem == .tooShort : problem == .length)
            }
        }
        #expect(Self.parse(whole).map(\.payload) == .success(24..<26))
    }

    @Test(arguments: [
        ([0x81, 201, 0, 1, 1, 2, 3, 4], nil),
        ([0x80, 200, 0, 1, 1, 2, 3, 4, 0x81, 202, 0, 1, 0, 0, 0, 0], nil),
        ([0x80, 201, 0, 1, 1, 2, 3, 4, 0xA1, 202, 0, 1, 0, 0, 0, 4], nil),
        ([0xA0, 201, 0, 1, 1, 2, 3, 4, 0x81, 202, 0, 1, 0, 0, 0, 0], .padding),
        ([0x81, 203, 0, 1, 1, 2, 3, 4], .firstType),
        ([0x41, 201, 0, 1, 1, 2, 3, 4], .version),
        ([0x80, 201, 0, 1, 1, 2, 3, 4, 0x41, 202, 0, 0], .version),
        ([0x80, 201, 0, 2, 1, 2, 3, 4], .length),
        ([0x80, 201, 0, 0, 1, 2, 3], .tooShort),
        ([0x80, 201, 0, 1, 1, 2, 3, 4, 0x81], .length),
        ([0x80, 201, 0xFF, 0xFF, 1, 2, 3, 4], .length),
        ([], .tooShort),
    ] as [([UInt8], RTCPProblem?)])
    func controlPackets(bytes: [UInt8], expected: RTCPProblem?) {
        var found: RTCPProblem?
        do throws(RTCPProblem) { try RTCPCompound.check(bytes.span) } catch { found = error }
        #expect(found == expected)
    }
}
