/// Lines of a session description on their way to a `SessionDescription`.
struct SDPParser {
    /// Our own bound on "m=" lines.
    private static let maximumMedia = 32

    private var hasVersion = false
    private var hasEnded = false
    private var description = SessionDescription(origin: nil, sessionName: "", otherLines: [])

    mutating func read(_ text: ByteCursor) throws(SIPSyntaxError) {
        var rest = text
        while !rest.isAtEnd {
            var line = rest.takeWhile { $0 != 0x0A }
            rest.skip()
            if line.count > 0, line.peek(line.count - 1) == 0x0D { line = line.part(from: line.position, to: line.end - 1) }
            try add(line)
        }
    }

    /// The description; "o=", "s=" and "t=", which RFC 8866 §5 demands and some phones leave out, are filled in.
    mutating func finish() throws(SIPSyntaxError) -> SessionDescription {
        guard hasVersion else { throw SIPSyntaxError(.sessionDescription) }
        description.origin = description.origin ?? SDPOrigin.none
        description.otherLines = SDPParser.sorted(description.otherLines)
        if !description.otherLines.contains(where: { $0.type == UInt8(ascii: "t") }) {
            description.otherLines.append(SDPLine("t", "0 0"))
        }
        if description.sessionName.isEmpty { description.sessionName = "-" }
        let direction = MediaDirection.last(in: description.attributes)
        for index in description.media.indices {
            description.media[index].sessionDirection = direction
            description.media[index].otherLines = SDPParser.sorted(description.media[index].otherLines)
        }
        return description
    }

    /// `type=value`, the type a letter; no white space around the "=" (RFC 8866 §5).
    private mutating func add(_ line: ByteCursor) throws(SIPSyntaxError) {
        guard let type = line.next else {
            hasEnded = true
            return
        }
        guard !hasEnded, ByteClass.isAlpha(type), line.peek(1) == UInt8(ascii: "=") else { throw SIPSyntaxError(.sessionDescription) }
        var value = line
        value.skip(2)
        guard !value.contains(where: { $0 == 0 || $0 == 0x0D }) else { throw SIPSyntaxError(.sessionDescription) }
        guard hasVersion else {
            guard type == UInt8(ascii: "v"), value.trimmed.equals(lowercase: "0") else { throw SIPSyntaxError(.sessionDescription) }
            hasVersion = true
            return
        }
        if type == UInt8(ascii: "m") {
            guard description.media.count < SDPParser.maximumMedia else { throw SIPSyntaxError(.mediaDescription) }
            description.media.append(try MediaDescription(value))
        } else if description.media.isEmpty {
            try addToSession(type, value)
        } else {
            addToMedia(type, value)
        }
    }

    private mutating func addToSession(_ type: UInt8, _ value: ByteCursor) throws(SIPSyntaxError) {
        switch type {
        case UInt8(ascii: "v"):
            throw SIPSyntaxError(.sessionDescription)
        case UInt8(ascii: "o"):
            guard description.origin == nil, let origin = SDPOrigin(value) else { throw SIPSyntaxError(.sessionDescription) }
            description.origin = origin
        case UInt8(ascii: "s"):
            description.sessionName = value.text
        case UInt8(ascii: "c"):
            guard description.connectionText == nil else { throw SIPSyntaxError(.sessionDescription) }
            description.connectionText = value.text
        case UInt8(ascii: "a"):
            description.attributes.append(SDPAttribute(value))
        default:
            description.otherLines.append(SDPLine(type: type, value: value.text))
        }
    }

    private mutating func addToMedia(_ type: UInt8, _ value: ByteCursor) {
        let last = description.media.count - 1
        switch type {
        case UInt8(ascii: "a"):
            description.media[last].attributes.append(SDPAttribute(value))
        case UInt8(ascii: "c") where description.media[last].connectionText == nil:
            description.media[last].connectionText = value.text
        default:
            description.media[last].otherLines.append(SDPLine(type: type, value: value.text))
        }
    }

    /// Lines that stand before "c=" first, the order otherwise kept.
    private static func sorted(_ lines: [SDPLine]) -> [SDPLine] {
        guard lines.contains(where: { $0.standsBeforeConnection }) else { return lines }
        return lines.filter { $0.standsBeforeConnection } + lines.filter { !$0.standsBeforeConnection }
    }
}

extension SDPAttribute {
    fileprivate init(_ text: ByteCursor) {
        var rest = text
        let name = rest.takeWhile { $0 != UInt8(ascii: ":") }.text
        self.init(name, rest.take(UInt8(ascii: ":")) ? rest.text : nil)
    }
}

extension MediaDescription {
    /// The value of an "m=" line: kind, port with an optional count, transport, formats.
    fileprivate init(_ value: ByteCursor) throws(SIPSyntaxError) {
        var rest = value
        let kind = rest.word()
        var ports = rest.word()
        let transport = rest.word()
        guard !kind.isAtEnd, !transport.isAtEnd else { throw SIPSyntaxError(.mediaDescription) }
        guard let port = ports.takeWhile(ByteClass.isDigit).decimal(maximum: 65_535) else { throw SIPSyntaxError(.mediaDescription) }
        var portCount: UInt64 = 1
        if ports.take(UInt8(ascii: "/")) {
            guard let count = ports.takeWhile(ByteClass.isDigit).decimal(maximum: 65_535), count > 0 else {
                throw SIPSyntaxError(.mediaDescription)
            }
            portCount = count
        }
        guard ports.isAtEnd else { throw SIPSyntaxError(.mediaDescription) }
        var formats: [String] = []
        while true {
            let format = rest.word()
            guard !format.isAtEnd else { break }
            formats.append(format.text)
        }
        self.init(
            kind: kind.text, port: UInt16(port), transport: transport.text, formats: formats, portCount: UInt16(portCount))
    }
}

extension ByteCursor {
    /// White space passed over, then the bytes up to the next.
    fileprivate mutating func word() -> ByteCursor {
        skipWhitespace()
        return takeWhile { !ByteClass.isWhitespace($0) }
    }
}
