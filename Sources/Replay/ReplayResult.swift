public import CoreTypes
public import EdgeProxy
public import SIPMessage

/// What became of a request of the capture.
public enum ReplayVerdict: Equatable, Sendable {
    /// Carried on the emergency routes to this number.
    case emergency(String)
    /// The login dialogue begins, for this extension; nil: it asks for one.
    case login(String?)
    case logout
    /// To the PBX, under this user.
    case forward(String)
    /// To the other end of its dialog.
    case forwardInside
    /// From the PBX to this device or plain phone.
    case deliver(String)
    /// Refused with this status for this reason.
    case refuse(Int, String)
    /// 401 or 407: the phone has to prove who it is first.
    case challenge(Int)
    /// Answered by the edge itself.
    case answered(Int)
    /// An ACK or CANCEL that its transaction has used up.
    case absorbed
    /// A request that came before: a retransmission.
    case repeated
    /// No answer, no effect.
    case dropped(String)
    /// It never came to the edge.
    case elsewhere

    public var text: String {
        switch self {
        case .emergency(let number): return "emergency \(number)"
        case .login(let number): return number.map { "login \($0)" } ?? "login"
        case .logout: return "logout"
        case .forward(let user): return "forward as \(user)"
        case .forwardInside: return "forward in dialog"
        case .deliver(let party): return "to \(party)"
        case .refuse(let status, let reason): return "refuse \(status) \(reason)"
        case .challenge(let status): return "challenge \(status)"
        case .answered(let status): return "answered \(status)"
        case .absorbed: return "taken"
        case .repeated: return "repeated"
        case .dropped: return "dropped"
        case .elsewhere: return "not at the edge"
        }
    }
}

/// One request of the capture and the verdict on it.
public struct ReplayedRequest: Equatable, Sendable {
    public enum Origin: Sendable { case phone, pbx, elsewhere }

    /// Place of its packet among those that hold a payload, from 1.
    public var number: Int
    /// The capture's own time.
    public var at: Instant
    public var from: Endpoint
    public var to: Endpoint
    public var origin: Origin
    /// "" where the request cannot be read.
    public var method: String
    /// The user part of the Request-URI with its escapes decoded, or a telephone number, or the whole URI.
    public var target: String
    /// The device or plain phone it claims to come from; for a request of the PBX, the caller.
    public var party: String
    /// It has a To tag.
    public var isInDialog: Bool
    public var verdict: ReplayVerdict
    /// Why, in words.
    public var reason: String
    /// Final status the edge has sent in the replay; nil: none.
    public var answer: Int?
    /// Final status that the capture shows; nil: none.
    public var capturedAnswer: Int?

    public var verdictText: String { verdict.text }
}

/// A request between the edge and the PBX, or a gateway, in the replay.
public struct TrunkRequest: Equatable, Sendable {
    public enum Direction: Sendable { case toPBX, fromPBX }

    public var at: Instant
    public var direction: Direction
    public var request: SIPRequest
}

/// What a capture comes to.
public struct ReplayResult: Equatable, Sendable {
    /// Every request of the capture, in order.
    public var requests: [ReplayedRequest] = []
    /// Everything between edge and PBX, both ways, each request once. The PBX challenges nothing in a replay.
    public var crossed: [TrunkRequest] = []
    public var audit: [AuditEntry] = []
    public var logs: [String] = []
    /// What was taken for the edge's SIP endpoints in the capture.
    public var edge: [Endpoint] = []
    /// The site as it is behind the last packet.
    public var status: EdgeStatus?
    /// What a reader should know: assumptions, parts that were left out.
    public var notes: [String] = []

    /// The requests that left for the PBX or a gateway.
    public var toPBX: [SIPRequest] { crossed.filter { $0.direction == .toPBX }.map(\.request) }
}
