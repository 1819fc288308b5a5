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
    var language: String
    /// CSeq of the next request of our own in this dialog.
    var sequence: UInt32 = 1
    /// The last digit by SIP INFO and its CSeq, so that a repeated INFO counts once.
    var lastInfo: UInt32?
    var sdp: [UInt8]
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

/// The answer of the edge itself to an offer (RFC 3264 §6): one audio stream in G.711 with telephone-event.
struct LocalAnswer: Sendable, Equatable {
    var format: AudioFormat
    var leg: MediaLeg
    var sdp: [UInt8]

    /// - Returns: nil where the offer has no G.711 audio for us to answer.
    init?(offer body: [UInt8], ports: MediaPorts, session: UInt64, forbidden: [IPAddress]) {
        guard let offer = try? SessionDescription(parsing: body) else { return nil }
        guard let index = offer.media.firstIndex(where: { $0.kind == "audio" && $0.port != 0 && $0.transport == "RTP/AVP" }) else {
            return nil
        }
        let audio = offer.media[index]
        guard let (format, payload) = Self.choose(audio) else { return nil }
        var leg = MediaLeg(ports: ports)
        leg.learn(audio, sessionConnection: offer.connection, forbidden: forbidden)
        self.format = format
        self.leg = leg
        let sections = offer.media.indices.map { position -> String in
            position == index
                ? Self.section(ports, format, payload, leg.telephoneEvent) : Self.refused(offer.media[position])
        }
        sdp = Self.description(ports, session, sections)
    }

    /// An offer of our own, for an INVITE that brought none.
    init(offering ports: MediaPorts, session: UInt64) {
        format = .pcma
        leg = MediaLeg(ports: ports, telephoneEvent: 101)
        sdp = Self.description(ports, session, [Self.section(ports, .pcma, "8", 101)])
    }

    private static func choose(_ audio: MediaDescription) -> (AudioFormat, String)? {
        for payload in audio.formats {
            guard let map = audio.rtpMap(payload), map.clockRate == 8000 else { continue }
            if map.encoding == "pcma" { return (.pcma, payload) }
            if map.encoding == "pcmu" { return (.pcmu, payload) }
        }
        return nil
    }

    private static func section(_ ports: MediaPorts, _ format: AudioFormat, _ payload: String, _ event: UInt8?) -> String {
        let name = format == .pcma ? "PCMA" : "PCMU"
        var text = "m=audio \(ports.rtp) RTP/AVP \(payload)" + (event.map { " \($0)" } ?? "") + "\r\n"
        text += "a=rtpmap:\(payload) \(name)/8000\r\n"
        if let event { text += "a=rtpmap:\(event) telephone-event/8000\r\na=fmtp:\(event) 0-15\r\n" }
        return text + "a=ptime:20\r\na=sendrecv\r\n"
    }

    private static func refused(_ media: MediaDescription) -> String {
        "m=\(media.kind) 0 \(media.transport) \(media.formats.joined(separator: " "))\r\n"
    }

    private static func description(_ ports: MediaPorts, _ session: UInt64, _ sections: [String]) -> [UInt8] {
        let family = ports.address.family == .v4 ? "IP4" : "IP6"
        let text =
            "v=0\r\no=edge \(session) 1 IN \(family) \(ports.address)\r\ns=-\r\nc=IN \(family) \(ports.address)\r\nt=0 0\r\n"
            + sections.joined()
        return Array(text.utf8)
    }
}
