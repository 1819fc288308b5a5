/// Why a message was not taken. It carries no text of the peer.
public enum SIPProblem: Error, Hashable, Sendable {
    /// Nothing but line ends: a keep-alive.
    case keepAlive
    /// Not SIP at all: STUN, TLS, HTTP, noise.
    case notSIP
    /// A SIP version other than 2.0.
    case version
    case syntax(GrammarRule)
    /// A header that must be there is not.
    case missing(HeaderName)
    /// A header that may stand once stands more often, perhaps once in its compact form.
    case repeated(HeaderName)
    /// The method in CSeq is not that of the start line (RFC 3261 §8.1.1.5).
    case methodMismatch
    /// A CR or LF that is not part of a CRLF.
    case bareLineEnd
    /// The header section has no end.
    case truncated
    /// Content-Length says more than there is.
    case bodyTooShort
    case messageTooLarge
    case requestURITooLong
    case tooManyHeaders
    case headerTooLong

    /// The status a request with this problem is answered with (RFC 3261 §21.4, §21.5).
    public var status: Int {
        switch self {
        case .version: return 505
        case .messageTooLarge: return 513
        case .requestURITooLong: return 414
        case .keepAlive, .notSIP, .syntax, .missing, .repeated, .methodMismatch, .bareLineEnd, .truncated, .bodyTooShort,
            .tooManyHeaders, .headerTooLong:
            return 400
        }
    }
}
