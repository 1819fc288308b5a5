import CoreTypes
import HotDeskPolicy
import SIPMessage

extension FuzzTarget {
    /// Messages, whole and out of a stream that is cut anywhere: what was taken is written, read again and the same; and
    /// however a stream is cut, the same messages come out of it.
    public static let message = FuzzTarget("message", maximumLength: 4096) { bytes in
        for framing in [Framing.datagram, .stream] {
            switch SIPMessage.parse(bytes, framing: framing) {
            case .message(let message):
                let written = message.serialized()
                guard case .message(let again) = SIPMessage.parse(written, framing: .stream, limits: roomy) else {
                    return "what was written cannot be read"
                }
                guard again == message else { return "what was written is another message" }
                guard again.serialized() == written else { return "written twice, and not the same" }
            case .reject(let response, let problem):
                guard response.status == problem.status else { return "another status than the problem's" }
                guard case .message(.response(let again)) = SIPMessage.parse(response.serialized(), framing: .stream, limits: roomy) else {
                    return "the refusal cannot be read"
                }
                guard again == response else { return "the refusal is read as another" }
            case .ignore: break
            }
        }
        let whole = frames(bytes, cut: bytes.count)
        let cut = bytes.isEmpty ? 0 : Int(bytes[bytes.count / 2]) % bytes.count
        return whole == frames(bytes, cut: cut) ? nil : "a cut at \(cut) changes what is in the stream"
    }

    /// What is written may be longer than what was read: a byte that had to be escaped takes six.
    private static let roomy: ParserLimits = {
        var limits = ParserLimits()
        (limits.maximumMessageSize, limits.maximumRequestURI) = (65_536, 65_536)
        (limits.maximumHeaderValue, limits.maximumToken) = (65_536, 65_536)
        // A datagram may lack Content-Length, which is written.
        (limits.maximumHeaderCount, limits.maximumListedValues) = (1024, 1024)
        return limits
    }()

    private static func frames(_ bytes: [UInt8], cut: Int) -> [[UInt8]] {
        var framer = StreamFramer()
        var found: [[UInt8]] = []
        for part in [bytes[..<cut], bytes[cut...]] {
            framer.append(part)
            reading: while true {
                switch framer.next() {
                case .message(let message): found.append(message)
                case .ping, .pong: break
                case .needMore, .broken: break reading
                }
            }
        }
        return found
    }

    /// Addresses of every kind; and what the policy makes of a URI is what it makes of the URI as it is sent on.
    public static let uri = FuzzTarget("uri", maximumLength: 512) { bytes in
        let text = String(decoding: bytes, as: UTF8.self)
        if let value = try? URI(parsing: text) {
            guard let again = try? URI(parsing: value.description), again == value else { return "URI: \(value)" }
            guard again.description == value.description else { return "URI has two canonical forms: \(value)" }
            if let problem = verdictProblem(value) { return problem }
        }
        if let value = try? NameAddress(parsing: text) {
            guard (try? NameAddress(parsing: value.description)) == value else { return "address: \(value)" }
        }
        if let value = try? Via(parsing: text) {
            guard (try? Via(parsing: value.description)) == value else { return "Via: \(value)" }
        }
        if let value = IPAddress(text) { guard IPAddress(value.description) == value else { return "IP address: \(value)" } }
        if let value = Host(text) { guard Host(value.description) == value else { return "host: \(value)" } }
        _ = Endpoint(text)
        return nil
    }

    private static let rules = PolicyRules(
        dialCodes: DialCodes(),
        emergency: EmergencyRules(numbers: ["112", "911"], outsidePrefixes: ["0", "9"], callBackWindow: .seconds(3600)),
        pin: PINRules(attempts: 3, within: .seconds(300), lock: .seconds(900)), secondLogin: .move,
        autoLogout: AutoLogout(at: nil, afterIdle: nil))

    private static func verdictProblem(_ uri: URI) -> String? {
        switch rules.classify(uri) {
        case .emergency(let number): return rules.emergency.numbers.contains(number) ? nil : "an emergency number that is none: \(number)"
        case .number(let user):
            // It is this that goes to the PBX: it must be no more than what was judged.
            let sent = URI.sip(SIPURI(user: user, host: Host(IPAddress(v4: 0xC000_0201))))
            guard let read = try? URI(parsing: sent.description) else { return "sent on, and not to be read: \(sent)" }
            return rules.classify(read) == .number(user) ? nil : "judged as \(user), sent on as \(read)"
        case .login, .logout, .malformed, .foreign: return nil
        }
    }

    public static let sessionDescription = FuzzTarget("sdp", maximumLength: 2048) { bytes in
        guard let description = try? SessionDescription(parsing: bytes) else { return nil }
        let written = description.serialized()
        guard (try? SessionDescription(parsing: written)) == description else { return "written, and read as another" }
        for media in description.media {
            _ = (description.rtp(of: media), description.rtcp(of: media), media.direction, media.formats.map(media.rtpMap))
            _ = media.format(of: "telephone-event")
        }
        return nil
    }

    /// Credentials and challenges (RFC 7616), and the check of a password.
    public static let digest = FuzzTarget("digest", maximumLength: 1024) { bytes in
        let text = String(decoding: bytes, as: UTF8.self)
        if let value = try? DigestCredentials(parsing: text) {
            guard (try? DigestCredentials(parsing: value.headerValue)) == value else { return "credentials: \(value.headerValue)" }
            _ = value.matches(method: .invite, password: "secret")
        }
        if let value = try? DigestChallenge(parsing: text) {
            guard (try? DigestChallenge(parsing: value.headerValue)) == value else { return "challenge: \(value.headerValue)" }
            let answer = DigestCredentials.answering(
                value, method: .invite, uri: "sip:101@pbx.example", username: "u", password: "secret", cnonce: "c", nonceCount: 1)
            guard let read = try? DigestCredentials(parsing: answer.headerValue) else { return "answer cannot be read: \(answer.headerValue)" }
            guard read.matches(method: .invite, password: "secret") else { return "right answer does not match: \(answer.headerValue)" }
        }
        return nil
    }
}
