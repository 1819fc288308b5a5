import CoreTypes
import EdgeProxy
import HotDeskPolicy
import Media
import SIPMessage
import Testing

/// What is no call, or more than one: lamps, presence, messages, several calls a desk, phones of all transports.
@Suite struct ServiceScenarios {
    private static func seated(_ phone: inout Phone, as person: String = "100") -> Branch {
        var branch = Branch()
        branch.connectPBX()
        _ = branch.servePBX()
        branch.register(&phone)
        #expect(branch.logIn(&phone, as: person))
        branch.sent = []
        return branch
    }

    private static func subscribe(_ branch: inout Branch, _ phone: inout Phone, to target: String, event: String, expires: UInt32 = 600) throws -> (SIPRequest, SIPRequest) {
        var subscribe = phone.request(.subscribe, to: target)
        subscribe.headers[.event] = event
        subscribe.headers.expires = expires
        let asked = branch.exchange(&phone, subscribe).request
        let atPBX = try #require(branch.servePBX().last { $0.method == .subscribe })
        var ok = atPBX.response(200, toTag: "notifier")
        ok.headers.contact = .list([phone.address("sip:101@198.51.100.20:5061;transport=tls")])
        ok.headers.expires = expires
        branch.deliver(ok, Branch.pbx)
        #expect(branch.take(phone.flow).compactMap(\.response).last?.status == 200)
        return (asked, atPBX)
    }

    private static func notify(_ subscribe: SIPRequest, _ number: UInt32, event: String, type: String, _ body: String) -> SIPRequest {
        var notify = subscribe
        notify.method = .notify
        notify.headers.others = []
        notify.headers.from = subscribe.headers.to.with(testTag: "notifier")
        notify.headers.to = subscribe.headers.from
        notify.headers.cseq = CSeq(number: number, method: .notify)
        notify.headers.via[0].branch = "z9hG4bKnotify\(number)"
        notify.headers[.event] = event
        notify.headers[.subscriptionState] = "active;expires=599"
        notify.headers.contentType = type
        notify.body = Array(body.utf8)
        return notify
    }

    private static let dialogInfo = """
        <?xml version="1.0"?><dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="1" state="full" entity="sip:101@10.0.0.5">
        <dialog id="1" call-id="abc@10.0.0.5" local-tag="l" remote-tag="r" direction="recipient"><state>early</state>
        <local><identity display="Bob">sip:101@10.0.0.5:5060</identity><target uri="sip:101@[2001:db8::7]:5060;transport=tcp"/></local>
        <remote><identity>sips:alice@other.example</identity><target uri="sip:10.0.0.9"/></remote></dialog></dialog-info>
        """

    /// RFC 4235: who is watched is named as the phone knows them, their machines not at all; refreshes keep the lamp lit.
    @Test func lampsShowNumbersAndNoMachines() throws {
        var phone = Phone(device: 1)
        var branch = Self.seated(&phone)
        let (asked, atPBX) = try Self.subscribe(&branch, &phone, to: "sip:101@192.0.2.10", event: "dialog", expires: 120)
        #expect(atPBX.uri.description == "sip:101@pbx.example" && atPBX.headers.from.uri.user == "100")
        for round in 1...3 as ClosedRange<UInt32> {
            branch.deliver(Self.notify(atPBX, round, event: "dialog", type: "application/dialog-info+xml", Self.dialogInfo), Branch.pbx)
            let told = try #require(branch.take(phone.flow).compactMap(\.request).last { $0.method == .notify })
            let text = String(decoding: told.body, as: UTF8.self)
            #expect(text.contains("entity=\"sip:101@pbx.example\"") && text.contains(">sip:101@pbx.example<") && text.contains("uri=\"sip:101@pbx.example\""))
            #expect(text.contains("sips:alice@other.example") && text.contains("uri=\"sip:pbx.example\"") && text.contains("call-id=\"abc@10.0.0.5\""))
            branch.deliver(told.response(200), phone.flow)
            #expect(branch.take(Branch.pbx).compactMap(\.response).last?.status == 200)
            branch.advance(.seconds(100))
            var refresh = phone.request(.subscribe, to: "sip:101@192.0.2.10", callID: asked.headers.callID.value, toTag: "notifier")
            refresh.headers[.event] = "dialog"
            refresh.headers.expires = 120
            branch.deliver(refresh, phone.flow)
            let passed = try #require(branch.servePBX().last { $0.method == .subscribe })
            var ok = passed.response(200)
            ok.headers.expires = 120
            branch.deliver(ok, Branch.pbx)
            #expect(branch.take(phone.flow).compactMap(\.response).last?.status == 200)
        }
        // Nobody refreshes any more: it is forgotten.
        branch.advance(.seconds(300))
        branch.deliver(Self.notify(atPBX, 9, event: "dialog", type: "application/dialog-info+xml", Self.dialogInfo), Branch.pbx)
        #expect(branch.take(Branch.pbx).compactMap(\.response).last?.status == 481)
    }

    /// RFC 3842: the desk asks about itself, and gets its person's messages.
    @Test func voicemailIsThePersons() throws {
        var phone = Phone(device: 1)
        var branch = Self.seated(&phone)
        let (_, atPBX) = try Self.subscribe(&branch, &phone, to: "sip:HD0001@192.0.2.10", event: "message-summary")
        #expect(atPBX.uri.description == "sip:100@pbx.example")
        let body = "Messages-Waiting: yes\r\nMessage-Account: sip:100@10.0.0.5\r\nVoice-Message: 2/8 (0/2)\r\n"
        branch.deliver(Self.notify(atPBX, 1, event: "message-summary", type: "application/simple-message-summary", body), Branch.pbx)
        let told = try #require(branch.take(phone.flow).compactMap(\.request).last { $0.method == .notify })
        #expect(String(decoding: told.body, as: UTF8.self) == "Messages-Waiting: yes\r\nMessage-Account: sip:HD0001@pbx.example\r\nVoice-Message: 2/8 (0/2)\r\n")
        // Without a subscription, as Asterisk sends it by the registration.
        var unasked = Self.notify(atPBX, 1, event: "message-summary", type: "application/simple-message-summary", body)
        unasked.uri = phone.address("sip:100@192.0.2.10:40001;transport=tls").uri
        unasked.headers.callID = CallID(value: "unasked")
        unasked.headers.to.tag = nil
        unasked.headers.via[0].branch = "z9hG4bKunasked"
        branch.deliver(unasked, Branch.pbx)
        let lamp = try #require(branch.take(phone.flow).compactMap(\.request).last { $0.method == .notify })
        #expect(lamp.uri == phone.contact.uri && String(decoding: lamp.body, as: UTF8.self).contains("Messages-Waiting: yes"))
    }

    /// RFC 3857: who watches the person is told to the desk, in its own terms.
    @Test func whoWatchesIsToldToTheDesk() throws {
        var phone = Phone(device: 1)
        var branch = Self.seated(&phone)
        let (_, atPBX) = try Self.subscribe(&branch, &phone, to: "sip:HD0001@192.0.2.10", event: "presence.winfo")
        #expect(atPBX.uri.description == "sip:100@pbx.example" && atPBX.headers[.event] == "presence.winfo")
        let body = """
            <watcherinfo xmlns="urn:ietf:params:xml:ns:watcherinfo" version="0" state="full"><watcher-list resource="sip:100@10.0.0.5:5060" package="presence">
            <watcher id="1" event="subscribe" status="pending">sip:101@10.0.0.6;transport=tcp</watcher></watcher-list></watcherinfo>
            """
        branch.deliver(Self.notify(atPBX, 1, event: "presence.winfo", type: "application/watcherinfo+xml", body), Branch.pbx)
        let told = try #require(branch.take(phone.flow).compactMap(\.request).last { $0.method == .notify })
        let text = String(decoding: told.body, as: UTF8.self)
        #expect(told.headers[.event] == "presence.winfo" && text.contains("resource=\"sip:HD0001@pbx.example\"") && text.contains(">sip:101@pbx.example<"))
        #expect(!text.contains("10.0.0."))
    }

    /// RFC 3903, RFC 3856: what a desk publishes is its person's.
    @Test func presenceIsThePersons() throws {
        var phone = Phone(device: 1)
        var branch = Self.seated(&phone)
        var publish = phone.request(.publish, to: "sip:HD0001@pbx.example", body: Array("<presence entity=\"pres:HD0001@192.0.2.10\"><note>sip:HD0001@pbx.example</note></presence>".utf8))
        publish.headers.contentType = "application/pidf+xml"
        publish.headers[.event] = "presence"
        _ = branch.exchange(&phone, publish)
        let passed = try #require(branch.servePBX().last { $0.method == .publish })
        #expect(passed.uri.description == "sip:100@pbx.example")
        #expect(String(decoding: passed.body, as: UTF8.self) == "<presence entity=\"pres:100@pbx.example\"><note>sip:100@pbx.example</note></presence>")
        var ok = passed.response(200, toTag: "t")
        ok.headers[HeaderName("SIP-ETag")] = "e1"
        branch.deliver(ok, Branch.pbx)
        #expect(branch.take(phone.flow).compactMap(\.response).last?.headers[HeaderName("SIP-ETag")] == "e1")
        let (_, atPBX) = try Self.subscribe(&branch, &phone, to: "sip:101@pbx.example", event: "presence")
        #expect(atPBX.headers[.event] == "presence")
    }

    @Test func messagesGoBothWays() throws {
        var phone = Phone(device: 1)
        var branch = Self.seated(&phone)
        var message = phone.request(.message, to: "sip:101@192.0.2.10", body: Array("call sip:102@10.0.0.5 back".utf8))
        message.headers.contentType = "text/plain"
        _ = branch.exchange(&phone, message)
        let passed = try #require(branch.servePBX().last { $0.method == .message })
        #expect(passed.uri.description == "sip:101@pbx.example" && passed.headers.from.uri.user == "100" && passed.body == message.body)
        branch.deliver(passed.response(202, toTag: "t"), Branch.pbx)
        #expect(branch.take(phone.flow).compactMap(\.response).last?.status == 202)
        var caller = Phone(device: 3)
        caller.user = "102"
        var back = caller.request(.message, to: "sip:100@192.0.2.10:40001", body: Array("yes".utf8))
        back.headers.contentType = "text/plain"
        branch.deliver(back, Branch.pbx)
        let told = try #require(branch.take(phone.flow).compactMap(\.request).last { $0.method == .message })
        #expect(told.body == Array("yes".utf8))
        branch.deliver(told.response(200, toTag: "p"), phone.flow)
        #expect(branch.take(Branch.pbx).compactMap(\.response).last?.status == 200)
    }

    @Test func infoAndOptionsGoBothWays() throws {
        var talk = try Talk()
        try talk.answer()
        let out = try talk.passOut(talk.fromPhone(.info, body: Array("Signal=5\r\n".utf8), type: "application/dtmf-relay"))
        #expect(out.headers.contentType == "application/dtmf-relay" && out.body == Array("Signal=5\r\n".utf8))
        #expect(try talk.answerAtPBX(out, 200).status == 200)
        // A key for this phone, which takes RFC 4733, would go as that; what is no key passes as it is.
        let inside = try talk.passIn(talk.fromPBX(.info, body: Array("hello".utf8), type: "text/plain"))
        #expect(try talk.answerAtPhone(inside, 200).status == 200)
        #expect(try talk.answerAtPBX(talk.passOut(talk.fromPhone(.options)), 200).status == 200)
        let asked = try talk.passIn(talk.fromPBX(.options, cseq: 7))
        #expect(try talk.answerAtPhone(asked, 200).status == 200)
        // Outside a dialog: the PBX's reaches the phone, the phone's ends at the edge, a ping of the PBX too.
        var ping = talk.fromPBX(.options, cseq: 8)
        ping.headers.to.tag = nil
        ping.uri = talk.phone.address("sip:100@192.0.2.10:40001;transport=tls").uri
        ping.headers.callID = CallID(value: "ping")
        #expect(try talk.answerAtPhone(talk.passIn(ping), 200, tag: "p").status == 200)
        #expect(talk.branch.exchange(&talk.phone, talk.phone.request(.options, to: "sip:pbx.example")).answers.last?.status == 200)
    }

    @Test func doNotDisturbIsPassedOn() throws {
        var phone = Phone(device: 1)
        var branch = Self.seated(&phone)
        var caller = Phone(device: 3)
        branch.deliver(caller.request(.invite, to: "sip:100@192.0.2.10:40001", body: caller.offer()), Branch.pbx)
        let ringing = try #require(branch.take(phone.flow).compactMap(\.request).last)
        branch.deliver(ringing.response(486, toTag: "p"), phone.flow)
        #expect(branch.take(Branch.pbx).compactMap(\.response).last?.status == 486)
        #expect(branch.edge.status(now: branch.now).calls == 0)
    }

    /// Call waiting: each call of a desk is its own, in its media and in its end.
    @Test func aDeskHasSeveralCalls() throws {
        var talk = try Talk()
        try talk.answer()
        var caller = Phone(device: 3)
        for number in 1...3 {
            talk.branch.deliver(caller.request(.invite, to: "sip:100@192.0.2.10:40001", tag: "c\(number)", body: caller.offer()), Branch.pbx)
            let ringing = try #require(talk.branch.take(talk.phone.flow).compactMap(\.request).last { $0.method == .invite })
            let phone = talk.phone
            let answer = try talk.answerAtPhone(ringing, 200, tag: "p\(number)") { $0.bring(phone.offer(port: 30_000 + UInt16(number) * 2), contact: phone.contact) }
            #expect(answer.status == 200)
        }
        #expect(talk.branch.edge.status(now: talk.branch.now).calls == 4)
        let relays = talk.branch.media.compactMap { if case .relay(let id, _, _) = $0 { id } else { nil } }
        #expect(Set(relays).count == 4)
        try talk.hangUp(byPhone: true)
        #expect(talk.branch.edge.status(now: talk.branch.now).calls == 3)
    }

    /// A phone on IPv6, the PBX on IPv4: each side is given an address of its own family.
    @Test func familiesMeetAtTheEdge() throws {
        let six = Endpoint(address: IPAddress(v6High: 0x2001_0db8_0000_0000, low: 10), port: 5060)
        var configuration = Branch.configuration()
        configuration.mediaAddresses.append(six.address)
        configuration.listeners.append(.init(transport: .udp, endpoint: six))
        var branch = Branch()
        branch.run(.reload(configuration))
        branch.connectPBX()
        _ = branch.servePBX()
        var phone = Phone(device: 1)
        phone.flow = Flow(transport: .udp, local: six, remote: Endpoint(address: IPAddress(v6High: 0x2001_0db8_0000_0000, low: 0x65), port: 5060))
        branch.run(.media(.portsReady((0..<16).map { MediaPorts(id: UInt32(50_000 + $0), address: six.address, rtp: UInt16(40_000 + 2 * $0)) })))
        branch.register(&phone)
        #expect(branch.logIn(&phone, as: "100"))
        let offer = Array("v=0\r\no=- 1 1 IN IP6 2001:db8::65\r\ns=-\r\nc=IN IP6 2001:db8::65\r\nt=0 0\r\nm=audio 30000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n".utf8)
        _ = branch.exchange(&phone, phone.request(.invite, to: "sip:101@pbx.example", body: offer))
        let passed = try #require(branch.servePBX().last { $0.method == .invite })
        #expect(passed.text.contains("c=IN IP4 192.0.2.10") && passed.text.contains("o=- 1 1 IN IP4 192.0.2.10") && !passed.text.contains("2001:db8"))
        var ok = passed.response(200, toTag: "t")
        ok.bring(Talk.body(), contact: phone.address("sip:101@198.51.100.20:5061"))
        branch.deliver(ok, Branch.pbx)
        let answer = try #require(branch.take(phone.flow).compactMap(\.response).last)
        #expect(answer.text.contains("c=IN IP6 2001:db8::a") && answer.headers.contactURI?.description.hasPrefix("sip:101@[2001:db8::a]:5060") == true)
    }

    // MARK: Transports

    /// A phone by TLS: Contacts name its transport, and `sips:` is answered with `sips:` (RFC 5630).
    @Test(arguments: ["sip", "sips"]) func phonesByTLS(scheme: String) throws {
        var phone = Phone(device: 1, transport: .tls)
        var branch = Self.seated(&phone)
        let asked = branch.exchange(&phone, phone.request(.invite, to: "\(scheme):101@pbx.example", body: phone.offer())).request
        let passed = try #require(branch.servePBX().last { $0.method == .invite })
        #expect(passed.uri.description == "sip:101@pbx.example")
        var ok = passed.response(200, toTag: "t")
        ok.bring(Talk.body(), contact: phone.address("sip:101@198.51.100.20:5061"))
        branch.deliver(ok, Branch.pbx)
        let answer = try #require(branch.take(phone.flow).compactMap(\.response).last)
        let contact = try #require(answer.headers.contactURI?.description)
        #expect(scheme == "sips" ? contact == "sips:101@192.0.2.10:5060" : contact == "sip:101@192.0.2.10:5060;transport=tls")
        branch.deliver(Branch.ack(asked, answer, newBranch: true), phone.flow)
        // What comes for it uses the connection it registered on.
        var caller = Phone(device: 3)
        branch.deliver(caller.request(.invite, to: "sip:100@192.0.2.10:40001", body: caller.offer()), Branch.pbx)
        let ringing = try #require(branch.take(phone.flow).compactMap(\.request).last { $0.method == .invite })
        #expect(ringing.headers.via[0].transport == "TLS" && ringing.headers.contactURI?.description.hasSuffix(";transport=tls") == true)
    }

    /// A connection is lost in a call: the phone registers on another, and the call goes on there, from both ends.
    @Test(arguments: [TransportProtocol.tcp, .tls]) func aCallFollowsItsPhone(transport: TransportProtocol) throws {
        var phone = Phone(device: 1, transport: transport)
        var branch = Self.seated(&phone)
        let asked = branch.exchange(&phone, phone.request(.invite, to: "sip:101@pbx.example", body: phone.offer())).request
        var ok = try #require(branch.servePBX().last { $0.method == .invite }).response(200, toTag: "far")
        ok.bring(Talk.body(), contact: phone.address("sip:101@198.51.100.20:5061"))
        branch.deliver(ok, Branch.pbx)
        branch.deliver(Branch.ack(asked, try #require(branch.take(phone.flow).compactMap(\.response).last), newBranch: true), phone.flow)
        branch.run(.flowClosed(phone.flow))
        phone.flow.connection += 500
        phone.flow.remote = Endpoint(address: IPAddress(v4: 0xC000_02C8), port: 5999)
        branch.register(&phone)
        _ = branch.servePBX()
        guard case .relay(_, let leg, _)? = branch.media.last(where: { if case .relay = $0 { true } else { false } }) else {
            Issue.record("no relay")
            return
        }
        #expect(leg.signallingSource == phone.flow.remote.address, "its audio may come from there, too")
        var bye = ok.headers
        (bye.from, bye.to) = (ok.headers.to, ok.headers.from)
        bye.cseq = CSeq(number: 9, method: .bye)
        bye.contact = nil
        bye.via = asked.headers.via
        bye.via[0].branch = "z9hG4bKbye"
        bye.maxForwards = 70
        branch.deliver(SIPRequest(method: .bye, uri: phone.address("sip:100@192.0.2.10:40001").uri, headers: bye), Branch.pbx)
        #expect(branch.take(phone.flow).compactMap(\.request).last?.method == .bye)
    }

    /// RFC 3261 §18.1.1: a request too large for a datagram comes by TCP from a phone that registered by UDP.
    @Test func largeRequestsMayComeByTCP() throws {
        var phone = Phone(device: 1)
        var branch = Self.seated(&phone)
        let udp = phone.flow
        phone.flow = Flow(transport: .tcp, local: udp.local, remote: Endpoint(address: udp.remote.address, port: 40_000), connection: 700)
        var large = phone.request(.invite, to: "sip:101@pbx.example", body: phone.offer())
        large.headers.add(HeaderName("X-Long"), String(repeating: "x", count: 4000))
        let asked = branch.exchange(&phone, large).request
        let invite = try #require(branch.servePBX().last { $0.method == .invite })
        #expect(invite.headers.from.uri.user == "100")
        var ok = invite.response(200, toTag: "far")
        ok.bring(Talk.body(), contact: phone.address("sip:101@198.51.100.20:5061"))
        branch.deliver(ok, Branch.pbx)
        let answer = try #require(branch.take(phone.flow).compactMap(\.response).last)
        // What is small goes by UDP again.
        branch.deliver(Branch.ack(asked, answer, newBranch: true), udp)
        #expect(branch.servePBX().last?.method == .ack)
        branch.run(.flowClosed(phone.flow))
        phone.flow = udp
        branch.deliver(phone.request(.bye, to: "sip:101@pbx.example", callID: asked.headers.callID.value, toTag: "far"), udp)
        #expect(branch.servePBX().last?.method == .bye)
    }

    /// To a phone that has shown itself on a TCP connection, too, what is large goes over that (RFC 3261 §18.1.1); to one
    /// that has datagrams alone it goes as a datagram. Nobody's connection but the phone's own is taken.
    @Test func largeRequestsGoByTCPWhereThePhoneHasIt() throws {
        var phone = Phone(device: 1)
        var branch = Self.seated(&phone)
        let udp = phone.flow
        var number = 0
        func invite(_ size: Int, to branch: inout Branch) throws -> (Sent, SIPRequest) {
            var far = Phone(device: 3)
            far.user = "103"
            let offer = Talk.body() + Array(repeating: "a=x:0123456789\r\n", count: size / 16).joined().utf8
            number += 1
            var asked = far.request(.invite, to: "sip:100@192.0.2.10:40001", callID: "large-\(number)", body: offer)
            asked.headers.via[0].branch = "z9hG4bKlarge\(number)"
            branch.sent = []
            branch.deliver(asked, Branch.pbx)
            return (try #require(branch.sent.first { $0.request?.method == .invite }), asked)
        }
        #expect(try invite(4000, to: &branch).0.flow == udp)
        // A stranger's connection, and one on which the phone is merely named.
        let tcp = Flow(transport: .tcp, local: udp.local, remote: Endpoint(address: udp.remote.address, port: 40_000), connection: 700)
        phone.flow = tcp
        branch.deliver(phone.request(.message, to: "sip:101@pbx.example", body: Array("x".utf8)), tcp)
        #expect(try invite(4000, to: &branch).0.flow == udp)
        // Now it shows its credentials there.
        _ = branch.exchange(&phone, phone.request(.message, to: "sip:101@pbx.example", body: Array("x".utf8)))
        #expect(try invite(100, to: &branch).0.flow == udp)
        let (large, _) = try invite(4000, to: &branch)
        let request = try #require(large.request)
        #expect(large.flow == tcp && request.headers.via.first?.transport == "TCP")
        #expect(request.headers.contactURI?.description.contains("transport=udp") == true)
        // Its answer comes back there, and small requests of the call go on by either.
        var ok = request.response(200, toTag: "desk")
        ok.bring(phone.offer(), contact: phone.contact)
        branch.deliver(ok, tcp)
        #expect(branch.sent.contains { $0.flow == Branch.pbx && $0.response?.status == 200 })
        phone.flow = udp
        let bye = phone.request(.bye, to: "sip:103@pbx.example", callID: request.headers.callID.value, tag: "desk", toTag: request.headers.from.tag)
        branch.deliver(bye, udp)
        #expect(branch.servePBX().last?.method == .bye)
        branch.run(.flowClosed(tcp))
        #expect(try invite(4000, to: &branch).0.flow == udp)
    }

    /// A message of many kilobytes in one datagram is one message; above the bound it is refused.
    @Test(arguments: [(8_000, 200), (15_000, 200), (17_000, 0)]) func largeDatagrams(size: Int, expected: Int) throws {
        var phone = Phone(device: 1)
        var branch = Self.seated(&phone)
        var message = phone.request(.message, to: "sip:101@pbx.example", body: Array(repeating: 0x61, count: size))
        message.headers.contentType = "text/plain"
        _ = branch.exchange(&phone, message)
        let passed = branch.servePBX().last { $0.method == .message }
        #expect((passed?.body.count == size) == (expected == 200))
    }
}
