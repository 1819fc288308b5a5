import CoreTypes
@testable import EdgeProxy
import HotDeskPolicy
import Media
import SIPMessage
import SIPTransaction
import Testing

/// Cases 33, 34, 36 and 38: floods, forged sources, media that point elsewhere, and a hostile PBX.
@Suite struct AbuseTableLoad {
    static func stranger(_ number: UInt32) -> Flow {
        Flow(transport: .udp, local: Branch.udp, remote: Endpoint(address: IPAddress(v4: 0x0A00_0000 + number), port: 5060))
    }

    /// With a tenth of the usual limits, so that a flood soon meets them.
    static func smallDesk() -> Desk {
        var desk = Desk(.idle, .udp)
        var limits = TransactionLimits()
        (limits.maximumTransactions, limits.urgentTransactions, limits.maximumLingering) = (2_000, 400, 3_000)
        desk.branch.edge.transactions = TransactionLayer(limits: limits)
        return desk
    }

    @Test(arguments: ["INVITE", "REGISTER", "OPTIONS", "MESSAGE", "SUBSCRIBE", "BYE"], ["HD0002", "nobody"])
    func floodLeavesLittleBehind(method: String, user: String) {
        var desk = Self.smallDesk()
        var phone = desk.phone
        phone.user = user
        for number in 0..<8_000 {
            phone.flow = Self.stranger(UInt32(number))
            let raw = RawRequest(method: method, headers: [("Call-ID", "flood-\(number)"), ("To", "<sip:\(user)@pbx.example>")])
            var actions: [EdgeAction] = []
            desk.branch.edge.handle(.received(raw.bytes(from: phone, number: 1), phone.flow), now: desk.branch.now, into: &actions)
        }
        #expect(desk.branch.edge.transactions.count <= 2 * 2_000 + 3_000)
        #expect(desk.branch.edge.calls.count <= 2_000)
        if method == "INVITE", user == "HD0002" { #expect(desk.branch.edge.transactions.count < 10, "challenged without a trace") }
        // A fresh phone still gets help.
        desk.branch.sent = []
        desk.phone.flow = Self.stranger(99_999)
        desk.deliver(RawRequest(uri: "sip:911@pbx.example").bytes(from: desk.phone, number: 77))
        #expect(desk.atPBX.compactMap(\.request).map(\.uri.description) == ["sip:911@pbx.example"])
        // And it all goes away by itself.
        desk.branch.advance(.seconds(700))
        #expect(desk.branch.edge.transactions.count < 50)
        #expect(desk.branch.edge.exchanges.count < 50 && desk.branch.edge.exchangeOfServer.count < 50)
        #expect(desk.branch.edge.timers.count < 200)
    }

    @Test func floodOfEmergencyCallsIsBounded() {
        var desk = Self.smallDesk()
        for number in 0..<8_000 {
            desk.phone.flow = Self.stranger(UInt32(number))
            let raw = RawRequest(uri: "sip:911@pbx.example", headers: [("Call-ID", "flood-\(number)")])
            var actions: [EdgeAction] = []
            desk.branch.edge.handle(.received(raw.bytes(from: desk.phone, number: 1), desk.phone.flow), now: desk.branch.now, into: &actions)
        }
        #expect(desk.branch.edge.transactions.count <= 2_402)
        #expect(desk.branch.edge.calls.count <= 2_402)
    }

    /// A forged source is sent one answer, and no repetition.
    @Test(arguments: ["INVITE", "OPTIONS", "MESSAGE", "BYE", "PLUGH", "REGISTER"]) func forgedSourceIsSentOneAnswer(method: String) {
        var desk = Desk(.idle, .udp)
        let flow = Self.stranger(5)
        let bytes = RawRequest(
            method: method, headers: [("To", "<sip:HD0001@pbx.example>")], lines: ["User-Agent: a phone", "Allow: INVITE, ACK"],
            body: desk.phone.offer()).bytes(from: desk.phone, number: 1)
        desk.deliver(bytes, on: flow)
        desk.branch.advance(.seconds(60))
        let answers = desk.branch.take(flow).compactMap(\.response)
        #expect(answers.count == 1)
        #expect(answers.allSatisfy { $0.serialized().count <= bytes.count })
    }

    @Test(arguments: ["127.0.0.1", "224.0.0.1", "255.255.255.255", "198.51.100.20", "0.0.0.0"]) func mediaNeverGoThere(address: String) throws {
        for target in ["sip:911@pbx.example", "sip:*77*100*@pbx.example"] {
            var desk = Desk(.idle, .tcp)
            desk.branch.media = []
            let offer = String(decoding: desk.phone.offer(), as: UTF8.self).replacing("192.0.2.101", with: address)
            desk.attack(RawRequest(uri: target, body: Array(offer.utf8)))
            for command in desk.branch.media {
                switch command {
                case .relay(_, let phone, _), .restore(_, let phone, _, _), .announce(_, let phone, _):
                    #expect(phone.remote == nil && phone.remoteControl == nil)
                case .reserve, .reserveStreams, .play, .sensitive, .press, .measure, .close: break
                }
            }
            #expect(desk.branch.media.contains { if case .reserve = $0 { false } else { true } })
        }
    }

    /// Whatever the PBX sends, the edge stands, an idle device is called by nobody, and nothing piles up.
    @Test func hostilePBX() {
        var desk = Desk(.idle, .tcp)
        var caller = Phone(device: 3)
        caller.flow.transport = .tls
        for method in ["INVITE", "MESSAGE", "REFER", "NOTIFY", "SUBSCRIBE", "INFO", "OPTIONS"] {
            for user in ["HD0001", "100", "branch-01", "x"] {
                let raw = RawRequest(method: method, uri: "sip:\(user)@192.0.2.10:40001", headers: [("Call-ID", method + user)])
                desk.branch.run(.received(raw.bytes(from: caller, number: 1), Branch.pbx))
            }
        }
        #expect(desk.branch.take(desk.phone.flow).isEmpty)
        #expect(desk.atPBX.compactMap(\.response?.status).allSatisfy { [100, 480, 200, 405].contains($0) })
        let wrong: [[UInt8]] = [
            Array("SIP/2.0 999 No\r\n\r\n".utf8), Array(repeating: 0x41, count: 70_000), [0, 1, 2], [], Array("\r\n\r\n".utf8),
            Array("SIP/2.0 200 OK\r\nVia: SIP/2.0/TLS x;branch=z9hG4bK1\r\n\r\n".utf8), Array("INVITE sip:100@x SIP/2.0\r\nVia: x".utf8),
        ]
        for bytes in wrong { desk.branch.run(.received(bytes, Branch.pbx)) }
    }

    @Test func forksWithoutEndAreBounded() throws {
        var desk = Desk(.loggedIn, .tcp)
        desk.attack(RawRequest())
        let invite = try #require(desk.atPBX.compactMap(\.request).first)
        for number in 0..<1000 { desk.branch.deliver(invite.response(180, toTag: "fork\(number)"), Branch.pbx) }
        #expect(desk.branch.edge.calls.dialogs.count <= CallTable.forksPerCall)
        desk.branch.deliver(invite.response(486, toTag: "fork1"), Branch.pbx)
        desk.branch.advance(.seconds(40))
        #expect(desk.branch.edge.calls.dialogs.isEmpty && desk.branch.edge.calls.count == 0)
    }

    /// What a phone says of itself in an answer stays at the branch.
    @Test func identityInAnswersIsDropped() throws {
        var desk = Desk(.loggedIn, .tcp)
        var caller = Phone(device: 3)
        desk.branch.deliver(caller.request(.invite, to: "sip:100@192.0.2.10:40001", body: caller.offer()), Branch.pbx)
        let invite = try #require(desk.branch.take(desk.phone.flow).compactMap(\.request).last)
        desk.branch.sent = []
        for status in [180, 302] {
            var answer = invite.response(status, toTag: "t")
            answer.headers.contact = .list([desk.phone.address("sip:19005550100@evil.example")])
            answer.headers[.pAssertedIdentity] = "<sip:boss@pbx.example>"
            answer.headers[.remotePartyID] = "<sip:boss@pbx.example>"
            answer.headers[.diversion] = "<sip:boss@pbx.example>"
            desk.branch.deliver(answer, desk.phone.flow)
        }
        let text = desk.atPBX.map { String(decoding: $0.response?.serialized() ?? [], as: UTF8.self) }.joined()
        #expect(desk.atPBX.count == 2 && !text.contains("boss") && !text.contains("evil"))
    }
}
