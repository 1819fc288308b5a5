import CoreTypes
import HotDeskPolicy

extension LoginDialogue {
    enum State: Sendable {
        /// Before the ACK.
        case unanswered
        case extensionEntry(Entry)
        case pinEntry(PINEntry)
        case verifying(Verifying)
        /// The PIN was right, and somebody else's session would end.
        case confirming(Confirming)
        case registering(RightPIN)
        case committing(RightPIN)
        case closing(Closing)
        case ended
    }

    /// Digits that are being typed.
    struct Entry: Sendable {
        private var typed = Personal<[UInt8]>([])
        /// Digits that make the entry complete by themselves.
        private let maximum: Int
        /// The prompt that asks for them.
        private let prompt: UInt32
        /// Nil while the prompt is being spoken.
        private(set) var deadline: Instant?

        init(maximum: Int, prompt: UInt32) {
            self.maximum = max(1, maximum)
            self.prompt = prompt
        }

        var isEmpty: Bool { typed.exposed.isEmpty }

        /// ASCII digits only.
        var text: Personal<String> { Personal(String(decoding: typed.exposed, as: UTF8.self)) }

        /// The end of the prompt: from now on the caller is waited for. Not where a digit has cut it short.
        mutating func played(_ token: UInt32, _ now: Instant, _ patience: Patience) {
            guard token == prompt, deadline == nil else { return }
            deadline = now + patience.firstDigit
        }

        /// - Returns: whether the entry is complete. "#" completes what is not empty, "*" clears; A-D are nothing.
        mutating func press(_ digit: UInt8, _ now: Instant, _ patience: Patience) -> Bool {
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                typed = Personal(typed.exposed + [digit])
                deadline = now + patience.nextDigit
                return typed.exposed.count >= maximum
            case UInt8(ascii: "*"):
                typed = Personal([])
                deadline = now + patience.firstDigit
                return false
            case UInt8(ascii: "#"): return !isEmpty
            default: return false
            }
        }
    }

    struct PINEntry: Sendable {
        let number: ExtensionNumber
        var entry: Entry
    }

    /// A PIN is being verified.
    struct Verifying: Sendable {
        let number: ExtensionNumber
        /// What was locked when the PIN was typed: then it is wrong, however it turns out.
        let closed: Set<PINScope>

        init(_ pin: PINEntry, closed: Set<PINScope>) {
            number = pin.number
            self.closed = closed
        }
    }

    /// The PIN was right; the session is being made.
    struct RightPIN: Sendable {
        let number: ExtensionNumber
        init(_ verifying: Verifying) { number = verifying.number }
        init(_ confirming: Confirming) { number = confirming.number }
    }

    /// Waits for the key that says yes.
    struct Confirming: Sendable {
        let number: ExtensionNumber
        private let prompt: UInt32
        /// Nil while the prompt is being spoken.
        private(set) var deadline: Instant?

        init(_ verifying: Verifying, prompt: UInt32) {
            number = verifying.number
            self.prompt = prompt
        }

        mutating func played(_ token: UInt32, _ now: Instant, _ patience: Patience) {
            guard token == prompt, deadline == nil else { return }
            deadline = now + patience.firstDigit
        }
    }

    /// The last words are being said.
    struct Closing: Sendable {
        let token: UInt32
        let deadline: Instant
    }
}
