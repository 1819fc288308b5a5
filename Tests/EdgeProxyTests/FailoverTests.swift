import CoreTypes
import EdgeProxy
import HotDeskPolicy
import Media
import SIPMessage
import Testing

/// What was answered to one PBX node must be neither shown to the next route nor counted against it.
@Suite struct FailoverTests {
    private static let challenge = "Digest realm=\"pbx.example\", nonce=\"NONCE\", qop=\"auth\", algorithm=MD5"

    private func challenged(_ invite: SIPRequest, nonce: String) -> SIPResponse {
        var response = invite.response(407, toTag: nonce)
        response.headers[.proxyAuthenticate] = Self.challenge.replacing("NONCE", with: nonce)
        return response
    }

    private func idlePhone(_ branch: inout Branch) -> Phone {
        var phone = Phone(device: 1)
        branch.register(&phone)
        return phone
    }

    @Test func theSecondNodeMakesItsOwnChallenge() throws {
        var branch = Branch(nodes: 2)
        branch.connectPBX()
        branch.run(.trunkUp(TrunkNode(index: 1), Branch.secondPBX))
        _ = branch.servePBX()
        var phone = idlePhone(&branch)
        branch.deliver(phone.request(.invite, to: "sip:112@pbx.example", body: phone.offer()), phone.flow)
        let first = try #require(branch.servePBX().last { $0.method == .invite })
        branch.deliver(challenged(first, nonce: "one"), Branch.pbx)
        let answered = try #require(branch.servePBX().last { $0.method == .invite })
        #expect(answered.headers[.proxyAuthorization]?.contains("one") == true)
        branch.deliver(answered.response(503, toTag: "down"), Branch.pbx)

        let second = try #require(branch.servePBX(Branch.secondPBX).last { $0.method == .invite })
        #expect(second.headers[.proxyAuthorization] == nil)
        branch.deliver(challenged(second, nonce: "two"), Branch.secondPBX)
        let again = try #require(branch.servePBX(Branch.secondPBX).last { $0.method == .invite })
        let credentials = try DigestCredentials(parsing: #require(again.headers[.proxyAuthorization]))
        #expect(credentials.nonce == "two")
        #expect(credentials.matches(method: .invite, password: "site-secret"))
        #expect(again.headers.cseq.number > answered.headers.cseq.number)
    }

    @Test func aGatewaySeesNoCredentials() throws {
        var branch = Branch(routes: [.pbx, .gateway(name: "fxo", Branch.gateway)])
        branch.connectPBX()
        _ = branch.servePBX()
        var phone = idlePhone(&branch)
        branch.deliver(phone.request(.invite, to: "sip:112@pbx.example", body: phone.offer()), phone.flow)
        let first = try #require(branch.servePBX().last { $0.method == .invite })
        branch.deliver(challenged(first, nonce: "one"), Branch.pbx)
        let answered = try #require(branch.servePBX().last { $0.method == .invite })
        branch.deliver(answered.response(503, toTag: "down"), Branch.pbx)
        let gateway = Flow(transport: .udp, local: Branch.udp, remote: Branch.gateway)
        let invite = try #require(branch.take(gateway).compactMap(\.request).last { $0.method == .invite })
        #expect(invite.headers[.proxyAuthorization] == nil)
        #expect(invite.headers[.authorization] == nil)
    }
}

/// Two desks log in one person at a site that does not move people, while the disk is slow.
@Suite struct LoginRaceTests {
    @Test func theSecondDeskIsToldAndTheDiskPutRight() throws {
        var branch = Branch(secondLogin: .refuse)
        branch.connectPBX()
        _ = branch.servePBX()
        var first = Phone(device: 1)
        var second = Phone(device: 2)
        branch.register(&first)
        branch.register(&second)
        branch.diskIsSlow = true
        branch.logIn(&first, as: "100")
        branch.logIn(&second, as: "100")
        #expect(branch.waitingForDisk.count == 2)
        branch.diskIsSlow = false
        for token in branch.waitingForDisk { branch.run(.stored(token, true)) }

        let devices = branch.edge.status(now: branch.now).devices
        #expect(devices[0].session?.extension.text == "100")
        #expect(devices[1].session == nil)
        let sessions = branch.stored.compactMap { if case .session(let session) = $0 { session } else { nil } }
        #expect(sessions.last?.device.text == "HD0001", "what is written last is what holds")
        let confirmations = branch.media.filter { if case .play(_, let phrases, _, _, _) = $0 { phrases.contains(.loggedIn) } else { false } }
        #expect(confirmations.count == 1)
        #expect(branch.audit.contains { $0.kind == .loginFailed && $0.device == "HD0002" })
    }
}
