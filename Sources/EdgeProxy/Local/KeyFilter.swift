import CoreTypes

/// Counts each key once, however many forms a phone sends it in.
///
/// A phone keeps to its forms, so the best one it has used in a call is the one that counts: keys in a lesser form are
/// then the same presses again. Where a lesser form comes first, the better one that follows within two seconds, key by
/// key, is the same press, too.
struct KeyFilter: Sendable, Equatable {
    /// From the least to the best: tones may be speech, INFO is said once by the phone itself, events are repeated.
    enum Form: Int, Sendable, Comparable {
        case tone, info, event

        static func < (left: Form, right: Form) -> Bool { left.rawValue < right.rawValue }
    }

    private struct Counted: Sendable, Equatable {
        var key: UInt8
        var at: Instant
    }

    /// How far the forms of one press may be apart.
    private static let window = Duration.seconds(2)

    private var best: Form?
    /// Keys that were counted in a lesser form than the best there may be, oldest first.
    private var unmatched: [Counted] = []

    /// Whether the key is a press that was not counted yet.
    mutating func counts(_ key: UInt8, as form: Form, at now: Instant) -> Bool {
        guard let best else {
            self.best = form
            return remember(key, now)
        }
        if form < best { return false }
        unmatched.removeAll { now - $0.at > Self.window }
        if form > best || form == followed {
            followed = form
            self.best = form
            if let index = unmatched.firstIndex(where: { $0.key == key }) {
                // Whatever was counted before it has no second form.
                unmatched.removeFirst(index + 1)
                return false
            }
            return true
        }
        return remember(key, now)
    }

    /// The form that has overtaken another.
    private var followed: Form?

    private mutating func remember(_ key: UInt8, _ now: Instant) -> Bool {
        unmatched.removeAll { now - $0.at > Self.window }
        unmatched.append(Counted(key: key, at: now))
        return true
    }
}
