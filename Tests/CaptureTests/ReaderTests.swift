import Capture
import CoreTypes
import Foundation
import Testing

struct FrameCase: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let link: UInt32
    let frames: [[UInt8]]
    var payloads: [[UInt8]] = [[1, 2, 3]]
    var from = Wire.a
    var to = Wire.b
    var skipped = 0
}

@Suite struct ReaderTests {
    @Test(arguments: linkCases + packetCases + tcpCases) func reads(_ sample: FrameCase) throws {
        let folder = try Folder()
        let contents = try PacketReader.contents(path: folder.file("a", Wire.pcap(link: sample.link, sample.frames)))
        #expect(contents.packets.map(\.payload) == sample.payloads)
        #expect(contents.packets.allSatisfy { $0.source == sample.from && $0.destination == sample.to })
        #expect(contents.skipped == sample.skipped)
        #expect(contents.problem == nil)
    }

    /// Cut short at every byte: less comes out, nothing else happens.
    @Test(arguments: linkCases + packetCases + tcpCases) func readsWhatIsLeftOfIt(_ sample: FrameCase) throws {
        let folder = try Folder()
        for frame in sample.frames {
            for count in 0..<frame.count {
                let path = try folder.file("a", Wire.pcap(link: sample.link, [Array(frame.prefix(count))]))
                let contents = try PacketReader.contents(path: path)
                #expect(contents.packets.isEmpty || frame.count > count)
            }
        }
    }

    @Test func timesAreThoseOfTheFile() throws {
        let folder = try Folder()
        let frames = Array(repeating: Wire.v4(Wire.udp([1]), transport: 17), count: 2)
        let packets = try PacketReader.read(path: folder.file("a", Wire.pcap(link: 101, frames)))
        #expect(packets.map(\.at) == [Instant(nanoseconds: 250_000_000), Instant(nanoseconds: 1_250_000_000)])
        #expect(packets.allSatisfy { $0.transport == .udp })
    }

    @Test func whatIsNoCaptureIsRefused() throws {
        let folder = try Folder()
        for (name, bytes) in [("empty", []), ("text", Array("no capture at all, but words".utf8)), ("short", [0xd4, 0xc3, 0xb2])] {
            let path = try folder.file(name, bytes)
            #expect { _ = try PacketReader.read(path: path) } throws: { error in
                if case .notACapture(path, _) = error as? CaptureError { return true }
                return false
            }
        }
        #expect { _ = try PacketReader.read(path: folder.file("missing")) } throws: { $0 is CaptureError }
        #expect { _ = try PacketReader.read(path: "-") } throws: { $0 is CaptureError }
        #expect(throws: CaptureError.unknownLinkType(147)) {
            try PacketReader.read(path: folder.file("user", Wire.pcap(link: 147, [])))
        }
    }

    @Test func aFileCutShortGivesWhatIsThere() throws {
        let folder = try Folder()
        let frames = Array(repeating: Wire.v4(Wire.udp([1]), transport: 17), count: 3)
        let bytes = Wire.pcap(link: 101, frames)
        let contents = try PacketReader.contents(path: folder.file("a", Array(bytes.dropLast(5))))
        #expect(contents.packets.count == 2)
        guard case .damaged? = contents.problem else {
            Issue.record("nothing said of the damage")
            return
        }
    }

    @Test func isBounded() throws {
        let folder = try Folder()
        let frames = Array(repeating: Wire.v4(Wire.udp([1]), transport: 17), count: 30)
        let path = try folder.file("a", Wire.pcap(link: 101, frames))
        var limits = ReaderLimits()
        limits.maximumPackets = 10
        #expect(try PacketReader.contents(path: path, limits: limits).packets.count == 10)
        limits = ReaderLimits()
        limits.maximumBytes = 5 * 29
        let contents = try PacketReader.contents(path: path, limits: limits)
        #expect(contents.packets.count == 5)
        #expect(contents.problem == .tooLarge)
    }

    /// Many datagrams that never become whole, many connections: what is held stays small, and what is whole is read.
    @Test func floodsOfPiecesAreBounded() throws {
        let folder = try Folder()
        var frames: [[UInt8]] = []
        for number in 0..<2000 {
            frames.append(
                Wire.v4(Array(repeating: 0, count: 64), transport: 17, identification: UInt16(number), fragment: 0x2000))
            let from = Endpoint(address: IPAddress(v4: UInt32(number)), port: 1000)
            frames.append(Wire.v4(Wire.tcp([1], sequence: 1, from: from), transport: 6, from: from))
            frames.append(Wire.v4(Wire.tcp([2], sequence: 100, from: from), transport: 6, from: from))
        }
        frames.append(Wire.v4(Wire.udp([9]), transport: 17))
        let packets = try PacketReader.read(path: folder.file("a", Wire.pcap(link: 101, frames)))
        #expect(packets.count == 4001)
        #expect(packets.filter { $0.transport == .udp }.count == 1)
    }

    /// A seeded shuffle with repetitions and overlaps gives the stream as it was sent.
    @Test(arguments: 0..<100) func reorderedSegmentsGiveTheStream(_ seed: UInt64) throws {
        var dice = Dice(state: seed)
        let stream = (0..<400).map { UInt8(truncatingIfNeeded: $0) }
        let start: UInt32 = seed % 2 == 0 ? 0xFFFF_FF80 : 1000
        var segments: [[UInt8]] = []
        var offset = 0
        while offset < stream.count {
            let count = Int.random(in: 1...30, using: &dice)
            let from = max(0, offset - Int.random(in: 0...8, using: &dice))
            let piece = Array(stream[from..<min(offset + count, stream.count)])
            let frame = Wire.v4(Wire.tcp(piece, sequence: start &+ 1 &+ UInt32(from)), transport: 6)
            segments += Array(repeating: frame, count: Int.random(in: 1...2, using: &dice))
            offset += count
        }
        segments.shuffle(using: &dice)
        let frames = [Wire.v4(Wire.tcp([], sequence: start, flags: 0x02), transport: 6)] + segments
        let folder = try Folder()
        let packets = try PacketReader.read(path: folder.file("a", Wire.pcap(link: 101, frames)))
        #expect(packets.flatMap(\.payload) == stream)
    }
}

private let whole = Wire.v4(Wire.udp([1, 2, 3]), transport: 17)
private let whole6 = Wire.v6(Wire.udp([1, 2, 3], from: Wire.a6, to: Wire.b6), next: 17)

private let linkCases: [FrameCase] = [
    FrameCase(testDescription: "Ethernet", link: 1, frames: [Wire.ethernet(whole + [0, 0, 0, 0])]),
    FrameCase(testDescription: "Ethernet, IPv6", link: 1, frames: [Wire.ethernet(whole6, type: 0x86DD)], from: Wire.a6, to: Wire.b6),
    FrameCase(testDescription: "VLAN", link: 1, frames: [Wire.ethernet(whole, tags: [0x81, 0, 0, 5])]),
    FrameCase(testDescription: "VLAN in VLAN", link: 1, frames: [Wire.ethernet(whole, tags: [0x88, 0xA8, 0, 5, 0x81, 0, 0, 6])]),
    FrameCase(
        testDescription: "endless VLAN tags", link: 1, frames: [Wire.ethernet(whole, tags: Array(repeating: [0x81, 0, 0, 5], count: 9).flatMap { $0 })],
        payloads: [], skipped: 1),
    FrameCase(
        testDescription: "PPPoE", link: 1, frames: [Wire.ethernet([0x11, 0, 0, 1, 0, 33, 0, 0x21] + whole, type: 0x8864)]),
    FrameCase(
        testDescription: "PPPoE, discovery", link: 1, frames: [Wire.ethernet([0x11, 9, 0, 1, 0, 33, 0, 0x21] + whole, type: 0x8864)],
        payloads: [], skipped: 1),
    FrameCase(
        testDescription: "PPPoE, link control", link: 1, frames: [Wire.ethernet([0x11, 0, 0, 1, 0, 33, 0xC0, 0x21] + whole, type: 0x8864)],
        payloads: [], skipped: 1),
    FrameCase(testDescription: "ARP", link: 1, frames: [Wire.ethernet(whole, type: 0x0806)], payloads: [], skipped: 1),
    FrameCase(testDescription: "Linux cooked", link: 113, frames: [Array(repeating: 0, count: 14) + [8, 0] + whole]),
    FrameCase(
        testDescription: "Linux cooked 2", link: 276, frames: [[0x86, 0xDD] + Array(repeating: 0, count: 18) + whole6], from: Wire.a6,
        to: Wire.b6),
    FrameCase(testDescription: "raw", link: 101, frames: [whole]),
    FrameCase(testDescription: "raw IPv4", link: 228, frames: [whole]),
    FrameCase(testDescription: "raw IPv6", link: 229, frames: [whole6], from: Wire.a6, to: Wire.b6),
    FrameCase(testDescription: "loopback", link: 0, frames: [[2, 0, 0, 0] + whole]),
    FrameCase(testDescription: "loopback, IPv6", link: 0, frames: [[30, 0, 0, 0] + whole6], from: Wire.a6, to: Wire.b6),
    FrameCase(testDescription: "OpenBSD loopback", link: 108, frames: [[0, 0, 0, 2] + whole]),
]

private let datagram = Wire.udp(Array(repeating: 7, count: 56))

private let packetCases: [FrameCase] = [
    FrameCase(testDescription: "IPv4 options", link: 101, frames: [Wire.v4(Wire.udp([1, 2, 3]), transport: 17, options: [1, 1, 1, 0])]),
    FrameCase(testDescription: "another transport", link: 101, frames: [Wire.v4([1, 2, 3, 4, 5, 6, 7, 8], transport: 132)], payloads: [], skipped: 1),
    FrameCase(testDescription: "another version", link: 101, frames: [[0x55] + whole.dropFirst()], payloads: [], skipped: 1),
    FrameCase(testDescription: "header too short", link: 101, frames: [[0x44] + whole.dropFirst()], payloads: [], skipped: 1),
    FrameCase(
        testDescription: "UDP longer than its packet", link: 101,
        frames: [Wire.v4([0x13, 0xC6, 0x13, 0xC4, 0, 99, 0, 0, 1], transport: 17)], payloads: [], skipped: 1),
    FrameCase(
        testDescription: "UDP shorter than its header", link: 101,
        frames: [Wire.v4([0x13, 0xC6, 0x13, 0xC4, 0, 7, 0, 0, 1], transport: 17)], payloads: [], skipped: 1),
    FrameCase(testDescription: "empty UDP", link: 101, frames: [Wire.v4(Wire.udp([]), transport: 17)], payloads: [[]]),
    FrameCase(
        testDescription: "IPv4 in pieces, the last first", link: 101,
        frames: [
            Wire.v4(Array(datagram[32...]), transport: 17, fragment: 4), Wire.v4(Array(datagram[..<32]), transport: 17, fragment: 0x2000),
        ], payloads: [Array(repeating: 7, count: 56)]),
    FrameCase(
        testDescription: "IPv4 in pieces that overlap and repeat", link: 101,
        frames: [
            Wire.v4(Array(datagram[..<32]), transport: 17, fragment: 0x2000), Wire.v4(Array(datagram[..<32]), transport: 17, fragment: 0x2000),
            Wire.v4(Array(datagram[24..<48]), transport: 17, fragment: 0x2003), Wire.v4(Array(datagram[40...]), transport: 17, fragment: 5),
        ], payloads: [Array(repeating: 7, count: 56)]),
    FrameCase(
        testDescription: "a piece is missing", link: 101,
        frames: [Wire.v4(Array(datagram[..<16]), transport: 17, fragment: 0x2000), Wire.v4(Array(datagram[32...]), transport: 17, fragment: 4)],
        payloads: []),
    FrameCase(
        testDescription: "pieces beyond 64 KiB", link: 101,
        frames: [Wire.v4(Array(datagram[..<32]), transport: 17, fragment: 0x2000), Wire.v4(datagram, transport: 17, fragment: 0x1FFF)], payloads: []),
    FrameCase(
        testDescription: "IPv6 extension headers", link: 101,
        frames: [
            Wire.v6(
                [43, 0, 0, 0, 0, 0, 0, 0] + [60, 0, 0, 0, 0, 0, 0, 0] + [17, 1] + Array(repeating: 0, count: 14)
                    + Wire.udp([1, 2, 3]), next: 0)
        ], from: Wire.a6, to: Wire.b6),
    FrameCase(
        testDescription: "IPv6 in pieces", link: 101,
        frames: [
            Wire.v6([17, 0, 0, 32, 0, 0, 0, 9] + datagram[32...], next: 44), Wire.v6([17, 0, 0, 1, 0, 0, 0, 9] + datagram[..<32], next: 44),
        ], payloads: [Array(repeating: 7, count: 56)], from: Wire.a6, to: Wire.b6),
    FrameCase(
        testDescription: "IPv6 in one piece that is called a piece", link: 101,
        frames: [Wire.v6([17, 0, 0, 0, 0, 0, 0, 9] + Wire.udp([1, 2, 3]), next: 44)], from: Wire.a6, to: Wire.b6),
    FrameCase(
        testDescription: "IPv6 extension headers without end", link: 101,
        frames: [Wire.v6(Array(repeating: 0, count: 160), next: 0)], payloads: [], from: Wire.a6, to: Wire.b6, skipped: 1),
]

private func segment(_ payload: [UInt8], _ sequence: UInt32, flags: UInt8 = 0x18, options: [UInt8] = []) -> [UInt8] {
    Wire.v4(Wire.tcp(payload, sequence: sequence, flags: flags, options: options), transport: 6)
}

private let tcpCases: [FrameCase] = [
    FrameCase(
        testDescription: "in order", link: 101, frames: [segment([], 99, flags: 2), segment([1, 2], 100), segment([3], 102, options: [1, 1, 1, 1])],
        payloads: [[1, 2], [3]]),
    FrameCase(
        testDescription: "begun before the capture", link: 101, frames: [segment([1, 2], 100), segment([3], 102)], payloads: [[1, 2], [3]]),
    FrameCase(
        testDescription: "repeated, whole and in part", link: 101,
        frames: [segment([1, 2], 100), segment([1, 2], 100), segment([2, 3], 101), segment([1, 2, 3, 4], 100)],
        payloads: [[1, 2], [3], [4]]),
    FrameCase(
        testDescription: "out of order", link: 101,
        frames: [segment([], 99, flags: 2), segment([5], 104), segment([3, 4], 102), segment([1, 2], 100)], payloads: [[1, 2], [3, 4], [5]]),
    FrameCase(
        testDescription: "around the end of the numbers", link: 101,
        frames: [segment([], 0xFFFF_FFFD, flags: 2), segment([3], 0), segment([1, 2], 0xFFFF_FFFE)], payloads: [[1, 2], [3]]),
    FrameCase(
        testDescription: "keep-alive", link: 101, frames: [segment([1, 2], 100), segment([0], 101, flags: 0x10), segment([3], 102)],
        payloads: [[1, 2], [3]]),
    FrameCase(
        testDescription: "the capture has lost a segment", link: 101, frames: [segment([1], 100), segment([5], 110), segment([4], 109)],
        payloads: [[1], [4], [5]]),
    FrameCase(
        testDescription: "a new connection on the same ports", link: 101,
        frames: [segment([], 99, flags: 2), segment([1], 100, flags: 0x19), segment([], 5000, flags: 2), segment([2], 5001)],
        payloads: [[1], [2]]),
    FrameCase(
        testDescription: "reset", link: 101, frames: [segment([1], 100), segment([], 101, flags: 4), segment([2], 7)], payloads: [[1], [2]]),
    FrameCase(
        testDescription: "data offset beyond the segment", link: 101,
        frames: [Wire.v4(Array(Wire.tcp([1], sequence: 1)[..<12]) + [0xF0, 0x18] + Array(Wire.tcp([1], sequence: 1)[14...]), transport: 6)],
        payloads: [], skipped: 1),
    FrameCase(
        testDescription: "data offset too small", link: 101,
        frames: [Wire.v4(Array(Wire.tcp([1], sequence: 1)[..<12]) + [0x40, 0x18] + Array(Wire.tcp([1], sequence: 1)[14...]), transport: 6)],
        payloads: [], skipped: 1),
]

/// SplitMix64.
struct Dice: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
