import Synchronization

/// What does not work at the moment, one sentence each, by the part it is about. Any thread may tell.
final class DegradedState: Sendable {
    enum Part: Hashable, Sendable, Comparable {
        case store, unreadStore, trunk(Int), capture, reload, certificate, siteCertificate
    }

    private let reasons = Mutex<[Part: String]>([:])

    /// Nil: the part works again. True where something changed.
    @discardableResult
    func set(_ part: Part, _ reason: String?) -> Bool {
        reasons.withLock { held in
            guard held[part] != reason else { return false }
            held[part] = reason
            return true
        }
    }

    var sentences: [String] {
        reasons.withLock { held in held.sorted { $0.key < $1.key }.map(\.value) }
    }
}
