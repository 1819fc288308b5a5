import CoreTypes
import CryptoPrimitives
import Testing
@testable import Tunnel

/// Frames with the bytes that docs/tunnel-protocol.md gives for them.
struct GoldenFrame: Sendable, CustomTestStringConvertible {
    let name: String
    let frame: TunnelFrame
    let hex: String
    var testDescription: String { name }
    var bytes: [UInt8] { hexBytes(hex) }
}

func hexBytes(_ text: String) -> [UInt8] {
    let digits = text.filter { $0 != " " }.map { UInt8($0.hexDigitValue ?? 0) }
    return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

let token = SessionToken(bytes: Array(0...15)).unsafelyUnwrapped
let stream32 = StreamID(rawValue: 32).unsafelyUnwrapped
let stream300 = StreamID(rawValue: 300).unsafelyUnwrapped
private let v4 = Endpoint(address: IPAddress(v4: 0xC000_0207), port: 20_000)
private let v6 = Endpoint(address: IPAddress(v6High: 0x2001_0DB8_0000_0000, low: 1), port: 20_001)

private func hello(_ change: (inout TunnelHello) -> Void) -> TunnelFrame {
    var hello = TunnelHello()
    hello.maximumStreams = 512
    hello.datagramPayload = 1400
    change(&hello)
    return .hello(hello)
}

private func report() -> LaneReport {
    var report = LaneReport()
    (report.datagramsReceived, report.streamMediaReceived, report.late, report.duplicates) = (1000, 20, 3, 4)
    (report.datagramSilence, report.sending) = (75, .datagram)
    return report
}

let goldenFrames: [GoldenFrame] = [
    .init(
        name: "hello of an edge without a session", frame: hello { _ in },
        hex: "01 0025 45444745 01 01 01 04 00000003 03 08 0000000000000000 04 02 ffff 05 02 0200 06 02 0578 07 01 00"),
    .init(
        name: "hello to go on with a session, standing by",
        frame: hello { ($0.token, $0.received, $0.standing) = (token, 258, .standby) },
        hex: "01 0037 45444745 01 01 01 04 00000003 02 10 000102030405060708090a0b0c0d0e0f 03 08 0000000000000102 "
            + "04 02 ffff 05 02 0200 06 02 0578 07 01 01"),
    .init(name: "ping", frame: .ping(PingStamp(number: 7, time: 0x0102_0304_0506_0708)), hex: "02 000c 00000007 0102030405060708"),
    .init(name: "pong", frame: .pong(PingStamp(number: 7, time: 0x0102_0304_0506_0708)), hex: "03 000c 00000007 0102030405060708"),
    .init(name: "acknowledge", frame: .acknowledge(258), hex: "04 0008 0000000000000102"),
    .init(name: "lane report", frame: .laneReport(report()), hex: "05 0017 00000000000003e8 00000014 00000003 00000004 004b 01"),
    .init(name: "go away", frame: .goAway(.restarting, retryAfter: 5000), hex: "06 0005 01 00001388"),
    .init(name: "standing", frame: .standing(.standby), hex: "07 0001 01"),
    .init(name: "signal", frame: .signal(SignalFlow(rawValue: 2), Array("ACK".utf8)), hex: "10 0007 00000002 41434b"),
    .init(name: "open", frame: .open(StreamBinding(id: stream32)), hex: "11 0006 0020 00001f40"),
    .init(name: "opened", frame: .opened(stream32, v4), hex: "12 0009 0020 04 c0000207 4e20"),
    .init(name: "refused", frame: .refused(stream32, .noPort), hex: "13 0003 0020 02"),
    .init(
        name: "update", frame: .update(StreamUpdate(id: stream300, rtp: v4, rtcp: v6)),
        hex: "14 001c 012c 04 c0000207 4e20 06 20010db8000000000000000000000001 4e21"),
    .init(name: "close", frame: .close(stream300, .callEnded), hex: "15 0003 012c 01"),
    .init(
        name: "way", frame: .way(
            SignalWay(
                flow: SignalFlow(rawValue: 1), isUp: true, transport: .udp, local: Endpoint(address: IPAddress(v4: 0xC000_0207), port: 40_000),
                remote: Endpoint(address: IPAddress(v4: 0xC000_0209), port: 5060))),
        hex: "16 0014 00000001 01 00 04 c0000207 9c40 04 c0000209 13c4"),
    .init(name: "RTP of stream 32", frame: .media(stream32.rtp, [0x80, 0, 1]), hex: "20 0003 800001"),
    .init(name: "RTCP of stream 32", frame: .media(stream32.rtcp, [0x80, 0xC8]), hex: "21 0002 80c8"),
    .init(name: "RTP of stream 300", frame: .media(stream300.rtp, [0x80]), hex: "412c 0001 80"),
    .init(name: "a counted type of a later version", frame: .unknown(0x1F), hex: "1f 0000"),
]

private let goldenDatagrams: [(DatagramFrame, String)] = [
    (.media(MediaPacket(stream32.rtp, [0x80, 0])), "20 8000"),
    (.media(MediaPacket(stream300.rtcp, [0x80])), "412d 80"),
    (.bundle([MediaPacket(stream32.rtp, [0x80, 0]), MediaPacket(stream300.rtcp, [0x80, 0xC8])]), "03 01 20 0002 8000 412d 80c8"),
    (
        .bundle([MediaPacket(stream300.rtp, [0x80]), MediaPacket(stream32.rtp, [0x80, 0]), MediaPacket(stream32.rtcp, [0x81])]),
        "03 02 412c 0001 80 20 0002 8000 21 81"
    ),
    (.probe(PingStamp(number: 1, time: 2), sent: 3, padding: 0), "01 00000001 0000000000000002 0000000000000003"),
    (.probe(PingStamp(number: 1, time: 2), sent: 3, padding: 2), "01 00000001 0000000000000002 0000000000000003 0000"),
    (.echo(PingStamp(number: 1, time: 2), received: 3), "02 00000001 0000000000000002 0000000000000003"),
]

private func frames(_ bytes: [UInt8], limits: TunnelLimits = .init()) -> ([TunnelFrame], FrameReader.Step) {
    var reader = FrameReader(limits: limits)
    reader.append(bytes)
    var all: [TunnelFrame] = []
    while true {
        let step = reader.next()
        guard case .frame(let frame) = step else { return (all, step) }
        all.append(frame)
    }
}

@Suite("Tunnel frames")
struct FrameTests {
    @Test("golden bytes, both ways", arguments: goldenFrames)
    func golden(frame: GoldenFrame) {
        #expect(hexadecimal(frame.frame.encoded) == hexadecimal(frame.bytes))
        #expect(frames(frame.bytes) == ([frame.frame], .needMore))
    }

    @Test("golden datagrams, both ways; cut at every byte they are dropped or shorter, never a trap")
    func datagrams() {
        for (frame, hex) in goldenDatagrams {
            #expect(hexadecimal(frame.encoded) == hexadecimal(hexBytes(hex)))
            #expect(DatagramFrame(hexBytes(hex)) == frame)
            for count in 0..<hexBytes(hex).count { #expect(DatagramFrame(Array(hexBytes(hex).prefix(count))) != frame) }
        }
        #expect(DatagramFrame([4, 1, 2]) == .unknown)
        #expect(DatagramFrame([0x20]) == nil && DatagramFrame([0x80, 0]) == nil && DatagramFrame([0x40, 0x20, 1]) == nil)
    }

    @Test("bundles that make no sense", arguments: [
        "03", "03 00", "03 00 20 80", "03 01", "03 01 20 0002 8000", "03 01 20 0002 8000 21", "03 01 20 0000 21 80", "03 01 20 0003 8000 21",
        "03 01 20 ffff 8000 21 80", "03 01 1f 0001 80 21 80", "03 01 20 0001 80 01 80", "03 01 4020 0001 80 21 80", "03 01 80 0001 80 21 80",
        "03 02 20 0001 80 21 80", "03 ff 20 0001 80 21 80", "03 40 20 0001 80 21 80", "03 01 20 0001 80 9f 80", "03 01 20 00",
    ])
    func badBundles(hex: String) { #expect(DatagramFrame(hexBytes(hex)) == nil) }

    @Test("the longest bundle, and one packet more")
    func longestBundle() {
        let packets = (0..<64).map { MediaPacket(stream300.rtp, [UInt8($0)]) }
        let bytes = DatagramFrame.bundle(packets).encoded
        #expect(DatagramFrame(bytes) == .bundle(packets))
        #expect(DatagramFrame([3, 64] + Array(repeating: [0x41, 0x2C, 0, 1, 9] as [UInt8], count: 64).joined() + [0x20, 1]) == nil)
    }

    @Test("overhead above the record layer: at most 4 bytes on the stream and in a bundle, 2 in a datagram of one packet")
    func overhead() {
        for number in stride(from: StreamID.range.lowerBound, through: StreamID.range.upperBound, by: 2) {
            guard let id = StreamID(rawValue: number) else { continue }
            #expect(TunnelFrame.media(id.rtcp, [1]).encoded.count <= 5)
            #expect(DatagramFrame.media(MediaPacket(id.rtcp, [1])).encoded.count <= 3)
            for count in 2...6 {
                #expect(DatagramFrame.bundle(Array(repeating: MediaPacket(id.rtp, [1]), count: count)).encoded.count <= 5 * count)
            }
        }
    }

    @Test("cut at every byte: nothing comes out early, and all of it afterwards")
    func cuts() {
        let whole = goldenFrames.flatMap(\.bytes)
        for cut in 0...whole.count {
            var reader = FrameReader(limits: .init())
            var seen: [TunnelFrame] = []
            for part in [whole.prefix(cut), whole.suffix(whole.count - cut)] {
                reader.append(Array(part))
                while case .frame(let frame) = reader.next() { seen.append(frame) }
            }
            #expect(seen == goldenFrames.map(\.frame))
        }
        var reader = FrameReader(limits: .init())
        var seen: [TunnelFrame] = []
        for byte in whole {
            reader.append([byte])
            while case .frame(let frame) = reader.next() { seen.append(frame) }
        }
        #expect(seen == goldenFrames.map(\.frame))
    }

    @Test("a payload cut short is refused, except where what is left says something else", arguments: goldenFrames)
    func shortPayloads(golden: GoldenFrame) {
        let headLength = golden.bytes[0] >= 0x40 ? 2 : 1
        let payload = golden.bytes.dropFirst(headLength + 2)
        for count in 0..<payload.count {
            let bytes = golden.bytes.prefix(headLength) + [UInt8(count >> 8), UInt8(count & 255)] + payload.prefix(count)
            let (read, step) = frames(Array(bytes))
            // Fields of a hello may be left out, and then have the value of the first golden one.
            if golden.name != goldenFrames[0].name { #expect(read != [golden.frame]) }
            if read.isEmpty { #expect(step == .broken(.malformed(head: UInt16(golden.bytes[0])))) }
        }
    }

    @Test("bytes behind the last known field are left to later versions")
    func longerPayloads() {
        #expect(frames(hexBytes("11 0008 0020 00001f40 ffff")).0 == [.open(StreamBinding(id: stream32))])
        #expect(frames(hexBytes("01 000b 45444745 01 05 63 03 010203")).0.count == 1)
    }

    @Test("what ends a connection", arguments: [
        ("80", FrameProblem.badHead), ("c0 00", .badHead), ("40 20 0000", .badHead), ("41 2c 0801", .tooLong(head: 300, length: 2049)),
        ("02 0401", .tooLong(head: 2, length: 1025)), ("0f 0401", .tooLong(head: 15, length: 1025)),
        ("11 0006 0021 00001f40", .malformed(head: 0x11)), ("11 0006 001e 00001f40", .malformed(head: 0x11)),
        ("12 0009 0020 05 c0000207 4e20", .malformed(head: 0x12)), ("07 0001 02", .malformed(head: 7)),
        ("01 0006 45444746 0101", .malformed(head: 1)), ("01 0006 45444745 0201", .malformed(head: 1)),
        ("01 000b 45444745 0101 02 03 000000", .malformed(head: 1)), ("01 0008 45444745 0101 63 05", .malformed(head: 1)),
    ])
    func broken(hex: String, problem: FrameProblem) {
        let (read, step) = frames(hexBytes(hex))
        #expect(read.isEmpty && step == .broken(problem))
    }

    @Test("twenty thousand damaged streams: no trap, bounded memory")
    func fuzz() {
        let whole = goldenFrames.flatMap(\.bytes)
        var dice = SeededRandom(state: 4711)
        for _ in 0..<20_000 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...4, using: &dice) {
                TLSMutationTests.Damage.allCases.randomElement(using: &dice)?.apply(to: &bytes, &dice)
            }
            var reader = FrameReader(limits: .init())
            let middle = Int.random(in: 0...bytes.count, using: &dice)
            for part in [bytes[..<middle], bytes[middle...]] {
                reader.append(Array(part))
                loop: while true {
                    switch reader.next() {
                    case .frame(let frame): if case .media(_, let packet) = frame { #expect(packet.count <= 2048) }
                    case .needMore, .broken: break loop
                    }
                }
                #expect(reader.count <= 65_539 + part.count)
            }
            _ = DatagramFrame(Array(bytes[middle...]))
        }
    }
}
