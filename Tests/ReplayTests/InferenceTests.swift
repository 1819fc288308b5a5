import Capture
import CoreTypes
import EdgeProxy
import FoundationEssentials
import HotDeskPolicy
import Replay
import SIPMessage
import SiteFile
import Testing

/// Captures of admins: other addresses, TCP, no PBX side, no PIN, a beginning in the middle.
@Suite struct InferenceTests {
    /// A login with a call behind it.
    static func day(_ capture: inout CaptureBuilder, keys: [UInt8] = Array("00000".utf8), answer: Int = 200) {
        var desk = Desk(name: "HD0001", host: 1)
        capture.register(&desk)
        capture.login(&desk, keys: keys)
        if answer == 200 {
            let invite = capture.invite(&desk, "101")
            let ok = capture.established(&desk, invite)
            capture.hangUp(&desk, invite, ok)
        } else {
            capture.refused(&desk, "101", answer)
        }
    }

    static let expected = ["HD0001 *77*100*: login 100", "HD0001 101: forward as 100"]

    @Test(arguments: ["UDP", "TCP"]) func theProductsOwnCapture(transport: String) {
        // Over TCP too the product writes UDP packets; the Via tells.
        var capture = CaptureBuilder(transport: transport)
        Self.day(&capture)
        let result = TestSite.replayer(["4711"]).run(capture.packets)
        #expect(result.verdicts == Self.expected)
        #expect(result.crossings == ["INVITE 100>101", "ACK 100", "BYE 100"])
    }

    @Test func aCaptureOfTCP() {
        var capture = CaptureBuilder(transport: "TCP")
        Self.day(&capture)
        let result = TestSite.replayer(["4711"]).run(capture.overTCP)
        #expect(result.verdicts == Self.expected)
        #expect(result.crossings == ["INVITE 100>101", "ACK 100", "BYE 100"])
    }

    @Test func foreignAddressesAndThePhonesSideOnly() {
        var capture = CaptureBuilder(edge: CaptureBuilder.foreignEdge, holdsPBX: false)
        Self.day(&capture)
        let result = TestSite.replayer(["4711"]).run(capture.packets)
        #expect(result.edge == [CaptureBuilder.foreignEdge])
        #expect(result.verdicts == Self.expected)
        #expect(result.notes.contains { $0.contains("taken for the edge") })
    }

    @Test func theEdgeCanBeNamed() {
        var capture = CaptureBuilder(edge: CaptureBuilder.foreignEdge, holdsPBX: false)
        Self.day(&capture)
        var replayer = TestSite.replayer(["4711"])
        replayer.edge = [CaptureBuilder.siteEdge]
        #expect(replayer.run(capture.packets).verdicts == [])
        replayer.edge = [CaptureBuilder.foreignEdge]
        #expect(replayer.run(capture.packets).verdicts == Self.expected)
    }

    /// Nobody has the PINs; whether the login went well shows in what follows.
    @Test(arguments: [(true, 200, true), (false, 200, true), (false, 403, false), (true, 403, true)])
    func withoutPINs(holdsPBX: Bool, answer: Int, isIn: Bool) {
        for keys in [Array("00000".utf8), []] {
            var capture = CaptureBuilder(holdsPBX: holdsPBX)
            Self.day(&capture, keys: keys, answer: answer)
            let result = TestSite.replayer(knows: false).run(capture.packets)
            #expect((result.status?.devices.first?.session != nil) == isIn)
            #expect(result.verdicts.last == (isIn ? Self.expected[1] : "HD0001 101: refuse 403 idleCall"))
        }
    }

    @Test func unmaskedDigitsAreTyped() {
        var capture = CaptureBuilder()
        Self.day(&capture, keys: Array("4711#".utf8))
        #expect(TestSite.replayer().run(capture.packets).verdicts == Self.expected)
        var wrong = CaptureBuilder()
        Self.day(&wrong, keys: Array("4712#".utf8))
        #expect(TestSite.replayer().run(wrong.packets).verdicts.last == "HD0001 101: refuse 403 idleCall")
    }

    @Test func theExtensionIsTypedToo() {
        var capture = CaptureBuilder()
        var desk = Desk(name: "HD0001", host: 1)
        let invite = capture.invite(&desk, "*77*")
        let ok = capture.established(&desk, invite, ringing: false)
        capture.type(Array("100#".utf8), &desk, invite, ok, info: false)
        capture.now = capture.now + .seconds(2)
        for key in 0..<5 { capture.press(UInt8(ascii: "0"), 100_000 + UInt32(key) * 2_400, desk) }
        capture.endedByEdge(desk, invite, ok)
        let result = TestSite.replayer(["4711"]).run(capture.packets)
        #expect(result.verdicts == ["HD0001 *77*: login"])
        #expect(result.audit.map(\.kind) == [.loginSucceeded])
        #expect(result.audit.last?.extension == "100")
    }

    @Test func aSessionFromBeforeTheCapture() throws {
        var capture = CaptureBuilder()
        var desk = Desk(name: "HD0001", host: 1)
        let invite = capture.invite(&desk, "101")
        _ = capture.established(&desk, invite)
        var replayer = TestSite.replayer()
        #expect(replayer.run(capture.packets).verdicts == ["HD0001 101: refuse 403 idleCall"])
        replayer.sessions = [try #require(DeviceName("HD0001")): try #require(ExtensionNumber("100"))]
        let result = replayer.run(capture.packets)
        #expect(result.verdicts == ["HD0001 101: forward as 100"])
        #expect(result.registered.contains("100 600"))
    }

    @Test func aConnectionFromBeforeTheCapture() {
        var capture = CaptureBuilder(transport: "TCP")
        var desk = Desk(name: "HD0001", host: 1)
        let invite = capture.invite(&desk, "101", challenge: false)
        let refusal = invite.response(403, toTag: "edge")
        capture.answer(refusal, desk)
        capture.send(desk.acknowledge(invite, refusal, own: false), desk)
        let result = TestSite.replayer().run(capture.packets)
        #expect(result.verdicts == ["HD0001 101: refuse 403 idleCall"])
        #expect(result.notes.contains { $0.contains("taken as registered") })
    }

    @Test func credentialsThatWereRefusedStayRefused() {
        var capture = CaptureBuilder()
        var desk = Desk(name: "HD0001", host: 1)
        capture.register(&desk, status: 401)
        let result = TestSite.replayer().run(capture.packets)
        #expect(result.requests.map(\.verdict) == [.challenge(401), .challenge(401)])
    }

    @Test func aPlainPhoneProvesItselfToThePBX() {
        var capture = CaptureBuilder(holdsPBX: false)
        var phone = Desk(name: "204", host: 9)
        capture.register(&phone)
        let result = TestSite.replayer().run(capture.packets)
        #expect(result.requests.map(\.verdict) == [.forward("204"), .forward("204")])
        #expect(result.requests.map(\.answer) == [401, 200])
        #expect(result.toPBX.filter { $0.headers.to.uri.user == "204" }.count == 2)
    }

    @Test func aRepeatedRequestIsSaidToBeOne() {
        var capture = CaptureBuilder()
        let desk = Desk(name: "HD0001", host: 1)
        Self.day(&capture)
        let doubled = capture.packets.flatMap { $0.source == desk.endpoint ? [$0, $0] : [$0] }
        let result = TestSite.replayer(["4711"]).run(doubled)
        #expect(result.requests.filter { $0.verdict == .repeated }.count * 2 == result.requests.count)
        #expect(result.crossings.prefix(2) == ["INVITE 100>101", "ACK 100"])
        #expect(result.status?.devices.first?.session != nil)
    }

    @Test func garbageHarmsNothing() {
        var capture = CaptureBuilder()
        let desk = Desk(name: "HD0001", host: 1)
        let garbage: [[UInt8]] = [
            [], [0], Array(repeating: 0xFF, count: 1_500), Array("\r\n\r\n".utf8), Array("INVITE sip:101@pbx.example SIP/2.0\r\n\r\n".utf8),
            Array("SIP/2.0 200 OK\r\n\r\n".utf8), Array("INVITE  SIP/2.0\r\nVia: x\r\n".utf8), [0x80, 101, 0, 1],
        ]
        for (place, bytes) in garbage.enumerated() {
            capture.add(bytes, from: desk.endpoint, to: capture.edge)
            capture.add(bytes, from: capture.edge, to: desk.endpoint)
            capture.add(bytes, from: CaptureBuilder.pbx, to: capture.trunk)
            capture.add(bytes, from: desk.media, to: Endpoint(address: desk.endpoint.address, port: UInt16(place)))
        }
        Self.day(&capture)
        for (time, transport) in [(Int64.max, TransportProtocol.tcp), (.min, .udp)] {
            let at = Instant(nanoseconds: time)
            capture.packets.append(
                CapturedPacket(at: at, transport: transport, source: desk.endpoint, destination: capture.edge, payload: [1, 2]))
        }
        let result = TestSite.replayer(["4711"]).run(capture.packets)
        #expect(result.verdicts.suffix(2) == Self.expected[...])
        #expect(describe(result).count > result.requests.count)
    }

    /// Bytes turned at random, the same each time: nothing may trap.
    @Test(arguments: 1...40) func damageHarmsNothing(seed: UInt64) {
        var capture = CaptureBuilder(transport: seed % 2 == 0 ? "UDP" : "TCP")
        Self.day(&capture)
        var state = seed &* 0x9E37_79B9_7F4A_7C15
        func next() -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33)
        }
        var packets = seed % 3 == 0 ? capture.overTCP : capture.packets
        for _ in 0..<60 {
            let place = next() % packets.count
            guard !packets[place].payload.isEmpty else { continue }
            packets[place].payload[next() % packets[place].payload.count] = UInt8(next() & 255)
        }
        #expect(describe(TestSite.replayer(["4711"]).run(packets)).count > 1)
    }

    @Test func nothingComesToNothing() {
        let result = TestSite.replayer().run([])
        #expect(result.requests.isEmpty)
        #expect(describe(result).count >= 1)
    }

    /// Through a file, with the demo site and its scrypt hashes.
    @Test(arguments: [("4711", true), ("4712", false)]) func theDemoSite(pin: String, isIn: Bool) throws {
        let site = try #require(DemoSite.load().site)
        var capture = CaptureBuilder(edge: Endpoint(address: IPAddress(v4: 0x7F00_000A), port: 5060))
        Self.day(&capture)
        let path = FileManager.default.temporaryDirectory.path + "/replay-\(UUID().uuidString).pcap"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let writer = try PacketWriter(path: path)
        for packet in capture.packets { writer.write(packet.payload, from: packet.source, to: packet.destination, at: packet.at) }
        writer.close()
        let result = Replayer(configuration: site.configuration, pins: [pin]).run(try PacketReader.read(path: path))
        #expect(result.verdicts.last == (isIn ? Self.expected[1] : "HD0001 101: refuse 403 idleCall"))
        #expect(result.notes == [])
    }
}
