import CoreTypes
import EdgeProxy
import HotDeskPolicy
import Media
import SIPMessage
import Testing

/// Calls that are up when the connection to the PBX is lost and made again.
@Suite struct TrunkChangeTests {
    private static let again = Flow(
        transport: .tls, local: Endpoint(address: IPAddress(v4: 0xC000_020A), port: 40_777),
        remote: Branch.pbx.remote, connection: 9)

    /// HD0001 as 100 in a call with 101 that the PBX has answered.
    private func branchInCall(allow: String?) throws -> (Branch, Phone, SIPRequest) {
        var branch = Branch()
        branch.connectPBX()
        _ = branch.servePBX()
        var phone = Phone(device: 1)
        branch.register(&phone)
        #expect(branch.logIn(&phone, as: "100"))
        let (invite, _) = branch.exchange(&phone, phone.request(.invite, to: "sip:101@pbx.example", body: phone.offer()))
        let out = try #require(branch.servePBX().last { $0.method == .invite })
        var ok = out.response(200, toTag: "far")
        ok.headers.contact = .list([phone.address("sip:101@198.51.100.20")])
        if let allow { ok.headers[.allow] = allow }
        branch.deliver(ok, Branch.pbx)
        let answer = try #require(branch.take(phone.flow).compactMap(\.response).last)
        branch.deliver(Branch.ack(invite, answer, newBranch: true), phone.flow)
        _ = branch.servePBX()
        return (branch, phone, invite)
    }

    @Test func thePBXIsToldTheNewWay() throws {
        var (branch, phone, invite) = try branchInCall(allow: "INVITE, ACK, BYE, UPDATE")
        branch.run(.trunkDown(TrunkNode(index: 0)))
        branch.run(.trunkUp(TrunkNode(index: 0), Self.again))
        let update = try #require(branch.servePBX(Self.again).first { $0.method == .update })
        #expect(update.headers.callID == invite.headers.callID)
        #expect(update.headers.from.tag == "ft")
        #expect(update.headers.to.tag == "far")
        #expect(update.body.isEmpty)
        #expect(update.headers.contactURI?.description.contains(":40777") == true)

        // A challenge to it is answered with the extension's secret.
        var challenge = update.response(407)
        challenge.headers[.proxyAuthenticate] = "Digest realm=\"pbx.example\", nonce=\"n\", qop=\"auth\", algorithm=MD5"
        branch.deliver(challenge, Self.again)
        let second = try #require(branch.servePBX(Self.again).first { $0.method == .update })
        #expect(second.headers[.proxyAuthorization] != nil)
        branch.deliver(second.response(200), Self.again)

        // The phone's own BYE goes the new way, with a CSeq beyond the edge's.
        var bye = phone.request(.bye, to: "sip:101@pbx.example", callID: invite.headers.callID.value, toTag: "far")
        bye.headers.contact = nil
        branch.deliver(bye, phone.flow)
        let passed = try #require(branch.servePBX(Self.again).last { $0.method == .bye })
        #expect(passed.headers.cseq.number > second.headers.cseq.number)
    }

    @Test func aByeOfThePBXComesTheNewWay() throws {
        var (branch, phone, invite) = try branchInCall(allow: "UPDATE")
        branch.run(.trunkDown(TrunkNode(index: 0)))
        branch.run(.trunkUp(TrunkNode(index: 0), Self.again))
        _ = branch.servePBX(Self.again)
        var bye = phone.request(.bye, to: "sip:100@192.0.2.10:40777", callID: invite.headers.callID.value, tag: "far", toTag: "ft")
        bye.headers.contact = nil
        branch.deliver(bye, Self.again)
        #expect(branch.take(phone.flow).compactMap(\.request).last?.method == .bye)
    }

    @Test func whoDoesNotKnowUpdateIsSentNone() throws {
        var (branch, _, _) = try branchInCall(allow: nil)
        branch.run(.trunkDown(TrunkNode(index: 0)))
        branch.run(.trunkUp(TrunkNode(index: 0), Self.again))
        #expect(branch.servePBX(Self.again).allSatisfy { $0.method != .update })
    }

    /// An emergency call on a route that only says 100 goes on to the next route.
    @Test func aRouteThatOnlyTriesIsLeft() throws {
        var branch = Branch(routes: [.pbx, .gateway(name: "fxo", Branch.gateway)])
        branch.connectPBX()
        _ = branch.servePBX()
        var phone = Phone(device: 1)
        branch.register(&phone)
        branch.deliver(phone.request(.invite, to: "sip:112@pbx.example", body: phone.offer()), phone.flow)
        let first = try #require(branch.servePBX().first { $0.method == .invite })
        branch.deliver(first.response(100), Branch.pbx)
        let gateway = Flow(transport: .udp, local: Branch.udp, remote: Branch.gateway)
        branch.advance(.seconds(5))
        #expect(branch.take(gateway).isEmpty, "100 Trying buys it a little time")
        branch.advance(.seconds(5))
        #expect(branch.take(gateway).contains { $0.request?.method == .invite })
        #expect(branch.servePBX().contains { $0.method == .cancel })
    }

    /// Who called for help as 100 and logged out is still called back as 100.
    @Test func aCallBackReachesTheDeskAfterALogout() throws {
        var branch = Branch()
        branch.connectPBX()
        _ = branch.servePBX()
        var phone = Phone(device: 1)
        branch.register(&phone)
        #expect(branch.logIn(&phone, as: "100"))
        let emergency = branch.exchange(&phone, phone.request(.invite, to: "sip:112@pbx.example", body: phone.offer()))
        #expect(emergency.answers.last?.status == 100)
        _ = branch.servePBX()
        branch.exchange(&phone, phone.request(.invite, to: "sip:*77*5*@pbx.example", body: phone.offer()))
        #expect(!branch.servePBX().contains { $0.method == .register && $0.headers[.expires] == "0" })
        _ = branch.take(phone.flow)
        var caller = Phone(device: 3)
        branch.deliver(caller.request(.invite, to: "sip:100@192.0.2.10:40001", body: caller.offer()), Branch.pbx)
        #expect(branch.take(phone.flow).compactMap(\.request).last?.method == .invite)
        // The window ends, and with it the registration.
        var seen: [SIPRequest] = []
        for _ in 0..<62 {
            branch.advance(.seconds(60))
            seen += branch.servePBX()
        }
        #expect(seen.contains { $0.method == .register && $0.headers[.expires] == "0" && $0.headers.to.uri.user == "100" })
    }

    @Test func aWrongPasswordIsAuditedOnce() {
        var branch = Branch()
        var phone = Phone(device: 1)
        phone.password = "not it"
        for _ in 0..<5 { branch.exchange(&phone, phone.request(.register, to: "sip:HD0001@pbx.example")) }
        #expect(branch.audit.filter { $0.detail.contains("wrong password") }.count == 1)
    }
}
