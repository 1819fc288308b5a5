import CoreTypes
import EdgeProxy
import HotDeskPolicy
import SIPMessage
import Testing

/// Cases 15 and 26 to 28: nobody is taken for somebody else.
@Suite struct AbuseTableIdentity {
    static let stranger = Flow(
        transport: .udp, local: Branch.udp, remote: Endpoint(address: IPAddress(v4: 0xC000_0299), port: 5060))

    /// The PBX challenges what a stranger sent in the name of somebody who is logged in.
    @Test(arguments: ["MESSAGE", "PUBLISH", "REGISTER", "INVITE", "SUBSCRIBE", "REFER"])
    func strangerIsNeverGivenASecret(method: String) throws {
        var desk = Desk(.loggedIn, .udp)
        var phone = Phone(device: 1)
        phone.user = "100"
        phone.flow = Self.stranger
        let raw = RawRequest(method: method, uri: method == "REGISTER" ? "sip:pbx.example" : "sip:101@pbx.example", headers: [("To", "<sip:100@pbx.example>")])
        desk.deliver(raw.bytes(from: phone, number: 1), on: Self.stranger)
        let request = try #require(desk.atPBX.compactMap(\.request).first)
        desk.branch.sent = []
        var challenge = request.response(401, toTag: "x")
        challenge.headers[.wwwAuthenticate] = "Digest realm=\"pbx.example\", nonce=\"abc\", qop=\"auth\", algorithm=MD5"
        desk.branch.deliver(challenge, Branch.pbx)
        #expect(desk.atPBX.compactMap(\.request).allSatisfy { $0.method == .ack }, "the edge must not answer for 100")
        #expect(desk.branch.take(Self.stranger).last?.response?.status == 401, "the stranger's own business")
    }

    /// The same with the device itself: it never sees the challenge.
    @Test func deviceIsAnsweredFor() throws {
        var desk = Desk(.loggedIn, .udp)
        desk.attack(RawRequest(method: "MESSAGE"))
        let request = try #require(desk.atPBX.compactMap(\.request).first)
        desk.branch.sent = []
        var challenge = request.response(407, toTag: "x")
        challenge.headers[.proxyAuthenticate] = "Digest realm=\"pbx.example\", nonce=\"abc\", qop=\"auth\", algorithm=MD5"
        desk.branch.deliver(challenge, Branch.pbx)
        #expect(desk.atPBX.compactMap(\.request).last?.headers[.proxyAuthorization]?.contains("auth100") == true)
        // A second challenge is no longer answered, and says nothing to the phone.
        challenge = try #require(desk.atPBX.compactMap(\.request).last).response(407, toTag: "x")
        challenge.headers[.proxyAuthenticate] = "Digest realm=\"pbx.example\", nonce=\"def\", qop=\"auth\", algorithm=MD5"
        desk.branch.deliver(challenge, Branch.pbx)
        let answer = desk.branch.take(desk.phone.flow).compactMap(\.response).last
        #expect(answer?.status == 403 && answer?.headers[.proxyAuthenticate] == nil)
    }

    @Test(arguments: Carriage.allCases) func nobodyRegistersForAnother(carriage: Carriage) {
        for contact in ["<sip:HD0002@192.0.2.101>", "*", "<sip:evil@203.0.113.66>"] {
            var desk = Desk(.idle, carriage)
            let expires = contact == "*" ? "0" : "600"
            let answers = desk.attack(
                RawRequest(
                    method: "REGISTER", uri: "sip:pbx.example",
                    headers: [("To", "<sip:HD0002@pbx.example>"), ("Contact", contact), ("Expires", expires)]))
            #expect(answers.last?.status == 403)
            #expect(desk.branch.audit.contains { $0.kind == .registrationRefused })
            #expect(desk.atPBX.isEmpty)
        }
    }

    /// A phone's own Contact names whom it likes: calls still go to the flow it registered on.
    @Test func contactElsewhereLeadsNobodyThere() throws {
        var desk = Desk(.loggedIn, .udp)
        desk.attack(
            RawRequest(
                method: "REGISTER", uri: "sip:pbx.example",
                headers: [("To", "<sip:HD0001@pbx.example>"), ("Contact", "<sip:x@203.0.113.66:9>")]))
        var caller = Phone(device: 3)
        desk.branch.sent = []
        desk.branch.deliver(caller.request(.invite, to: "sip:100@192.0.2.10:40001", body: caller.offer()), Branch.pbx)
        #expect(desk.branch.sent.compactMap { $0.request == nil ? nil : $0.flow } == [desk.phone.flow])
    }

    @Test func addressAloneIsNobody() {
        var desk = Desk(.loggedIn, .udp)
        let answers = desk.attack(RawRequest(), proving: false)
        #expect(answers.map(\.status) == [407])
        #expect(desk.atPBX.isEmpty)
    }

    /// Several phones behind one connection (a router phone): the desk that registered last speaks for no other, and
    /// nobody else calls as the person who sits at it.
    @Test(arguments: ["HD0002", "102", "anonymous"]) func whoeverElseIsOnTheConnectionProvesItself(user: String) {
        var desk = Desk(.loggedIn, .tcp)
        var other = Phone(device: 2)
        other.user = user
        other.flow = desk.phone.flow
        desk.deliver(RawRequest().bytes(from: other, number: 5))
        #expect(desk.branch.take(desk.phone.flow).compactMap(\.response).last?.status == 407)
        #expect(desk.atPBX.isEmpty)
    }

    /// A request with right credentials that was overheard proves nothing when it comes again.
    @Test func replayedCredentialsAreWorthNothing() throws {
        var desk = Desk(.loggedIn, .udp)
        var invite = desk.phone.request(.invite, to: "sip:101@pbx.example")
        desk.branch.deliver(invite, desk.phone.flow)
        let challenge = try #require(desk.branch.take(desk.phone.flow).last?.response)
        invite = desk.phone.answering(challenge, invite)
        desk.branch.deliver(invite, desk.phone.flow)
        #expect(desk.atPBX.count == 1)
        var again = invite
        again.headers.via[0].branch = "z9hG4bKreplayed"
        again.headers.callID = CallID("replayed")
        desk.branch.deliver(again, Self.stranger)
        #expect(desk.atPBX.count == 1)
        #expect(desk.branch.take(Self.stranger).last?.response?.headers[.proxyAuthenticate]?.contains("stale=true") == true)
        // Of the older form no count is part of the hash: it is not taken at all.
        let old = try #require(invite.headers[.proxyAuthorization])
        again.headers[.proxyAuthorization] = old.replacing("qop=auth, ", with: "")
        again.headers.via[0].branch = "z9hG4bKold"
        desk.branch.deliver(again, Self.stranger)
        #expect(desk.atPBX.count == 1)
    }

    /// Found by the fuzzer: on a connection that is known nobody asks for credentials, and what is shown there all the
    /// same must not be worth a call to whoever overhears it.
    @Test func credentialsOnAConnectionAreSpentToo() throws {
        var desk = Desk(.loggedIn, .tcp)
        let credentials = try Self.credentials(&desk)
        desk.deliver(RawRequest().bytes(from: desk.phone, number: 7, authorization: credentials))
        #expect(desk.atPBX.count == 1)
        Self.overhear(credentials, &desk)
        #expect(desk.atPBX.count == 1)
    }

    @Test(arguments: [true, false]) func credentialsInADialogAreSpentToo(isKnown: Bool) throws {
        var desk = Desk(.loggedIn, .udp)
        let credentials = try Self.credentials(&desk)
        if isKnown {
            desk.attack(RawRequest(headers: [("Call-ID", "talk")], body: desk.phone.offer()))
            let invite = try #require(desk.branch.servePBX().last { $0.method == .invite })
            var ok = invite.response(200, toTag: "far")
            ok.bring(Talk.body(), contact: desk.phone.address("sip:101@198.51.100.20:5061"))
            desk.branch.deliver(ok, Branch.pbx)
        }
        let inside = RawRequest(headers: [("Call-ID", "talk"), ("To", "<sip:101@pbx.example>;tag=far")])
        desk.deliver(inside.bytes(from: desk.phone, number: 2000, authorization: credentials))
        let before = desk.atPBX.compactMap(\.request).filter { $0.headers.to.tag == nil }.count
        Self.overhear(credentials, &desk)
        #expect(desk.atPBX.compactMap(\.request).filter { $0.headers.to.tag == nil }.count == before)
    }

    /// Credentials of the desk for an INVITE to 101 that nobody has seen yet.
    private static func credentials(_ desk: inout Desk) throws -> String {
        desk.deliver(RawRequest().bytes(from: desk.phone, number: 5), on: stranger)
        let challenge = try #require(desk.branch.take(stranger).compactMap(\.response).last { $0.status == 407 })
        return try #require(desk.phone.credentials(for: challenge, method: "INVITE", uri: "sip:101@pbx.example"))
    }

    private static func overhear(_ credentials: String, _ desk: inout Desk) {
        let again = RawRequest(headers: [("Call-ID", "again")])
        desk.deliver(again.bytes(from: desk.phone, number: 9, authorization: credentials), on: stranger)
        #expect(desk.branch.take(stranger).last?.response?.status == 407)
    }

    @Test(arguments: [
        "Digest username=\"HD0001", "Digest " + (0..<300).map { "p\($0)=1" }.joined(separator: ", "), "Digest", "Basic SEQwMDAxOnNlY3JldA==",
        "Digest username=\"HD0001\", realm=\"pbx.example\", nonce=\"0.0.0\", uri=\"sip:101@pbx.example\", response=\"\", nc=00000001, qop=auth, cnonce=\"\"",
    ])
    func brokenCredentialsAreChallenged(value: String) {
        for carriage in [Carriage.udp] {
            var desk = Desk(.loggedIn, carriage)
            let answers = desk.attack(RawRequest(headers: [("Proxy-Authorization", value)]), proving: false)
            #expect(answers.last?.status == 407)
            #expect(desk.atPBX.isEmpty)
        }
    }

    /// From may name any desk: its person lends a stranger neither identity nor the call-back.
    @Test func namedDeskLendsNoIdentity() throws {
        var desk = Desk(.loggedIn, .udp)
        desk.deliver(RawRequest(uri: "sip:911@pbx.example").bytes(from: desk.phone, number: 3), on: Self.stranger)
        #expect(try #require(desk.atPBX.first?.request).headers.from.uri.user == "branch-01")
        #expect(desk.branch.edge.status(now: desk.branch.now).devices[0].pinnedUntil == nil)
        #expect(desk.branch.audit.map(\.device) == ["HD0001"])
        desk.deliver(RawRequest(uri: "sip:911@pbx.example", headers: [("Call-ID", "b")]).bytes(from: desk.phone, number: 4))
        #expect(try #require(desk.atPBX.last?.request).headers.from.uri.user == "100")
    }

    /// Case 28: many calls in parallel at one extension have no more tries between them than one.
    @Test func parallelGuessesAreCountedTogether() {
        var branch = Branch()
        var verified = 0
        for index in 1...3 {
            var phone = Phone(device: index, transport: .tcp)
            branch.register(&phone)
            for pin in ["1000", "2000", "3000"] { branch.logIn(&phone, as: "100", pin: pin) }
            verified += branch.audit.filter { $0.kind == .loginFailed }.count
            branch.audit = []
            branch.advance(.seconds(20))
        }
        #expect(verified == 3)
        var phone = Phone(device: 3, transport: .tcp)
        phone.cseq = 500
        branch.register(&phone)
        #expect(!branch.logIn(&phone, as: "100"))
        branch.deliver(phone.request(.invite, to: "sip:911@pbx.example"), phone.flow)
        #expect(branch.audit.contains { $0.kind == .emergency })
    }
}
