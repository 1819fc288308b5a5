import Capture
import CoreTypes
import Foundation
import Testing

/// Captures of real phones and servers, and what is left of them after damage.
@Suite struct RecordedTests {
    @Test func everyRecordedCaptureIsRead() throws {
        let paths = sharedCaptures()
        if paths.isEmpty { print("no recorded captures beside the project: not tried") }
        for path in paths {
            let contents = try PacketReader.contents(path: path)
            #expect(!contents.packets.isEmpty, "\(path)")
            #expect(contents.problem == nil, "\(path)")
            guard hasTshark else { continue }
            let datagrams = try tshark(path, fields: ["ip.src", "udp.srcport", "ip.dst", "udp.dstport"], filter: "udp && !icmp")
            let ours = contents.packets.filter { $0.transport == .udp }.map {
                [$0.source.address.description, String($0.source.port), $0.destination.address.description, String($0.destination.port)]
            }
            #expect(ours == datagrams, "\(path)")
        }
    }

    @Test func damagedCapturesDoNotTrap() throws {
        var originals = sharedCaptures().compactMap { FileManager.default.contents(atPath: $0).map { [UInt8]($0) } }
        if originals.isEmpty { print("no recorded captures beside the project: only our own are damaged") }
        originals.append(ownCapture())
        let folder = try Folder()
        var dice = Dice(state: 2026)
        var readable = 0
        for round in 0..<2000 {
            var bytes = Array(originals[round % originals.count].prefix(200_000))
            // Half of the damage goes to the first frames, where all the headers are.
            let reach = round % 2 == 0 ? min(bytes.count, 400) : bytes.count
            for _ in 0..<Int.random(in: 1...20, using: &dice) {
                bytes[Int.random(in: 0..<reach, using: &dice)] = UInt8.random(in: 0...255, using: &dice)
            }
            if round % 5 == 0 { bytes.removeLast(Int.random(in: 0..<bytes.count, using: &dice)) }
            let path = try folder.file("damaged", bytes)
            if (try? PacketReader.contents(path: path)) != nil { readable += 1 }
        }
        #expect(readable > 200)
    }

    /// Every kind of packet the reader knows.
    private func ownCapture() -> [UInt8] {
        let datagram = Wire.udp(Array(repeating: 7, count: 56))
        let frames =
            [
                Wire.v4(Wire.udp([1, 2, 3]), transport: 17),
                Wire.v4(Wire.tcp([], sequence: 99, flags: 2), transport: 6),
                Wire.v4(Wire.tcp([1, 2, 3], sequence: 103), transport: 6),
                Wire.v4(Wire.tcp([1, 2, 3], sequence: 100), transport: 6),
                Wire.v4(Array(datagram[..<32]), transport: 17, fragment: 0x2000),
                Wire.v4(Array(datagram[32...]), transport: 17, fragment: 4),
            ].map { Wire.ethernet($0) }
            + [
                Wire.v6([17, 0, 0, 1, 0, 0, 0, 9] + datagram[..<32], next: 44),
                Wire.v6([17, 0, 0, 32, 0, 0, 0, 9] + datagram[32...], next: 44),
                Wire.v6([17, 0, 0, 0, 0, 0, 0, 0] + Wire.udp([1]), next: 0),
            ].map { Wire.ethernet($0, type: 0x86DD, tags: [0x81, 0, 0, 5]) }
        return Wire.pcap(link: 1, frames)
    }
}
