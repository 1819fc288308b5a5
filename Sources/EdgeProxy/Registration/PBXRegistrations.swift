import CoreTypes
import HotDeskPolicy
import Media
import SIPMessage
import SIPTransaction

/// Whose registration the edge keeps at the PBX.
enum RegistrationSubject: Hashable, Sendable {
    case person(ExtensionNumber)
    /// The site's own account.
    case site
}

/// One registration of the edge at the PBX (RFC 3261 §10.2).
struct PBXRegistration: Sendable {
    enum State: Sendable, Equatable {
        case waiting
        case registered(until: Instant)
        /// The PBX said no; asked again after a while, since an admin may have mended it.
        case refused(Int)
    }

    var account: EdgeConfiguration.Account
    var callID: CallID
    var fromTag: String
    var sequence: UInt32 = 0
    var state = State.waiting
    var client: ClientTransactionID?
    /// The flow of the last REGISTER.
    var flow: Flow?
    var challenge: DigestChallenge?
    var nonceCount: UInt32 = 0
    /// Credentials sent with the REGISTER that is under way were made for a fresh challenge.
    var answered = 0
    var failures = 0
    var due: Instant?
    /// It is to be made afresh when its turn comes.
    var isStale = false
    /// The session is over: the registration is being taken back.
    var isEnding = false
    /// Logins that wait for the PBX's word.
    var waiting: [LocalCallKey] = []

    var isRegistered: Bool {
        switch state {
        case .registered: return true
        case .waiting, .refused: return false
        }
    }
}

struct PBXRegistrations: Sendable {
    var bySubject: [RegistrationSubject: PBXRegistration] = [:]
    private var byClient: [ClientTransactionID: RegistrationSubject] = [:]

    func subject(of client: ClientTransactionID) -> RegistrationSubject? { byClient[client] }

    mutating func sent(_ client: ClientTransactionID, _ subject: RegistrationSubject) {
        if let old = bySubject[subject]?.client { byClient[old] = nil }
        bySubject[subject]?.client = client
        byClient[client] = subject
    }

    mutating func done(_ client: ClientTransactionID) {
        guard let subject = byClient.removeValue(forKey: client) else { return }
        if bySubject[subject]?.client == client { bySubject[subject]?.client = nil }
    }

    mutating func change(_ subject: RegistrationSubject, _ body: (inout PBXRegistration) -> Void) {
        guard let index = bySubject.index(forKey: subject) else { return }
        body(&bySubject.values[index])
    }
}

/// The edge registers each extension that is logged in at its site, and its own account, and keeps that fresh.
extension EdgeProxy {
    private func account(_ subject: RegistrationSubject) -> EdgeConfiguration.Account? {
        switch subject {
        case .site: return configuration.pbx.account
        case .person(let number):
            return extensions[number].map {
                EdgeConfiguration.Account(user: $0.number.text, authUser: $0.authUser, secret: $0.secret)
            }
        }
    }

    /// Registers a subject now, or answers a waiting login at once where that is done already.
    mutating func keepRegistered(_ subject: RegistrationSubject, for login: LocalCallKey? = nil) {
        guard let account = account(subject) else { return }
        make(subject)
        registrations.change(subject) {
            $0.account = account
            $0.isEnding = false
            if let login { $0.waiting.append(login) }
        }
        guard let registration = registrations.bySubject[subject] else { return }
        if registration.isRegistered, let flow = registration.flow, trunk.node(on: flow) != nil {
            return tellWaiting(subject, .accepted)
        }
        if let flow = registration.flow, registration.client != nil, trunk.node(on: flow) != nil { return }
        sendRegister(subject)
    }

    /// Takes a registration back, unless the extension is logged in somewhere.
    mutating func release(_ subject: RegistrationSubject) {
        if isSeated(subject) { return }
        guard let registration = registrations.bySubject[subject], registration.waiting.isEmpty else { return }
        guard registration.isRegistered || registration.client != nil, trunk.isUp else {
            registrations.bySubject[subject] = nil
            return
        }
        registrations.change(subject) { $0.isEnding = true }
        sendRegister(subject)
    }

    /// Everything that should be registered, afresh: after a start, a reload, or a change of the PBX node.
    mutating func refreshAllRegistrations() {
        let people = sessions.all.map { RegistrationSubject.person($0.extension) }
        for subject in (configuration.pbx.account == nil ? [] : [.site]) + people {
            make(subject)
            registrations.change(subject) {
                $0.isStale = true
                $0.due = nil
            }
            recovery.queue.add(.register(subject), rank(of: subject))
        }
    }

    private mutating func make(_ subject: RegistrationSubject) {
        guard registrations.bySubject[subject] == nil, let account = account(subject) else { return }
        registrations.bySubject[subject] = PBXRegistration(account: account, callID: CallID(value: token(12)), fromTag: newTag())
    }

    /// Its turn has come, unless a login was quicker.
    mutating func registerAfresh(_ subject: RegistrationSubject) {
        guard let registration = registrations.bySubject[subject], registration.isStale else { return }
        guard isSeated(subject) || !registration.waiting.isEmpty else { return release(subject) }
        sendRegister(subject)
    }

    mutating func registrationsLost() {
        for subject in registrations.bySubject.keys {
            registrations.change(subject) { $0.state = .waiting }
        }
        if trunk.isUp { refreshAllRegistrations() }
    }

    private mutating func schedule(_ subject: RegistrationSubject, after delay: Duration) {
        if subject == .site { make(.site) }
        let due = now + delay
        registrations.change(subject) { $0.due = due }
        timers.schedule(.registration(subject), at: due)
    }

    mutating func registrationDue(_ subject: RegistrationSubject) {
        guard let registration = registrations.bySubject[subject], let due = registration.due, due <= now else { return }
        registrations.change(subject) { $0.due = nil }
        guard isSeated(subject) || !registration.waiting.isEmpty else { return release(subject) }
        sendRegister(subject)
    }

    // MARK: REGISTER

    private mutating func sendRegister(_ subject: RegistrationSubject, answering challenge: DigestChallenge? = nil, isProxy: Bool = false) {
        guard let flow = trunk.up.first?.flow else { return tellWaiting(subject, .unreachable) }
        guard var registration = registrations.bySubject[subject] else { return }
        registration.sequence &+= 1
        if let challenge {
            registration.challenge = challenge
            registration.nonceCount = 0
            registration.answered += 1
        } else {
            registration.answered = 0
        }
        registration.flow = flow
        registration.isStale = false
        let address = NameAddress(uri: .sip(SIPURI(user: registration.account.user, host: pbxHost)))
        let uri = URI.sip(SIPURI(host: pbxHost))
        var request = SIPRequest(
            method: .register, uri: uri,
            headers: Headers(
                via: [via(on: flow)], from: address.with(tag: registration.fromTag), to: address, callID: registration.callID,
                cseq: CSeq(number: registration.sequence, method: .register)))
        request.headers.maxForwards = 70
        request.headers.contact = .list([contact(user: registration.account.user, on: flow)])
        request.headers[.expires] = registration.isEnding ? "0" : String(configuration.pbx.registrationExpires)
        request.headers[.userAgent] = "edgeproxy"
        if let challenge = registration.challenge {
            registration.nonceCount += 1
            let credentials = DigestCredentials.answering(
                challenge, method: .register, uri: uri.description, username: registration.account.authUser,
                password: registration.account.secret.exposed, cnonce: token(8), nonceCount: registration.nonceCount)
            request.headers.add(isProxy ? .proxyAuthorization : .authorization, credentials.headerValue)
        }
        registrations.bySubject[subject] = registration
        approved(.register, to: "", as: registration.account.user, request.headers)
        registrations.sent(transactions.send(request, on: flow, now: now, into: &pending), subject)
    }

    mutating func registrationAnswered(_ subject: RegistrationSubject, _ client: ClientTransactionID, _ response: SIPResponse) {
        guard response.status >= 200 else { return }
        registrations.done(client)
        notePath(response)
        guard let registration = registrations.bySubject[subject] else { return }
        switch response.status {
        case 200..<300: registered(subject, response)
        case 401, 407:
            guard registration.answered < 2, let challenge = response.challenge,
                registration.answered == 0 || challenge.stale
            else { return registrationRefused(subject, 403) }
            sendRegister(subject, answering: challenge, isProxy: response.status == 407)
        case 423:
            let minimum = response.headers[.minExpires].flatMap(UInt32.init) ?? 3600
            guard minimum > configuration.pbx.registrationExpires, minimum <= 86_400 else {
                return registrationRefused(subject, 423)
            }
            configuration.pbx.registrationExpires = minimum
            sendRegister(subject)
        case 400, 403, 404, 410, 604: registrationRefused(subject, response.status)
        default: registrationFailed(subject, client)
        }
    }

    private mutating func registered(_ subject: RegistrationSubject, _ response: SIPResponse) {
        guard let registration = registrations.bySubject[subject] else { return }
        if registration.isEnding {
            registrations.bySubject[subject] = nil
            return
        }
        let granted = grantedSeconds(response, registration)
        registrations.change(subject) {
            $0.state = .registered(until: now + .seconds(Int64(granted)))
            $0.failures = 0
        }
        schedule(subject, after: .seconds(Int64(max(granted / 2, min(granted, 20)))))
        tellWaiting(subject, .accepted)
    }

    /// What the PBX granted for our Contact (RFC 3261 §10.2.4).
    private func grantedSeconds(_ response: SIPResponse, _ registration: PBXRegistration) -> UInt32 {
        var granted = response.headers.expires ?? configuration.pbx.registrationExpires
        if case .list(let contacts)? = response.headers.contact, let flow = registration.flow {
            let own = contacts.first { contact in
                guard case .sip(let uri) = contact.uri else { return false }
                return uri.host == Host(flow.local.address) && uri.port == flow.local.port
            }
            if let value = own?.parameters.first(where: { $0.name == "expires" })?.value.flatMap(UInt32.init) { granted = value }
        }
        return min(max(granted, 10), 86_400)
    }

    private mutating func registrationRefused(_ subject: RegistrationSubject, _ status: Int) {
        guard let registration = registrations.bySubject[subject] else { return }
        if registration.isEnding {
            registrations.bySubject[subject] = nil
            return
        }
        let user = registration.account.user
        audit(.registrationRefused, extension: user, request: "REGISTER \(user)", detail: "the PBX answered \(status)")
        registrations.change(subject) {
            $0.state = .refused(status)
            $0.challenge = nil
        }
        let isLogin = !registration.waiting.isEmpty
        tellWaiting(subject, .refused(status))
        if isSeated(subject) {
            schedule(subject, after: .seconds(60))
        } else if isLogin {
            registrations.bySubject[subject] = nil
        }
    }

    /// Whether somebody is to be reached by it: a person who is logged in, or who called for help and may be called back.
    private func isSeated(_ subject: RegistrationSubject) -> Bool {
        switch subject {
        case .site: return true
        case .person(let number):
            return sessions.session(of: number) != nil || emergencyPins.values.contains { $0.identity == number.text && $0.until > now }
        }
    }

    mutating func registrationFailed(_ subject: RegistrationSubject, _ client: ClientTransactionID) {
        registrations.done(client)
        guard let registration = registrations.bySubject[subject] else { return }
        if registration.isEnding {
            registrations.bySubject[subject] = nil
            return
        }
        registrations.change(subject) {
            $0.state = .waiting
            $0.failures += 1
        }
        // RFC 5626 §4.5: doubling, bounded, and half of it random.
        let base = min(Int64(1) << Int64(min(registration.failures + 2, 8)), 240) * 1000
        let jitter = Int64(randomNumber() % UInt64(max(1, base / 2)))
        schedule(subject, after: .milliseconds(base / 2 + jitter))
        tellWaiting(subject, .unreachable)
    }

    private mutating func tellWaiting(_ subject: RegistrationSubject, _ outcome: LoginDialogue.RegistrationOutcome) {
        guard let waiting = registrations.bySubject[subject]?.waiting, !waiting.isEmpty else { return }
        registrations.change(subject) { $0.waiting = [] }
        for login in waiting { loginRegistered(login, outcome) }
    }
}
