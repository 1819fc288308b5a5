import CoreTypes
import HotDeskPolicy
import Media
import SIPMessage
import SIPTransaction

/// A login whose session is on its way to the disk.
struct PendingLogin: Sendable {
    var call: LocalCallKey
    var `extension`: ExtensionNumber
    var device: DeviceName
}

/// The login dialogue, wired to the call it is spoken in, and the sessions that come of it.
extension EdgeProxy {
    /// Gives the dialogue an event and performs what it asks for.
    mutating func tell(_ key: LocalCallKey, _ event: LoginDialogue.Event) {
        guard let call = localCalls[key], var dialogue = call.kind.dialogue else { return }
        let people = extensions
        let seats = sessions
        let actions = dialogue.handle(
            event, now: now, attempts: &attempts, lookup: { people[$0] }, displaced: { seats.displaced(by: $0, on: call.device) })
        localCalls.change(key) { $0.kind.dialogue = dialogue }
        for action in actions { perform(action, key, call.device) }
        if let due = dialogue.nextDeadline { timers.schedule(.localCall(key), at: due) }
    }

    private mutating func perform(_ action: LoginDialogue.Action, _ key: LocalCallKey, _ device: DeviceName) {
        switch action {
        case .play(let phrases, let bargeIn, let token): play(key, phrases, bargeIn: bargeIn, token: token)
        case .sensitive(let isSensitive):
            if let call = localCalls[key] { out.append(.media(.sensitive(call.media, isSensitive))) }
        case .verify(let number, let pin): verify(number, pin, key)
        case .register(let number):
            timers.schedule(.loginRegistration(key), at: now + .seconds(4))
            keepRegistered(.person(number), for: key)
        case .commit(let number): commit(number, on: device, key)
        case .audit(let kind, let number, let detail):
            let isCall = if case .gate = localCalls[key]?.kind { true } else { false }
            audit(kind, device: device.text, extension: number?.text ?? "", request: isCall ? "call outside" : "login", detail: detail)
        case .proceed: proceed(key)
        case .attemptsChanged: out.append(.store(.attempts(attempts.snapshot), nil))
        case .hangUp: hangUpLocalCall(key)
        }
    }

    // MARK: PIN

    private mutating func verify(_ number: ExtensionNumber, _ pin: Personal<String>, _ key: LocalCallKey) {
        let check = PINCheckID(rawValue: identifier())
        pinChecks[check] = key
        out.append(.verifyPIN(check, pin, hash: extensions[number]?.pinHash))
    }

    mutating func pinVerified(_ check: PINCheckID, _ matches: Bool) {
        guard let key = pinChecks.removeValue(forKey: check) else { return }
        tell(key, .pinVerified(matches))
    }

    mutating func unlock(_ device: DeviceName) {
        attempts.clear(device: device)
        out.append(.store(.attempts(attempts.snapshot), nil))
        audit(.unlocked, device: device.text, request: "unlock", detail: "by an administrator")
    }

    mutating func unlock(_ number: ExtensionNumber) {
        attempts.clear(extension: number)
        out.append(.store(.attempts(attempts.snapshot), nil))
        audit(.unlocked, extension: number.text, request: "unlock", detail: "by an administrator")
    }

    // MARK: Registration at the PBX

    mutating func loginRegistered(_ key: LocalCallKey, _ outcome: LoginDialogue.RegistrationOutcome) {
        tell(key, .registered(outcome))
    }

    /// The PBX has not answered in time: the login goes through, and registering goes on behind it.
    mutating func loginRegistrationTimedOut(_ key: LocalCallKey) {
        for subject in registrations.bySubject.keys {
            guard registrations.bySubject[subject]?.waiting.contains(key) == true else { continue }
            registrations.change(subject) { $0.waiting.removeAll { $0 == key } }
            tell(key, .registered(.unreachable))
        }
    }

    // MARK: Sessions

    /// Puts the session on disk; it begins when it is there.
    private mutating func commit(_ number: ExtensionNumber, on device: DeviceName, _ key: LocalCallKey) {
        var after = sessions
        guard let changes = try? after.begin(number, on: device, now: now, rule: configuration.policy.secondLogin) else {
            return tell(key, .occupied)
        }
        let token = StoreToken(rawValue: identifier())
        pendingLogins[token] = PendingLogin(call: key, extension: number, device: device)
        let began = changes.compactMap { if case .began(let session) = $0 { session } else { nil } }
        // Only the new session carries the token: the store takes the person from wherever else they sat with it.
        for session in began { out.append(.store(.session(session), token)) }
        if began.isEmpty { stored(token, true) }
    }

    /// The session is on disk, so it holds, even where the caller has not waited for the word.
    mutating func stored(_ token: StoreToken, _ isStored: Bool) {
        guard let login = pendingLogins.removeValue(forKey: token) else { return }
        guard isStored else { return tell(login.call, .stored(false)) }
        do throws(SessionConflict) {
            try begin(login.extension, on: login.device)
            pinProofs[login.device] = now
            tell(login.call, .stored(true))
        } catch {
            // The person has logged in at another desk while this was written: the disk is put right again.
            out.append(.store(.session(error.session), nil))
            if let before = sessions.session(on: login.device) { out.append(.store(.session(before), nil)) }
            tell(login.call, .occupied)
        }
    }

    private mutating func begin(_ number: ExtensionNumber, on device: DeviceName) throws(SessionConflict) {
        let changes = try sessions.begin(number, on: device, now: now, rule: configuration.policy.secondLogin)
        for change in changes {
            switch change {
            case .began(let session):
                bindings.lastUse[device] = now
                out.append(.store(.session(session), nil))
                audit(.loginSucceeded, device: device.text, extension: number.text, request: "login", detail: "")
                keepRegistered(.person(number))
            case .ended(let session, let reason): sessionEnded(session, reason)
            }
        }
        phoneChanged(device)
    }

    /// Ends the session of a device, by code, by an administrator or by the clock.
    mutating func endSession(on device: DeviceName, reason: EndReason) {
        guard case .ended(let session, let reason)? = sessions.end(on: device, reason: reason) else { return }
        sessionEnded(session, reason)
    }

    private mutating func sessionEnded(_ session: Session, _ reason: EndReason) {
        pinProofs[session.device] = nil
        if sessions.session(on: session.device) == nil { out.append(.store(.sessionEnded(session.device), nil)) }
        audit(
            .loggedOut, device: session.device.text, extension: session.extension.text, request: "logout", detail: "\(reason)")
        release(.person(session.extension))
        // What the person watched is theirs, not the desk's: a refresh finds no dialog any more.
        endSubscriptions(of: session.device)
        phoneChanged(session.device)
    }
}

extension LocalCall.Kind {
    /// The dialogue of a login, or of a PIN that is asked for a call.
    fileprivate var dialogue: LoginDialogue? {
        get {
            switch self {
            case .login(let dialogue), .gate(let dialogue, _): return dialogue
            case .announcement, .hint: return nil
            }
        }
        set {
            guard let newValue else { return }
            switch self {
            case .login: self = .login(newValue)
            case .gate(_, let call): self = .gate(newValue, call)
            case .announcement, .hint: break
            }
        }
    }
}

extension SessionDirectory {
    /// Whose session would end if a person logged in at a device: somebody's who sits there, or the person's own elsewhere.
    fileprivate func displaced(by number: ExtensionNumber, on device: DeviceName) -> ExtensionNumber? {
        if let there = session(on: device), there.extension != number { return there.extension }
        return session(of: number).map { $0.device != device } == true ? number : nil
    }
}
