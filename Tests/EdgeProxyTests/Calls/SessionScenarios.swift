import CoreTypes
import EdgeProxy
import HotDeskPolicy
import Media
import SIPMessage
import Testing

/// What happens to a session while it lasts: hold, UPDATE, glare, early media, forks, reliable provisional answers,
/// timers, fax.
@Suite struct SessionScenarios {
    private var far: NameAddress { Phone(device: 1).address("sip:101@198.51.100.20:5061;transport=tls") }

    @Test(arguments: ["100", nil]) func theFarEndHoldsAndResumes(person: String?) throws {
        var talk = try Talk(as: person, plain: person == nil ? "102" : nil)
        try talk.answer()
        for (number, direction) in [(1, "sendonly"), (2, "sendrecv")] {
            let offer = try talk.passIn(talk.fromPBX(.invite, cseq: UInt32(number), body: Talk.body(direction)))
            #expect(String(decoding: offer.body, as: UTF8.self).contains("a=\(direction)"))
            #expect(offer.text.contains("c=IN IP4 192.0.2.10") && !offer.text.contains("198.51.100"))
            let phone = talk.phone
            let answer = try talk.answerAtPhone(offer, 200) { $0.bring(phone.offer(), contact: phone.contact) }
            #expect(answer.status == 200 && answer.headers.cseq.number == UInt32(number))
            #expect(!answer.text.contains("\(phone.flow.remote.address)"))
            _ = try talk.passIn(talk.fromPBX(.ack, cseq: UInt32(number)))
        }
    }

    @Test func updateGoesBothWays() throws {
        var talk = try Talk()
        try talk.answer()
        let out = try talk.passOut(talk.fromPhone(.update, body: talk.phone.offer(port: 31_000)))
        #expect(out.headers.from.uri.user == "100" && out.uri == far.uri)
        let far = far
        #expect(try talk.answerAtPBX(out, 200) { $0.bring(Talk.body(), contact: far) }.status == 200)
        let inside = try talk.passIn(talk.fromPBX(.update, body: Talk.body("inactive")))
        let phone = talk.phone
        #expect(try talk.answerAtPhone(inside, 200) { $0.bring(phone.offer(), contact: phone.contact) }.status == 200)
    }

    /// RFC 3261 §14.1: two offers cross, both are answered 491, and the media are what they were.
    @Test func glareLeavesTheSessionAsItWas() throws {
        var talk = try Talk()
        try talk.answer()
        let before = try #require(talk.lastRelay)
        let ours = try talk.passOut(talk.fromPhone(.invite, body: talk.phone.offer(port: 39_000)))
        let theirs = try talk.passIn(talk.fromPBX(.invite, body: Talk.body(port: 9_000)))
        #expect(try #require(talk.lastRelay) != before)
        #expect(try talk.answerAtPhone(theirs, 491).status == 491)
        #expect(try talk.answerAtPBX(ours, 491).status == 491)
        #expect(try #require(talk.lastRelay) == before)
        // The ACKs of the 491 stay on their hops; the next try of either end is a new one.
        let again = try talk.passOut(talk.fromPhone(.invite, body: talk.phone.offer(port: 39_002)))
        #expect(again.headers.cseq.number == ours.headers.cseq.number + 1)
    }

    /// Several early dialogs (RFC 3261 §12.1, §13.2.2.4): the one that answers is the call.
    @Test func forksAreEachTheirOwn() throws {
        var talk = try Talk()
        let far = far
        for (status, tag) in [(183, "one"), (180, "two"), (183, "two")] {
            let early = try talk.answerAtPBX(talk.invite, status, tag: tag) { if status == 183 { $0.bring(Talk.body(), contact: far) } }
            #expect(early.status == status && early.headers.to.tag == tag)
        }
        let answer = try talk.answerAtPBX(talk.invite, 200, tag: "two") { $0.bring(Talk.body(), contact: far) }
        #expect(answer.status == 200 && answer.headers.to.tag == "two")
        talk.branch.deliver(Branch.ack(talk.asked, answer, newBranch: true), talk.phone.flow)
        #expect(talk.branch.servePBX().last { $0.method == .ack }?.headers.to.tag == "two")
        talk.branch.advance(.seconds(60))
        #expect(try talk.passOut(talk.fromPhone(.bye, toTag: "two")).headers.to.tag == "two")
        talk.branch.deliver(talk.fromPhone(.bye, toTag: "one"), talk.phone.flow)
        #expect(talk.branch.take(talk.phone.flow).compactMap(\.response).last?.status == 481)
    }

    /// RFC 3262: RAck names the INVITE as the PBX knows it, and so does the ACK, whatever was challenged between.
    @Test func prackAndAckNameTheInvite() throws {
        var talk = try Talk()
        var challenge = talk.invite.response(407, toTag: "x")
        challenge.headers[.proxyAuthenticate] = "Digest realm=\"pbx.example\", nonce=\"abc\", qop=\"auth\""
        talk.branch.deliver(challenge, Branch.pbx)
        let invite = try #require(talk.branch.servePBX().last { $0.method == .invite })
        #expect(invite.headers.cseq.number == talk.asked.headers.cseq.number + 1)
        let far = far
        let early = try talk.answerAtPBX(invite, 183, tag: "pbxtag") {
            $0.bring(Talk.body(), contact: far)
            $0.headers[.rSeq] = "1"
            $0.headers[HeaderName("Require")] = "100rel"
        }
        #expect(early.headers[.rSeq] == "1")
        var prack = talk.fromPhone(.prack)
        prack.headers[.rAck] = "1 \(talk.asked.headers.cseq.number) INVITE"
        let passed = try talk.passOut(prack)
        #expect(passed.headers[.rAck] == "1 \(invite.headers.cseq.number) INVITE")
        // The PRACK is challenged too: the offset grows, the INVITE's number does not.
        var again = passed.response(407)
        again.headers[.proxyAuthenticate] = "Digest realm=\"pbx.example\", nonce=\"def\", qop=\"auth\""
        talk.branch.deliver(again, Branch.pbx)
        let second = try #require(talk.branch.servePBX().last { $0.method == .prack })
        #expect(second.headers[.rAck] == passed.headers[.rAck] && second.headers.cseq.number == passed.headers.cseq.number + 1)
        #expect(try talk.answerAtPBX(second, 200).status == 200)
        let answer = try talk.answerAtPBX(invite, 200, tag: "pbxtag") { $0.headers.contact = .list([far]) }
        talk.branch.deliver(Branch.ack(talk.asked, answer, newBranch: true), talk.phone.flow)
        #expect(talk.branch.servePBX().last { $0.method == .ack }?.headers.cseq.number == invite.headers.cseq.number)
        #expect(try talk.passOut(talk.fromPhone(.bye)).headers.cseq.number > second.headers.cseq.number)
    }

    /// Two requests under way, the first is challenged: its second try takes a number nobody has.
    @Test func challengesBetweenRequestsTakeNewNumbers() throws {
        var talk = try Talk()
        try talk.answer()
        let first = try talk.passOut(talk.fromPhone(.info, body: Array("Signal=5\r\n".utf8), type: "application/dtmf-relay"))
        let second = try talk.passOut(talk.fromPhone(.info, body: Array("Signal=6\r\n".utf8), type: "application/dtmf-relay"))
        var challenge = first.response(407)
        challenge.headers[.proxyAuthenticate] = "Digest realm=\"pbx.example\", nonce=\"abc\", qop=\"auth\""
        talk.branch.deliver(challenge, Branch.pbx)
        let again = try #require(talk.branch.servePBX().last { $0.method == .info })
        let third = try talk.passOut(talk.fromPhone(.info))
        let numbers = [first, second, again, third].map(\.headers.cseq.number)
        #expect(numbers == numbers.sorted() && Set(numbers).count == 4)
    }

    @Test(arguments: [true, false]) func aSessionLastsAsLongAsItIsRefreshed(refreshed: Bool) throws {
        var talk = try Talk()
        let far = far
        let answer = try talk.answerAtPBX(talk.invite, 200, tag: "pbxtag") {
            $0.bring(Talk.body(), contact: far)
            $0.headers[.sessionExpires] = "90;refresher=uac"
        }
        #expect(answer.headers[.sessionExpires] == "90;refresher=uac")
        talk.branch.deliver(Branch.ack(talk.asked, answer, newBranch: true), talk.phone.flow)
        for _ in 0..<4 {
            talk.branch.advance(.seconds(45))
            guard refreshed else { continue }
            let update = try talk.passOut(talk.fromPhone(.update))
            _ = try talk.answerAtPBX(update, 200) { $0.headers[.sessionExpires] = "90;refresher=uac" }
        }
        let ended = talk.branch.servePBX().contains { $0.method == .bye } && talk.branch.take(talk.phone.flow).contains { $0.request?.method == .bye }
        #expect(ended == !refreshed)
        #expect(talk.branch.edge.status(now: talk.branch.now).calls == (refreshed ? 1 : 0))
    }

    @Test func tooShortATimerIsToldToThePhone() throws {
        var talk = try Talk()
        let answer = try talk.answerAtPBX(talk.invite, 422, tag: "x") { $0.headers[.minSE] = "300" }
        #expect(answer.status == 422 && answer.headers[.minSE] == "300")
    }

    private static let fax = Array(
        "v=0\r\no=- 9 9 IN IP4 203.0.113.9\r\ns=-\r\nc=IN IP4 203.0.113.9\r\nt=0 0\r\nm=audio 0 RTP/AVP 8\r\nm=image 6004 udptl t38\r\n".utf8)
    private static let video = Array("v=0\r\no=- 9 9 IN IP4 203.0.113.9\r\ns=-\r\nc=IN IP4 203.0.113.9\r\nt=0 0\r\nm=video 6004 RTP/AVP 96\r\n".utf8)

    /// A fax offer is refused; the call goes on in audio (RFC 3261 §14.2).
    @Test func faxIsRefusedAndTheCallGoesOn() throws {
        var talk = try Talk()
        try talk.answer()
        let before = try #require(talk.lastRelay)
        talk.branch.deliver(talk.fromPBX(.invite, body: Self.fax), Branch.pbx)
        let refusal = try #require(talk.branch.take(Branch.pbx).compactMap(\.response).last)
        #expect(refusal.status == 488 && refusal.headers[.warning]?.hasPrefix("304") == true)
        #expect(talk.branch.take(talk.phone.flow).isEmpty && talk.lastRelay == before)
        talk.branch.deliver(talk.fromPhone(.invite, body: Self.fax), talk.phone.flow)
        #expect(talk.branch.take(talk.phone.flow).compactMap(\.response).last?.status == 488)
        try talk.hangUp(byPhone: true)
    }

    @Test(arguments: [fax, video]) func withoutAudioThereIsNoCallButForHelp(offer: [UInt8]) throws {
        var branch = Branch()
        branch.connectPBX()
        _ = branch.servePBX()
        var phone = Phone(device: 1)
        branch.register(&phone)
        #expect(branch.logIn(&phone, as: "100"))
        #expect(branch.exchange(&phone, phone.request(.invite, to: "sip:101@pbx.example", body: offer)).answers.last?.status == 488)
        #expect(!branch.servePBX().contains { $0.method == .invite })
        branch.deliver(phone.request(.invite, to: "sip:112@pbx.example", body: offer), phone.flow)
        #expect(branch.servePBX().last { $0.method == .invite }?.body.isEmpty == true)
    }

    /// RFC 3264 §5: an INVITE without an offer; the answer brings it, the ACK answers it.
    @Test(arguments: [true, false]) func offersMayComeLate(outbound: Bool) throws {
        var branch = Branch()
        branch.connectPBX()
        _ = branch.servePBX()
        var phone = Phone(device: 1)
        branch.register(&phone)
        #expect(branch.logIn(&phone, as: "100"))
        branch.media = []
        if outbound {
            let asked = branch.exchange(&phone, phone.request(.invite, to: "sip:101@pbx.example")).request
            var ok = try #require(branch.servePBX().last { $0.method == .invite }).response(200, toTag: "t")
            ok.bring(Talk.body(), contact: far)
            branch.deliver(ok, Branch.pbx)
            let offer = try #require(branch.take(phone.flow).compactMap(\.response).last)
            #expect(offer.text.contains("c=IN IP4 192.0.2.10"))
            var ack = Branch.ack(asked, offer, newBranch: true)
            ack.body = phone.offer()
            ack.headers.contentType = "application/sdp"
            branch.deliver(ack, phone.flow)
            #expect(branch.servePBX().last { $0.method == .ack }?.text.contains("c=IN IP4 192.0.2.10") == true)
        } else {
            var caller = Phone(device: 3)
            let asked = caller.request(.invite, to: "sip:100@192.0.2.10:40001")
            branch.deliver(asked, Branch.pbx)
            var ok = try #require(branch.take(phone.flow).compactMap(\.request).last).response(200, toTag: "t")
            ok.bring(phone.offer(), contact: phone.contact)
            branch.deliver(ok, phone.flow)
            let offer = try #require(branch.take(Branch.pbx).compactMap(\.response).last)
            #expect(offer.text.contains("c=IN IP4 192.0.2.10"))
            var ack = Branch.ack(asked, offer, newBranch: true)
            ack.body = Talk.body()
            ack.headers.contentType = "application/sdp"
            branch.deliver(ack, Branch.pbx)
            #expect(branch.take(phone.flow).compactMap(\.request).last?.text.contains("c=IN IP4 192.0.2.10") == true)
        }
        guard case .relay(_, let leg, let trunk)? = branch.media.last(where: { if case .relay = $0 { true } else { false } }) else {
            Issue.record("no relay")
            return
        }
        #expect(leg.remote?.address == phone.flow.remote.address && trunk.remote?.port == 6000)
    }
}

extension Talk {
    /// The relay as it was set last: both legs.
    var lastRelay: [MediaLeg]? {
        for command in branch.media.reversed() { if case .relay(_, let phone, let trunk) = command { return [phone, trunk] } }
        return nil
    }
}
