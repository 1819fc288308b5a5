import SIPMessage

/// A key in the body of a SIP INFO request: `application/dtmf-relay` ("Signal=5", "Duration=160") or `application/dtmf`
/// ("5").
struct InfoDigit: Hashable {
    /// ASCII 0-9, *, #, A-D.
    var key: UInt8
    var duration: Duration

    /// Nil for an INFO that is about anything else.
    init?(_ request: SIPRequest) {
        let type = (request.headers.contentType ?? "").lowercased()
        if type.hasPrefix("application/dtmf-relay") {
            self.init(relay: request.body)
        } else if type.hasPrefix("application/dtmf"), let key = Self.digit(request.body[...]) {
            self.init(key: key)
        } else {
            return nil
        }
    }

    private init(key: UInt8, duration: Duration = .milliseconds(100)) {
        self.key = key
        self.duration = duration
    }

    private init?(relay body: [UInt8]) {
        var key: UInt8?
        var duration = Duration.milliseconds(100)
        for line in body.split(whereSeparator: { $0 == 0x0D || $0 == 0x0A }) {
            guard let equals = line.firstIndex(of: UInt8(ascii: "=")) else { continue }
            let value = line[(equals + 1)...]
            switch String(decoding: line[..<equals], as: UTF8.self).lowercased().filter({ $0 != " " }) {
            case "signal": key = key ?? Self.digit(value)
            case "duration": duration = Self.milliseconds(value) ?? duration
            default: break
            }
        }
        guard let key else { return nil }
        self.init(key: key, duration: duration)
    }

    private static func milliseconds(_ bytes: ArraySlice<UInt8>) -> Duration? {
        UInt16(String(decoding: bytes.filter { $0 > 0x20 }, as: UTF8.self)).map { .milliseconds(Int64($0)) }
    }

    private static func digit(_ bytes: ArraySlice<UInt8>) -> UInt8? {
        let text = bytes.filter { $0 > 0x20 }
        // Some phones say 10 and 11 for * and #.
        if text.elementsEqual("10".utf8) { return UInt8(ascii: "*") }
        if text.elementsEqual("11".utf8) { return UInt8(ascii: "#") }
        guard text.count == 1, let byte = text.first else { return nil }
        switch byte {
        case 0x30...0x39, UInt8(ascii: "*"), UInt8(ascii: "#"), 0x41...0x44: return byte
        case 0x61...0x64: return byte - 0x20
        default: return nil
        }
    }
}
