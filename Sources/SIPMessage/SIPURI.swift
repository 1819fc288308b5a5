public import CoreTypes

/// A SIP or SIPS URI (RFC 3261 §19.1), escapes decoded once.
public struct SIPURI: Hashable, Sendable, CustomStringConvertible {
    /// A URI is copied far more often than it is made.
    @usableFromInline var fields: Boxed<Fields>

    public init(
        isSecure: Bool = false, user: String? = nil, password: String? = nil, host: Host, port: UInt16? = nil,
        parameters: [Parameter] = [], headers: [Parameter] = []
    ) {
        fields = Boxed(
            Fields(
                isSecure: isSecure, user: user, password: password, host: host, port: port, parameters: parameters, headers: headers))
    }

    @usableFromInline
    struct Fields: Hashable, Sendable {
        @usableFromInline var isSecure: Bool
        @usableFromInline var user: String?
        @usableFromInline var password: String?
        @usableFromInline var host: Host
        @usableFromInline var port: UInt16?
        @usableFromInline var parameters: [Parameter]
        @usableFromInline var headers: [Parameter]
    }

    /// `sips:` rather than `sip:`.
    @inlinable public var isSecure: Bool {
        @inline(__always) _read { yield fields.value.isSecure }
        @inline(__always) _modify { yield &fields.value.isSecure }
    }

    /// Decoded: it never holds a control character. Not empty where it is there.
    @inlinable public var user: String? {
        @inline(__always) _read { yield fields.value.user }
        @inline(__always) _modify { yield &fields.value.user }
    }

    @inlinable public var password: String? {
        @inline(__always) _read { yield fields.value.password }
        @inline(__always) _modify { yield &fields.value.password }
    }

    @inlinable public var host: Host {
        @inline(__always) _read { yield fields.value.host }
        @inline(__always) _modify { yield &fields.value.host }
    }

    /// 1...65535
    @inlinable public var port: UInt16? {
        @inline(__always) _read { yield fields.value.port }
        @inline(__always) _modify { yield &fields.value.port }
    }

    @inlinable public var parameters: [Parameter] {
        @inline(__always) _read { yield fields.value.parameters }
        @inline(__always) _modify { yield &fields.value.parameters }
    }

    /// What stands after "?": headers that the URI's writer wants in a request made from it. Kept so that they
    /// can be refused or left out; nothing here acts on them.
    @inlinable public var headers: [Parameter] {
        @inline(__always) _read { yield fields.value.headers }
        @inline(__always) _modify { yield &fields.value.headers }
    }

    /// The parameter of this name, which is in lower case.
    public func parameter(_ name: String) -> Parameter? { parameters.parameter(name) }

    /// Canonical text, as in `URI.description`.
    public var description: String { URI.sip(self).description }
}

extension SIPURI {
    /// What follows the scheme and its colon, to the end of `rest`.
    init(_ rest: ByteCursor, isSecure: Bool) throws(SIPSyntaxError) {
        var rest = rest
        var (user, password): (String?, String?)
        if let at = rest.firstIndex(of: UInt8(ascii: "@")) {
            var info = rest.part(from: rest.position, to: at)
            rest = rest.part(from: at + 1, to: rest.end)
            user = try info.unescaped(.user) { ByteClass.isUser($0) || SIPURI.isTolerated($0) }
            guard user?.isEmpty == false else { throw SIPSyntaxError(.user) }
            if info.take(UInt8(ascii: ":")) {
                password = try info.unescaped(.password, while: ByteClass.isPassword)
            }
            guard info.isAtEnd else { throw SIPSyntaxError(.user) }
        }
        let host = try rest.host()
        let port = try rest.port()
        var parameters: [Parameter] = []
        var headers: [Parameter] = []
        while rest.take(UInt8(ascii: ";")) { try parameters.add(rest.uriParameter()) }
        if rest.take(UInt8(ascii: "?")) { headers = try rest.uriHeaders() }
        guard rest.isAtEnd else { throw SIPSyntaxError(.uri) }
        self.init(
            isSecure: isSecure, user: user, password: password, host: host, port: port, parameters: parameters, headers: headers)
    }

    /// "#" must be escaped in a user part, but phones send it as it is; so do bytes beyond ASCII. Both leave escaped.
    private static func isTolerated(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "#") || byte >= 0x80 }
}

extension ByteCursor {
    /// `host`, up to a byte that cannot be in one. A reference in brackets is taken whole.
    mutating func host() throws(SIPSyntaxError) -> Host {
        let part: ByteCursor
        if next == UInt8(ascii: "[") {
            guard let close = firstIndex(of: UInt8(ascii: "]")) else { throw SIPSyntaxError(.host) }
            part = self.part(from: position, to: close + 1)
            skip(part.count)
        } else {
            part = takeWhile { ByteClass.isAlphanumeric($0) || $0 == 0x2D || $0 == 0x2E || $0 == 0x5F }
        }
        guard let host = Host(part) else { throw SIPSyntaxError(.host) }
        return host
    }

    /// `[ ":" port ]`, 1...65535.
    mutating func port() throws(SIPSyntaxError) -> UInt16? {
        guard take(UInt8(ascii: ":")) else { return nil }
        return try portNumber()
    }

    mutating func portNumber() throws(SIPSyntaxError) -> UInt16 {
        let digits = takeWhile(ByteClass.isDigit)
        guard let port = digits.decimal(maximum: 65_535), port > 0 else { throw SIPSyntaxError(.port) }
        return UInt16(port)
    }

    /// `uri-parameter`, name and value decoded.
    mutating func uriParameter() throws(SIPSyntaxError) -> Parameter {
        let name = try unescaped(.uriParameter, while: ByteClass.isURIParameter)
        guard !name.isEmpty else { throw SIPSyntaxError(.uriParameter) }
        guard take(UInt8(ascii: "=")) else { return Parameter(name: name, value: nil) }
        let value = try unescaped(.uriParameter, while: ByteClass.isURIParameterValue)
        guard !value.isEmpty else { throw SIPSyntaxError(.uriParameter) }
        return Parameter(name: name, value: value)
    }

    /// `header *( "&" header )`, names and values decoded. A name may stand more than once.
    fileprivate mutating func uriHeaders() throws(SIPSyntaxError) -> [Parameter] {
        var headers: [Parameter] = []
        repeat {
            let name = try unescaped(.uriHeader, while: ByteClass.isURIHeader)
            guard !name.isEmpty, take(UInt8(ascii: "=")) else { throw SIPSyntaxError(.uriHeader) }
            guard headers.count < Parameter.maximumCount else { throw SIPSyntaxError(.tooManyParameters) }
            let value = try unescaped(.uriHeader) { ByteClass.isURIHeader($0) || $0 == UInt8(ascii: ";") || $0 == UInt8(ascii: "=") }
            headers.append(Parameter(name: name, value: value))
        } while take(UInt8(ascii: "&"))
        return headers
    }

    /// Takes bytes that may stand as they are and escapes, decoded once. What the escapes spell must be UTF-8
    /// without control characters.
    @inline(__always)
    mutating func unescaped(_ rule: GrammarRule, while stays: (UInt8) -> Bool) throws(SIPSyntaxError) -> String {
        let plain = takeWhile(stays)
        guard next == UInt8(ascii: "%") else { return plain.text }
        var decoded = Array(plain.buffer)
        while let byte = next {
            if byte == UInt8(ascii: "%") {
                decoded.append(try percentEscape())
            } else if stays(byte) {
                skip()
                decoded.append(byte)
            } else {
                break
            }
        }
        guard let text = String(validating: decoded, as: UTF8.self) else { throw SIPSyntaxError(.percentEscape) }
        return text
    }

    /// "%" and two hexadecimal digits; no control character may hide in it.
    private mutating func percentEscape() throws(SIPSyntaxError) -> UInt8 {
        guard let high = peek(1).flatMap(ByteClass.hexadecimalValue), let low = peek(2).flatMap(ByteClass.hexadecimalValue) else {
            throw SIPSyntaxError(.percentEscape)
        }
        skip(3)
        let byte = high << 4 | low
        guard !ByteClass.isControl(byte) else { throw SIPSyntaxError(.controlCharacter) }
        return byte
    }
}

extension ByteWriter {
    /// Canonical text of a SIP or SIPS URI.
    mutating func uri(_ uri: SIPURI) {
        if uri.isSecure { literal("sips:") } else { literal("sip:") }
        if let user = uri.user, !user.isEmpty {
            escaped(user, stays: ByteClass.isUser)
            if let password = uri.password {
                byte(UInt8(ascii: ":"))
                escaped(password, stays: ByteClass.isPassword)
            }
            byte(UInt8(ascii: "@"))
        }
        text(uri.host.text)
        if let port = uri.port {
            byte(UInt8(ascii: ":"))
            number(port)
        }
        uriParameters(uri.parameters)
        var separator = UInt8(ascii: "?")
        for header in uri.headers {
            byte(separator)
            escaped(header.name, stays: ByteClass.isURIHeader)
            byte(UInt8(ascii: "="))
            escaped(header.value ?? "", stays: ByteClass.isURIHeader)
            separator = UInt8(ascii: "&")
        }
    }

    mutating func uriParameters(_ parameters: [Parameter]) {
        for parameter in parameters {
            byte(UInt8(ascii: ";"))
            escaped(parameter.name, stays: ByteClass.isURIParameter)
            guard let value = parameter.value, !value.isEmpty else { continue }
            byte(UInt8(ascii: "="))
            escaped(value, stays: ByteClass.isURIParameterValue)
        }
    }
}
