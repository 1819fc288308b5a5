/// A telephone number as a URI (RFC 3966).
public struct TelURI: Hashable, Sendable {
    /// As written, visual separators and a leading "+" included, escapes decoded.
    public var number: String
    public var parameters: [Parameter]

    public init(number: String, parameters: [Parameter] = []) {
        self.number = number
        self.parameters = parameters
    }

    public func parameter(_ name: String) -> Parameter? { parameters.parameter(name) }

    /// What follows "tel:", to the end of `rest`.
    init(_ rest: ByteCursor) throws(SIPSyntaxError) {
        var rest = rest
        number = try rest.unescaped(.telephoneNumber, while: TelURI.isNumber)
        guard number.utf8.allSatisfy(TelURI.isNumber), number.utf8.contains(where: { !TelURI.isSeparator($0) }) else {
            throw SIPSyntaxError(.telephoneNumber)
        }
        parameters = []
        while rest.take(UInt8(ascii: ";")) { try parameters.add(rest.uriParameter()) }
        guard rest.isAtEnd else { throw SIPSyntaxError(.telephoneNumber) }
    }

    /// `phonedigit-hex` and "+"
    static func isNumber(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "*"), UInt8(ascii: "#"), UInt8(ascii: "+"): return true
        default: return ByteClass.hexadecimalValue(byte) != nil || isSeparator(byte)
        }
    }

    /// `visual-separator`
    private static func isSeparator(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "("), UInt8(ascii: ")"): return true
        default: return false
        }
    }
}
