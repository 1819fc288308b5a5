import CoreTypes
import EdgeProxy
import Foundation
import Media
import SIPMessage
import SiteFile
import Testing

@testable import EdgeRuntime

/// Records of calls: on disk, in the log, over the control socket.
@Suite(.serialized) struct CallsTests {
    private let folder = TestFolder()
    private let pki: TestPKI

    init() throws { pki = try TestPKI() }

    private func record(_ number: Int, quality: [LegQuality] = []) throws -> CallRecord {
        CallRecord(
            party: "HD0001", extension: "100", direction: .outbound, from: try URI(parsing: "sip:100@pbx.example"),
            to: try URI(parsing: "sip:\(number)@pbx.example"), began: Instant(nanoseconds: 1_000_000_000),
            answered: Instant(nanoseconds: 3_000_000_000), ended: Instant(nanoseconds: 65_000_000_000), reason: .hungUpHere,
            quality: quality)
    }

    private static let legs = [
        LegQuality(
            received: 3000, expected: 3010, lost: 10, jitter: .microseconds(1500), roundTrip: .milliseconds(80),
            reported: .init(loss: 0.05, jitter: nil), codec: .g711),
        LegQuality(received: 10, expected: 10, lost: 0),
    ]

    private func store() -> EdgeStore {
        EdgeStore(path: folder.file("edge.sqlite"), clock: EdgeClock(), patience: 0.05, report: { _ in })
    }

    private func recent(_ store: EdgeStore, _ count: Int) async -> [ControlCall]? {
        await withCheckedContinuation { continuation in
            store.recentCalls(count) { continuation.resume(returning: try? $0.get()) }
        }
    }

    @Test func recordsAreKept() async throws {
        let first = store()
        _ = first.open()
        first.submit(try record(101, quality: Self.legs))
        first.submit(try record(102))
        #expect(await recent(first, 10)?.map(\.to) == ["sip:102@pbx.example", "sip:101@pbx.example"], "what waits is written first")
        first.close()

        let second = store()
        _ = second.open()
        let calls = try #require(await recent(second, 10))
        #expect(calls.map(\.to) == ["sip:102@pbx.example", "sip:101@pbx.example"])
        #expect(await recent(second, 1)?.count == 1)
        let call = try #require(calls.last)
        #expect(call == ControlCall(try record(101, quality: Self.legs)))
        #expect(call.began == 1 && call.answered == 3 && call.ended == 65 && call.talked == 62 && call.reason == "hung up here")
        #expect(call.phone?.lossPercent == 0.33 && call.phone?.jitter == 1.5 && call.phone?.roundTrip == 80)
        #expect(call.phone?.mos == 4.35 && call.phone?.reportedMOS == 3.86 && call.phone?.codec == "g711")
        #expect(call.pbx?.mos == nil && call.pbx?.received == 10)
        #expect(calls.first?.phone == nil)
        second.close()
    }

    @Test func theTableIsBounded() throws {
        let file = try StoreFile(path: folder.file("edge.sqlite"), patience: 0.05)
        let now = Instant(nanoseconds: 1)
        try file.write([], audit: [], calls: [try record(101), try record(102)], now: now)
        try file.execute("UPDATE calls SET id = \(StoreFile.callCapacity + 1) WHERE id = 2")
        try file.write([], audit: [], calls: [try record(103)], now: now)
        #expect(try file.recentCalls(10).map(\.to) == ["sip:103@pbx.example", "sip:102@pbx.example"])
    }

    @Test func aStoreOfBeforeGetsTheTable() throws {
        let path = folder.file("edge.sqlite")
        try StoreFile(path: path, patience: 0.05).execute(
            ["calls", "phones", "deliveries", "calls_up", "plain_bindings", "redirects"].map { "DROP TABLE \($0);" }.joined() + "PRAGMA user_version = 1")
        #expect(try StoreFile(path: path, patience: 0.05).recentCalls(10).isEmpty)
    }

    @Test func theBacklogIsBounded() throws {
        var backlog = StoreBacklog()
        backlog.add(Array(repeating: try record(101), count: StoreBacklog.callCapacity + 5))
        #expect(backlog.calls.count == StoreBacklog.callCapacity && !backlog.isEmpty)
    }

    @Test func aStoreThatFailsSaysSo() throws {
        var site = try testSite(folder)
        site.storePath = folder.file("missing/edge.sqlite")
        let server = try EdgeServer.started(site)
        defer { server.stop() }
        let reply = try control(site, ControlRequest(command: .calls))
        #expect(!reply.ok && reply.error?.contains("missing/edge.sqlite") == true)
    }

    @Test func theLogHasALine() throws {
        #expect(
            try record(101, quality: Self.legs).line
                == "call ended outbound device=HD0001 extension=100 from=\"sip:100@pbx.example\" to=\"sip:101@pbx.example\" "
                + "talked=62s reason=\"hung up here\" phone=4.35/3.86,0.33% pbx=-,0.0%")
    }

    /// A plain phone calls, speaks, and hangs up; all of it over real sockets.
    @Test func aCallFromBeginningToEnd() throws {
        let pbx = try TestPBX(pki)
        let site = try testSite(folder, nodes: [PBXNode(host: "localhost", port: try pbx.start())], authority: pki.authority)
        let log = TestLog()
        let server = try EdgeServer.started(site, log: log)
        defer { server.stop() }
        #expect(try eventually { try control(site, ControlRequest(command: .status)).status?.nodes.map(\.up) == [true] })
        let endpoint = try server.bound(.udp)
        let phone = try #require(TestSocket(.udp, to: endpoint))
        phone.send(Self.request("INVITE", 1, body: "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40002 RTP/AVP 8\r\n"))
        let answer = phone.receive(until: "m=audio")
        #expect(answer.contains("SIP/2.0 200 "))
        phone.send(Self.request("ACK", 1, toTag: "pbx"))
        let line = try #require(answer.split(separator: "\r\n").last { $0.hasPrefix("m=audio ") })
        let port = try #require(line.split(separator: " ").dropFirst().first.flatMap { UInt16($0) })

        let voice = try #require(TestSocket(.udp, to: Endpoint(address: site.media.addresses[0], port: port)))
        for number in 0..<40 as Range<UInt8> where number != 30 {
            let timestamp = UInt16(number) * 160
            let header = [0x80, 8, 0, number, 0, 0, UInt8(timestamp >> 8), UInt8(timestamp & 0xFF), 1, 2, 3, 4]
            voice.send(header + [UInt8](repeating: 0xD5, count: 160))
        }
        var call: ControlStatus.Call?
        #expect(
            try eventually {
                call = try control(site, ControlRequest(command: .status)).status?.inProgress.first
                return call?.phone != nil
            })
        #expect(call?.party == "555" && call?.other == "101" && call?.direction == "outbound" && call?.answered != nil)
        phone.send(Self.request("BYE", 2, toTag: "pbx"))
        var calls: [ControlCall] = []
        #expect(
            try eventually {
                calls = try control(site, ControlRequest(command: .calls, last: 5)).calls ?? []
                return !calls.isEmpty
            })
        let ended = try #require(calls.first)
        #expect(calls.count == 1 && ended.party == "555" && ended.reason == "hung up here" && ended.answered != nil)
        #expect(ended.phone?.received == 15 && ended.phone?.lost == 1, "the first 24 of a port nobody announced are not counted")
        #expect((ended.phone?.mos ?? 0) > 1 && ended.pbx?.received == 0)
        #expect(log.lines.count { $0.hasPrefix("info: call ended outbound device=555 ") } == 1)
    }

    private static func request(_ method: String, _ number: Int, toTag: String? = nil, body: String = "") -> String {
        """
        \(method) sip:101@pbx.example SIP/2.0\r
        Via: SIP/2.0/UDP 127.0.0.1:40000;branch=z9hG4bK\(method)\(number);rport\r
        From: <sip:555@pbx.example>;tag=plain\r
        To: <sip:101@pbx.example>\(toTag.map { ";tag=\($0)" } ?? "")\r
        Call-ID: call@test\r
        CSeq: \(number) \(method)\r
        Contact: <sip:555@127.0.0.1:40000>\r
        Max-Forwards: 70\r
        \(body.isEmpty ? "" : "Content-Type: application/sdp\r\n")Content-Length: \(body.utf8.count)\r
        \r
        \(body)
        """
    }
}
