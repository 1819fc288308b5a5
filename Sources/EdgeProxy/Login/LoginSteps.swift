import CoreTypes
import HotDeskPolicy
import Media

/// The steps of the dialogue: extension, PIN, PBX, disk.
extension LoginDialogue {
    // MARK: Typing

    mutating func askExtension(after phrases: [Phrase]) -> [Action] {
        let (action, token) = play(phrases + [.enterExtension], bargeIn: true)
        state = .extensionEntry(Entry(maximum: ExtensionNumber.maximumLength, prompt: token))
        return [action]
    }

    mutating func askPIN(_ number: ExtensionNumber, after phrases: [Phrase]) -> [Action] {
        let (action, token) = play(phrases + [.enterPIN], bargeIn: true)
        state = .pinEntry(PINEntry(number: number, entry: Entry(maximum: rules.pin.maxLength, prompt: token)))
        defer { isSensitive = true }
        return (isSensitive ? [] : [.sensitive(true)]) + [action]
    }

    /// A digit counts from the first moment of a prompt on: it cuts the prompt short and is input.
    mutating func pressed(_ digit: UInt8, _ now: Instant, _ attempts: inout PINAttempts) -> [Action] {
        switch state {
        case .extensionEntry(var entry):
            let isComplete = entry.press(digit, now, patience)
            state = .extensionEntry(entry)
            return isComplete ? extensionTyped(entry) : []
        case .pinEntry(var pin):
            let isComplete = pin.entry.press(digit, now, patience)
            state = .pinEntry(pin)
            return isComplete ? pinTyped(pin, now, &attempts) : []
        case .confirming(let confirming):
            guard digit == UInt8(ascii: "1") else { return notConfirmed(confirming, now) }
            state = .registering(RightPIN(confirming))
            return [.register(confirming.number)]
        case .unanswered, .verifying, .registering, .committing, .closing, .ended: return []
        }
    }

    mutating func extensionTyped(_ entry: Entry) -> [Action] {
        guard let number = ExtensionNumber(entry.text.exposed) else { return askExtension(after: []) }
        return askPIN(number, after: [])
    }

    /// Counts the try, stores that, and only then has the PIN verified.
    mutating func pinTyped(_ pin: PINEntry, _ now: Instant, _ attempts: inout PINAttempts) -> [Action] {
        let closed = attempts.closed(extension: pin.number, device: device, now: now)
        _ = attempts.reserve(extension: pin.number, device: device, now: now)
        state = .verifying(Verifying(pin, closed: closed))
        return (closed.contains(.device) ? [] : [.attemptsChanged]) + [.verify(pin.number, pin.entry.text)]
    }

    // MARK: PIN

    mutating func verified(
        _ matches: Bool, _ now: Instant, _ attempts: inout PINAttempts, _ lookup: (ExtensionNumber) -> Extension?,
        _ displaced: (ExtensionNumber) -> ExtensionNumber?
    ) -> [Action] {
        guard case .verifying(let verifying) = state else { return [] }
        let number = verifying.number
        if verifying.closed.contains(.device) {
            return [.audit(.lockedOut, number, "the device is locked")] + close([.lockedOut, .goodbye], now)
        }
        if let reason = failure(verifying, matches, lookup(number)) {
            return fail(verifying, reason, now, &attempts) + again(number, now)
        }
        attempts.succeeded(extension: number, device: device)
        if purpose == .call {
            state = .ended
            return [.attemptsChanged, .proceed]
        }
        if rules.confirmsTakeover, let other = displaced(number) {
            let (action, token) = play([.confirmTakeover(other.text)], bargeIn: true)
            state = .confirming(Confirming(verifying, prompt: token))
            return [.attemptsChanged, action]
        }
        state = .registering(RightPIN(verifying))
        return [.attemptsChanged, .register(number)]
    }

    mutating func notConfirmed(_ confirming: Confirming, _ now: Instant) -> [Action] {
        [.audit(.loginFailed, confirming.number, "did not confirm that somebody's session ends")] + close([.goodbye], now)
    }

    /// Why a try has failed, for the audit; nil where it has not.
    private func failure(_ verifying: Verifying, _ matches: Bool, _ person: Extension?) -> String? {
        guard !verifying.closed.contains(.extension) else { return "the extension is locked" }
        guard let person else { return "unknown extension" }
        guard person.mayHotDesk else { return "the extension may not use hot desks" }
        return matches ? nil : "wrong PIN"
    }

    /// Settles a try that has failed. A lock that it brings about has an entry of its own.
    private func fail(_ verifying: Verifying, _ reason: String, _ now: Instant, _ attempts: inout PINAttempts) -> [Action] {
        let number = verifying.number
        let before = attempts.locked(extension: number, device: device, now: now)
        attempts.failed(extension: number, device: device, now: now, reserved: true)
        let after = attempts.locked(extension: number, device: device, now: now)
        let kind: AuditEntry.Kind = verifying.closed.isEmpty ? .loginFailed : .lockedOut
        let locks = PINScope.allCases.filter { after.contains($0) && !before.contains($0) }
        return [.attemptsChanged, .audit(kind, number, reason)]
            + locks.map { .audit(.lockedOut, number, "too many wrong PINs: the \($0.rawValue) is locked") }
    }

    /// A try whose outcome nobody waits for any more is one that has failed.
    func abandon(_ verifying: Verifying, _ now: Instant, _ attempts: inout PINAttempts, _ reason: String) -> [Action] {
        guard !verifying.closed.contains(.device) else { return [.audit(.lockedOut, verifying.number, "the device is locked")] }
        return fail(verifying, reason, now, &attempts)
    }

    /// Asks once more. An extension that was typed may be what was wrong, so it is asked for again.
    private mutating func again(_ number: ExtensionNumber, _ now: Instant) -> [Action] {
        triesLeft -= 1
        guard triesLeft > 0 else { return close([.incorrect, .goodbye], now) }
        return asked == nil ? askExtension(after: [.incorrect]) : askPIN(number, after: [.incorrect])
    }

    // MARK: Session

    /// A PBX that cannot be reached keeps nobody from sitting down; one that says no does.
    mutating func registered(_ outcome: RegistrationOutcome, _ now: Instant) -> [Action] {
        guard case .registering(let right) = state else { return [] }
        switch outcome {
        case .accepted:
            state = .committing(right)
            return [.commit(right.number)]
        case .unreachable:
            state = .committing(right)
            return [.audit(.degraded, right.number, "logged in without the PBX, which cannot be reached"), .commit(right.number)]
        case .refused(let status):
            return [.audit(.registrationRefused, right.number, "the PBX answered \(status)")] + close([.refusedByPBX, .goodbye], now)
        }
    }

    mutating func stored(_ isStored: Bool, _ now: Instant) -> [Action] {
        guard case .committing(let right) = state else { return [] }
        guard isStored else {
            return [.audit(.degraded, right.number, "the session could not be stored")] + close([.tryAgain, .goodbye], now)
        }
        return close([.loggedIn, .digits(right.number.text)], now)
    }

    /// The caller has shown the right PIN, so "incorrect" would send them to look for another one, and trying again
    /// would not help: they hear that the extension is not available.
    mutating func occupied(_ now: Instant) -> [Action] {
        guard case .committing(let right) = state else { return [] }
        return [.audit(.loginFailed, right.number, "logged in at another device, and the site does not move sessions")]
            + close([.refusedByPBX, .goodbye], now)
    }
}
