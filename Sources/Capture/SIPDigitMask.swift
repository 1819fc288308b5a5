/// Finds digits in the body of a SIP INFO (RFC 6086 and the older ways) and overwrites them.
enum SIPDigitMask {
    private enum Body {
        /// `Signal=5` and `Duration=160`, a line each.
        case relay
        /// Nothing but the digit.
        case plain
        /// Something about digits that is not known: any value may be one.
        case unknown
    }

    static func mask(_ message: [UInt8]) -> [UInt8] {
        let start = message.firstIndex { $0 != 0x0D && $0 != 0x0A } ?? message.endIndex
        guard lowercase(message[start...].prefix(5)) == "info ", let bodyStart = endOfHeader(message, from: start),
            let body = body(contentType(message[start..<bodyStart]), message[bodyStart...])
        else { return message }
        var masked = message
        switch body {
        case .relay: maskValues(in: &masked, from: bodyStart) { $0 == "signal" }
        case .plain: maskPlain(&masked, from: bodyStart)
        case .unknown: maskValues(in: &masked, from: bodyStart) { _ in true }
        }
        return masked
    }

    private static func body(_ type: String, _ bytes: ArraySlice<UInt8>) -> Body? {
        if type.hasPrefix("multipart/") { return body(lowercase(bytes)) }
        return body(type)
    }

    /// - Parameter type: a content type, or parts with their types.
    private static func body(_ type: String) -> Body? {
        if type.contains("dtmf-relay") { return .relay }
        if type.contains("dtmf") { return .plain }
        return type.contains("digit") || type.contains("telephone-event") || type.contains("kpml") ? .unknown : nil
    }

    /// The index after the empty line.
    private static func endOfHeader(_ message: [UInt8], from start: Int) -> Int? {
        var lineIsEmpty = false
        for index in start..<message.endIndex {
            switch message[index] {
            case 0x0A:
                if lineIsEmpty { return index + 1 }
                lineIsEmpty = true
            case 0x0D: break
            default: lineIsEmpty = false
            }
        }
        return nil
    }

    /// The value of Content-Type or `c`, in lower case, what is folded into further lines included; "" without one.
    private static func contentType(_ header: ArraySlice<UInt8>) -> String {
        var value = ""
        var isInside = false
        for line in header.split(separator: 0x0A) {
            if isInside, let first = line.first, first == 0x20 || first == 0x09 {
                value += lowercase(line)
                continue
            }
            isInside = false
            guard let colon = line.firstIndex(of: 0x3A) else { continue }
            let name = trimmed(lowercase(line[..<colon]))
            guard name == "content-type" || name == "c" else { continue }
            isInside = true
            value += trimmed(lowercase(line[(colon + 1)...]))
        }
        return value
    }

    /// Overwrites what stands after "=" in lines whose name `isMasked` holds for; a body without such lines as a whole.
    private static func maskValues(in message: inout [UInt8], from start: Int, where isMasked: (String) -> Bool) {
        var lineStart = start
        var hasValue = false
        while lineStart < message.endIndex {
            let lineEnd = message[lineStart...].firstIndex { $0 == 0x0A || $0 == 0x0D } ?? message.endIndex
            if let equals = message[lineStart..<lineEnd].firstIndex(of: 0x3D) {
                if isMasked(trimmed(lowercase(message[lineStart..<equals]))) {
                    hasValue = true
                    zero(&message, equals + 1..<lineEnd)
                }
            }
            lineStart = lineEnd + 1
        }
        if !hasValue { zero(&message, start..<message.endIndex) }
    }

    /// A body that has "=" all the same is of the other kind (seen in the field).
    private static func maskPlain(_ message: inout [UInt8], from start: Int) {
        if message[start...].contains(0x3D) {
            maskValues(in: &message, from: start) { $0 == "signal" }
        } else {
            zero(&message, start..<message.endIndex)
        }
    }

    /// White space stays.
    private static func zero(_ message: inout [UInt8], _ range: Range<Int>) {
        for index in range where message[index] > 0x20 { message[index] = 0x30 }
    }

    private static func lowercase(_ bytes: ArraySlice<UInt8>) -> String {
        String(decoding: bytes.map { $0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 : $0 }, as: UTF8.self)
    }

    private static func trimmed(_ text: String) -> String {
        let isSpace: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
        let start = text.utf8.drop(while: isSpace)
        let kept = start.reversed().drop(while: isSpace).reversed()
        return String(decoding: Array(kept), as: UTF8.self)
    }
}
