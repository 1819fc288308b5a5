import CoreTypes
import EdgeProxy
import HotDeskPolicy
import SIPMessage
import Testing

/// REFER and 3xx: who is sent where, and by whom.
@Suite struct TransferScenarios {
    private static func refer(_ talk: inout Talk, to target: String) -> SIPRequest {
        var refer = talk.fromPhone(.refer)
        refer.headers[.referTo] = target
        refer.headers[.referredBy] = "<sip:HD0001@192.0.2.10>"
        return refer
    }

    /// What of a Refer-To leaves, whatever host the phone has put there.
    @Test(arguments: [
        ("<sip:102@pbx.example>", "<sip:102@pbx.example>"),
        ("sip:102@192.0.2.10:5060;transport=udp", "<sip:102@pbx.example>"),
        ("\"Carol\" <sips:102@evil.example;maddr=203.0.113.9;method=BYE>", "\"Carol\" <sip:102@pbx.example>"),
        ("<tel:+1-555-0100>", "<sip:+15550100@pbx.example>"),
        ("<sip:102@192.0.2.10?Replaces=abc%3Bto-tag%3Dt%3Bfrom-tag%3Df&Require=replaces>", "<sip:102@pbx.example?Replaces=abc%3Bto-tag%3Dt%3Bfrom-tag%3Df&Require=replaces>"),
        ("<sip:102@pbx.example?Route=%3Csip:evil%3E&P-Asserted-Identity=x&Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc>", "<sip:102@pbx.example?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc>"),
    ]) func transferLeavesForThePBX(target: String, expected: String) throws {
        var talk = try Talk()
        try talk.answer()
        let passed = try talk.passOut(Self.refer(&talk, to: target))
        #expect(passed.headers[.referTo] == expected)
        #expect(passed.headers[.referredBy]?.hasSuffix("<sip:100@pbx.example>") == true)
        #expect(!passed.headers.others.contains { $0.value.contains("HD0001") })
    }

    @Test(arguments: [
        ("<sip:*77*100*@pbx.example>", 403), ("<sip:*77*5*@pbx.example>", 403), ("<http://evil.example/>", 416), ("<sip:9%401@x>", 400),
        ("not an address <", 400), ("<sip:102@a>, <sip:103@b>", 400),
    ]) func aTransferIsJudgedLikeACall(target: String, status: Int) throws {
        var talk = try Talk()
        try talk.answer()
        talk.branch.audit = []
        talk.branch.deliver(Self.refer(&talk, to: target), talk.phone.flow)
        #expect(talk.branch.take(talk.phone.flow).compactMap(\.response).last?.status == status)
        #expect(!talk.branch.servePBX().contains { $0.method == .refer })
        #expect(talk.branch.audit.count { $0.kind == .refused } == 1)
        try talk.hangUp(byPhone: true)
    }

    /// Attended: the second call's Call-ID and tags are at the PBX what they are at the phone.
    @Test func replacesNamesTheSecondCall() throws {
        var talk = try Talk()
        try talk.answer()
        let second = talk.branch.exchange(&talk.phone, talk.phone.request(.invite, to: "sip:102@pbx.example", tag: "second", body: talk.phone.offer())).request
        let atPBX = try #require(talk.branch.servePBX().last { $0.method == .invite })
        var ok = atPBX.response(200, toTag: "farsecond")
        ok.bring(Talk.body(), contact: talk.phone.address("sip:102@198.51.100.21:5061;transport=tls"))
        talk.branch.deliver(ok, Branch.pbx)
        let answer = try #require(talk.branch.take(talk.phone.flow).compactMap(\.response).last)
        talk.branch.deliver(Branch.ack(second, answer, newBranch: true), talk.phone.flow)
        _ = talk.branch.servePBX()
        let replaces = "\(second.headers.callID.value)%3Bto-tag%3D\(answer.headers.to.tag ?? "")%3Bfrom-tag%3Dsecond"
        let passed = try talk.passOut(Self.refer(&talk, to: "<sip:102@192.0.2.10:5060?Replaces=\(replaces)>"))
        #expect(passed.headers[.referTo] == "<sip:102@pbx.example?Replaces=\(replaces)>")
        #expect(atPBX.headers.callID == second.headers.callID && atPBX.headers.from.tag == "second" && answer.headers.to.tag == "farsecond")
        // Its progress comes back, without what else the fragment holds.
        #expect(try talk.answerAtPBX(passed, 202).status == 202)
        var notify = talk.fromPBX(.notify, body: Array("SIP/2.0 200 OK\r\nContact: <sip:102@10.0.0.9>\r\n\r\n".utf8), type: "message/sipfrag;version=2.0")
        notify.headers[.event] = "refer"
        notify.headers[.subscriptionState] = "terminated;reason=noresource"
        let told = try talk.passIn(notify)
        #expect(told.body == Array("SIP/2.0 200 OK\r\n".utf8) && told.headers[.event] == "refer")
    }

    /// What may begin a call must not turn one that is up into somebody else's, from either end.
    @Test(arguments: [Method.invite, .update, .info]) func aCallThatIsUpTakesNobodysPlace(method: Method) throws {
        var talk = try Talk()
        try talk.answer()
        let lines: [(HeaderName, String)] = [(.replaces, "a;to-tag=b;from-tag=c"), (.join, "a;to-tag=b;from-tag=c"), (HeaderName("X-Kept"), "yes")]
        var fromPhone = talk.fromPhone(method)
        var fromPBX = talk.fromPBX(method)
        for (name, value) in lines {
            fromPhone.headers[name] = value
            fromPBX.headers[name] = value
        }
        let out = try talk.passOut(fromPhone)
        #expect(try talk.answerAtPBX(out, 488).status == 488)
        let passedIn = try talk.passIn(fromPBX)
        for passed in [out, passedIn] {
            #expect(passed.headers[.replaces] == nil && passed.headers[.join] == nil && passed.headers[HeaderName("X-Kept")] == "yes")
        }
    }

    /// The far end transfers the desk: the target's machine stays unknown, and what the phone dials then is judged.
    @Test func theFarEndTransfersTheDesk() throws {
        var talk = try Talk()
        try talk.answer()
        var refer = talk.fromPBX(.refer)
        refer.headers[.referTo] = "<sip:102@10.0.0.9:5060;transport=tcp?Replaces=abc%3Bto-tag%3Dt%3Bfrom-tag%3Df>"
        refer.headers[.referredBy] = "<sip:101@10.0.0.9>"
        let told = try talk.passIn(refer)
        #expect(told.headers[.referTo] == "<sip:102@pbx.example?Replaces=abc%3Bto-tag%3Dt%3Bfrom-tag%3Df>")
        #expect(!told.text.contains("10.0.0.9"))
        #expect(try talk.answerAtPhone(told, 202).status == 202)
        var invite = talk.phone.request(.invite, to: "sip:102@pbx.example", body: talk.phone.offer())
        invite.headers[.replaces] = "abc;to-tag=t;from-tag=f"
        invite.headers[.referredBy] = "<sip:101@pbx.example>"
        _ = talk.branch.exchange(&talk.phone, invite)
        let passed = try #require(talk.branch.servePBX().last { $0.method == .invite })
        #expect(passed.headers[.replaces] == "abc;to-tag=t;from-tag=f" && passed.uri.user == "102")
        // How it goes is told in the call it came in.
        var notify = talk.fromPhone(.notify, body: Array("SIP/2.0 180 Ringing\r\nX: <sip:102@192.0.2.101>\r\n".utf8), type: "message/sipfrag")
        notify.headers[.event] = "refer"
        #expect(try talk.passOut(notify).body == Array("SIP/2.0 180 Ringing\r\n".utf8))
    }

    /// A transfer that came to nothing is told by a last NOTIFY, and the call goes on.
    @Test func aFailedTransferLeavesTheCall() throws {
        var talk = try Talk()
        try talk.answer()
        let refer = try talk.passOut(Self.refer(&talk, to: "<sip:102@pbx.example>"))
        #expect(try talk.answerAtPBX(refer, 202).status == 202)
        let told = try talk.passIn(Self.progress(talk.fromPBX(.notify), "SIP/2.0 486 Busy Here", "terminated;reason=noresource"))
        #expect(try talk.answerAtPhone(told, 200).status == 200)
        talk.branch.advance(.seconds(120))
        try talk.hangUp(byPhone: true)
    }

    // MARK: REFER outside a dialog

    private static func progress(_ notify: SIPRequest, _ status: String, _ state: String) -> SIPRequest {
        var notify = notify
        notify.headers[.event] = "refer"
        notify.headers[.subscriptionState] = state
        notify.headers.contentType = "message/sipfrag"
        notify.body = Array("\(status)\r\n".utf8)
        return notify
    }

    /// A REFER of a desk that is logged in, as it reached the PBX, and a NOTIFY of whoever took it.
    private static func referOutside(_ branch: inout Branch, _ phone: inout Phone) throws -> (SIPRequest, (UInt32, String, String) -> SIPRequest) {
        branch.connectPBX()
        _ = branch.servePBX()
        branch.register(&phone)
        #expect(branch.logIn(&phone, as: "100"))
        branch.sent = []
        var refer = phone.request(.refer, to: "sip:101@pbx.example")
        refer.headers[.referTo] = "<sip:102@192.0.2.10>"
        _ = branch.exchange(&phone, refer)
        let atPBX = try #require(branch.servePBX().last { $0.method == .refer })
        #expect(atPBX.headers[.referTo] == "<sip:102@pbx.example>" && atPBX.headers.from.uri.user == "100" && atPBX.uri.user == "101")
        return (atPBX, { number, status, state in
            var notify = atPBX
            notify.method = .notify
            notify.headers.others = []
            notify.headers.from = atPBX.headers.to.with(testTag: "taker")
            notify.headers.to = atPBX.headers.from
            notify.headers.cseq = CSeq(number: number, method: .notify)
            notify.headers.via[0].branch = "z9hG4bKprogress\(number)"
            return progress(notify, status, state)
        })
    }

    /// RFC 3515 §2.4.4: it subscribes to how it goes, until it is told that this was the last; the first word may come early.
    @Test(arguments: [false, true]) func howItGoesIsToldOutsideADialogToo(isEarly: Bool) throws {
        var (branch, phone) = (Branch(), Phone(device: 1))
        let (refer, notify) = try Self.referOutside(&branch, &phone)
        if !isEarly { branch.deliver(refer.response(202, toTag: "taker"), Branch.pbx) }
        for (number, status, state) in [(1, "SIP/2.0 100 Trying", "active;expires=180"), (2, "SIP/2.0 200 OK", "terminated;reason=noresource")] as [(UInt32, String, String)] {
            branch.deliver(notify(number, status, state), Branch.pbx)
            let told = try #require(branch.take(phone.flow).compactMap(\.request).last { $0.method == .notify })
            #expect(told.body == Array("\(status)\r\n".utf8) && told.uri == phone.contact.uri && told.headers.to.uri.user == "HD0001")
            branch.deliver(told.response(200), phone.flow)
            #expect(branch.take(Branch.pbx).compactMap(\.response).last?.status == 200)
            if number == 1, isEarly { branch.deliver(refer.response(202, toTag: "taker"), Branch.pbx) }
            branch.advance(.seconds(150))
        }
        #expect(branch.edge.status(now: branch.now).calls == 0)
        branch.deliver(notify(3, "SIP/2.0 200 OK", "active"), Branch.pbx)
        #expect(branch.take(Branch.pbx).compactMap(\.response).last?.status == 481)
    }

    /// RFC 4488: taken without a subscription; and whoever takes it and says no more is forgotten.
    @Test(arguments: [true, false]) func nothingIsKeptForATransferWithoutAWord(isTold: Bool) throws {
        var (branch, phone) = (Branch(), Phone(device: 1))
        let (refer, notify) = try Self.referOutside(&branch, &phone)
        var accepted = refer.response(202, toTag: "taker")
        if isTold { accepted.headers[HeaderName("Refer-Sub")] = "false" }
        branch.deliver(accepted, Branch.pbx)
        #expect(branch.take(phone.flow).compactMap(\.response).last?.status == 202)
        if !isTold { branch.advance(.seconds(100)) }
        #expect(branch.edge.status(now: branch.now).calls == 0)
        branch.deliver(notify(1, "SIP/2.0 100 Trying", "active;expires=60"), Branch.pbx)
        #expect(branch.take(Branch.pbx).compactMap(\.response).last?.status == 481)
    }

    /// It is the person's own: whoever sits down next is told nothing of it, and the PBX that nobody listens.
    @Test func aLogoutEndsIt() throws {
        var (branch, phone) = (Branch(), Phone(device: 1))
        let (refer, notify) = try Self.referOutside(&branch, &phone)
        var accepted = refer.response(202, toTag: "taker")
        accepted.headers.contact = .list([phone.address("sip:101@198.51.100.20:5061;transport=tls")])
        branch.deliver(accepted, Branch.pbx)
        branch.sent = []
        branch.run(.logout(try #require(DeviceName("HD0001"))))
        let last = try #require(branch.take(phone.flow).compactMap(\.request).last { $0.method == .notify })
        #expect(last.headers[.event] == "refer" && last.headers[.subscriptionState]?.hasPrefix("terminated") == true)
        let end = try #require(branch.servePBX().last { $0.method == .subscribe })
        #expect(end.headers[.event] == "refer" && end.headers.expires == 0)
        branch.deliver(notify(1, "SIP/2.0 200 OK", "active;expires=60"), Branch.pbx)
        #expect(!branch.take(phone.flow).contains { $0.request?.body.isEmpty == false })
    }

    /// The PBX has a desk dial (click to dial): the phone's word on it goes back.
    @Test func thePBXHasADeskDial() throws {
        var talk = try Talk()
        try talk.answer()
        var refer = talk.fromPBX(.refer)
        refer.uri = talk.phone.address("sip:100@192.0.2.10:40001;transport=tls").uri
        refer.headers.callID = CallID(value: "dial-for-me")
        refer.headers.to.tag = nil
        refer.headers[.referTo] = "<sip:102@10.0.0.9>"
        let told = try talk.passIn(refer)
        #expect(told.headers[.referTo] == "<sip:102@pbx.example>" && told.headers.to.tag == nil)
        #expect(try talk.answerAtPhone(told, 202, tag: "desk").status == 202)
        var notify = talk.phone.request(.notify, to: "sip:101@pbx.example", callID: "dial-for-me", tag: "desk", toTag: told.headers.from.tag)
        notify = Self.progress(notify, "SIP/2.0 100 Trying", "active;expires=180")
        let word = try talk.passOut(notify)
        #expect(word.body == Array("SIP/2.0 100 Trying\r\n".utf8) && word.headers.callID.value == "dial-for-me")
        #expect(try talk.answerAtPBX(word, 200).status == 200)
        talk.branch.advance(.seconds(150))
        let end = talk.phone.request(.notify, to: "sip:101@pbx.example", callID: "dial-for-me", tag: "desk", toTag: told.headers.from.tag)
        #expect(try talk.passOut(Self.progress(end, "SIP/2.0 200 OK", "terminated;reason=noresource")).body == Array("SIP/2.0 200 OK\r\n".utf8))
    }

    // MARK: 3xx

    private static func moved(_ talk: Talk, _ invite: SIPRequest, to contacts: [String]) -> SIPResponse {
        var moved = invite.response(302, toTag: "moved")
        moved.headers.contact = .list(contacts.compactMap { try? NameAddress(parsing: $0) })
        return moved
    }

    @Test func aRedirectionIsJudgedAndFollowed() throws {
        var talk = try Talk()
        talk.branch.deliver(
            Self.moved(talk, talk.invite, to: ["<sip:*77*101*@x>", "<sip:103@evil.example:9>;q=0.2", "<sip:102@10.0.0.9;transport=tcp>;q=0.9"]), Branch.pbx)
        let next = try #require(talk.branch.servePBX().last { $0.method == .invite })
        #expect(next.uri.description == "sip:102@pbx.example" && next.headers.from.uri.user == "100")
        #expect(next.headers.cseq.number > talk.invite.headers.cseq.number && next.headers.callID == talk.invite.headers.callID)
        #expect(!talk.branch.take(talk.phone.flow).contains { $0.response.map { $0.status >= 300 } ?? false })
        // It is the phone's own call that is answered then.
        var ok = next.response(200, toTag: "pbxtag")
        ok.bring(Talk.body(), contact: talk.phone.address("sip:102@198.51.100.20:5061"))
        talk.branch.deliver(ok, Branch.pbx)
        let answer = try #require(talk.branch.take(talk.phone.flow).compactMap(\.response).last)
        #expect(answer.status == 200 && answer.headers.cseq == talk.asked.headers.cseq)
        talk.branch.deliver(Branch.ack(talk.asked, answer, newBranch: true), talk.phone.flow)
        #expect(talk.branch.servePBX().last { $0.method == .ack }?.headers.cseq.number == next.headers.cseq.number)
        #expect(try talk.passOut(talk.fromPhone(.bye)).headers.cseq.number > next.headers.cseq.number)
    }

    @Test func redirectionsInACircleEnd() throws {
        var talk = try Talk()
        var invite = talk.invite
        var tries = 1
        while tries < 20 {
            let target = invite.uri.user == "101" ? "102" : invite.uri.user == "102" ? "103" : "101"
            talk.branch.deliver(Self.moved(talk, invite, to: ["<sip:\(target)@pbx.example>"]), Branch.pbx)
            guard let next = talk.branch.servePBX().last(where: { $0.method == .invite }) else { break }
            invite = next
            tries += 1
        }
        #expect(tries == 3)
        let answer = try #require(talk.branch.take(talk.phone.flow).compactMap(\.response).last)
        #expect(answer.status == 302 && answer.headers.contact == nil)
        #expect(talk.branch.edge.status(now: talk.branch.now).calls == 0)
    }

    /// The session is over: where the 3xx leads is a call of an idle desk.
    @Test func afterALogoutNothingIsFollowed() throws {
        var talk = try Talk()
        talk.branch.run(.logout(try #require(DeviceName("HD0001"))))
        talk.branch.deliver(Self.moved(talk, talk.invite, to: ["<sip:102@pbx.example>"]), Branch.pbx)
        #expect(!talk.branch.servePBX().contains { $0.method == .invite })
        #expect(talk.branch.take(talk.phone.flow).compactMap(\.response).last?.status == 302)
    }

    /// Whoever sits there by then has not called: it must not be at their cost.
    @Test func theNextPersonIsNotSentOn() throws {
        var talk = try Talk()
        #expect(talk.branch.logIn(&talk.phone, as: "101"))
        talk.branch.sent = []
        talk.branch.deliver(Self.moved(talk, talk.invite, to: ["<sip:102@pbx.example>"]), Branch.pbx)
        #expect(!talk.branch.servePBX().contains { $0.method == .invite })
    }

    @Test func aPlainPhoneIsToldTheNumber() throws {
        var talk = try Talk(as: nil, plain: "102")
        talk.branch.deliver(Self.moved(talk, talk.invite, to: ["<sip:103@10.0.0.9:5062>;q=0.5"]), Branch.pbx)
        let answer = try #require(talk.branch.take(talk.phone.flow).compactMap(\.response).last)
        #expect(answer.status == 302 && answer.headers.contact?.first?.description == "<sip:103@pbx.example>;q=0.5")
    }

    /// A desk that forwards its calls tells the PBX where to; an idle one that is called back tells it nothing.
    @Test func aDeskForwardsItsCalls() throws {
        var talk = try Talk()
        try talk.answer()
        var caller = Phone(device: 3)
        caller.user = "102"
        talk.branch.deliver(caller.request(.invite, to: "sip:100@192.0.2.10:40001", body: caller.offer()), Branch.pbx)
        let ringing = try #require(talk.branch.take(talk.phone.flow).compactMap(\.request).last { $0.method == .invite })
        let passed = try talk.answerAtPhone(ringing, 302, tag: "desk") {
            $0.headers.contact = .list([try! NameAddress(parsing: "<sip:0-170-555@192.0.2.101>"), try! NameAddress(parsing: "<sip:*77*101*@x>")])
        }
        #expect(passed.status == 302 && passed.headers.contact?.addresses.map(\.description) == ["<sip:0170555@pbx.example>"])
    }
}
