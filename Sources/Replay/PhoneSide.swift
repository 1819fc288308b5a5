import CoreTypes
import EdgeProxy
import HotDeskPolicy
import SIPMessage

/// What the replay remembers of the phones.
struct PhoneSide: Sendable {
    struct Transaction: Hashable, Sendable {
        var source: Endpoint
        var branch: String
        var request: RequestKey
    }

    /// A request the core has sent to a phone, and waits for the capture's answer to.
    struct Outstanding: Sendable {
        var request: SIPRequest
        var flow: Flow
    }

    var seen: Set<Transaction> = []
    /// Rows of the result, to be completed by the answer.
    var rows: [RequestKey: Int] = [:]
    /// To tags of the edge in the capture, and what stands in their place in the replay.
    var tags: [CallID: [String: String]] = [:]
    var outstanding: [CallMethod: Outstanding] = [:]
    /// Devices that are known on a connection.
    var known: [Flow: String] = [:]
    private var connections: [Endpoint: UInt64] = [:]

    /// A number for the connection from `source`, the same each time.
    mutating func connection(_ source: Endpoint) -> UInt64 {
        if let number = connections[source] { return number }
        let number = UInt64(connections.count) + 1_000
        connections[source] = number
        return number
    }
}

extension ReplayRun {
    // MARK: Requests of phones

    mutating func fromPhone(_ message: CapturedMessage) {
        switch message.content {
        case .request(let request): replay(request, message)
        case .response(let response): phoneAnswered(response)
        case .other:
            let actions = feed(.received(message.bytes, flow(of: message)))
            guard message.looksLikeRequest else { return }
            let (verdict, reason) = VerdictReader(actions, request: nil, isTrunk: trunk.owns).read()
            result.requests.append(row(message, origin: .phone, verdict: verdict, reason: reason))
        }
    }

    private mutating func replay(_ request: SIPRequest, _ message: CapturedMessage) {
        let key = RequestKey(request.headers)
        let branch = request.headers.via.first?.branch ?? ""
        let isNew = phones.seen.insert(PhoneSide.Transaction(source: message.source, branch: branch, request: key)).inserted
        let flow = flow(of: message)
        if let status = wasChallengedOnKnownConnection(request, flow) {
            let verdict: ReplayVerdict = isNew ? .challenge(status) : .repeated
            return result.requests.append(row(message, origin: .phone, verdict: verdict, reason: "in the capture; its next try counts"))
        }
        assumeRegistered(request, flow)
        var adapted = adapted(request)
        let pressed = typing.session(of: request.headers.callID).flatMap { session in InfoKey.parse(request).map { (session, $0) } }
        if pressed != nil {
            adapted.body = []
            adapted.headers.contentType = nil
        }
        let place = result.requests.count
        result.requests.append(row(message, origin: .phone, verdict: .repeated, reason: ""))
        if isNew { phones.rows[key] = place }
        let actions = feed(.received(adapted == request ? message.bytes : adapted.serialized(), flow))
        if isNew {
            let (verdict, reason) = VerdictReader(actions, request: adapted, isTrunk: trunk.owns).read()
            result.requests[place].verdict = verdict
            result.requests[place].reason = reason.isEmpty ? self.reason(of: verdict, result.requests[place].party) : reason
            remember(adapted, verdict, flow)
        }
        if isNew, let (session, key) = pressed { for event in press(key, session) { feed(event) } }
    }

    private func reason(of verdict: ReplayVerdict, _ party: String) -> String {
        guard case .forward(let user) = verdict else { return "" }
        return isDevice(party) ? "\(user) is logged in" : "a plain phone, under its own credentials"
    }

    private mutating func remember(_ request: SIPRequest, _ verdict: ReplayVerdict, _ flow: Flow) {
        guard request.method == .register, case .answered(200) = verdict, let user = request.headers.to.uri.userPart else { return }
        phones.known[flow] = user
    }

    /// The way the message came, with a listener of the site in place of a foreign one.
    func listener(for message: CapturedMessage) -> Endpoint {
        let listeners = replayer.configuration.listeners
        if listeners.contains(where: { $0.endpoint == message.destination }) { return message.destination }
        let family = message.source.address.family
        let sameTransport = listeners.filter { $0.transport == message.transport }
        return (sameTransport.first { $0.endpoint.address.family == family } ?? sameTransport.first ?? listeners.first)?.endpoint
            ?? message.destination
    }

    mutating func flow(of message: CapturedMessage) -> Flow {
        Flow(
            transport: message.transport, local: listener(for: message), remote: message.source,
            connection: message.transport.isReliable ? phones.connection(message.source) : 0)
    }

    // MARK: What differs between capture and replay

    /// Tags of the edge and credentials as the replay needs them.
    private func adapted(_ request: SIPRequest) -> SIPRequest {
        var adapted = request
        if let tag = request.headers.to.tag, let other = phones.tags[request.headers.callID]?[tag] { adapted.headers.to.tag = other }
        // Credentials the edge did not take (a nonce too old, a wrong password) must not be taken now, though they are believed.
        let wasChallenged = [401, 407].contains(index.finalStatus(RequestKey(request.headers)))
        for name in [HeaderName.authorization, .proxyAuthorization] {
            let values = request.headers.all(name)
            let kept = values.compactMap { credentials($0, dropping: wasChallenged) }
            guard kept != values else { continue }
            adapted.headers.remove(name)
            for value in kept { adapted.headers.add(name, value) }
        }
        return adapted
    }

    /// Credentials of a device for the site's realm, whatever it was called when the capture was made; nil: none.
    private func credentials(_ value: String, dropping isDropped: Bool) -> String? {
        guard var credentials = try? DigestCredentials(parsing: value), isDevice(credentials.username) else { return value }
        if isDropped { return nil }
        guard credentials.realm != replayer.configuration.pbx.domain else { return value }
        credentials.realm = replayer.configuration.pbx.domain
        return credentials.headerValue
    }

    func isDevice(_ name: String) -> Bool {
        DeviceName(name).map { name in replayer.configuration.devices.contains { $0.name == name } } ?? false
    }

    /// The edge of the capture challenged what this one believes a connection: the same request comes again.
    private func wasChallengedOnKnownConnection(_ request: SIPRequest, _ flow: Flow) -> Int? {
        guard flow.transport.isReliable, request.headers.to.tag == nil, request.method != .register, phones.known[flow] != nil,
            let status = index.finalStatus(RequestKey(request.headers)), status == 401 || status == 407
        else { return nil }
        return status
    }

    /// A capture may begin when a phone's connection is up already. Where the edge did not challenge a device on it, the
    /// device had registered there.
    private mutating func assumeRegistered(_ request: SIPRequest, _ flow: Flow) {
        guard flow.transport.isReliable, request.headers.to.tag == nil, request.method != .register, request.method != .options,
            let name = request.headers.from.uri.userPart, isDevice(name), phones.known[flow] == nil,
            let status = index.finalStatus(RequestKey(request.headers)), status != 401, status != 407,
            request.headers[.authorization] == nil, request.headers[.proxyAuthorization] == nil,
            let domain = Host(replayer.configuration.pbx.domain)
        else { return }
        phones.known[flow] = name
        var address = NameAddress(uri: .sip(SIPURI(user: name, host: domain)))
        var register = SIPRequest(
            method: .register, uri: .sip(SIPURI(host: domain)),
            headers: Headers(
                via: request.headers.via, from: address, to: address, callID: CallID(value: "assumed-\(flow.connection)"),
                cseq: CSeq(number: 1, method: .register)))
        address.tag = "assumed"
        register.headers.from = address
        register.headers.via[0].branch = "z9hG4bKassumed\(flow.connection)"
        register.headers.contact = request.headers.contact
        let credentials = DigestCredentials(
            username: name, realm: domain.text, nonce: "assumed", uri: register.uri.description,
            response: String(repeating: "0", count: 32))
        register.headers.add(.authorization, credentials.headerValue)
        result.notes.append("\(name) on \(flow.remote) is taken as registered before the capture began")
        feed(.received(register.serialized(), flow))
    }

    // MARK: Answers to phones

    mutating func answeredPhone(_ response: SIPResponse) {
        let key = RequestKey(response.headers)
        if response.status >= 200, let place = phones.rows[key] { result.requests[place].answer = response.status }
        guard let tag = response.headers.to.tag else { return }
        let captured = (index.answers[key] ?? []).compactMap { index.messages[$0].response }
        if captured.contains(where: { $0.headers.to.tag == tag }) {
            phones.tags[response.headers.callID, default: [:]][tag] = tag
            return
        }
        let same = captured.filter { $0.status == response.status }
        let alike = same.isEmpty ? captured.filter { $0.status / 100 == response.status / 100 } : same
        for old in alike.compactMap(\.headers.to.tag) where phones.tags[response.headers.callID]?[old] == nil {
            phones.tags[response.headers.callID, default: [:]][old] = tag
        }
    }

    // MARK: Requests to phones

    /// The core has sent a request to a phone: the capture answers it, if not yet then later.
    mutating func sentToPhone(_ request: SIPRequest, _ flow: Flow) -> [EdgeEvent] {
        guard request.method != .ack else { return [] }
        let key = CallMethod(callID: request.headers.callID, method: request.method)
        if phones.outstanding[key]?.request.headers.via.first?.branch == request.headers.via.first?.branch { return [] }
        phones.outstanding[key] = PhoneSide.Outstanding(request: request, flow: flow)
        if (index.phoneAnswers[key] ?? []).contains(where: { $0 > position }) { return [] }
        switch request.method {
        case .invite: return []
        case .cancel:
            let invite = phones.outstanding[CallMethod(callID: request.headers.callID, method: .invite)]?.request
            return [request.response(200)].map { .received($0.serialized(), flow) }
                + (invite.map { [.received($0.response(487, toTag: "replay").serialized(), flow)] } ?? [])
        case .ack, .bye, .register, .options, .info, .update, .prack, .subscribe, .notify, .refer, .message, .publish, .other:
            return [.received(request.response(200, toTag: "replay").serialized(), flow)]
        }
    }

    /// A phone's answer of the capture, re-addressed to the request that the core has sent in the replay.
    private mutating func phoneAnswered(_ response: SIPResponse) {
        let key = CallMethod(callID: response.headers.callID, method: response.headers.cseq.method)
        guard let waiting = phones.outstanding[key] else { return }
        var answer = response
        answer.headers.via = waiting.request.headers.via
        answer.headers.from = waiting.request.headers.from
        answer.headers.cseq = waiting.request.headers.cseq
        let tag = waiting.request.headers.to.tag ?? response.headers.to.tag
        answer.headers.to = waiting.request.headers.to
        answer.headers.to.tag = response.status > 100 ? tag : waiting.request.headers.to.tag
        feed(.received(answer.serialized(), waiting.flow))
    }
}
