/// `name-addr` or `addr-spec` with its parameters (RFC 3261 §20.10): From, To, Contact, Route and their like.
public struct NameAddress: Hashable, Sendable, CustomStringConvertible {
    /// Quotes and backslashes taken off; nil where there is none.
    public var displayName: String?
    public var uri: URI
    /// Parameters of the header value, not of the URI.
    public var parameters: [Parameter]

    public init(displayName: String? = nil, uri: URI, parameters: [Parameter] = []) {
        self.displayName = displayName
        self.uri = uri
        self.parameters = parameters
    }

    /// Reads the whole of `text` as one address.
    public init(parsing text: String) throws(SIPSyntaxError) {
        self = try text.withCursor { (cursor) throws(SIPSyntaxError) in
            let address = try cursor.nameAddress()
            guard cursor.isAtEnd else { throw SIPSyntaxError(.nameAddress) }
            return address
        }
    }

    /// The dialog tag (RFC 3261 §19.3).
    public var tag: String? {
        get { parameters.parameter("tag")?.value }
        set { parameters.setValue(newValue, of: "tag") }
    }

    /// Whether the tag, where there is one, is the token it must be (RFC 3261 §25.1). Other parsers read nothing of a From
    /// that they cannot read whole.
    public var hasReadableTag: Bool { tag.map { !$0.isEmpty && $0.utf8.allSatisfy(ByteClass.isToken) } ?? true }

    /// The parameter of this name, which is in lower case.
    public func parameter(_ name: String) -> Parameter? { parameters.parameter(name) }

    /// Seconds, of a Contact (RFC 3261 §10.2.1.1); more than an `UInt32` holds counts as its maximum.
    public var expires: UInt32? {
        parameters.parameter("expires")?.value.flatMap(SIPNumber.clamped)
    }

    public var description: String {
        var writer = ByteWriter(capacity: 96)
        writer.nameAddress(self)
        return writer.string
    }
}

/// Contact (RFC 3261 §20.10).
public enum ContactField: Hashable, Sendable {
    /// `*`: every binding, in a REGISTER that removes them.
    case any
    case list([NameAddress])

    /// The addresses; none for `*`.
    public var addresses: [NameAddress] {
        switch self {
        case .any: return []
        case .list(let addresses): return addresses
        }
    }

    /// The first address, which is a dialog's remote target.
    public var first: NameAddress? { addresses.first }
}

extension ByteCursor {
    /// One address and its parameters, up to the end or a comma.
    mutating func nameAddress() throws(SIPSyntaxError) -> NameAddress {
        skipWhitespace()
        if next == UInt8(ascii: "\"") {
            let name = try quotedString()
            skipWhitespace()
            let uri = try bracketedURI()
            return NameAddress(displayName: name, uri: uri, parameters: try addressParameters())
        }
        let before = takeWhile { $0 != UInt8(ascii: "<") && $0 != UInt8(ascii: ",") && $0 != UInt8(ascii: ";") }.trimmed
        if next == UInt8(ascii: "<") {
            let name = try before.unquotedName()
            let uri = try bracketedURI()
            return NameAddress(displayName: name, uri: uri, parameters: try addressParameters())
        }
        // RFC 3261 §20: a URI with "?" must be in angle brackets, for whose the question is would be open.
        guard before.firstIndex(of: UInt8(ascii: "?")) == nil else { throw SIPSyntaxError(.nameAddress) }
        let uri = try URI(naming: before)
        return NameAddress(uri: uri, parameters: try addressParameters())
    }

    private mutating func addressParameters() throws(SIPSyntaxError) -> [Parameter] {
        let parameters = try headerParameters()
        guard isAtEnd || next == UInt8(ascii: ",") else { throw SIPSyntaxError(.nameAddress) }
        return parameters
    }

    private mutating func bracketedURI() throws(SIPSyntaxError) -> URI {
        guard take(UInt8(ascii: "<")) else { throw SIPSyntaxError(.nameAddress) }
        let inner = takeWhile { $0 != UInt8(ascii: ">") }
        guard take(UInt8(ascii: ">")) else { throw SIPSyntaxError(.nameAddress) }
        return try URI(naming: inner)
    }

    /// `*(token LWS)`; any visible byte but quotes is let through, since phones send unquoted "Müller (home)".
    private func unquotedName() throws(SIPSyntaxError) -> String? {
        guard !isAtEnd else { return nil }
        let refused = contains { byte in
            byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte == UInt8(ascii: ">")
                || (ByteClass.isControl(byte) && byte != 0x09)
        }
        guard !refused else { throw SIPSyntaxError(.nameAddress) }
        return text
    }

    /// Values divided by commas, up to the end.
    mutating func addressList(limit: Int) throws(SIPSyntaxError) -> [NameAddress] {
        var list: [NameAddress] = []
        repeat {
            guard list.count < limit else { throw SIPSyntaxError(.tooManyParameters) }
            list.append(try nameAddress())
        } while take(UInt8(ascii: ","))
        return list
    }
}

extension ByteWriter {
    mutating func nameAddress(_ address: NameAddress) {
        if let name = address.displayName {
            quoted(name)
            byte(0x20)
        }
        byte(UInt8(ascii: "<"))
        uri(address.uri)
        byte(UInt8(ascii: ">"))
        headerParameters(address.parameters)
    }
}
