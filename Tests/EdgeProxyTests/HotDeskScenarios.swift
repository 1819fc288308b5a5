import CoreTypes
import EdgeProxy
import HotDeskPolicy
import Media
import SIPMessage
import Testing

/// The main path of a hot desk in virtual time: refused, emergency, login, calls, logout.
@Suite struct HotDeskScenarios {
    @Test(arguments: [TransportProtocol.udp, .tcp])
    func idleDeviceReachesNobodyButEmergency(transport: TransportProtocol) throws {
        var branch = Branch()
        branch.connectPBX()
        _ = branch.servePBX()
        var phone = Phone(device: 1, transport: transport)
        branch.register(&phone)
        let refused = branch.exchange(&phone, phone.request(.invite, to: "sip:101@pbx.example"))
        #expect(refused.answers.last?.status == 403)
        #expect(refused.answers.last?.headers[.reason]?.contains("cause=403") == true)
        #expect(branch.servePBX().isEmpty)
        #expect(branch.audit.filter { $0.kind == .refused }.count == 1)

        branch.deliver(phone.request(.invite, to: "sip:9-1-1@evil.example;user=phone", body: phone.offer()), phone.flow)
        let invite = try #require(branch.servePBX().first { $0.method == .invite })
        #expect(invite.uri.description == "sip:911@pbx.example")
        #expect(invite.headers.from.uri.description == "sip:branch-01@pbx.example")
        #expect(branch.audit.last?.kind == .emergency)
    }

    @Test func hintIsSpokenBeforeTheRefusal() throws {
        var branch = Branch()
        var phone = Phone(device: 1)
        branch.register(&phone)
        let answers = branch.exchange(&phone, phone.request(.invite, to: "sip:101@pbx.example", body: phone.offer())).answers
        #expect(answers.map(\.status).contains(183))
        #expect(answers.last?.status == 403)
        #expect(branch.media.contains { if case .play(_, [.logInFirst], _, _, _) = $0 { true } else { false } })
    }

    @Test func loginCallOutAndBack() throws {
        var branch = Branch()
        branch.connectPBX()
        _ = branch.servePBX()
        var phone = Phone(device: 1)
        branch.register(&phone)
        #expect(branch.logIn(&phone, as: "100"))
        #expect(branch.stored.contains { if case .session(let session) = $0 { session.extension.text == "100" } else { false } })

        let (invite, trying) = branch.exchange(&phone, phone.request(.invite, to: "sip:101@pbx.example", body: phone.offer()))
        #expect(trying.last?.status == 100)
        let first = try #require(branch.servePBX().first { $0.method == .invite })
        #expect(first.headers.from.uri.description == "sip:100@pbx.example")
        #expect(first.headers.from.tag == "ft")
        #expect(first.headers.callID == invite.headers.callID)
        #expect(first.headers[.proxyAuthorization] == nil)
        #expect(!String(decoding: first.body, as: UTF8.self).contains("192.0.2.101"))

        // The PBX challenges; the edge answers with the extension's own secret and a CSeq of its own.
        var challenge = first.response(407, toTag: "x")
        challenge.headers[.proxyAuthenticate] = "Digest realm=\"pbx.example\", nonce=\"abc\", qop=\"auth\", algorithm=MD5"
        branch.deliver(challenge, Branch.pbx)
        let second = try #require(branch.servePBX().last { $0.method == .invite })
        #expect(second.headers.cseq.number == first.headers.cseq.number + 1)
        let credentials = try DigestCredentials(parsing: #require(second.headers[.proxyAuthorization]))
        #expect(credentials.username == "auth100")
        #expect(credentials.matches(method: .invite, password: "pw-100"))
        #expect(branch.take(phone.flow).isEmpty, "the phone sees nothing of the PBX's challenge")

        var ok = second.response(200, toTag: "pbxtag")
        ok.headers.contact = .list([phone.address("sip:101@198.51.100.20:5061;transport=tls")])
        ok.headers.recordRoute = [phone.address("sip:198.51.100.20:5061;transport=tls;lr")]
        ok.headers.contentType = "application/sdp"
        ok.body = Array("v=0\r\no=- 9 9 IN IP4 203.0.113.9\r\ns=-\r\nc=IN IP4 203.0.113.9\r\nt=0 0\r\nm=audio 6000 RTP/AVP 8\r\n".utf8)
        branch.deliver(ok, Branch.pbx)
        let answer = try #require(branch.take(phone.flow).compactMap(\.response).last)
        #expect(answer.status == 200)
        #expect(answer.headers.cseq == invite.headers.cseq)
        #expect(answer.headers.from == invite.headers.from)
        #expect(answer.headers.to.tag == "pbxtag")
        #expect(answer.headers.recordRoute.isEmpty)
        #expect(String(decoding: answer.body, as: UTF8.self).contains("c=IN IP4 192.0.2.10"))

        branch.deliver(Branch.ack(invite, answer, newBranch: true), phone.flow)
        let ack = try #require(branch.servePBX().last { $0.method == .ack })
        #expect(ack.headers.cseq.number == second.headers.cseq.number)
        #expect(ack.headers.route.count == 1)
        #expect(ack.uri.description.contains("101@198.51.100.20"))

        var bye = phone.request(.bye, to: "sip:101@pbx.example", callID: invite.headers.callID.value, toTag: "pbxtag")
        bye.headers.contact = nil
        branch.deliver(bye, phone.flow)
        let passedBye = try #require(branch.servePBX().last { $0.method == .bye })
        #expect(passedBye.headers.cseq.number == bye.headers.cseq.number + 1)
        #expect(passedBye.headers.from.uri.description == "sip:100@pbx.example")
        branch.deliver(passedBye.response(200), Branch.pbx)
        #expect(branch.take(phone.flow).compactMap(\.response).last?.status == 200)
        #expect(branch.edge.status(now: branch.now).calls == 0)
        #expect(branch.media.contains { if case .close = $0 { true } else { false } })
    }

    @Test func callInReachesTheDeskOfThePerson() throws {
        var branch = Branch()
        branch.connectPBX()
        _ = branch.servePBX()
        var phone = Phone(device: 2)
        branch.register(&phone)
        #expect(branch.logIn(&phone, as: "101"))
        var caller = Phone(device: 3)
        caller.user = "102"
        var invite = caller.request(.invite, to: "sip:101@192.0.2.10:40001;transport=tls", body: caller.offer())
        invite.headers.via[0].transport = "TLS"
        branch.deliver(invite, Branch.pbx)
        let ringing = try #require(branch.take(phone.flow).compactMap(\.request).last)
        #expect(ringing.uri == phone.contact.uri)
        #expect(ringing.headers.via.count == 1)
        var ok = ringing.response(200, toTag: "phonetag")
        ok.headers.contact = .list([phone.contact])
        ok.headers.contentType = "application/sdp"
        ok.body = phone.offer(port: 31_000)
        branch.deliver(ok, phone.flow)
        let passed = try #require(branch.take(Branch.pbx).compactMap(\.response).last)
        #expect(passed.status == 200)
        #expect(passed.headers.contactURI?.description.contains("192.0.2.10:40001") == true)
        let ack = Branch.ack(invite, passed, newBranch: true)
        branch.deliver(ack, Branch.pbx)
        #expect(branch.take(phone.flow).compactMap(\.request).last?.method == .ack)

        // The phone hangs up.
        var bye = phone.request(.bye, to: "sip:102@pbx.example", callID: invite.headers.callID.value, tag: "phonetag", toTag: "ft")
        bye.headers.contact = nil
        branch.deliver(bye, phone.flow)
        #expect(branch.servePBX().last?.method == .bye)
    }

    @Test func idleDeviceIsNotReached() throws {
        var branch = Branch()
        branch.connectPBX()
        _ = branch.servePBX()
        var phone = Phone(device: 1)
        branch.register(&phone)
        var caller = Phone(device: 3)
        branch.deliver(caller.request(.invite, to: "sip:100@192.0.2.10:40001", body: caller.offer()), Branch.pbx)
        #expect(branch.take(Branch.pbx).compactMap(\.response).last?.status == 480)
        #expect(branch.take(phone.flow).isEmpty)
    }

    @Test func roamingMakesTheOldDeskIdle() throws {
        var branch = Branch()
        branch.connectPBX()
        _ = branch.servePBX()
        var first = Phone(device: 1)
        var second = Phone(device: 2)
        branch.register(&first)
        branch.register(&second)
        #expect(branch.logIn(&first, as: "100"))
        #expect(branch.logIn(&second, as: "100"))
        let status = branch.edge.status(now: branch.now).devices
        #expect(status[0].session == nil)
        #expect(status[1].session?.extension.text == "100")
        #expect(branch.exchange(&first, first.request(.invite, to: "sip:101@pbx.example")).answers.last?.status == 403)
        #expect(branch.servePBX().allSatisfy { $0.method != .invite })
    }

    @Test func logoutGivesTheDeskBackAndTheCallGoesOn() throws {
        var branch = Branch()
        branch.connectPBX()
        _ = branch.servePBX()
        var phone = Phone(device: 1)
        branch.register(&phone)
        #expect(branch.logIn(&phone, as: "100"))
        let (invite, _) = branch.exchange(&phone, phone.request(.invite, to: "sip:101@pbx.example", body: phone.offer()))
        let out = try #require(branch.servePBX().last { $0.method == .invite })
        var ok = out.response(200, toTag: "t")
        ok.headers.contact = .list([phone.address("sip:101@198.51.100.20")])
        branch.deliver(ok, Branch.pbx)
        let answer = try #require(branch.take(phone.flow).compactMap(\.response).last)
        branch.deliver(Branch.ack(invite, answer, newBranch: true), phone.flow)
        _ = branch.servePBX()

        let logout = branch.exchange(&phone, phone.request(.invite, to: "sip:*77*5*@pbx.example", body: phone.offer()))
        #expect(logout.answers.last?.status == 200)
        #expect(branch.edge.status(now: branch.now).devices[0].session == nil)
        #expect(branch.stored.contains(.sessionEnded(DeviceName("HD0001")!)))
        #expect(branch.servePBX().contains { $0.method == .register && $0.headers[.expires] == "0" })

        // The call that was up is still the person's.
        var bye = phone.request(.bye, to: "sip:101@pbx.example", callID: invite.headers.callID.value, toTag: "t")
        bye.headers.contact = nil
        branch.deliver(bye, phone.flow)
        #expect(branch.servePBX().last { $0.method == .bye }?.headers.from.uri.user == "100")
        // The next one is refused.
        #expect(branch.exchange(&phone, phone.request(.invite, to: "sip:101@pbx.example")).answers.last?.status == 403)
    }

    @Test func wrongPINsLockAndEmergencyStillWorks() throws {
        var branch = Branch()
        branch.connectPBX()
        _ = branch.servePBX()
        var phone = Phone(device: 1)
        branch.register(&phone)
        let (invite, answers) = branch.exchange(&phone, phone.request(.invite, to: "sip:*77*100*@pbx.example", body: phone.offer()))
        branch.deliver(Branch.ack(invite, try #require(answers.last), newBranch: true), phone.flow)
        branch.type("1111#")
        branch.type("2222#")
        branch.type("3333#")
        branch.advance(.seconds(5))
        #expect(branch.take(phone.flow).contains { $0.request?.method == .bye })
        #expect(!branch.logIn(&phone, as: "100"), "the right PIN does not open a locked extension")
        #expect(branch.audit.contains { $0.kind == .lockedOut })
        _ = branch.servePBX()
        branch.deliver(phone.request(.invite, to: "sip:112@pbx.example", body: phone.offer()), phone.flow)
        #expect(branch.servePBX().last?.uri.description == "sip:112@pbx.example")
    }

    @Test func diskThatFailsLeavesNoSession() throws {
        var branch = Branch()
        branch.connectPBX()
        _ = branch.servePBX()
        var phone = Phone(device: 1)
        branch.register(&phone)
        branch.diskWorks = false
        #expect(!branch.logIn(&phone, as: "100"))
        #expect(branch.edge.status(now: branch.now).devices[0].session == nil)
    }

    @Test func loginGoesThroughWithoutThePBX() throws {
        var branch = Branch()
        var phone = Phone(device: 1)
        branch.register(&phone)
        #expect(branch.logIn(&phone, as: "100"))
        branch.connectPBX()
        branch.advance(.seconds(1))
        #expect(branch.servePBX().contains { $0.method == .register && $0.headers.to.uri.user == "100" })
    }

    @Test func restartRestoresEverything() throws {
        var branch = Branch()
        var phone = Phone(device: 1)
        branch.register(&phone)
        #expect(branch.logIn(&phone, as: "100"))
        var snapshot = EdgeSnapshot()
        for change in branch.stored {
            switch change {
            case .session(let session): snapshot.sessions = [session]
            case .binding(let record): snapshot.bindings = [record]
            case .attempts(let attempts): snapshot.attempts = attempts
            case .emergencyPin(let pin): snapshot.emergencyPins = [pin]
            case .phone(let record): snapshot.phones = [record]
            case .sessionEnded, .bindingRemoved, .emergencyPinRemoved, .call, .callRemoved, .plainBinding, .plainBindingRemoved: break
            }
        }
        var again = Branch(seed: 9, restoring: snapshot)
        again.connectPBX()
        again.advance(.seconds(1))
        #expect(again.servePBX().contains { $0.method == .register && $0.headers.to.uri.user == "100" })
        var caller = Phone(device: 3)
        again.deliver(caller.request(.invite, to: "sip:100@192.0.2.10:40001", body: caller.offer()), Branch.pbx)
        #expect(again.take(phone.flow).compactMap(\.request).last?.method == .invite)
    }
}

@Suite struct UnlockScenarios {
    @Test func anAdministratorLiftsALock() throws {
        var branch = Branch()
        branch.connectPBX()
        _ = branch.servePBX()
        var phone = Phone(device: 1)
        branch.register(&phone)
        let (invite, answers) = branch.exchange(&phone, phone.request(.invite, to: "sip:*77*100*@pbx.example", body: phone.offer()))
        branch.deliver(Branch.ack(invite, try #require(answers.last), newBranch: true), phone.flow)
        for wrong in ["1111#", "2222#", "3333#"] { branch.type(wrong) }
        branch.advance(.seconds(5))
        _ = branch.take(phone.flow)
        #expect(!branch.logIn(&phone, as: "100"))
        let device = try #require(DeviceName("HD0001"))
        branch.run(.unlockDevice(device))
        branch.run(.unlockExtension(try #require(ExtensionNumber("100"))))
        #expect(branch.logIn(&phone, as: "100"))
        #expect(branch.audit.filter { $0.kind == .unlocked }.count == 2)
    }
}
