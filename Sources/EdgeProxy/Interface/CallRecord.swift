public import CoreTypes
public import Media
public import SIPMessage

/// A call that is over: one of a phone at the branch with somebody beyond the PBX. Calls that end at the edge itself,
/// such as the login, have none.
public struct CallRecord: Equatable, Sendable {
    public enum Direction: String, Sendable, CaseIterable, Codable { case outbound, inbound }

    /// Who at the branch: a device or plain phone, or "" where nobody is known.
    public var party: String
    /// The extension it was made as, or "".
    public var `extension`: String
    public var direction: Direction
    public var isEmergency: Bool
    public var from: URI
    public var to: URI
    public var began: Instant
    /// Nil: it was never answered.
    public var answered: Instant?
    public var ended: Instant
    public var reason: CallEnd
    /// Of the phone's leg and of the PBX's; empty where there was no media.
    public var quality: [LegQuality]

    public init(
        party: String, extension: String, direction: Direction, isEmergency: Bool = false, from: URI, to: URI, began: Instant,
        answered: Instant?, ended: Instant, reason: CallEnd, quality: [LegQuality] = []
    ) {
        self.party = party
        self.extension = `extension`
        self.direction = direction
        self.isEmergency = isEmergency
        self.from = from
        self.to = to
        self.began = began
        self.answered = answered
        self.ended = ended
        self.reason = reason
        self.quality = quality
    }

    /// How long people could speak.
    public var talked: Duration { answered.map { ended - $0 } ?? .zero }
}

/// Why a call is over.
public enum CallEnd: Hashable, Sendable, CustomStringConvertible {
    /// BYE of the phone.
    case hungUpHere
    /// BYE of the other end.
    case hungUpThere
    /// The caller gave up before there was an answer.
    case cancelled
    /// The final status of its INVITE.
    case refused(Int)
    /// It rang for longer than a call may (RFC 3261 §16.6 timer C).
    case unanswered
    /// No media on either leg for as long as the site allows.
    case silence
    /// An end does not know the call any more, or cannot be reached.
    case lost
    /// Nobody ended it within a day.
    case expired

    public var description: String {
        switch self {
        case .hungUpHere: return "hung up here"
        case .hungUpThere: return "hung up there"
        case .cancelled: return "cancelled"
        case .refused(let status): return "refused with \(status)"
        case .unanswered: return "not answered"
        case .silence: return "no media"
        case .lost: return "lost"
        case .expired: return "expired"
        }
    }
}
