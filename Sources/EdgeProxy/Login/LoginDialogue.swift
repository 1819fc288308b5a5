import CoreTypes
import HotDeskPolicy
import Media

/// The voice dialogue of a login: events of one call in, what to say and do out.
///
/// What the caller hears is the same for a wrong PIN, an unknown extension, one without permission and one that is
/// locked; the audit tells them apart. The PIN is verified in each of these cases, so that they take the same
/// time. A try is counted before it is verified, and a call that ends meanwhile has used it up.
struct LoginDialogue: Sendable {
    enum Event: Equatable {
        /// The ACK has come: the caller hears us.
        case answered
        /// ASCII 0-9, *, #, A-D.
        case digit(UInt8)
        case played(token: UInt32)
        case pinVerified(Bool)
        case registered(RegistrationOutcome)
        /// Whether the session is on disk.
        case stored(Bool)
        /// The person sits elsewhere and the site lets nobody sit twice: the answer to `commit` in place of `stored`.
        case occupied
        case hungUp
        case tick
    }

    enum RegistrationOutcome: Equatable, Sendable { case accepted, refused(Int), unreachable }

    enum Action: Equatable {
        case play([Phrase], bargeIn: Bool, token: UInt32)
        /// From the first PIN prompt to the end of the call: who is slow at typing a PIN ends it in the next prompt.
        case sensitive(Bool)
        /// Every PIN is verified; where nobody has the number, against a hash of the shell's own.
        case verify(ExtensionNumber, Personal<String>)
        /// Register the extension at the PBX; `registered` follows.
        case register(ExtensionNumber)
        /// Put the session on disk; `stored` or `occupied` follows.
        case commit(ExtensionNumber)
        /// A PIN that was asked for a call, and was right: the call goes on.
        case proceed
        /// Failures only: whoever begins the session enters that into the audit.
        case audit(AuditEntry.Kind, ExtensionNumber?, String)
        /// The counters have changed and must be stored now.
        case attemptsChanged
        case hangUp
    }

    /// What the PIN is given for.
    enum Purpose: Sendable { case login, call }

    /// Limits of our own on how long a caller may take.
    struct Patience: Sendable, Equatable {
        /// From the end of a prompt to the first digit.
        var firstDigit: Duration = .seconds(10)
        /// From a digit to the next.
        var nextDigit: Duration = .seconds(5)
        /// For the last announcement, should its end not be reported.
        var farewell: Duration = .seconds(15)
        /// From the answer to the last announcement.
        var dialogue: Duration = .seconds(120)
    }

    let device: DeviceName
    /// The extension in the dial code, or nil: it is asked for.
    let asked: ExtensionNumber?
    let purpose: Purpose
    let rules: PolicyRules
    let patience: Patience
    var state: State = .unanswered
    var triesLeft: Int
    /// When the dialogue is over, whatever it is at.
    var limit: Instant?
    var isSensitive = false
    private var lastToken: UInt32 = 0

    init(device: DeviceName, asked: ExtensionNumber?, rules: PolicyRules) {
        self.init(device: device, asked: asked, rules: rules, patience: Patience())
    }

    /// Asks the person who sits at a device for the PIN once more.
    init(device: DeviceName, proving number: ExtensionNumber, rules: PolicyRules) {
        self.init(device: device, asked: number, rules: rules, patience: Patience(), purpose: .call)
    }

    init(device: DeviceName, asked: ExtensionNumber?, rules: PolicyRules, patience: Patience, purpose: Purpose = .login) {
        self.device = device
        self.asked = asked
        self.purpose = purpose
        self.rules = rules
        self.patience = patience
        triesLeft = max(1, rules.pin.triesPerCall)
    }

    /// Whether the dialogue has ended and does nothing more.
    var isOver: Bool { if case .ended = state { true } else { false } }

    /// When `tick` is wanted next.
    var nextDeadline: Instant? {
        switch state {
        case .unanswered, .ended: return nil
        case .extensionEntry(let entry): return earliest(entry.deadline, limit)
        case .pinEntry(let pin): return earliest(pin.entry.deadline, limit)
        case .confirming(let confirming): return earliest(confirming.deadline, limit)
        case .verifying, .registering, .committing: return limit
        case .closing(let closing): return closing.deadline
        }
    }

    /// Takes one event. What does not fit the state the dialogue is in is ignored.
    ///
    /// - Parameters:
    ///   - attempts: the site's counters; changed here and stored on `attemptsChanged`.
    ///   - lookup: the person who has a number now.
    ///   - displaced: the extension whose session would end if this one logged in here now.
    mutating func handle(
        _ event: Event, now: Instant, attempts: inout PINAttempts, lookup: (ExtensionNumber) -> Extension?,
        displaced: (ExtensionNumber) -> ExtensionNumber? = { _ in nil }
    ) -> [Action] {
        switch event {
        case .answered: return answered(now)
        case .digit(let digit): return pressed(digit, now, &attempts)
        case .played(let token): return played(token, now)
        case .pinVerified(let matches): return verified(matches, now, &attempts, lookup, displaced)
        case .registered(let outcome): return registered(outcome, now)
        case .stored(let isStored): return stored(isStored, now)
        case .occupied: return occupied(now)
        case .hungUp: return hungUp(now, &attempts)
        case .tick: return tick(now, &attempts)
        }
    }

    // MARK: Speaking

    mutating func play(_ phrases: [Phrase], bargeIn: Bool) -> (Action, UInt32) {
        lastToken &+= 1
        return (.play(phrases, bargeIn: bargeIn, token: lastToken), lastToken)
    }

    /// Says the last words and hangs up behind them.
    mutating func close(_ phrases: [Phrase], _ now: Instant) -> [Action] {
        let (action, token) = play(phrases, bargeIn: false)
        state = .closing(Closing(token: token, deadline: now + patience.farewell))
        return [action]
    }

    mutating func end() -> [Action] {
        state = .ended
        defer { isSensitive = false }
        return (isSensitive ? [.sensitive(false)] : []) + [.hangUp]
    }

    // MARK: The call

    private mutating func answered(_ now: Instant) -> [Action] {
        guard case .unanswered = state else { return [] }
        limit = now + patience.dialogue
        return asked.map { askPIN($0, after: []) } ?? askExtension(after: [])
    }

    private mutating func played(_ token: UInt32, _ now: Instant) -> [Action] {
        switch state {
        case .extensionEntry(var entry):
            entry.played(token, now, patience)
            state = .extensionEntry(entry)
            return []
        case .pinEntry(var pin):
            pin.entry.played(token, now, patience)
            state = .pinEntry(pin)
            return []
        case .confirming(var confirming):
            confirming.played(token, now, patience)
            state = .confirming(confirming)
            return []
        case .closing(let closing): return closing.token == token ? end() : []
        case .unanswered, .verifying, .registering, .committing, .ended: return []
        }
    }

    private mutating func hungUp(_ now: Instant, _ attempts: inout PINAttempts) -> [Action] {
        defer { state = .ended }
        switch state {
        case .verifying(let verifying): return abandon(verifying, now, &attempts, "hung up before the PIN was verified")
        case .registering(let right):
            return [.audit(.loginFailed, right.number, "hung up before the PBX had answered")]
        case .unanswered, .extensionEntry, .pinEntry, .confirming, .committing, .closing, .ended: return []
        }
    }

    private mutating func tick(_ now: Instant, _ attempts: inout PINAttempts) -> [Action] {
        guard let due = nextDeadline, due <= now else { return [] }
        if case .closing = state { return end() }
        if let limit, limit <= now { return expired(now, &attempts) }
        switch state {
        case .extensionEntry(let entry): return entry.isEmpty ? close([.goodbye], now) : extensionTyped(entry)
        case .pinEntry(let pin): return pin.entry.isEmpty ? close([.goodbye], now) : pinTyped(pin, now, &attempts)
        case .confirming(let confirming): return notConfirmed(confirming, now)
        case .unanswered, .verifying, .registering, .committing, .closing, .ended: return []
        }
    }

    private mutating func expired(_ now: Instant, _ attempts: inout PINAttempts) -> [Action] {
        var actions: [Action] = []
        switch state {
        case .verifying(let verifying): actions = abandon(verifying, now, &attempts, "the PIN was not verified in time")
        case .registering(let right): actions = [.audit(.degraded, right.number, "the PBX did not answer the login in time")]
        case .committing(let right): actions = [.audit(.degraded, right.number, "the session was not stored in time")]
        case .unanswered, .extensionEntry, .pinEntry, .confirming, .closing, .ended: break
        }
        return actions + close([.goodbye], now)
    }

    private func earliest(_ left: Instant?, _ right: Instant?) -> Instant? {
        guard let left, let right else { return left ?? right }
        return min(left, right)
    }
}
