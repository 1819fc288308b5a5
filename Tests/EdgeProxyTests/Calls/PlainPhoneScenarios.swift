import CoreTypes
import EdgeProxy
import HotDeskPolicy
import Media
import SIPMessage
import Testing

/// Phones that are no hot desks: passed through under their own credentials.
@Suite struct PlainPhoneScenarios {
    private static func branch() -> Branch {
        var branch = Branch()
        branch.connectPBX()
        _ = branch.servePBX()
        return branch
    }

    private static func phone(_ transport: TransportProtocol = .udp) -> Phone {
        var phone = Phone(device: 1, transport: transport)
        phone.user = "102"
        phone.password = "pbx-secret"
        return phone
    }

    private static func register(_ phone: inout Phone, expires: UInt32, mark: Mark = .none) -> SIPRequest {
        var callID: String?
        switch mark {
        case .none, .instance: break
        case .callID(let value), .replay(let value): callID = value
        }
        var request = phone.request(.register, to: "sip:102@pbx.example", callID: callID)
        request.headers.expires = expires
        if case .instance(let value) = mark {
            var contact = phone.contact
            contact.parameters = [Parameter(name: "+sip.instance", value: value, isQuoted: true)]
            request.headers.contact = .list([contact])
        }
        return request
    }

    /// By what a phone's registrations may be known as its own.
    enum Mark: CaseIterable {
        case none, callID(String), instance(String)
        /// The Call-ID, and the very credentials of before.
        case replay(String)
        static var allCases: [Mark] {
            [.none, .callID("mine"), .instance("<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>"), .replay("mine")]
        }

        var isSamePhone: Bool {
            switch self {
            case .none, .replay: false
            case .callID, .instance: true
            }
        }

        /// What the PBX challenges with.
        func nonce(_ number: UInt32) -> String {
            if case .replay = self { "abc" } else { "abc\(number)" }
        }
    }

    /// The PBX challenges, the phone answers, the PBX grants: what reached the PBX, and what the phone was told.
    private static func signOn(_ branch: inout Branch, _ phone: inout Phone, expires: UInt32, granting granted: UInt32 = 600, path: Bool = false, mark: Mark = .none) throws -> (SIPRequest, SIPResponse) {
        branch.deliver(register(&phone, expires: expires, mark: mark), phone.flow)
        let first = try #require(branch.take(Branch.pbx).compactMap(\.request).last { $0.method == .register })
        var challenge = first.response(401, toTag: "x")
        challenge.headers[.wwwAuthenticate] = "Digest realm=\"pbx.example\", nonce=\"\(mark.nonce(phone.cseq))\", qop=\"auth\""
        branch.deliver(challenge, Branch.pbx)
        let told = try #require(branch.take(phone.flow).compactMap(\.response).last)
        #expect(told.status == 401)
        branch.deliver(phone.answering(told, register(&phone, expires: expires, mark: mark)), phone.flow)
        let second = try #require(branch.take(Branch.pbx).compactMap(\.request).last { $0.method == .register })
        #expect(second.headers[.authorization] != nil)
        var ok = second.response(200, toTag: "x")
        var contact = try #require(second.headers.contact?.first)
        contact.parameters = [Parameter(name: "expires", value: String(granted))]
        ok.headers.contact = .list([contact])
        if path { ok.headers[.supported] = "path" }
        branch.deliver(ok, Branch.pbx)
        return (second, try #require(branch.take(phone.flow).compactMap(\.response).last))
    }

    @Test func theContactLeadsBackThroughTheEdge() throws {
        var branch = Self.branch()
        var phone = Self.phone()
        let (atPBX, told) = try Self.signOn(&branch, &phone, expires: 60)
        let contact = try #require(atPBX.headers.contact?.first)
        #expect(contact.uri.description.hasPrefix("sip:102@192.0.2.10:40001;transport=tls;edge-flow=") && contact.expires == 600)
        #expect(!atPBX.text.contains("192.0.2.101"))
        #expect(told.headers.contact?.first?.uri == phone.contact.uri && told.headers.contact?.first?.expires == 60)
        var caller = Phone(device: 3)
        branch.deliver(caller.request(.invite, to: contact.uri.description, body: caller.offer()), Branch.pbx)
        let ringing = try #require(branch.take(phone.flow).compactMap(\.request).last)
        #expect(ringing.uri == phone.contact.uri)
    }

    /// A phone that refreshes each minute is heard of once in what the PBX has granted.
    @Test func refreshesAreAbsorbed() throws {
        var branch = Self.branch()
        var phone = Self.phone()
        _ = try Self.signOn(&branch, &phone, expires: 60)
        var atPBX = 0
        for _ in 0..<20 {
            branch.advance(.seconds(55))
            branch.deliver(Self.register(&phone, expires: 60), phone.flow)
            if let passed = branch.take(Branch.pbx).compactMap(\.request).last(where: { $0.headers.from.uri.user == "102" }) {
                atPBX += 1
                var ok = passed.response(200, toTag: "x")
                ok.headers.contact = passed.headers.contact
                branch.deliver(ok, Branch.pbx)
            }
            let told = try #require(branch.take(phone.flow).compactMap(\.response).last)
            #expect(told.status == 200 && told.headers.contact?.first?.expires == 60 && told.headers.contact?.first?.uri == phone.contact.uri)
        }
        // 1100 s at 600 s granted.
        #expect(atPBX == 2)
    }

    @Test func whatIsNewOrEndsIsNotAbsorbed() throws {
        var branch = Self.branch()
        var phone = Self.phone()
        _ = try Self.signOn(&branch, &phone, expires: 60)
        func passes(_ request: SIPRequest, _ flow: Flow) -> Bool {
            branch.deliver(request, flow)
            defer { branch.sent = [] }
            return branch.sent.contains { $0.flow == Branch.pbx && $0.request?.method == .register }
        }
        #expect(!passes(Self.register(&phone, expires: 60), phone.flow))
        var elsewhere = phone
        elsewhere.flow.remote.port = 6000
        #expect(passes(Self.register(&elsewhere, expires: 60), elsewhere.flow), "another flow")
        #expect(passes(Self.register(&phone, expires: 3600), phone.flow), "longer than was granted")
        #expect(passes(Self.register(&phone, expires: 0), phone.flow), "an end")
    }

    /// Its own 200 must not outlive the connection the PBX knows it by.
    @Test func afterTheTrunkHasChangedEveryRegistrationPasses() throws {
        var branch = Self.branch()
        var phone = Self.phone()
        _ = try Self.signOn(&branch, &phone, expires: 60)
        branch.run(.trunkDown(TrunkNode(index: 0)))
        var next = Branch.pbx
        next.connection = 9
        next.local.port = 40_009
        branch.run(.trunkUp(TrunkNode(index: 0), next))
        branch.sent = []
        branch.deliver(Self.register(&phone, expires: 60), phone.flow)
        #expect(branch.take(next).compactMap(\.request).contains { $0.headers.contactURI?.description.contains("40009") == true })
    }

    /// RFC 3327: to a PBX that keeps Paths the phone's Contact goes as it is, and requests come back by the token in ours.
    @Test func pathWhereThePBXKnowsIt() throws {
        var branch = Self.branch()
        var phone = Self.phone()
        _ = try Self.signOn(&branch, &phone, expires: 600, path: true)
        branch.advance(.seconds(580))
        let (atPBX, told) = try Self.signOn(&branch, &phone, expires: 600, path: true)
        let path = try NameAddress(parsing: #require(atPBX.headers[.path]))
        #expect(atPBX.headers.contactURI == phone.contact.uri && path.uri.description.contains(";lr;edge-flow="))
        #expect(atPBX.headers.tokens(.supported).contains("path"))
        #expect(told.headers.contactURI == phone.contact.uri && told.headers[.path] == nil)
        var caller = Phone(device: 3)
        var invite = caller.request(.invite, to: phone.contact.uri.description, body: caller.offer())
        invite.headers.route = [path]
        branch.deliver(invite, Branch.pbx)
        let ringing = try #require(branch.take(phone.flow).compactMap(\.request).last)
        #expect(ringing.uri == phone.contact.uri && ringing.headers.route.isEmpty)
    }

    /// A call of the phone to 101, answered; its INVITE.
    private static func call(_ branch: inout Branch, _ phone: inout Phone) throws -> SIPRequest {
        let asked = phone.request(.invite, to: "sip:101@pbx.example", body: phone.offer())
        branch.deliver(asked, phone.flow)
        var ok = try #require(branch.servePBX().last { $0.method == .invite }).response(200, toTag: "far")
        ok.bring(Talk.body(), contact: phone.address("sip:101@198.51.100.20:5061"))
        branch.deliver(ok, Branch.pbx)
        branch.deliver(Branch.ack(asked, try #require(branch.take(phone.flow).compactMap(\.response).last), newBranch: true), phone.flow)
        _ = branch.servePBX()
        return asked
    }

    /// A phone that changes its address in a call and registers there is heard there; one that only says so is not.
    @Test func aCallFollowsAPhoneThatHasProvedItself() throws {
        var branch = Self.branch()
        var phone = Self.phone()
        _ = try Self.signOn(&branch, &phone, expires: 60)
        let asked = try Self.call(&branch, &phone)
        phone.flow.remote = Endpoint(address: IPAddress(v4: 0xC000_02C8), port: 5070)
        func bye() -> SIPRequest { phone.request(.bye, to: "sip:101@pbx.example", callID: asked.headers.callID.value, toTag: "far") }
        branch.deliver(bye(), phone.flow)
        #expect(branch.take(phone.flow).compactMap(\.response).last?.status == 481)
        _ = try Self.signOn(&branch, &phone, expires: 60)
        branch.deliver(bye(), phone.flow)
        #expect(branch.servePBX().last?.method == .bye)
    }

    /// Registered from another host by the very phone, its audio may come from there, requests of the PBX go there, and the token of
    /// before leads nowhere. Another phone with the same credentials changes nothing.
    @Test(arguments: Mark.allCases) func mediaFollowAPhoneByItsRegistration(mark: Mark) throws {
        var branch = Self.branch()
        var phone = Self.phone()
        let (before, _) = try Self.signOn(&branch, &phone, expires: 60, mark: mark)
        let asked = try Self.call(&branch, &phone)
        let old = phone.flow
        phone.flow.remote = Endpoint(address: IPAddress(v4: 0xC000_02C8), port: 5060)
        branch.media = []
        _ = try Self.signOn(&branch, &phone, expires: 60, mark: mark)
        let hosts = branch.media.compactMap { command -> IPAddress? in
            guard case .relay(_, let leg, _) = command else { return nil }
            return leg.signallingSource
        }
        let isSame = mark.isSamePhone
        #expect(hosts == (isSame ? [phone.flow.remote.address] : []))
        var far = Phone(device: 3)
        var bye = far.request(.bye, to: phone.contact.uri.description, callID: asked.headers.callID.value, tag: "far", toTag: "ft")
        bye.headers.contact = nil
        branch.deliver(bye, Branch.pbx)
        #expect(branch.take(isSame ? phone.flow : old).compactMap(\.request).contains { $0.method == .bye })
        let stale = try #require(before.headers.contactURI)
        branch.deliver(far.request(.invite, to: stale.description, body: far.offer()), Branch.pbx)
        #expect(branch.take(old).compactMap(\.request).isEmpty == isSame)
    }
}
