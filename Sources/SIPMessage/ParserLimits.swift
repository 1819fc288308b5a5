/// What one message may cost us. These are our own bounds, not the specification's.
public struct ParserLimits: Hashable, Sendable {
    /// Bytes of a whole message.
    public var maximumMessageSize = 16_384
    /// Bytes of the Request-URI.
    public var maximumRequestURI = 512
    /// Header lines, after unfolding.
    public var maximumHeaderCount = 128
    /// Bytes of one header value.
    public var maximumHeaderValue = 8_192
    /// Bytes of a Call-ID or of a header name.
    public var maximumToken = 256
    /// Values of Via, Route and Record-Route each, and of Contact.
    public var maximumListedValues = 70

    public init() {}
}

/// How a message's end is known (RFC 3261 §18.3).
public enum Framing: Hashable, Sendable {
    /// The datagram's end; bytes after Content-Length are dropped.
    case datagram
    /// Content-Length, which must be there.
    case stream
}
