import CoreTypes
import EdgeProxy
import HotDeskPolicy
import Media
import SIPMessage
import Testing

/// A protected extension's calls outside need its PIN again when the last one is too long ago.
@Suite struct PINProtectionScenarios {
    private static let patterns = ["2xx", "8."].compactMap { NumberPattern($0) }

    /// A branch where 100 is protected, at whose desk somebody sat down long enough ago.
    private static func branch(_ phone: inout Phone, timeout: Duration = .seconds(300), after pause: Duration = .seconds(301)) -> Branch {
        var configuration = Branch.configuration()
        configuration.policy.internalNumbers = patterns
        configuration.policy.dialCodes.pbx = ["*62"]
        for index in configuration.extensions.indices where configuration.extensions[index].number.text == "100" {
            configuration.extensions[index].pinTimeout = timeout
        }
        var branch = Branch()
        branch.run(.reload(configuration))
        branch.connectPBX()
        _ = branch.servePBX()
        branch.register(&phone)
        #expect(branch.logIn(&phone, as: "100"))
        branch.advance(pause)
        branch.sent = []
        branch.media = []
        branch.audit = []
        return branch
    }

    private static func call(_ branch: inout Branch, _ phone: inout Phone, _ number: String, body: Bool = true) -> (SIPRequest, [SIPResponse]) {
        branch.exchange(&phone, phone.request(.invite, to: "sip:\(number)@pbx.example", body: body ? phone.offer() : []))
    }

    @Test(arguments: ["1234567", "00493012345", "+15550100", "300", "*5", "alice", "*6219005550100", "*62300"]) func outsideAsksAndGoesOn(number: String) throws {
        var phone = Phone(device: 1)
        var branch = Self.branch(&phone)
        let (invite, answers) = Self.call(&branch, &phone, number)
        let early = try #require(answers.last)
        #expect(early.status == 183 && early.headers.contentType == "application/sdp")
        #expect(!branch.servePBX().contains { $0.method == .invite })
        #expect(branch.media.contains { if case .play(_, [.enterPIN], _, _, _) = $0 { true } else { false } })
        #expect(branch.media.contains { if case .sensitive(_, true) = $0 { true } else { false } })
        branch.type("4711#")
        // The same INVITE goes on, without being dialled again.
        let passed = try #require(branch.servePBX().last { $0.method == .invite })
        #expect(passed.uri.user == number.filter { $0 != "-" } && passed.headers.callID == invite.headers.callID)
        var ok = passed.response(200, toTag: "far")
        ok.bring(Talk.body(), contact: phone.address("sip:x@198.51.100.20:5061"))
        branch.deliver(ok, Branch.pbx)
        let answer = try #require(branch.take(phone.flow).compactMap(\.response).last)
        #expect(answer.status == 200 && answer.headers.to.tag == "far" && answer.headers.to.tag != early.headers.to.tag)
        #expect(answer.headers.cseq == invite.headers.cseq)
        branch.deliver(Branch.ack(invite, answer, newBranch: true), phone.flow)
        // For a while nothing is asked any more.
        #expect(Self.call(&branch, &phone, "7654321").1.last?.status == 100)
        branch.advance(.seconds(301))
        #expect(Self.call(&branch, &phone, "7654321").1.last?.status == 183)
    }

    @Test(arguments: ["101", "102", "205", "8", "8123456", "*62100", "112", "9112"]) func insideAndHelpNeverAsk(number: String) throws {
        var phone = Phone(device: 1)
        var branch = Self.branch(&phone)
        _ = Self.call(&branch, &phone, number)
        #expect(branch.servePBX().last { $0.method == .invite }?.uri.user == (number == "9112" ? "112" : number))
        #expect(!branch.media.contains { if case .play = $0 { true } else { false } })
    }

    @Test func withinTheTimeOutNothingIsAsked() throws {
        var phone = Phone(device: 1)
        var branch = Self.branch(&phone, after: .seconds(200))
        _ = Self.call(&branch, &phone, "1234567")
        #expect(branch.servePBX().contains { $0.method == .invite })
    }

    @Test func aTimeOutOfNothingAsksEachTime() throws {
        var phone = Phone(device: 1)
        var branch = Self.branch(&phone, timeout: .zero, after: .seconds(1))
        for _ in 0..<2 {
            #expect(Self.call(&branch, &phone, "1234567").1.last?.status == 183)
            branch.type("4711#")
            #expect(branch.servePBX().contains { $0.method == .invite })
        }
    }

    @Test func wrongPINsRefuseTheCallAndCount() throws {
        var phone = Phone(device: 1)
        var branch = Self.branch(&phone)
        _ = Self.call(&branch, &phone, "1234567")
        for _ in 0..<3 { branch.type("1111#") }
        branch.advance(.seconds(20))
        let answer = try #require(branch.take(phone.flow).compactMap(\.response).last)
        #expect(answer.status == 403 && answer.reason == "Your PIN is needed for this")
        #expect(!branch.servePBX().contains { $0.method == .invite })
        #expect(branch.audit.contains { $0.kind == .lockedOut && $0.request == "call outside" })
        #expect(branch.audit.count { $0.kind == .refused } == 1)
        // Locked: the right PIN does not open it either, and help is never kept from anybody.
        _ = Self.call(&branch, &phone, "1234567")
        branch.type("4711#")
        branch.advance(.seconds(20))
        #expect(!branch.servePBX().contains { $0.method == .invite })
        branch.deliver(phone.request(.invite, to: "sip:112@pbx.example", body: phone.offer()), phone.flow)
        #expect(branch.servePBX().last { $0.method == .invite }?.uri.user == "112")
    }

    @Test func silenceRefusesTheCall() throws {
        var phone = Phone(device: 1)
        var branch = Self.branch(&phone)
        _ = Self.call(&branch, &phone, "1234567")
        branch.advance(.seconds(60))
        #expect(branch.take(phone.flow).compactMap(\.response).last?.status == 403)
        #expect(branch.edge.status(now: branch.now).calls == 0)
    }

    @Test func whoeverHangsUpWhileAskedHasNotCalled() throws {
        var phone = Phone(device: 1)
        var branch = Self.branch(&phone)
        let (invite, _) = Self.call(&branch, &phone, "1234567")
        var cancel = invite
        cancel.method = .cancel
        cancel.body = []
        cancel.headers.contentType = nil
        cancel.headers.cseq = CSeq(number: invite.headers.cseq.number, method: .cancel)
        branch.deliver(cancel, phone.flow)
        #expect(branch.take(phone.flow).compactMap(\.response).map(\.status).sorted() == [200, 487])
        branch.type("4711#")
        branch.advance(.seconds(60))
        #expect(!branch.servePBX().contains { $0.method == .invite })
        #expect(branch.edge.status(now: branch.now).calls == 0)
    }

    /// Digits by SIP INFO in the early dialog count, as they do in a login.
    @Test func thePINMayComeByInfo() throws {
        var phone = Phone(device: 1)
        var branch = Self.branch(&phone)
        let (invite, answers) = Self.call(&branch, &phone, "1234567")
        let tag = try #require(answers.last?.headers.to.tag)
        for digit in "4711#" {
            var info = phone.request(.info, to: "sip:1234567@pbx.example", callID: invite.headers.callID.value, toTag: tag, body: Array("Signal=\(digit)\r\n".utf8))
            info.headers.contentType = "application/dtmf-relay"
            branch.deliver(info, phone.flow)
        }
        #expect(branch.servePBX().contains { $0.method == .invite })
    }

    /// Whoever is logged out while the PIN is typed calls nobody.
    @Test func aSessionThatEndsMeanwhileCallsNobody() throws {
        var phone = Phone(device: 1)
        var branch = Self.branch(&phone)
        _ = Self.call(&branch, &phone, "1234567")
        branch.run(.logout(try #require(DeviceName("HD0001"))))
        branch.type("4711#")
        #expect(!branch.servePBX().contains { $0.method == .invite })
        #expect(branch.take(phone.flow).compactMap(\.response).last?.status == 403)
    }

    /// The PIN of the one before is no proof for the one who sits there now.
    @Test func thePINOfTheOneBeforeProvesNothing() throws {
        var phone = Phone(device: 1)
        var branch = Self.branch(&phone)
        var configuration = Branch.configuration()
        for index in configuration.extensions.indices { configuration.extensions[index].pinTimeout = .zero }
        branch.run(.reload(configuration))
        _ = Self.call(&branch, &phone, "1234567")
        let asked = try #require(branch.lastAnnouncement)
        #expect(branch.logIn(&phone, as: "101"))
        for digit in "4711#".utf8 { branch.run(.media(.digit(asked, digit))) }
        #expect(!branch.servePBX().contains { $0.method == .invite })
        _ = branch.take(phone.flow)
        #expect(Self.call(&branch, &phone, "1234567").1.last?.status == 183)
    }

    @Test func withoutAudioThePINCannotBeAsked() throws {
        var phone = Phone(device: 1)
        var branch = Self.branch(&phone)
        #expect(Self.call(&branch, &phone, "1234567", body: false).1.last?.status == 403)
        #expect(branch.audit.last?.detail == "403 pinDue")
    }

    /// No way round: transfers and redirections outside are calls outside.
    @Test func transfersAndRedirectionsOutsideNeedItToo() throws {
        var phone = Phone(device: 1)
        var branch = Self.branch(&phone)
        let (invite, _) = Self.call(&branch, &phone, "101")
        let out = try #require(branch.servePBX().last { $0.method == .invite })
        var moved = out.response(302, toTag: "m")
        moved.headers.contact = .list([phone.address("sip:1234567@pbx.example")])
        branch.deliver(moved, Branch.pbx)
        #expect(!branch.servePBX().contains { $0.method == .invite })
        #expect(branch.take(phone.flow).compactMap(\.response).last?.status == 183)
        branch.type("4711#")
        let next = try #require(branch.servePBX().last { $0.method == .invite })
        #expect(next.uri.user == "1234567" && next.headers.cseq.number > out.headers.cseq.number)
        var ok = next.response(200, toTag: "far")
        ok.headers.contact = .list([phone.address("sip:x@198.51.100.20:5061")])
        branch.deliver(ok, Branch.pbx)
        branch.deliver(Branch.ack(invite, try #require(branch.take(phone.flow).compactMap(\.response).last), newBranch: true), phone.flow)
        branch.advance(.seconds(301))
        var refer = phone.request(.refer, to: "sip:x@pbx.example", callID: invite.headers.callID.value, toTag: "far")
        refer.headers[.referTo] = "<sip:7654321@pbx.example>"
        branch.deliver(refer, phone.flow)
        #expect(branch.take(phone.flow).compactMap(\.response).last?.status == 403)
        refer = phone.request(.refer, to: "sip:x@pbx.example", callID: invite.headers.callID.value, toTag: "far")
        refer.headers[.referTo] = "<sip:102@pbx.example>"
        branch.deliver(refer, phone.flow)
        #expect(branch.servePBX().last { $0.method == .refer }?.headers[.referTo] == "<sip:102@pbx.example>")
    }

    // MARK: Taking over a session

    @Test(arguments: [("1", true), ("2", false), ("", false)]) func aTakeoverIsConfirmed(key: String, goes: Bool) throws {
        var configuration = Branch.configuration()
        configuration.policy.confirmsTakeover = true
        var branch = Branch()
        branch.run(.reload(configuration))
        branch.connectPBX()
        _ = branch.servePBX()
        var phone = Phone(device: 1)
        branch.register(&phone)
        #expect(branch.logIn(&phone, as: "100"), "nobody is displaced: nothing is asked")
        branch.media = []
        #expect(!branch.logIn(&phone, as: "101"))
        #expect(branch.media.contains { if case .play(_, [.confirmTakeover("100")], _, _, _) = $0 { true } else { false } })
        #expect(branch.edge.status(now: branch.now).devices[0].session?.extension.text == "100")
        branch.type(key)
        _ = branch.servePBX()
        branch.advance(.seconds(30))
        #expect(branch.edge.status(now: branch.now).devices[0].session?.extension.text == (goes ? "101" : "100"))
        #expect(branch.audit.contains { $0.detail.contains("did not confirm") } == !goes)
    }

    @Test func leavingAnotherDeskIsConfirmedToo() throws {
        var configuration = Branch.configuration()
        configuration.policy.confirmsTakeover = true
        var branch = Branch()
        branch.run(.reload(configuration))
        branch.connectPBX()
        _ = branch.servePBX()
        var first = Phone(device: 1)
        var second = Phone(device: 2)
        branch.register(&first)
        branch.register(&second)
        #expect(branch.logIn(&first, as: "100"))
        branch.media = []
        #expect(!branch.logIn(&second, as: "100"))
        #expect(branch.media.contains { if case .play(_, [.confirmTakeover("100")], _, _, _) = $0 { true } else { false } })
        branch.type("1")
        _ = branch.servePBX()
        branch.advance(.seconds(5))
        #expect(branch.edge.status(now: branch.now).devices[1].session?.extension.text == "100")
    }
}
