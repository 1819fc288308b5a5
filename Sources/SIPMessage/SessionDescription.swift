public import CoreTypes

/// A session description (RFC 8866): what SIP offers and answers carry about media.
public struct SessionDescription: Hashable, Sendable {
    /// Never nil in what was read; nil is written as an origin of zeros.
    public var origin: SDPOrigin?
    public var sessionName: String
    /// The value of the session's "c=" line as written, such as "IN IP4 192.0.2.1".
    public var connectionText: String?
    public var attributes: [SDPAttribute]
    public var media: [MediaDescription]
    /// All other lines of the session part, in order: first those that stand before "c=" (i, u, e, p), then the rest.
    public var otherLines: [SDPLine]

    public init(
        origin: SDPOrigin?, sessionName: String = "-", connection: IPAddress? = nil, attributes: [SDPAttribute] = [],
        media: [MediaDescription] = [], otherLines: [SDPLine] = [SDPLine("t", "0 0")]
    ) {
        self.origin = origin
        self.sessionName = sessionName
        self.connectionText = connection.map(SDPText.connection)
        self.attributes = attributes
        self.media = media
        self.otherLines = otherLines
    }

    /// The session's own address; nil where there is none or it is a name.
    public var connection: IPAddress? {
        get { connectionText.flatMap(SDPText.address) }
        set { connectionText = newValue.map(SDPText.connection) }
    }

    /// The address media of this description goes to: its own "c=" or the session's.
    public func connection(of media: MediaDescription) -> IPAddress? {
        media.connectionText == nil ? connection : media.connection
    }

    /// Where RTP of this media goes; nil for port 0 or where the address is not known.
    public func rtp(of media: MediaDescription) -> Endpoint? {
        guard media.port > 0, let address = connection(of: media) else { return nil }
        return Endpoint(address: address, port: media.port)
    }

    /// Where RTCP of this media goes: `a=rtcp` (RFC 3605), `a=rtcp-mux` (RFC 5761) or the port above RTP's.
    public func rtcp(of media: MediaDescription) -> Endpoint? {
        guard let rtp = rtp(of: media) else { return nil }
        if let rtcp = media.rtcp { return Endpoint(address: rtcp.address ?? rtp.address, port: rtcp.port) }
        if media.isMultiplexed { return rtp }
        return rtp.port < .max ? Endpoint(address: rtp.address, port: rtp.port + 1) : nil
    }

    /// Reads a description. Lines end in CRLF or LF, the last may have no end; empty lines may stand at the end only.
    public init(parsing bytes: [UInt8]) throws(SIPSyntaxError) {
        self = try bytes.withUnsafeBufferPointer { (buffer) throws(SIPSyntaxError) in
            var parser = SDPParser()
            try parser.read(ByteCursor(buffer))
            return try parser.finish()
        }
    }

    public func serialized() -> [UInt8] {
        var writer = ByteWriter(capacity: 512)
        writer.sdpLine("v", "0")
        writer.sdpOrigin(origin ?? SDPOrigin.none)
        writer.sdpLine("s", sessionName.isEmpty ? "-" : sessionName)
        for line in otherLines where line.standsBeforeConnection { writer.sdpLine(line.type, line.value) }
        if let connectionText { writer.sdpLine("c", connectionText) }
        for line in otherLines where !line.standsBeforeConnection { writer.sdpLine(line.type, line.value) }
        for attribute in attributes { writer.sdpAttribute(attribute) }
        for description in media { writer.sdpMedia(description) }
        return writer.bytes
    }
}

/// "o=" (RFC 8866 §5.2). The numbers stay text: they may be larger than any integer here.
public struct SDPOrigin: Hashable, Sendable {
    public var username: String
    public var sessionID: String
    /// Grows with each change of the description.
    public var sessionVersion: String
    /// "IP4" or "IP6"
    public var addressType: String
    /// An address or a domain name.
    public var address: String

    public init(username: String = "-", sessionID: String, sessionVersion: String, addressType: String, address: String) {
        self.username = username
        self.sessionID = sessionID
        self.sessionVersion = sessionVersion
        self.addressType = addressType
        self.address = address
    }

    public init(username: String = "-", sessionID: UInt64, sessionVersion: UInt64, address: IPAddress) {
        self.init(
            username: username, sessionID: String(sessionID), sessionVersion: String(sessionVersion),
            addressType: address.family == .v6 ? "IP6" : "IP4", address: address.description)
    }

    /// `username sess-id sess-version nettype addrtype unicast-address`
    init?(_ value: ByteCursor) {
        var rest = value
        let (username, sessionID, sessionVersion) = (rest.field(), rest.field(), rest.field())
        let (network, addressType, address) = (rest.field(), rest.field(), rest.field())
        guard network.equals("IN"), !address.isAtEnd, rest.field().isAtEnd else { return nil }
        self.init(
            username: username.text, sessionID: sessionID.text, sessionVersion: sessionVersion.text, addressType: addressType.text,
            address: address.text)
    }

    static let none = SDPOrigin(sessionID: "0", sessionVersion: "0", addressType: "IP4", address: "0.0.0.0")
}

/// "a=name" or "a=name:value". Names are compared byte by byte (RFC 8866 §5.13).
public struct SDPAttribute: Hashable, Sendable {
    public var name: String
    public var value: String?
    public init(_ name: String, _ value: String? = nil) {
        self.name = name
        self.value = value
    }
    public init(name: String, value: String?) { self.init(name, value) }
}

/// A line that is kept as it is.
public struct SDPLine: Hashable, Sendable {
    /// One letter.
    public var type: UInt8
    public var value: String

    public init(type: UInt8, value: String) {
        self.type = type
        self.value = value
    }

    public init(_ type: Unicode.Scalar, _ value: String) {
        self.init(type: UInt8(truncatingIfNeeded: type.value), value: value)
    }

    /// i, u, e, p (RFC 8866 §9)
    var standsBeforeConnection: Bool {
        switch type {
        case UInt8(ascii: "i"), UInt8(ascii: "u"), UInt8(ascii: "e"), UInt8(ascii: "p"): return true
        default: return false
        }
    }
}

enum SDPText {
    static func connection(_ address: IPAddress) -> String {
        (address.family == .v6 ? "IN IP6 " : "IN IP4 ") + address.description
    }

    /// The address of a "c=" value or of the tail of an `a=rtcp`; a multicast TTL behind "/" is left out.
    static func address(_ text: String) -> IPAddress? {
        var text = text
        return text.withUTF8 { address(ByteCursor($0)) }
    }

    private static func address(_ text: ByteCursor) -> IPAddress? {
        var rest = text
        let (network, family) = (rest.field(), rest.field())
        var place = rest.field()
        guard network.equals("IN"), rest.field().isAtEnd else { return nil }
        guard let address = IPAddress(ascii: place.takeWhile { $0 != UInt8(ascii: "/") }.buffer) else { return nil }
        return family.equals(address.family == .v6 ? "IP6" : "IP4") ? address : nil
    }
}

extension ByteCursor {
    /// Spaces passed over, then the bytes up to the next; at the end nothing.
    mutating func field() -> ByteCursor {
        _ = takeWhile { $0 == 0x20 }
        return takeWhile { $0 != 0x20 }
    }
}

extension ByteWriter {
    mutating func sdpLine(_ type: Unicode.Scalar, _ value: String) { sdpLine(UInt8(truncatingIfNeeded: type.value), value) }

    mutating func sdpLine(_ type: UInt8, _ value: String) {
        byte(type)
        byte(UInt8(ascii: "="))
        text(value)
        literal("\r\n")
    }

    fileprivate mutating func sdpOrigin(_ origin: SDPOrigin) {
        literal("o=")
        text(origin.username)
        byte(0x20)
        text(origin.sessionID)
        byte(0x20)
        text(origin.sessionVersion)
        literal(" IN ")
        text(origin.addressType)
        byte(0x20)
        text(origin.address)
        literal("\r\n")
    }

    mutating func sdpAttribute(_ attribute: SDPAttribute) {
        literal("a=")
        text(attribute.name)
        if let value = attribute.value {
            byte(UInt8(ascii: ":"))
            text(value)
        }
        literal("\r\n")
    }

    mutating func sdpMedia(_ media: MediaDescription) {
        literal("m=")
        text(media.kind)
        byte(0x20)
        number(media.port)
        if media.portCount > 1 {
            byte(UInt8(ascii: "/"))
            number(media.portCount)
        }
        byte(0x20)
        text(media.transport)
        for format in media.formats {
            byte(0x20)
            text(format)
        }
        literal("\r\n")
        for line in media.otherLines where line.standsBeforeConnection { sdpLine(line.type, line.value) }
        if let text = media.connectionText { sdpLine("c", text) }
        for line in media.otherLines where !line.standsBeforeConnection { sdpLine(line.type, line.value) }
        for attribute in media.attributes { sdpAttribute(attribute) }
    }
}
