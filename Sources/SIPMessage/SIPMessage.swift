/// A message of SIP 2.0 (RFC 3261 §7).
public enum SIPMessage: Hashable, Sendable {
    case request(SIPRequest)
    case response(SIPResponse)

    public var headers: Headers {
        switch self {
        case .request(let request): return request.headers
        case .response(let response): return response.headers
        }
    }

    public func serialized() -> [UInt8] {
        switch self {
        case .request(let request): return request.serialized()
        case .response(let response): return response.serialized()
        }
    }

    /// Reads one whole message. Line ends before it are skipped.
    public static func parse(_ bytes: [UInt8], framing: Framing, limits: ParserLimits = ParserLimits()) -> ParseResult {
        MessageParser(framing: framing, limits: limits).parse(bytes)
    }
}

/// What became of the bytes of one message.
public enum ParseResult: Hashable, Sendable {
    case message(SIPMessage)
    /// A request that is not taken, with the answer it gets. The connection it came by may go on.
    case reject(SIPResponse, SIPProblem)
    /// Nothing is answered: a broken response or ACK, a keep-alive, or what is no SIP.
    case ignore(SIPProblem)
}
