import CoreTypes
import CryptoPrimitives
import EdgeProxy
import HotDeskPolicy
import Media
import SIPMessage
import Testing

/// One message the edge has put on a wire.
struct Sent {
    var message: SIPMessage
    var flow: Flow

    var request: SIPRequest? { if case .request(let request) = message { request } else { nil } }
    var response: SIPResponse? { if case .response(let response) = message { response } else { nil } }
}

/// A whole branch in virtual time: the edge core between phones and a PBX that the test plays.
struct Branch {
    static let pbx = Flow(
        transport: .tls, local: Endpoint(address: IPAddress(v4: 0xC000_020A), port: 40_001),
        remote: Endpoint(address: IPAddress(v4: 0xC633_6414), port: 5061), connection: 1)
    static let secondPBX = Flow(
        transport: .tls, local: Endpoint(address: IPAddress(v4: 0xC000_020A), port: 40_002),
        remote: Endpoint(address: IPAddress(v4: 0xC633_6415), port: 5061), connection: 2)
    static let udp = Endpoint(address: IPAddress(v4: 0xC000_020A), port: 5060)
    static let gateway = Endpoint(address: IPAddress(v4: 0xC000_0232), port: 5060)
    static let pins: [String: String] = ["100": "4711", "101": "2580", "102": "8524", "103": "9630"]

    var edge: EdgeProxy
    var now: Instant
    /// Everything the edge has sent and not yet been looked at.
    var sent: [Sent] = []
    /// What `servePBX` has ever taken.
    var served: [SIPRequest] = []
    var media: [MediaCommand] = []
    var audit: [AuditEntry] = []
    var stored: [StoreChange] = []
    var logs: [String] = []
    var records: [CallRecord] = []
    /// Set false to see what happens when nothing can be written.
    var diskWorks = true
    /// Set true to have the test say itself when something is on disk.
    var diskIsSlow = false
    var waitingForDisk: [StoreToken] = []
    /// Set false to have prompts that go on for ever.
    var promptsEnd = true
    var nextPort: UInt16 = 20_000
    var portsLeft = 400
    /// Set true to have the test say itself when ports are bound.
    var portsAreSlow = false

    init(
        seed: UInt8 = 7, routes: [EdgeConfiguration.EmergencyRoute] = [.pbx], nodes: Int = 1, plainPhones: Bool = true,
        secondLogin: SecondLogin = .move, restoring: EdgeSnapshot? = nil, account: Bool = true,
        now: Instant = Instant(nanoseconds: 1_800_000_000_000_000_000)
    ) {
        self.now = now
        let configuration = Self.configuration(
            routes: routes, nodes: nodes, plainPhones: plainPhones, secondLogin: secondLogin, account: account)
        edge = EdgeProxy(configuration: configuration, seed: Array(repeating: seed, count: 32), restoring: restoring, now: now)
        run(.tick)
    }

    static func configuration(
        routes: [EdgeConfiguration.EmergencyRoute] = [.pbx], nodes: Int = 1, plainPhones: Bool = true,
        secondLogin: SecondLogin = .move, account: Bool = true
    ) -> EdgeConfiguration {
        let rules = PolicyRules(
            dialCodes: DialCodes(),
            emergency: EmergencyRules(numbers: ["112", "911"], outsidePrefixes: ["0", "9"], callBackWindow: .seconds(3600)),
            pin: PINRules(attempts: 3, within: .seconds(300), lock: .seconds(900)), secondLogin: secondLogin,
            autoLogout: AutoLogout(at: nil, afterIdle: nil))
        let devices = (1...3).map { index in
            Device(
                name: DeviceName("HD000\(index)") ?? fail(), mac: MACAddress("80:5e:c0:aa:bb:0\(index)") ?? fail(), model: "generic-sip",
                location: "desk \(index)", connection: .sbc, secret: Personal("secret-\(index)"), emergencyIdentity: nil)
        }
        let people = pins.keys.sorted().map { number in
            Extension(
                number: ExtensionNumber(number) ?? fail(), name: "Person \(number)", pinHash: "hash-of-\(number)", authUser: "auth\(number)",
                secret: Personal("pw-\(number)"), mayHotDesk: number != "103", language: nil, blf: [])
        }
        return EdgeConfiguration(
            siteName: "test", language: "en", location: "10 High Street",
            listeners: [.init(transport: .udp, endpoint: udp), .init(transport: .tcp, endpoint: udp)], mediaAddresses: [udp.address],
            pbx: .init(
                domain: "pbx.example", nodeCount: nodes,
                account: account ? .init(user: "branch-01", authUser: "branch-01", secret: Personal("site-secret")) : nil),
            policy: rules, devices: devices, extensions: people, emergencyRoutes: routes, plainPhones: plainPhones)
    }

    private static func fail<T>() -> T { fatalError("a constant of the test is wrong") }

    // MARK: Events

    mutating func run(_ event: EdgeEvent) {
        var queue = [event]
        while !queue.isEmpty {
            var actions: [EdgeAction] = []
            edge.handle(queue.removeFirst(), now: now, into: &actions)
            for action in actions { queue += perform(action) }
        }
    }

    /// The shell of the test: it performs each action and answers at once.
    private mutating func perform(_ action: EdgeAction) -> [EdgeEvent] {
        switch action {
        case .transmit(let bytes, let flow):
            guard case .message(let message) = SIPMessage.parse(bytes, framing: .datagram) else {
                Issue.record("the edge sent what cannot be parsed: \(String(decoding: bytes, as: UTF8.self))")
                return []
            }
            sent.append(Sent(message: message, flow: flow))
        case .close: break
        case .media(let command):
            media.append(command)
            return answer(command)
        case .verifyPIN(let check, let pin, let hash):
            let right = Self.pins.contains { hash == "hash-of-\($0.key)" && pin.exposed == $0.value }
            return [.pinVerified(check, right)]
        case .store(let change, let token):
            if diskWorks { stored.append(change) }
            guard let token else { return [] }
            guard !diskIsSlow else {
                waitingForDisk.append(token)
                return []
            }
            return [.stored(token, diskWorks)]
        case .audit(let entry): audit.append(entry)
        case .callEnded(let record): records.append(record)
        case .log(_, let text): logs.append(text)
        }
        return []
    }

    private mutating func answer(_ command: MediaCommand) -> [EdgeEvent] {
        switch command {
        case .reserve(let count, _):
            let granted = min(count, portsLeft)
            portsLeft -= granted
            guard !portsAreSlow else { return [] }
            return [.media(.portsReady((0..<granted).map { _ in
                defer { nextPort += 2 }
                return MediaPorts(id: UInt32(nextPort), address: Self.udp.address, rtp: nextPort)
            }))]
        case .play(let session, _, _, _, let token): return promptsEnd ? [.media(.played(session, token: token))] : []
        case .restore(let session, let first, let second, _):
            // Another process has other names for the same ports.
            return [.media(.restored(session, [first.ports, second.ports].map { MediaPorts(id: $0.id &+ 7, address: $0.address, rtp: $0.rtp) }))]
        case .relay, .announce, .sensitive, .press, .measure, .close, .reserveStreams: return []
        }
    }

    mutating func advance(_ duration: Duration) {
        let end = now + duration
        while let due = edge.nextDeadline, due <= end {
            now = max(now, due)
            run(.tick)
        }
        now = end
        run(.tick)
    }

    mutating func deliver(_ request: SIPRequest, _ flow: Flow) { run(.received(request.serialized(), flow)) }
    mutating func deliver(_ response: SIPResponse, _ flow: Flow) { run(.received(response.serialized(), flow)) }

    /// Takes what was sent to one flow.
    mutating func take(_ flow: Flow) -> [Sent] {
        let taken = sent.filter { $0.flow == flow }
        sent.removeAll { $0.flow == flow }
        return taken
    }

    mutating func connectPBX() {
        run(.trunkUp(TrunkNode(index: 0), Self.pbx))
        advance(.milliseconds(1))
    }
}

/// A phone of the test: it answers challenges, counts its CSeq, and knows its flow.
struct Phone {
    var user: String
    var password: String
    var flow: Flow
    var cseq: UInt32 = 0
    var calls = 0

    init(device index: Int, transport: TransportProtocol = .udp) {
        user = "HD000\(index)"
        password = "secret-\(index)"
        flow = Flow(
            transport: transport, local: Branch.udp,
            remote: Endpoint(address: IPAddress(v4: 0xC000_0264 + UInt32(index)), port: 5060),
            connection: transport == .udp ? 0 : 100 + UInt64(index))
    }

    var contact: NameAddress { address("sip:\(user)@\(flow.remote)") }

    func address(_ text: String) -> NameAddress {
        guard let uri = try? URI(parsing: text) else { fatalError("not a URI: \(text)") }
        return NameAddress(uri: uri)
    }

    mutating func request(_ method: Method, to target: String, callID: String? = nil, tag: String = "ft", toTag: String? = nil, body: [UInt8] = []) -> SIPRequest {
        cseq += 1
        calls += 1
        var to = address(target)
        to.tag = toTag
        var from = address("sip:\(user)@pbx.example")
        from.tag = tag
        var request = SIPRequest(
            method: method, uri: address(target).uri,
            headers: Headers(
                via: [
                    Via(
                        transport: flow.transport == .udp ? "UDP" : "TCP", host: Host(flow.remote.address), port: flow.remote.port,
                        parameters: [Parameter(name: "branch", value: "z9hG4bK\(user)\(cseq)\(method.name)"), Parameter(name: "rport", value: nil)])
                ], from: from, to: to, callID: CallID(value: callID ?? "\(user)-\(calls)"), cseq: CSeq(number: cseq, method: method)),
            body: body)
        request.headers.maxForwards = 70
        request.headers.contact = .list([contact])
        if !body.isEmpty { request.headers.contentType = "application/sdp" }
        return request
    }

    /// The request again with an answer to the challenge of `response`.
    mutating func answering(_ response: SIPResponse, _ request: SIPRequest, count: UInt32 = 1) -> SIPRequest {
        var again = request
        cseq += 1
        again.headers.cseq.number = cseq
        again.headers.via[0].branch = "z9hG4bK\(user)\(cseq)again"
        let isProxy = response.status == 407
        guard let value = response.headers[isProxy ? .proxyAuthenticate : .wwwAuthenticate],
            let challenge = try? DigestChallenge(parsing: value)
        else { return again }
        let credentials = DigestCredentials.answering(
            challenge, method: request.method, uri: request.uri.description, username: user, password: password, cnonce: "c0ffee",
            nonceCount: count)
        again.headers[isProxy ? .proxyAuthorization : .authorization] = credentials.headerValue
        return again
    }

    /// An offer of G.711 with telephone-event at this phone's address.
    func offer(port: UInt16 = 30_000) -> [UInt8] {
        Array(
            "v=0\r\no=- 1 1 IN IP4 \(flow.remote.address)\r\ns=-\r\nc=IN IP4 \(flow.remote.address)\r\nt=0 0\r\nm=audio \(port) RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
                .utf8)
    }
}

extension Branch {
    /// Sends a request and follows a challenge, as a phone does; gives the last answers.
    @discardableResult
    mutating func exchange(_ phone: inout Phone, _ request: SIPRequest) -> (request: SIPRequest, answers: [SIPResponse]) {
        deliver(request, phone.flow)
        var answers = take(phone.flow).compactMap(\.response)
        guard let challenge = answers.last, challenge.status == 401 || challenge.status == 407 else { return (request, answers) }
        if request.method == .invite { deliver(Self.ack(request, challenge), phone.flow) }
        let again = phone.answering(challenge, request)
        deliver(again, phone.flow)
        answers = take(phone.flow).compactMap(\.response)
        return (again, answers)
    }

    static func ack(_ invite: SIPRequest, _ response: SIPResponse, newBranch: Bool = false) -> SIPRequest {
        var ack = invite
        ack.method = .ack
        ack.body = []
        ack.headers.contentType = nil
        ack.headers.to = response.headers.to
        ack.headers.cseq = CSeq(number: invite.headers.cseq.number, method: .ack)
        if newBranch {
            ack.headers.via[0].branch = (invite.headers.via[0].branch ?? "") + "ack"
            if let target = response.headers.contactURI { ack.uri = target }
        }
        return ack
    }

    mutating func register(_ phone: inout Phone) {
        let answers = exchange(&phone, phone.request(.register, to: "sip:\(phone.user)@pbx.example")).answers
        #expect(answers.last?.status == 200)
    }

    /// Types digits into the login dialogue of this branch's last announcement.
    mutating func type(_ digits: String) {
        for digit in digits.utf8 {
            guard let session = lastAnnouncement else { return }
            run(.media(.digit(session, digit)))
        }
    }

    var lastAnnouncement: MediaSessionID? {
        for command in media.reversed() { if case .announce(let session, _, _) = command { return session } }
        return nil
    }

    /// Everything the PBX side got, requests only; answers REGISTER with 200 as a friendly PBX does.
    mutating func servePBX(_ flow: Flow = Branch.pbx) -> [SIPRequest] {
        var seen: [SIPRequest] = []
        while let index = sent.firstIndex(where: { $0.flow == flow }) {
            let item = sent.remove(at: index)
            guard let request = item.request else { continue }
            seen.append(request)
            served.append(request)
            if request.method == .register {
                var response = request.response(200, toTag: "pbx")
                response.headers.contact = request.headers.contact
                response.headers[.expires] = request.headers[.expires]
                deliver(response, flow)
            }
        }
        return seen
    }

    /// A phone logs in by code and PIN; true when the confirmation was spoken.
    @discardableResult
    mutating func logIn(_ phone: inout Phone, as number: String, pin: String? = nil) -> Bool {
        let invite = phone.request(.invite, to: "sip:*77*\(number)*@pbx.example", body: phone.offer())
        let (sentInvite, answers) = exchange(&phone, invite)
        guard let ok = answers.last, ok.status == 200 else { return false }
        deliver(Self.ack(sentInvite, ok, newBranch: true), phone.flow)
        type((pin ?? Self.pins[number] ?? "") + "#")
        _ = servePBX()
        advance(.seconds(1))
        for bye in take(phone.flow).compactMap(\.request) where bye.method == .bye { deliver(bye.response(200), phone.flow) }
        return media.contains { if case .play(_, let phrases, _, _, _) = $0 { phrases.contains(.loggedIn) } else { false } }
    }
}

extension Headers {
    var contactURI: URI? {
        guard case .list(let contacts)? = contact else { return nil }
        return contacts.first?.uri
    }
}

extension URI {
    var user: String? { sip?.user }
}
