import Capture
import CoreTypes
import Foundation
import Testing

@Suite struct WriterTests {
    private let invite = Array(
        """
        OPTIONS sip:pbx.example SIP/2.0\r
        Via: SIP/2.0/UDP 192.0.2.20:5062;branch=z9hG4bK-1\r
        From: <sip:HD0001@pbx.example>;tag=1\r
        To: <sip:pbx.example>\r
        Call-ID: call-1\r
        CSeq: 1 OPTIONS\r
        Max-Forwards: 70\r
        Content-Length: 0\r
        \r

        """.utf8)

    @Test(.enabled(if: hasTshark)) func tsharkReadsWhatWasWritten() throws {
        let folder = try Folder()
        let path = folder.file("a.pcap")
        let writer = try PacketWriter(path: path)
        let time = Instant(nanoseconds: 1_700_000_000_123_456_789)
        writer.write(invite, from: Wire.a, to: Wire.b, at: time)
        writer.write(invite, from: Wire.b6, to: Wire.a6, at: time)
        writer.write(invite + [0], from: Wire.a, to: Wire.b6, at: time)
        writer.write([], from: Wire.a, to: Wire.b, at: time)
        writer.close()
        let rows = try tshark(
            path,
            fields: [
                "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "udp.srcport", "udp.dstport", "sip.Method", "ip.checksum.status",
                "udp.checksum.status", "frame.time_epoch",
            ])
        let stamp = "1700000000.123456789"
        #expect(
            rows == [
                ["192.0.2.20", "192.0.2.10", "", "", "5062", "5060", "OPTIONS", "1", "1", stamp],
                ["", "", "2001:db8::a", "2001:db8::14", "5060", "5062", "OPTIONS", "", "1", stamp],
                ["", "", "::ffff:192.0.2.20", "2001:db8::a", "5062", "5060", "OPTIONS", "", "1", stamp],
                ["192.0.2.20", "192.0.2.10", "", "", "5062", "5060", "", "1", "1", stamp],
            ])
        #expect(try tshark(path, fields: ["frame.number"], filter: "_ws.malformed").isEmpty)
    }

    /// Each length and content once, so that a checksum of zero comes up too (RFC 768).
    @Test(.enabled(if: hasTshark)) func checksumsAreRight() throws {
        let folder = try Folder()
        let path = folder.file("a.pcap")
        let writer = try PacketWriter(path: path)
        for number in 0..<600 {
            let payload = (0..<number % 40).map { UInt8(truncatingIfNeeded: $0 &* number &+ 255) }
            writer.write(payload, from: number % 2 == 0 ? Wire.a : Wire.a6, to: number % 2 == 0 ? Wire.b : Wire.b6, at: Instant(nanoseconds: 0))
        }
        // One's complement: this word brings the whole sum to 0xFFFF.
        for word in 0...UInt16.max where word % 16 == 0 {
            writer.write(big(word), from: Wire.a, to: Wire.b, at: Instant(nanoseconds: 0))
        }
        writer.close()
        #expect(try tshark(path, fields: ["frame.number"], filter: "udp.checksum.status != 1 || ip.checksum.status == 0").isEmpty)
        #expect(try tshark(path, fields: ["frame.number"], filter: "udp.checksum == 0").isEmpty)
    }

    @Test func whatIsWrittenIsReadBack() throws {
        let folder = try Folder()
        let path = folder.file("a.pcap")
        let writer = try PacketWriter(path: path)
        var expected: [CapturedPacket] = []
        for number in 0..<50 {
            let (from, to) = number % 3 == 0 ? (Wire.a6, Wire.b6) : (Wire.b, Wire.a)
            let packet = CapturedPacket(
                at: Instant(nanoseconds: Int64(number) * 1_000_000_007), transport: .udp, source: from, destination: to,
                payload: Array(repeating: UInt8(number), count: number * 40))
            expected.append(packet)
            writer.write(packet.payload, from: from, to: to, at: packet.at)
        }
        writer.flush()
        #expect(try PacketReader.read(path: path) == expected)
        writer.close()
        writer.write([1], from: Wire.a, to: Wire.b, at: Instant(nanoseconds: 0))
        #expect(!writer.isCapturing)
        #expect(try PacketReader.read(path: path) == expected)
    }

    @Test(arguments: [65_506, 65_507, 65_508, 200_000]) func largePayloadsAreCut(_ count: Int) throws {
        let folder = try Folder()
        let path = folder.file("a.pcap")
        let writer = try PacketWriter(path: path)
        let payload = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
        writer.write(payload, from: Wire.a, to: Wire.b, at: Instant(nanoseconds: 0))
        writer.write(payload, from: Wire.a6, to: Wire.b6, at: Instant(nanoseconds: -5))
        writer.close()
        let packets = try PacketReader.read(path: path)
        #expect(packets.map(\.payload) == Array(repeating: Array(payload.prefix(65_507)), count: 2))
        #expect(packets.map(\.at) == [Instant(nanoseconds: 0), Instant(nanoseconds: 0)])
    }

    @Test func rotates() throws {
        let folder = try Folder()
        let path = folder.file("a.pcap")
        func fill(_ range: Range<UInt8>) throws {
            let writer = try PacketWriter(path: path, maximumBytes: 1000, olderFiles: 2)
            for number in range {
                writer.write(Array(repeating: number, count: 156), from: Wire.a, to: Wire.b, at: Instant(nanoseconds: 0))
            }
            writer.close()
        }
        // 24 + n * (16 + 20 + 8 + 156): four fit.
        try fill(0..<14)
        func numbers(_ name: String) throws -> [UInt8] { try PacketReader.read(path: folder.file(name)).compactMap(\.payload.first) }
        #expect(try numbers("a.pcap") == [12, 13])
        #expect(try numbers("a.pcap.1") == [8, 9, 10, 11])
        #expect(try numbers("a.pcap.2") == [4, 5, 6, 7])
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).count == 3)
        try fill(20..<21)
        #expect(try numbers("a.pcap") == [20])
        #expect(try numbers("a.pcap.1") == [12, 13])
    }

    @Test func isForItsOwnerAlone() throws {
        let folder = try Folder()
        _ = try PacketWriter(path: folder.file("a.pcap"))
        let mode = try FileManager.default.attributesOfItem(atPath: folder.file("a.pcap"))[.posixPermissions] as? Int
        #expect(mode == 0o600)
    }

    @Test func aPathThatCannotBeWritten() throws {
        #expect(throws: CaptureError.cannotOpen(path: "/nowhere/a.pcap", reason: "No such file or directory")) {
            try PacketWriter(path: "/nowhere/a.pcap")
        }
    }

    /// A device that is always full.
    @Test(.enabled(if: FileManager.default.fileExists(atPath: "/dev/full"))) func fullDiskEndsTheCaptureOnce() throws {
        let failures = Failures()
        let writer = try PacketWriter(path: "/dev/full") { failures.add($0) }
        for _ in 0..<1000 { writer.write(invite, from: Wire.a, to: Wire.b, at: Instant(nanoseconds: 0)) }
        writer.flush()
        writer.close()
        #expect(!writer.isCapturing)
        #expect(failures.all == [.writeFailed(path: "/dev/full", reason: "No space left on device")])
    }

    @Test func manyThreadsWriteWholePackets() async throws {
        let folder = try Folder()
        let path = folder.file("a.pcap")
        let writer = try PacketWriter(path: path)
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<8 {
                group.addTask {
                    for number in 0..<200 {
                        writer.write(
                            Array(repeating: UInt8(task), count: number), from: Wire.a, to: Wire.b, at: Instant(nanoseconds: 0))
                    }
                }
            }
        }
        writer.close()
        let packets = try PacketReader.read(path: path)
        #expect(packets.count == 1600)
        #expect(packets.allSatisfy { Set($0.payload).count <= 1 })
    }
}

private final class Failures: @unchecked Sendable {
    private let lock = NSLock()
    private var failures: [CaptureError] = []
    func add(_ failure: CaptureError) { lock.withLock { failures.append(failure) } }
    var all: [CaptureError] { lock.withLock { failures } }
}
