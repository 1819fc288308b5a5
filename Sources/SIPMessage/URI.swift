/// What a request is for, or who somebody is (RFC 3261 §19.1, RFC 3966, RFC 3986).
public enum URI: Hashable, Sendable, CustomStringConvertible {
    case sip(SIPURI)
    indirect case tel(TelURI)
    /// Any other scheme, in lower case, with what follows its colon as it was written.
    indirect case other(scheme: String, opaque: String)

    /// Reads the whole of `text`. Throws where an escape is broken or spells a control character.
    public init(parsing text: String) throws(SIPSyntaxError) {
        self = try text.withCursor { (cursor) throws(SIPSyntaxError) in try URI(cursor) }
    }

    /// Canonical text: one way to write each URI, everything escaped that must be.
    public var description: String {
        var writer = ByteWriter(capacity: 64)
        writer.uri(self)
        return writer.string
    }

    /// The SIP or SIPS URI, if it is one.
    public var sip: SIPURI? {
        switch self {
        case .sip(let uri): return uri
        case .tel, .other: return nil
        }
    }

    /// The whole of `part`.
    init(_ part: ByteCursor) throws(SIPSyntaxError) {
        var rest = part
        let scheme = rest.takeWhile(URI.isScheme)
        guard let first = scheme.next, ByteClass.isAlpha(first), rest.take(UInt8(ascii: ":")), !rest.isAtEnd else {
            throw SIPSyntaxError(.scheme)
        }
        if scheme.equals(lowercase: "sip") {
            self = .sip(try SIPURI(rest, isSecure: false))
        } else if scheme.equals(lowercase: "sips") {
            self = .sip(try SIPURI(rest, isSecure: true))
        } else if scheme.equals(lowercase: "tel") {
            self = .tel(try TelURI(rest))
        } else {
            self = .other(scheme: scheme.lowercasedText, opaque: try URI.opaqueText(rest))
        }
    }

    /// The whole of `part` where it identifies somebody and is not acted upon. An escaped control character in a
    /// user part is well formed there (RFC 4475 §3.1.1.4), but nothing of ours decodes it: such a URI stays opaque.
    init(naming part: ByteCursor) throws(SIPSyntaxError) {
        do {
            self = try URI(part)
        } catch {
            guard error.rule == .controlCharacter, let colon = part.firstIndex(of: UInt8(ascii: ":")) else { throw error }
            let rest = part.part(from: colon + 1, to: part.end)
            self = .other(scheme: part.part(from: part.position, to: colon).lowercasedText, opaque: try URI.opaqueText(rest))
        }
    }

    private static func opaqueText(_ rest: ByteCursor) throws(SIPSyntaxError) -> String {
        guard !rest.contains(where: { !isOpaque($0) }) else { throw SIPSyntaxError(.uri) }
        return rest.text
    }

    /// Visible ASCII that can neither end the URI nor open a quote.
    private static func isOpaque(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "\""): return false
        default: return byte > 0x20 && byte < 0x7F
        }
    }

    private static func isScheme(_ byte: UInt8) -> Bool {
        ByteClass.isAlphanumeric(byte) || byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
    }
}

extension ByteWriter {
    mutating func uri(_ uri: URI) {
        switch uri {
        case .sip(let uri):
            self.uri(uri)
        case .tel(let uri):
            literal("tel:")
            escaped(uri.number, stays: TelURI.isNumber)
            uriParameters(uri.parameters)
        case .other(let scheme, let opaque):
            token(scheme)
            byte(UInt8(ascii: ":"))
            escaped(opaque) { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "<") && $0 != UInt8(ascii: ">") && $0 != UInt8(ascii: "\"") }
        }
    }
}
