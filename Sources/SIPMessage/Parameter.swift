/// A parameter of a URI or of a header value: `;name` or `;name=value`.
public struct Parameter: Hashable, Sendable {
    /// Lower case: names are compared without regard to case (RFC 3261 §7.3.1).
    public var name: String
    /// Escapes and quotes are taken off; nil where no "=" stands.
    public var value: String?
    /// Whether a header parameter's value stood in quotes and is written in quotes again. Some extensions
    /// (RFC 3840) demand them where the value itself would not.
    public var isQuoted: Bool

    public init(_ name: String, _ value: String? = nil, isQuoted: Bool = false) {
        self.init(name: name, value: value, isQuoted: isQuoted)
    }

    public init(name: String, value: String?, isQuoted: Bool = false) {
        self.name = name.utf8.contains { $0 &- UInt8(ascii: "A") < 26 } ? name.lowercased() : name
        self.value = value
        self.isQuoted = isQuoted
    }

    /// For names that are lower case already.
    @inline(__always)
    init(lowercase name: String, value: String?, isQuoted: Bool = false) {
        self.name = name
        self.value = value
        self.isQuoted = isQuoted
    }
}

extension [Parameter] {
    /// The parameter of this name, which is in lower case.
    public func parameter(_ name: String) -> Parameter? {
        first { $0.name == name }
    }

    /// Replaces the value of a parameter or adds it; nil removes it.
    mutating func setValue(_ value: String?, of name: String) {
        let place = firstIndex { $0.name == name }
        guard let value else {
            if let place { remove(at: place) }
            return
        }
        if let place {
            self[place] = Parameter(lowercase: name, value: value)
        } else {
            append(Parameter(lowercase: name, value: value))
        }
    }

    /// Adds a parameter that was read. RFC 3261 §7.3.1: a name may stand once.
    mutating func add(_ parameter: Parameter) throws(SIPSyntaxError) {
        guard self.parameter(parameter.name) == nil else { throw SIPSyntaxError(.repeatedParameter) }
        guard count < Parameter.maximumCount else { throw SIPSyntaxError(.tooManyParameters) }
        append(parameter)
    }
}

extension Parameter {
    /// Our own bound on the parameters of one value.
    static let maximumCount = 64
}

extension ByteCursor {
    /// RFC 3261 §25.1 `*( SEMI generic-param )`, up to the end or to a comma.
    mutating func headerParameters() throws(SIPSyntaxError) -> [Parameter] {
        var parameters: [Parameter] = []
        skipWhitespace()
        while take(UInt8(ascii: ";")) {
            try parameters.add(headerParameter())
            skipWhitespace()
        }
        return parameters
    }

    /// `generic-param`, white space around its parts taken off.
    mutating func headerParameter() throws(SIPSyntaxError) -> Parameter {
        skipWhitespace()
        let name = takeWhile(ByteClass.isToken)
        guard !name.isAtEnd else { throw SIPSyntaxError(.parameter) }
        skipWhitespace()
        guard take(UInt8(ascii: "=")) else { return Parameter(lowercase: name.lowercasedText, value: nil) }
        skipWhitespace()
        if next == UInt8(ascii: "\"") {
            return Parameter(lowercase: name.lowercasedText, value: try quotedString(), isQuoted: true)
        }
        let value = takeWhile(ByteClass.isBareValue)
        guard !value.isAtEnd else { throw SIPSyntaxError(.parameter) }
        return Parameter(lowercase: name.lowercasedText, value: value.text)
    }

    /// `quoted-string` from its opening quote to its closing one, backslashes taken off.
    mutating func quotedString() throws(SIPSyntaxError) -> String {
        guard take(UInt8(ascii: "\"")) else { throw SIPSyntaxError(.quotedString) }
        let plain = takeWhile { $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") && (!ByteClass.isControl($0) || $0 == 0x09) }
        if take(UInt8(ascii: "\"")) { return plain.text }
        var content = Array(plain.buffer)
        while let byte = next {
            skip()
            switch byte {
            case UInt8(ascii: "\""):
                return content.withUnsafeBufferPointer { ByteCursor($0).text }
            case UInt8(ascii: "\\"):
                guard let escaped = next, escaped < 0x80, escaped != 0x0D, escaped != 0x0A else {
                    throw SIPSyntaxError(.quotedString)
                }
                skip()
                content.append(escaped)
            default:
                guard !ByteClass.isControl(byte) || byte == 0x09 else { throw SIPSyntaxError(.quotedString) }
                content.append(byte)
            }
        }
        throw SIPSyntaxError(.quotedString)
    }
}

extension ByteWriter {
    /// `;name=value` of a header value.
    mutating func headerParameters(_ parameters: [Parameter]) {
        for parameter in parameters {
            byte(UInt8(ascii: ";"))
            token(parameter.name)
            guard let value = parameter.value else { continue }
            byte(UInt8(ascii: "="))
            if parameter.isQuoted || !bareValue(value) { quoted(value) }
        }
    }

    /// Writes a value that needs no quotes; false, and nothing is written, where it does.
    private mutating func bareValue(_ value: String) -> Bool {
        var value = value
        return value.withUTF8 { source in
            guard !source.isEmpty, source.allSatisfy(ByteClass.isBareValue) else { return false }
            raw(source)
            return true
        }
    }
}
