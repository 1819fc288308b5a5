/// What went wrong with TLS, told so that an administrator knows what to do.
public enum TLSError: Error, Hashable, Sendable {
    // Making a context.
    case noSuchFile(what: String)
    case unreadable(what: String, why: String)
    case noCertificate(what: String)
    case damagedCertificate(what: String, why: String)
    case unusableKey(what: String, why: String)
    case keyMismatch(certificate: String, key: String)
    case noTrust(what: String)
    case noIdentity(what: String)
    case badServerName(String)

    // The far end's certificate.
    case certificateExpired(CertificateFacts)
    /// `now`: what this machine takes the time to be, in seconds since the Unix epoch.
    case certificateNotYetValid(CertificateFacts, now: Int64)
    case unknownAuthority(CertificateFacts)
    case nameMismatch(expected: String, CertificateFacts)
    case certificateRejected(why: String, CertificateFacts)
    /// The client showed no certificate though one is required.
    case certificateMissing

    // The conversation.
    /// The far end ended it with an alert (RFC 8446 §6.2).
    case refusedByPeer(TLSAlert)
    /// The far end speaks only versions older than TLS 1.2 or outside the configured range.
    case protocolVersion
    case noCommonCipher
    /// What came is no TLS record at all.
    case notTLS
    /// A record was altered on its way, or makes no sense.
    case corrupted(why: String)
    /// The connection ended before the handshake did.
    case closedDuringHandshake
    /// The connection ended without close_notify: the last message may be missing its end (RFC 8446 §6.1).
    case truncated
    /// `send` before the handshake was over, or after the end.
    case notOpen
    /// OpenSSL could not do its work, for example for lack of memory.
    case library(why: String)
}

/// An alert description (RFC 8446 §6).
public struct TLSAlert: Hashable, Sendable, CustomStringConvertible {
    public let code: UInt8
    public init(code: UInt8) { self.code = code }

    public static let handshakeFailure = TLSAlert(code: 40)
    public static let badCertificate = TLSAlert(code: 42)
    public static let certificateExpired = TLSAlert(code: 45)
    public static let unknownAuthority = TLSAlert(code: 48)
    public static let protocolVersion = TLSAlert(code: 70)
    public static let certificateRequired = TLSAlert(code: 116)

    public var description: String { "\(alertName(code)) (\(code))" }

    /// Whether the far end complains of the certificate shown to it, or of none.
    public var concernsOurCertificate: Bool { (41...46).contains(code) || code == 48 || code == 116 }
}

extension TLSError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .noSuchFile(let what): return "\(what): no such file"
        case .unreadable(let what, let why): return "\(what): cannot be read: \(why)"
        case .noCertificate(let what): return "\(what): holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)"
        case .damagedCertificate(let what, let why): return "\(what): a certificate in it is damaged: \(why)"
        case .unusableKey(let what, let why): return "\(what): \(why)"
        case .keyMismatch(let certificate, let key): return "\(key): does not belong to \(certificate)"
        case .noTrust(let what): return "\(what): none is given; name the certificate of the authority that signed the far end's"
        case .noIdentity(let what): return "\(what): a server needs a certificate and its private key"
        case .badServerName(let name): return "\"\(printable(name))\" is neither a host name nor an IP address"
        case .certificateExpired(let facts): return Self.expired(facts)
        case .certificateNotYetValid(let facts, let now): return Self.notYetValid(facts, now: now)
        case .unknownAuthority(let facts): return Self.unknownAuthority(facts)
        case .nameMismatch(let expected, let facts): return Self.mismatch(facts, expected: expected)
        case .certificateRejected(let why, let facts): return "the far end's certificate (\(facts)) cannot be accepted: \(why)"
        case .certificateMissing: return "the client showed no certificate, and one is required"
        case .refusedByPeer(let alert): return Self.refused(alert)
        case .protocolVersion: return "the far end does not speak a TLS version allowed here (1.2 or newer)"
        case .noCommonCipher: return "the far end shares no cipher with us"
        case .notTLS: return "what came is no TLS: is this the port for SIP over TLS, usually 5061?"
        case .corrupted(let why): return "what came was damaged on its way: \(why)"
        case .closedDuringHandshake: return "the far end closed the connection during the TLS handshake"
        case .truncated: return "the connection ended without a TLS close: the last message may be incomplete"
        case .notOpen: return "the TLS connection is not open"
        case .library(let why): return "OpenSSL failed: \(why)"
        }
    }

    private static func expired(_ facts: CertificateFacts) -> String {
        "the far end's certificate (\(facts)) expired on \(utcText(facts.notAfter)): it must be renewed there"
    }

    private static func notYetValid(_ facts: CertificateFacts, now: Int64) -> String {
        "the far end's certificate (\(facts)) is valid from \(utcText(facts.notBefore)), and here it is \(utcText(now)): "
            + "check this machine's clock"
    }

    private static func unknownAuthority(_ facts: CertificateFacts) -> String {
        "nobody we trust vouches for the far end's certificate (\(facts), issued by \(facts.issuer)): "
            + "put the certificate of that authority into the CA file"
    }

    private static func mismatch(_ facts: CertificateFacts, expected: String) -> String {
        "the far end's certificate (\(facts)) is valid for \(facts.names.isEmpty ? "no further name" : facts.names), "
            + "not for \(printable(expected)): use a name of its own in the site file, or have the certificate made for this one"
    }

    private static func refused(_ alert: TLSAlert) -> String {
        "the far end refused: \(alert)"
            + (alert.concernsOurCertificate ? "; check the certificate we show and whether the far end trusts its issuer" : "")
    }
}
