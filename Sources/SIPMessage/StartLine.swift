/// RFC 3261 §7.1, §7.2
enum StartLine {
    case request(Method, URI)
    case response(Int, String)

    /// The whole of `line`. Exactly one space divides its parts (RFC 4475 §3.1.2.8, §3.1.2.9).
    init(_ line: ByteCursor, limits: ParserLimits) throws(SIPProblem) {
        if StartLine.isStatusLine(line) {
            self = try StartLine.status(line)
        } else {
            self = try StartLine.request(line, limits)
        }
    }

    private static func isStatusLine(_ line: ByteCursor) -> Bool {
        line.part(from: line.position, to: line.position + 4).equals(lowercase: "sip/")
    }

    private static func status(_ line: ByteCursor) throws(SIPProblem) -> StartLine {
        var line = line
        guard line.takeWhile({ $0 != 0x20 }).equals(lowercase: "sip/2.0") else { throw .version }
        guard line.take(0x20) else { throw .syntax(.statusCode) }
        let digits = line.takeWhile(ByteClass.isDigit)
        guard digits.count == 3, let status = digits.decimal(maximum: 699), status >= 100 else { throw .syntax(.statusCode) }
        guard line.isAtEnd || line.take(0x20) else { throw .syntax(.statusCode) }
        return .response(Int(status), HeaderField.singleLine(line.text))
    }

    private static func request(_ line: ByteCursor, _ limits: ParserLimits) throws(SIPProblem) -> StartLine {
        let (target, isClean) = try target(of: line)
        var rest = line
        let method: Method
        do {
            method = try rest.method()
        } catch {
            throw .syntax(error.rule)
        }
        guard isClean, rest.take(0x20) else { throw .syntax(.startLine) }
        let uri = rest.part(from: rest.position, to: target)
        guard uri.count <= limits.maximumRequestURI else { throw .requestURITooLong }
        guard !uri.isAtEnd, !uri.contains(where: { $0 <= 0x20 }) else { throw .syntax(.requestURI) }
        do {
            return .request(method, try URI(uri))
        } catch {
            throw .syntax(error.rule)
        }
    }

    /// Where the Request-URI ends, by the version behind it, and whether nothing follows that version.
    private static func target(of line: ByteCursor) throws(SIPProblem) -> (end: Int, isClean: Bool) {
        let visible = line.trimmed
        var space: Int?
        var place = visible.count - 1
        while place >= 0, space == nil {
            if let byte = visible.peek(place), ByteClass.isWhitespace(byte) { space = place }
            place -= 1
        }
        guard let space else { throw .notSIP }
        let version = visible.part(from: visible.position + space + 1, to: visible.end)
        guard version.part(from: version.position, to: version.position + 4).equals(lowercase: "sip/") else { throw .notSIP }
        guard version.equals(lowercase: "sip/2.0") else { throw .version }
        return (visible.position + space, visible.count == line.count)
    }
}
