import CoreTypes
import HotDeskPolicy
import Media
import SIPMessage
import SIPTransaction

/// Messages in: parsed, given to the transactions, and what those deliver sorted by where it came from.
extension EdgeProxy {
    mutating func received(_ bytes: [UInt8], on flow: Flow) {
        if flow.transport == .udp, flow.connection != 0 { nodeSpoke(on: flow) }
        switch SIPMessage.parse(bytes, framing: flow.transport.isReliable ? .stream : .datagram) {
        case .message(.request(let request)) where isChallengedStatelessly(request, flow):
            out.append(.transmit(challengeResponse(transactions.stamped(request, flow), stale: false).serialized(), flow))
        case .message(.request(let request)):
            transactions.receive(request, on: flow, now: now, beyondLimit: isUrgent(request), into: &pending)
        case .message(.response(let response)): transactions.receive(response, on: flow, now: now, into: &pending)
        case .reject(let response, let problem):
            log(.info, "\(flow.remote): request refused with \(response.status): \(problem)")
            out.append(.transmit(response.serialized(), flow))
        case .ignore(let problem): log(.debug, "\(flow.remote): dropped: \(problem)")
        }
    }

    /// RFC 3261 §8.2.7: an INVITE over datagrams that will be challenged anyway gets that one answer and leaves nothing
    /// behind: a flood costs no memory, and a forged source is sent no 100 and no repetitions.
    private func isChallengedStatelessly(_ request: SIPRequest, _ flow: Flow) -> Bool {
        guard request.method == .invite, request.headers.to.tag == nil, !flow.transport.isReliable, side(of: flow) == .phone else {
            return false
        }
        guard bindings.device(on: flow) != nil || request.headers.from.uri.user.flatMap({ named($0) }) != nil else { return false }
        return credentials(in: request) == nil && !isEmergency(request)
    }

    /// An emergency call is let in where a flood has filled the transaction table.
    private func isUrgent(_ request: SIPRequest) -> Bool {
        transactions.count > 1000 && isEmergency(request)
    }

    private func isEmergency(_ request: SIPRequest) -> Bool {
        guard request.method == .invite, request.headers.to.tag == nil else { return false }
        if case .emergency = configuration.policy.classify(request.uri) { return true }
        return false
    }

    /// Performs what the transaction layer asks for until it asks for nothing more.
    mutating func drainTransactions() {
        var index = 0
        while index < pending.count {
            // Taken out, not copied: what is done with a message then need not copy it either.
            var action = TransactionAction.dropped(.unknownTransaction)
            swap(&action, &pending[index])
            index += 1
            perform(action)
        }
        pending.removeAll(keepingCapacity: true)
    }

    private mutating func perform(_ action: TransactionAction) {
        switch action {
        case .transmit(let bytes, let flow): out.append(.transmit(bytes, flow))
        case .request(let request, let server, let flow): requested(request, server, flow)
        case .ack(let request, let flow): acknowledged(request, flow)
        case .cancelled(let server): cancelled(server)
        case .response(let response, let client): responded(response, client)
        case .timedOut(let client): failed(client, status: 408)
        case .unreachable(let client): failed(client, status: 503)
        case .ackMissing(let server): localCallUnacknowledged(server)
        case .ended(let server): serverEnded(server)
        case .endedClient(let client): ended(client)
        case .dropped(let reason): log(.debug, "dropped: \(reason)")
        }
    }

    private mutating func requested(_ request: SIPRequest, _ server: ServerTransactionID, _ flow: Flow) {
        let side = side(of: flow)
        if side == .phone, !request.headers.from.hasReadableTag || !request.headers.to.hasReadableTag { return refuse(server, request, 400) }
        // What a call for help lacks in form is no reason to stop it.
        if side == .phone, isEmergency(request) { return fromPhone(request, server, flow) }
        let request = request.hasForeignBody ? request.withSession : request
        if request.headers.maxForwards == 0, request.method != .options, request.method != .register {
            return refuse(server, request, 483)
        }
        if request.headers[.proxyRequire] != nil {
            var response = request.response(420, toTag: newTag())
            response.headers[.unsupported] = request.headers.all(.proxyRequire).joined(separator: ", ")
            return respond(server, response)
        }
        switch side {
        case .phone: fromPhone(request, server, flow)
        case .trunk: fromTrunk(request, server, flow)
        case .gateway: fromGateway(request, server, flow)
        }
    }

    // MARK: A phone's request

    private mutating func fromPhone(_ request: SIPRequest, _ server: ServerTransactionID, _ flow: Flow) {
        if request.headers.to.tag == nil {
            switch request.method {
            case .register: return register(request, server, flow)
            case .options: return answerOptions(request, server, isBrief: !flow.transport.isReliable && bindings.device(on: flow) == nil)
            case .invite, .ack, .bye, .cancel, .info, .update, .prack, .subscribe, .notify, .refer, .message, .publish, .other: break
            }
        }
        let standing = standing(of: request, on: flow)
        if request.headers.to.tag != nil { spendCredentials(of: request) }
        // In a dialog a request is its call's, whatever stands in From; outside one, the sender must be found out.
        let call = standing.isInside ? call(of: request) : nil
        let claim = call.map { Claim(party: $0.party, isProven: false) } ?? identify(request, flow)
        let requester = requester(claim.party, in: call)
        let verdict = configuration.policy.decide(method: request.method, uri: request.uri, standing: standing, requester: requester)
        if case .emergency(let number) = verdict {
            return emergency(number, request, server, flow, claim)
        }
        if standing == .outside, claim.party.device != nil, !claim.isProven {
            return challenge(request, server, stale: claim.isStale)
        }
        if let device = claim.party.device, request.method == .invite { bindings.lastUse[device] = now }
        guard request.method == .refer, verdict.isForwarded else { return act(on: verdict, request, server, flow, claim, standing) }
        do throws(Refusal) {
            act(on: verdict, try judgedTransfer(request, claim.party, requester), server, flow, claim, standing)
        } catch {
            refuse(request, server, flow, claim.party, error)
        }
    }

    private mutating func act(
        on verdict: Verdict, _ request: SIPRequest, _ server: ServerTransactionID, _ flow: Flow, _ claim: Claim, _ standing: Standing
    ) {
        let party = claim.party
        switch verdict {
        case .emergency(let number): emergency(number, request, server, flow, claim)
        case .login(let number): beginLogin(number, request, server, flow, party)
        case .logout: beginLogout(request, server, flow, party)
        case .watchSession: beginWatch(watchedCode(request.uri), request, server, flow, party)
        case .forward(let user): place(request, server, flow, party, user)
        case .forwardInside: forwardInside(request, server, from: .phone, flow)
        case .answerLocally: answerLocally(request, server, flow, standing)
        case .refuse(let refusal): refuse(request, server, flow, party, refusal)
        }
    }

    /// In a call, a session counts only where it is the one the call was made in: whoever sits down later is nobody
    /// to a call of the person before.
    func requester(_ party: Party, in call: Boxed<Call>?) -> Requester {
        switch party {
        case .device(let name):
            let session = sessions.session(on: name)
            guard let call else { return .device(name, session) }
            return .device(name, session?.extension.text == call.identity?.uri.user ? session : nil)
        case .plain: return .plain
        case .unknown: return .unknown
        }
    }

    /// Whether a request belongs to a dialog: Call-ID, both tags and the flow must match one we hold.
    mutating func standing(of request: SIPRequest, on flow: Flow) -> Standing {
        guard let key = DialogKey(ofPhone: request.headers) else { return .outside }
        if let local = localCalls.call(key), local.flow == flow { return .inside(.local) }
        if let watch = watches[key], watch.flow == flow || bindings.device(on: flow) == watch.device { return .inside(.local) }
        guard let dialog = calls.dialog(key), let call = calls[dialog.call] else { return .foreign }
        if dialog.phone.flow == flow { return .inside(call.purpose) }
        // The phone has registered from a new address meanwhile: the dialog follows it.
        switch call.party {
        case .device(let device): guard bindings.device(on: flow) == device else { return .foreign }
        case .plain(let user): guard plainBindings.hasUser(user, on: flow) else { return .foreign }
        case .unknown: return .foreign
        }
        calls.movePhone(key, to: flow)
        return .inside(call.purpose)
    }

    private func watchKey(_ request: SIPRequest) -> DialogKey? {
        guard let key = DialogKey(ofPhone: request.headers), watches[key] != nil else { return nil }
        return key
    }

    /// The code a key holds, as the site file has it.
    private func watchedCode(_ uri: URI) -> String {
        if case .logout = configuration.policy.classify(uri) { return configuration.policy.dialCodes.logout }
        return configuration.policy.dialCodes.login
    }

    /// The call a request of a phone is in, by its Call-ID and tags.
    private func call(of request: SIPRequest) -> Boxed<Call>? {
        DialogKey(ofPhone: request.headers).flatMap { calls.dialog($0) }.flatMap { calls[$0.call] }
    }

    // MARK: Who is it?

    struct Claim {
        var party: Party
        /// Whether the party has proved to be who it says.
        var isProven: Bool
        var isStale = false
    }

    /// A device is known by its credentials, or by a connection on which it has shown them; never by its address.
    private mutating func identify(_ request: SIPRequest, _ flow: Flow) -> Claim {
        let bound = bindings.device(on: flow)
        let writer = request.headers.from.uri.user.flatMap { named($0) }
        // Whoever else is behind the same connection, a device or not, must show credentials: nobody calls as the person at
        // another's desk.
        if let bound, flow.transport.isReliable, writer?.name == bound {
            if request.headers.to.tag == nil { spendCredentials(of: request) }
            return Claim(party: .device(bound), isProven: true)
        }
        var isStale = false
        if request.headers.to.tag == nil, let credentials = credentials(in: request), let device = named(credentials.username) {
            switch authenticator.check(credentials, method: request.method, uri: request.uri, device: device, now: now) {
            case .proven:
                bindings.proved(device.name, on: flow)
                return Claim(party: .device(device.name), isProven: true)
            case .challenge(let stale): isStale = stale
            case .wrongPassword: noteWrongPassword(of: device.name, flow)
            }
            return Claim(party: .device(bound ?? device.name), isProven: false, isStale: isStale)
        }
        if let bound { return Claim(party: .device(bound), isProven: false) }
        if let writer { return Claim(party: .device(writer.name), isProven: false) }
        guard configuration.plainPhones else { return Claim(party: .unknown, isProven: false) }
        return Claim(party: .plain(request.headers.from.uri.user ?? ""), isProven: false)
    }

    /// Credentials that nobody asked for count as used all the same: what was overheard must not be worth a call elsewhere.
    private mutating func spendCredentials(of request: SIPRequest) {
        guard let credentials = credentials(in: request), let device = named(credentials.username) else { return }
        _ = authenticator.check(credentials, method: request.method, uri: request.uri, device: device, now: now)
    }

    func named(_ text: String) -> Device? { DeviceName(text).flatMap { devices[$0] } }

    /// The credentials a request carries for our realm (RFC 3261 §22.3).
    func credentials(in request: SIPRequest) -> DigestCredentials? {
        for name in [HeaderName.proxyAuthorization, .authorization] {
            for value in request.headers.all(name) {
                if let credentials = try? DigestCredentials(parsing: value), credentials.realm == authenticator.realm {
                    return credentials
                }
            }
        }
        return nil
    }

    /// Someone tries passwords, or a phone was set up wrongly: audited, once a minute for each device.
    mutating func noteWrongPassword(of device: DeviceName, _ flow: Flow) {
        if let last = wrongPasswords[device], now - last < .seconds(60) { return }
        wrongPasswords[device] = now
        audit(.registrationRefused, device: device.text, detail: "wrong password from \(flow.remote)")
    }

    mutating func challenge(_ request: SIPRequest, _ server: ServerTransactionID, stale: Bool) {
        respond(server, challengeResponse(request, stale: stale))
    }

    private mutating func challengeResponse(_ request: SIPRequest, stale: Bool) -> SIPResponse {
        let isRegister = request.method == .register
        var response = request.response(isRegister ? 401 : 407, toTag: newTag())
        for algorithm in configuration.deviceDigest {
            let challenge = authenticator.challenge(algorithm: algorithm, stale: stale, salt: token(4), now: now)
            response.headers.add(isRegister ? .wwwAuthenticate : .proxyAuthenticate, challenge.headerValue)
        }
        return response
    }

    // MARK: Answers of our own

    mutating func respond(_ server: ServerTransactionID, _ response: SIPResponse, retransmitSuccess: Bool = false) {
        transactions.respond(server, response, retransmitSuccess: retransmitSuccess, now: now, into: &pending)
    }

    mutating func refuse(_ server: ServerTransactionID, _ request: SIPRequest, _ status: Int, _ phrase: String? = nil) {
        respond(server, request.response(status, phrase, toTag: newTag()))
    }

    /// - Parameter isBrief: nobody is known at the source, so the answer must not be larger than what was asked.
    private mutating func answerOptions(_ request: SIPRequest, _ server: ServerTransactionID, isBrief: Bool = false) {
        var response = request.response(200, toTag: newTag())
        guard !isBrief else { return respond(server, response) }
        response.headers[.allow] = Self.allowed
        response.headers[.accept] = "application/sdp"
        response.headers[.supported] = "replaces, timer, path, outbound"
        respond(server, response)
    }

    static let allowed = "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, INFO, UPDATE, PRACK, SUBSCRIBE, NOTIFY, REFER, MESSAGE, PUBLISH"

    private mutating func answerLocally(
        _ request: SIPRequest, _ server: ServerTransactionID, _ flow: Flow, _ standing: Standing
    ) {
        switch standing {
        case .inside(.local):
            if let key = watchKey(request) { return watchRequest(request, server, flow, key) }
            localCallRequest(request, server)
        case .outside, .foreign, .inside(.ordinary), .inside(.emergency), .inside(.subscription): answerOptions(request, server)
        }
    }

    /// Refuses by policy: one audit entry, a reason the phone can show, and the spoken hint where it helps.
    mutating func refuse(
        _ request: SIPRequest, _ server: ServerTransactionID, _ flow: Flow, _ party: Party, _ refusal: Refusal
    ) {
        audit(
            .refused, device: party.text, extension: party.device.flatMap { sessions.session(on: $0) }?.extension.text ?? "",
            request: request.summary, detail: "\(refusal.status) \(refusal.reason.rawValue)")
        if refusal.hint, let device = party.device, speakHint(request, server, flow, device, refusal) { return }
        respond(server, refusalResponse(request, refusal))
    }

    mutating func refusalResponse(_ request: SIPRequest, _ refusal: Refusal, toTag: String? = nil) -> SIPResponse {
        var response = request.response(refusal.status, refusal.phrase, toTag: toTag ?? newTag())
        response.headers[.reason] = "SIP;cause=\(refusal.status);text=\"\(refusal.phrase)\""
        if refusal.status == 405 { response.headers[.allow] = Self.allowed }
        return response
    }
}

extension Verdict {
    fileprivate var isForwarded: Bool {
        switch self {
        case .forward, .forwardInside: return true
        case .emergency, .login, .logout, .watchSession, .answerLocally, .refuse: return false
        }
    }
}

extension Standing {
    fileprivate var isInside: Bool {
        switch self {
        case .inside: return true
        case .outside, .foreign: return false
        }
    }
}

extension SIPRequest {
    /// Method and canonical target, for log and audit.
    var summary: String { "\(method.name) \(uri)" }
}

extension URI {
    /// The user part, or a telephone number, or nil.
    var user: String? {
        switch self {
        case .sip(let uri): return uri.user
        case .tel(let uri): return uri.number
        case .other: return nil
        }
    }
}
