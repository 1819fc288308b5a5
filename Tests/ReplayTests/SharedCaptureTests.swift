import Capture
import CoreTypes
import EdgeProxy
import Replay
import SIPMessage
import Testing

/// Captures of the world, recorded by others: no packet may trap, and no request goes without a verdict.
@Suite struct SharedCaptureTests {
    static let folder = Folders.shared.map { $0 + "/data/pcaps" }
    static let names = folder.map { Folders.names(in: $0, endingIn: [".pcap", ".pcapng"]) } ?? []

    @Test(arguments: names) func everyRequestGetsAVerdict(name: String) throws {
        let packets = try PacketReader.read(path: (Self.folder ?? "") + "/" + name)
        for trunkUp in [true, false] {
            var replayer = TestSite.replayer()
            replayer.trunkUp = trunkUp
            let result = replayer.run(packets)
            #expect(result.requests.filter { $0.origin == .phone }.count >= 1)
            let edge = Set(result.edge)
            #expect(result.requests.count >= requests(in: packets.filter { !edge.contains($0.source) }))
            #expect(describe(result).count > result.requests.count)
        }
    }

    /// Datagrams that are a request by themselves; in TCP the beginnings of one.
    private func requests(in packets: [CapturedPacket]) -> Int {
        packets.filter { packet in
            guard let line = packet.payload.prefix(600).split(separator: 0x0D).first else { return false }
            return !line.starts(with: Array("SIP".utf8)) && String(decoding: line, as: UTF8.self).hasSuffix(" SIP/2.0")
        }.count
    }

    @Test func theFilesAreThere() {
        if Self.names.isEmpty { print("no shared captures here: only the project's own are replayed") }
    }
}
