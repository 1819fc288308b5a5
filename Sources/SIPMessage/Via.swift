public import CoreTypes

/// One hop of the way a request came (RFC 3261 §20.42).
public struct Via: Hashable, Sendable, CustomStringConvertible {
    /// Upper case: "UDP", "TCP", "TLS", or another.
    public var transport: String
    public var host: Host
    public var port: UInt16?
    public var parameters: [Parameter]

    public init(transport: String, host: Host, port: UInt16? = nil, parameters: [Parameter] = []) {
        self.transport = transport
        self.host = host
        self.port = port
        self.parameters = parameters
    }

    /// Reads the whole of `text` as one value.
    public init(parsing text: String) throws(SIPSyntaxError) {
        self = try text.withCursor { (cursor) throws(SIPSyntaxError) in
            let via = try cursor.via()
            guard cursor.isAtEnd else { throw SIPSyntaxError(.via) }
            return via
        }
    }

    /// Names the transaction where it begins with "z9hG4bK" (RFC 3261 §8.1.1.7).
    public var branch: String? {
        get { parameters.parameter("branch")?.value }
        set { parameters.setValue(newValue, of: "branch") }
    }

    /// The address the request came from, as the next hop saw it; with or without brackets (RFC 5118 §4.5).
    public var received: IPAddress? {
        get {
            guard let text = parameters.parameter("received")?.value else { return nil }
            return IPAddress(text) ?? Host(text)?.address
        }
        set { parameters.setValue(newValue?.description, of: "received") }
    }

    /// The port the request came from (RFC 3581 §4), once it is filled in.
    public var rport: UInt16? {
        get { parameters.parameter("rport")?.value.flatMap { UInt16($0) } }
        set { parameters.setValue(newValue.map { String($0) }, of: "rport") }
    }

    /// Whether the sender asked for answers to its source port: `rport`, filled in or not.
    public var wantsRport: Bool { parameters.parameter("rport") != nil }

    public var description: String {
        var writer = ByteWriter(capacity: 96)
        writer.via(self)
        return writer.string
    }
}

extension ByteCursor {
    /// `via-parm`, up to the end or a comma.
    mutating func via() throws(SIPSyntaxError) -> Via {
        var via = try viaHead(anyVersion: false)
        via.parameters = try headerParameters()
        guard isAtEnd || next == UInt8(ascii: ",") else { throw SIPSyntaxError(.via) }
        return via
    }

    /// As much of a `via-parm` as can be read, to answer a request that is refused anyway: parameters up to the
    /// first that is broken, of any version of the protocol.
    mutating func viaForRefusal() -> Via? {
        guard var via = try? viaHead(anyVersion: true) else { return nil }
        skipWhitespace()
        while take(UInt8(ascii: ";")) {
            guard let parameter = try? headerParameter(), (try? via.parameters.add(parameter)) != nil else { break }
            skipWhitespace()
        }
        return via
    }

    /// `sent-protocol LWS sent-by`
    private mutating func viaHead(anyVersion: Bool) throws(SIPSyntaxError) -> Via {
        skipWhitespace()
        guard takeWhile(ByteClass.isToken).equals(lowercase: "sip") else { throw SIPSyntaxError(.via) }
        try slash()
        let version = takeWhile(ByteClass.isToken)
        guard anyVersion || version.equals(lowercase: "2.0") else { throw SIPSyntaxError(.via) }
        try slash()
        let transport = takeWhile(ByteClass.isToken)
        guard !transport.isAtEnd, let space = next, ByteClass.isWhitespace(space) else { throw SIPSyntaxError(.via) }
        skipWhitespace()
        let host = try host()
        skipWhitespace()
        guard take(UInt8(ascii: ":")) else { return Via(transport: transport.uppercasedText, host: host) }
        skipWhitespace()
        return Via(transport: transport.uppercasedText, host: host, port: try portNumber())
    }

    private mutating func slash() throws(SIPSyntaxError) {
        skipWhitespace()
        guard take(UInt8(ascii: "/")) else { throw SIPSyntaxError(.via) }
        skipWhitespace()
    }
}

extension ByteWriter {
    mutating func via(_ via: Via) {
        literal("SIP/2.0/")
        token(via.transport)
        byte(0x20)
        text(via.host.text)
        if let port = via.port {
            byte(UInt8(ascii: ":"))
            number(port)
        }
        headerParameters(via.parameters)
    }
}
