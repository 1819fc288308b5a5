import CoreTypes
import HotDeskPolicy
import Media
import Testing

@testable import EdgeProxy

/// A hot desk's people as the login tests know them: number, PIN, permission.
struct LoginPeople: Sendable {
    /// 100 and 101 may log in; 102 may not.
    static let pins: [String: (pin: String, mayHotDesk: Bool)] = ["100": ("4711", true), "101": ("2580", true), "102": ("8642", false)]

    static func lookup(_ number: ExtensionNumber) -> Extension? {
        pins[number.text].map { person in
            Extension(
                number: number, name: "Person \(number)", pinHash: "", authUser: number.text, secret: Personal("secret"),
                mayHotDesk: person.mayHotDesk)
        }
    }

    /// What the shell's verification answers.
    static func matches(_ number: ExtensionNumber, _ pin: Personal<String>) -> Bool { pins[number.text]?.pin == pin.exposed }
}

/// One caller in virtual time: types, waits, and performs what the dialogue asks of the shell.
struct LoginCaller {
    var dialogue: LoginDialogue
    var now: Instant
    /// Everything the dialogue asked for.
    var log: [LoginDialogue.Action] = []
    /// PINs whose verification has not been answered.
    var checks: [(ExtensionNumber, Personal<String>)] = []
    /// The prompt that is being spoken.
    var playing: UInt32?

    init(_ asked: String? = "100", desk: String = "HD0001", pin: PINRules = PINRules(), at now: Instant = Instant(nanoseconds: 0)) throws {
        let device = try #require(DeviceName(desk))
        let rules = PolicyRules(emergency: EmergencyRules(numbers: ["112"]), pin: pin)
        dialogue = LoginDialogue(device: device, asked: asked.flatMap { ExtensionNumber($0) }, rules: rules)
        self.now = now
    }

    @discardableResult
    mutating func handle(_ event: LoginDialogue.Event, _ attempts: inout PINAttempts) -> [LoginDialogue.Action] {
        let actions = dialogue.handle(event, now: now, attempts: &attempts, lookup: LoginPeople.lookup)
        for action in actions {
            switch action {
            case .play(_, _, let token): playing = token
            case .verify(let number, let pin): checks.append((number, pin))
            case .sensitive, .register, .commit, .proceed, .audit, .attemptsChanged, .hangUp: break
            }
        }
        log += actions
        return actions
    }

    @discardableResult
    mutating func type(_ keys: String, _ attempts: inout PINAttempts) -> [LoginDialogue.Action] {
        keys.utf8.flatMap { handle(.digit($0), &attempts) }
    }

    /// The prompt ends.
    @discardableResult
    mutating func listen(_ attempts: inout PINAttempts) -> [LoginDialogue.Action] {
        guard let token = playing else { return [] }
        playing = nil
        return handle(.played(token: token), &attempts)
    }

    /// The shell has verified what is waiting longest.
    @discardableResult
    mutating func verify(_ attempts: inout PINAttempts) -> [LoginDialogue.Action] {
        guard !checks.isEmpty else { return [] }
        let (number, pin) = checks.removeFirst()
        return handle(.pinVerified(LoginPeople.matches(number, pin)), &attempts)
    }

    /// Time passes; the dialogue is told where it wants to be.
    @discardableResult
    mutating func wait(_ duration: Duration, _ attempts: inout PINAttempts) -> [LoginDialogue.Action] {
        let end = now + duration
        var actions: [LoginDialogue.Action] = []
        while let due = dialogue.nextDeadline, due <= end {
            now = max(now, due)
            actions += handle(.tick, &attempts)
        }
        now = end
        return actions
    }

    /// Everything that was said, in order.
    var spoken: [[Phrase]] {
        log.compactMap { if case .play(let phrases, _, _) = $0 { phrases } else { nil } }
    }

    var audits: [String] {
        log.compactMap { if case .audit(let kind, let number, let detail) = $0 { "\(kind) \(number?.text ?? "-"): \(detail)" } else { nil } }
    }
}

func freshAttempts(_ rules: PINRules = PINRules()) -> PINAttempts { PINAttempts(rules: rules) }
