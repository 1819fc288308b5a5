import CoreTypes

/// Counts each key once, however many forms a phone sends it in.
///
/// The same key in another form within two seconds is the same press. Beyond that a phone keeps to its forms, so only the
/// best one it has used in a call makes new presses: a lesser form is then an echo, or speech that sounded like a key.
struct KeyFilter: Sendable, Equatable {
    /// From the least to the best: tones may be speech, INFO is said once by the phone itself, events are repeated.
    enum Form: Int, Sendable, Comparable {
        case tone, info, event

        static func < (left: Form, right: Form) -> Bool { left.rawValue < right.rawValue }
    }

    private struct Press: Sendable, Equatable {
        var key: UInt8
        var at: Instant
        var forms: Set<Form>
    }

    /// How far the forms of one press may be apart.
    private static let window = Duration.seconds(2)

    private var best: Form?
    /// Presses that were counted within the window, oldest first.
    private var presses: [Press] = []

    /// Whether the key is a press that was not counted yet.
    mutating func counts(_ key: UInt8, as form: Form, at now: Instant) -> Bool {
        presses.removeAll { now - $0.at > Self.window }
        defer { best = max(best ?? form, form) }
        if let index = presses.firstIndex(where: { $0.key == key && !$0.forms.contains(form) }) {
            presses[index].forms.insert(form)
            return false
        }
        if let best, form < best { return false }
        presses.append(Press(key: key, at: now, forms: [form]))
        return true
    }
}
