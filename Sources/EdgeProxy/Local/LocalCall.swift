import CoreTypes
import HotDeskPolicy
import Media
import SIPMessage
import SIPTransaction

struct LocalCallKey: Hashable, Sendable { let rawValue: UInt64 }

/// A call that ends at the edge itself: the login dialogue, the word after a logout, or a hint to a refused caller.
struct LocalCall: Sendable {
    enum Kind: Sendable {
        case login(LoginDialogue)
        /// One announcement, then the call ends.
        case announcement([Phrase])
        /// Early media before a refusal; the refusal follows when it was spoken.
        case hint(Refusal)
        /// Early media in which the caller's PIN is asked for; the call follows when it was given.
        case gate(LoginDialogue, GatedCall)

        /// Whether it is spoken before an answer.
        var isEarly: Bool {
            switch self {
            case .login, .announcement: return false
            case .hint, .gate: return true
            }
        }
    }

    enum State: Sendable, Equatable {
        /// Early media; the INVITE has no final answer yet.
        case early
        /// 200 sent, ACK awaited.
        case answered
        case up
        case ended
    }

    var key: LocalCallKey
    var kind: Kind
    var state: State
    var device: DeviceName
    var server: ServerTransactionID
    var invite: SIPRequest
    var flow: Flow
    var dialog: DialogKey
    var media: MediaSessionID
    var leg: MediaLeg
    var security: LegSecurity
    var language: String
    /// CSeq of the next request of our own in this dialog.
    var sequence: UInt32 = 1
    /// The last digit by SIP INFO and its CSeq, so that a repeated INFO counts once.
    var lastInfo: UInt32?
    var keys = KeyFilter()
    var sdp: [UInt8]

    /// Whether keys that are pressed now are for its dialogue.
    var takesDigits: Bool {
        switch kind {
        case .login: return state == .up
        case .gate: return state == .early
        case .announcement, .hint: return false
        }
    }
}

struct LocalCallTable: Sendable {
    private var calls: [LocalCallKey: LocalCall] = [:]
    private var byDialog: [DialogKey: LocalCallKey] = [:]
    private var byMedia: [MediaSessionID: LocalCallKey] = [:]
    private var byServer: [ServerTransactionID: LocalCallKey] = [:]

    /// Calls at once that one device may have here.
    static let perDevice = 2
    static let maximum = 64

    var count: Int { calls.count }

    subscript(_ key: LocalCallKey) -> LocalCall? { calls[key] }

    func call(_ dialog: DialogKey) -> LocalCall? { byDialog[dialog].flatMap { calls[$0] } }
    func call(_ media: MediaSessionID) -> LocalCall? { byMedia[media].flatMap { calls[$0] } }
    func call(_ server: ServerTransactionID) -> LocalCall? { byServer[server].flatMap { calls[$0] } }
    func count(of device: DeviceName) -> Int { calls.values.reduce(0) { $0 + ($1.device == device ? 1 : 0) } }
    func calls(of device: DeviceName) -> [LocalCall] { calls.values.filter { $0.device == device } }

    mutating func insert(_ call: LocalCall) {
        calls[call.key] = call
        byDialog[call.dialog] = call.key
        byMedia[call.media] = call.key
        byServer[call.server] = call.key
    }

    mutating func change(_ key: LocalCallKey, _ body: (inout LocalCall) -> Void) {
        guard let index = calls.index(forKey: key) else { return }
        body(&calls.values[index])
    }

    mutating func remove(_ key: LocalCallKey) -> LocalCall? {
        guard let call = calls.removeValue(forKey: key) else { return nil }
        byDialog[call.dialog] = nil
        byMedia[call.media] = nil
        byServer[call.server] = nil
        return call
    }
}
