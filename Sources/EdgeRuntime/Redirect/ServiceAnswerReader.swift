import CoreTypes

/// Reads an HTTP/1.1 answer (RFC 9112) to the last request of a connection: it ends with the connection at the latest.
struct ServiceAnswerReader {
    /// Bytes of an answer, head and all.
    static let maximumBytes = 1 << 20
    private static let maximumHead = 32 * 1024

    private(set) var bytes: [UInt8] = []

    /// False: it is longer than any answer should be.
    mutating func take(_ more: [UInt8]) -> Bool {
        bytes += more
        return bytes.count <= Self.maximumBytes
    }

    /// The whole answer; nil while more must come.
    /// - Parameter isEnd: nothing more comes.
    func answer(isEnd: Bool) throws(ServiceFailure) -> ServiceAnswer? {
        guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else {
            if isEnd || bytes.count > Self.maximumHead { throw .unavailable("what it answers is no HTTP") }
            return nil
        }
        let lines = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).split(separator: "\r\n", omittingEmptySubsequences: false)
        let start = (lines.first ?? "").split(separator: " ", maxSplits: 2)
        guard start.count >= 2, start[0].hasPrefix("HTTP/1."), let status = Int(start[1]), (100...599).contains(status) else {
            throw .unavailable("what it answers is no HTTP")
        }
        var answer = ServiceAnswer(status: status, headers: [:], body: [])
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { throw .unavailable("what it answers is no HTTP") }
            let name = line[..<colon].lowercased()
            if answer.headers[name] == nil { answer.headers[name] = Self.trimmed(line[line.index(after: colon)...]) }
        }
        guard let body = try body(bytes[end.upperBound...], answer, isEnd: isEnd) else { return nil }
        answer.body = body
        return answer
    }

    private func body(_ rest: ArraySlice<UInt8>, _ answer: ServiceAnswer, isEnd: Bool) throws(ServiceFailure) -> [UInt8]? {
        if answer.status == 204 || answer.status == 304 { return [] }
        if answer.headers["transfer-encoding"]?.lowercased() == "chunked" {
            if let body = try Self.joined(rest) { return body }
        } else if let length = answer.headers["content-length"] {
            guard let count = Int(length), (0...Self.maximumBytes).contains(count) else { throw .unavailable("its answer has no length") }
            if rest.count >= count { return Array(rest.prefix(count)) }
        } else {
            return isEnd ? Array(rest) : nil
        }
        if isEnd { throw .unavailable("its answer was cut") }
        return nil
    }

    /// RFC 9112 §7.1; nil while chunks are missing.
    private static func joined(_ bytes: ArraySlice<UInt8>) throws(ServiceFailure) -> [UInt8]? {
        var rest = bytes
        var body: [UInt8] = []
        while let line = rest.firstIndex(of: 0x0A) {
            let text = String(decoding: rest[..<line].prefix { $0 != 0x3B && $0 != 0x0D }, as: UTF8.self)
            guard let count = Int(trimmed(text), radix: 16), (0...maximumBytes).contains(count) else { throw .unavailable("its answer has no length") }
            rest = rest[(line + 1)...]
            if count == 0 { return body }
            guard rest.count >= count + 2 else { return nil }
            body += rest.prefix(count)
            rest = rest.dropFirst(count + 2)
        }
        return nil
    }

    private static func trimmed(_ text: some StringProtocol) -> String {
        let blank: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        return String(text.drop(while: blank).reversed().drop(while: blank).reversed())
    }
}
