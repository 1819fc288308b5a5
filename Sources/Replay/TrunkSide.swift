import CoreTypes
import EdgeProxy
import HotDeskPolicy
import SIPMessage

/// The PBX and the gateways, played from the capture.
struct TrunkSide: Sendable {
    /// A request of the core that has no final answer yet.
    struct Outstanding: Sendable {
        var request: SIPRequest
        var flow: Flow
        /// The edge speaks for the phone: challenges of the PBX are none of the replay's business.
        var isManaged: Bool
        var isDone = false
    }

    let flow: Flow
    private let gateways: Set<Endpoint>
    var outstanding: [RequestKey: Outstanding] = [:]
    var seen: Set<String> = []
    /// Rows of the result for requests of the PBX, to be completed by the answer.
    var rows: [RequestKey: Int] = [:]
    /// Call-IDs of which something has crossed to or from the PBX.
    var calls: Set<CallID> = []
    /// Tokens in Contacts of plain phones: those of the capture and what stands for them in the replay.
    var tokens: [String: String] = [:]
    /// Tokens of the replay by the phone's own address, for captures without the PBX's side.
    var tokenOfPhone: [Endpoint: String] = [:]

    init(_ configuration: EdgeConfiguration) {
        let own = configuration.mediaAddresses.first ?? configuration.listeners.first?.endpoint.address ?? IPAddress(v4: 0x7F00_0001)
        // RFC 5737: an address of nobody.
        flow = Flow(
            transport: .tls, local: Endpoint(address: own, port: 40_001),
            remote: Endpoint(address: IPAddress(v4: 0xC000_02FE), port: 5061), connection: 1)
        gateways = Set(
            configuration.emergencyRoutes.compactMap { route in
                if case .gateway(_, let endpoint) = route { endpoint } else { nil }
            })
    }

    func owns(_ flow: Flow) -> Bool {
        flow == self.flow || (flow.transport == .udp && gateways.contains(flow.remote))
    }

    func isGateway(_ endpoint: Endpoint) -> Bool { gateways.contains(endpoint) }
}

extension ReplayRun {
    /// The parameter by which a Contact of the edge names a plain phone.
    private static var tokenName: String { "edge-flow" }

    // MARK: The core's requests

    /// The core has sent a request to the PBX: answered from the capture when its answer comes, else as a friendly PBX does.
    mutating func sentToPBX(_ request: SIPRequest, _ flow: Flow) -> [EdgeEvent] {
        let branch = request.headers.via.first?.branch ?? ""
        guard trunk.seen.insert("\(request.method.name) \(branch)").inserted else { return [] }
        result.crossed.append(TrunkRequest(at: now, direction: .toPBX, request: request))
        trunk.calls.insert(request.headers.callID)
        let phoneUsers = index.phoneUsers[request.headers.callID]
        switch request.method {
        case .ack: return []
        case .cancel: return cancelledAtPBX(request, branch, flow)
        case .register where phoneUsers == nil: return [registered(request, flow)]
        case .register: learnToken(request)
        case .invite, .bye, .options, .info, .update, .prack, .subscribe, .notify, .refer, .message, .publish, .other: break
        }
        let key = RequestKey(request.headers)
        let isManaged = phoneUsers.map { !$0.contains(request.headers.from.uri.userPart ?? "") } ?? false
        trunk.outstanding[key] = TrunkSide.Outstanding(request: request, flow: flow, isManaged: isManaged)
        let trying = request.method == .invite ? [answer(request, 100, flow)] : []
        let captured = (index.answers[key] ?? []).filter { isAnswer(index.messages[$0], isManaged) }
        if captured.contains(where: { $0 > position }) { return trying }
        if let late = captured.last, let response = index.messages[late].response {
            trunk.outstanding[key]?.isDone = true
            return trying + [.received(like(response, request, flow).serialized(), flow)]
        }
        return trying + friendlyAnswers(request, key, flow)
    }

    private func isAnswer(_ message: CapturedMessage, _ isManaged: Bool) -> Bool {
        guard let status = message.response?.status, status > 100 else { return false }
        return !(isManaged && (status == 401 || status == 407))
    }

    private mutating func friendlyAnswers(_ request: SIPRequest, _ key: RequestKey, _ flow: Flow) -> [EdgeEvent] {
        guard request.method == .invite else {
            trunk.outstanding[key]?.isDone = true
            return [answer(request, 200, flow)]
        }
        if index.cancelled.contains(key) { return [answer(request, 180, flow)] }
        trunk.outstanding[key]?.isDone = true
        return [answer(request, 180, flow), answer(request, 200, flow, body: PlainAnswer.sdp(flow.remote.address))]
    }

    private func answer(_ request: SIPRequest, _ status: Int, _ flow: Flow, body: [UInt8] = []) -> EdgeEvent {
        var response = request.response(status, toTag: "replay")
        if status > 100, status < 300 { response.headers.contact = contact(request, flow) }
        if !body.isEmpty {
            response.headers.contentType = "application/sdp"
            response.body = body
        }
        return .received(response.serialized(), flow)
    }

    private func contact(_ request: SIPRequest, _ flow: Flow) -> ContactField? {
        if request.method == .register { return request.headers.contact }
        let transport = Parameter(name: "transport", value: flow.transport == .tls ? "tls" : "udp")
        return .list([
            NameAddress(
                uri: .sip(
                    SIPURI(
                        user: request.uri.userPart, host: Host(flow.remote.address), port: flow.remote.port, parameters: [transport])))
        ])
    }

    private mutating func cancelledAtPBX(_ request: SIPRequest, _ branch: String, _ flow: Flow) -> [EdgeEvent] {
        let invite = trunk.outstanding.first {
            $0.value.request.method == .invite && $0.value.request.headers.via.first?.branch == branch && !$0.value.isDone
        }
        let done: EdgeEvent = .received(request.response(200).serialized(), flow)
        guard let invite else { return [done] }
        trunk.outstanding[invite.key]?.isDone = true
        return [done, answer(invite.value.request, 487, flow)]
    }

    /// A REGISTER of the edge itself: as the PBX answered the capture's next one for that user, else accepted.
    private func registered(_ request: SIPRequest, _ flow: Flow) -> EdgeEvent {
        let user = request.headers.to.uri.userPart ?? ""
        let next = (index.registerAnswers[user] ?? []).first { place in
            guard place > position, let status = index.messages[place].response?.status else { return false }
            return ![401, 407, 423, 494].contains(status)
        }
        let status = next.flatMap { index.messages[$0].response?.status } ?? 200
        var response = request.response(status, toTag: "replay")
        if status < 300 {
            response.headers.contact = request.headers.contact
            response.headers[.expires] = request.headers[.expires]
        }
        return .received(response.serialized(), flow)
    }

    // MARK: Answers of the capture

    /// What the edge sent to a phone in the capture: the PBX's answers are seen in it, and without the PBX's side its requests.
    mutating func toPhoneInCapture(_ message: CapturedMessage) {
        switch message.content {
        case .response(let response): answeredInCapture(response, message)
        case .request(let request):
            guard replayer.trunkUp, !index.hasRequestsOfPBX, let inferred = inferred(request, message) else { return }
            fromPBX(inferred, trunk.flow, message)
        case .other: break
        }
    }

    private mutating func answeredInCapture(_ response: SIPResponse, _ message: CapturedMessage) {
        let key = RequestKey(response.headers)
        guard let waiting = trunk.outstanding[key], !waiting.isDone, isAnswer(message, waiting.isManaged) else { return }
        if response.status >= 200 { trunk.outstanding[key]?.isDone = true }
        feed(.received(like(response, waiting.request, waiting.flow).serialized(), waiting.flow))
    }

    /// The PBX's answer to `request`, made of what the capture shows the phone to have got.
    private func like(_ response: SIPResponse, _ request: SIPRequest, _ flow: Flow) -> SIPResponse {
        var made = request.response(response.status, response.reason, toTag: response.headers.to.tag ?? "replay")
        made.headers.others = response.headers.others
        made.headers.contentType = response.headers.contentType
        made.body = response.body
        if response.status < 300, response.headers.contact != nil { made.headers.contact = contact(request, flow) }
        if request.method == .register, made.headers.expires == nil, let granted = response.headers.contact?.first?.expires {
            made.headers.expires = granted
        }
        return made
    }

    // MARK: The PBX's requests

    mutating func fromTrunkInCapture(_ message: CapturedMessage) {
        guard replayer.trunkUp, let request = message.request else { return }
        guard trunk.isGateway(message.source) else { return fromPBX(request, trunk.flow, message) }
        fromPBX(request, Flow(transport: .udp, local: listener(for: message), remote: message.source), message)
    }

    private mutating func fromPBX(_ request: SIPRequest, _ flow: Flow, _ message: CapturedMessage) {
        var request = request
        if let tag = request.headers.to.tag, let other = phones.tags[request.headers.callID]?[tag] { request.headers.to.tag = other }
        if case .sip(var uri) = request.uri, let old = uri.parameter(Self.tokenName)?.value, let new = trunk.tokens[old] {
            uri.parameters.removeAll { $0.name == Self.tokenName }
            uri.parameters.append(Parameter(name: Self.tokenName, value: new))
            request.uri = .sip(uri)
        }
        let branch = request.headers.via.first?.branch ?? ""
        let isNew = trunk.seen.insert("in \(request.method.name) \(branch) \(request.headers.cseq.number)").inserted
        if isNew { result.crossed.append(TrunkRequest(at: now, direction: .fromPBX, request: request)) }
        trunk.calls.insert(request.headers.callID)
        let place = result.requests.count
        result.requests.append(row(message, origin: .pbx, verdict: .repeated, reason: ""))
        if isNew { trunk.rows[RequestKey(request.headers)] = place }
        let actions = feed(.received(request.serialized(), flow))
        guard isNew else { return }
        (result.requests[place].verdict, result.requests[place].reason) =
            VerdictReader(actions, request: request, isTrunk: trunk.owns).readFromPBX()
    }

    mutating func answeredPBX(_ response: SIPResponse) {
        guard response.status >= 200, let place = trunk.rows[RequestKey(response.headers)] else { return }
        result.requests[place].answer = response.status
    }

    /// The PBX's request behind one that the edge sent to a phone. Nil for what is the edge's own.
    private func inferred(_ request: SIPRequest, _ message: CapturedMessage) -> SIPRequest? {
        if request.headers.to.tag != nil || request.method == .cancel {
            return trunk.calls.contains(request.headers.callID) ? request : nil
        }
        guard request.method != .options else { return nil }
        var inferred = request
        guard let user = request.headers.to.uri.userPart, let domain = Host(replayer.configuration.pbx.domain) else { return nil }
        let token = trunk.tokenOfPhone[message.destination].map { [Parameter(name: Self.tokenName, value: $0)] } ?? []
        inferred.uri = .sip(SIPURI(user: user, host: domain, parameters: token))
        return inferred
    }

    /// Notes the token by which the core calls a plain phone.
    private mutating func learnToken(_ request: SIPRequest) {
        guard case .sip(let uri)? = request.headers.contact?.first?.uri, let token = uri.parameter(Self.tokenName)?.value else { return }
        if index.messages.indices.contains(position) { trunk.tokenOfPhone[index.messages[position].source] = token }
        for place in index.registers {
            guard let other = index.messages[place].request, other.headers.callID == request.headers.callID,
                case .sip(let old)? = other.headers.contact?.first?.uri, let name = old.parameter(Self.tokenName)?.value
            else { continue }
            trunk.tokens[name] = token
        }
    }
}

/// An answer in G.711 with telephone-event for a call whose answer is not in the capture.
enum PlainAnswer {
    static func sdp(_ address: IPAddress) -> [UInt8] {
        let family = address.family == .v4 ? "IP4" : "IP6"
        return Array(
            ("v=0\r\no=- 1 1 IN \(family) \(address)\r\ns=-\r\nc=IN \(family) \(address)\r\nt=0 0\r\n"
                + "m=audio 30000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n").utf8)
    }
}
