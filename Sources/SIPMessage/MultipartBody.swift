/// Bodies of several parts (RFC 2046 §5.1, RFC 5621).
public enum MultipartBody {
    public struct Part: Sendable, Equatable {
        /// As it was written; empty where the part names none.
        public var contentType: String
        /// RFC 2045 §7, with its angle brackets; nil: none.
        public var contentID: String?
        public var body: [UInt8]

        public init(contentType: String, contentID: String? = nil, body: [UInt8]) {
            self.contentType = contentType
            self.contentID = contentID
            self.body = body
        }
    }

    /// Parts of one body that are looked at.
    public static let maximumParts = 16

    /// The parts of a `multipart/…` body; nil where it is none, or is not closed by its boundary.
    public static func parts(of body: [UInt8], contentType: String) -> [Part]? {
        guard let boundary = boundary(in: contentType) else { return nil }
        let mark = Array("--".utf8) + boundary
        var parts: [Part] = []
        var start: Int?
        var place = 0
        while place <= body.count {
            let line = lineEnd(in: body, from: place)
            if body[place..<line.end].starts(with: mark) {
                let rest = body[(place + mark.count)..<line.end]
                let isLast = rest.starts(with: "--".utf8)
                guard isLast || rest.allSatisfy({ $0 == 0x20 || $0 == 0x09 }) else { return nil }
                // The line end before a boundary belongs to the boundary.
                if let start { parts.append(part(body[start..<max(start, endBefore(place, body))])) }
                if isLast { return parts }
                guard parts.count < maximumParts else { return nil }
                start = line.next
            }
            guard line.next > place else { return nil }
            place = line.next
        }
        return nil
    }

    /// A `multipart/mixed` body of these parts, each ended by `boundary`, which must not stand in any of them.
    public static func serialized(_ parts: [Part], boundary: String) -> [UInt8] {
        var bytes: [UInt8] = []
        for part in parts {
            bytes += "--\(boundary)\r\nContent-Type: \(part.contentType)\r\n".utf8
            if let id = part.contentID { bytes += "Content-ID: \(id)\r\n".utf8 }
            bytes += "\r\n".utf8
            bytes += part.body
            bytes += "\r\n".utf8
        }
        return bytes + "--\(boundary)--\r\n".utf8
    }

    /// The boundary of RFC 2046 §5.1.1: 1 to 70 characters, as a token or in quotes.
    private static func boundary(in contentType: String) -> [UInt8]? {
        guard contentType.utf8.prefix(10).elementsEqual("multipart/".utf8, by: { $0 | 0x20 == $1 | 0x20 }) else { return nil }
        for parameter in contentType.split(separator: ";").dropFirst() {
            let halves = parameter.split(separator: "=", maxSplits: 1)
            guard halves.count == 2, halves[0].trimmedASCII.lowercased() == "boundary" else { continue }
            var value = Array(halves[1].trimmedASCII.utf8)
            if value.first == UInt8(ascii: "\""), value.count >= 2, value.last == UInt8(ascii: "\"") { value = Array(value[1..<(value.count - 1)]) }
            return (1...70).contains(value.count) && !value.contains { $0 < 0x20 || $0 == 0x7F || $0 == UInt8(ascii: "\"") } ? value : nil
        }
        return nil
    }

    private static func part(_ bytes: ArraySlice<UInt8>) -> Part {
        var part = Part(contentType: "", body: [])
        let all = Array(bytes)
        var place = 0
        while place < all.count {
            let line = lineEnd(in: all, from: place)
            if line.end == place {
                part.body = Array(all[line.next...])
                return part
            }
            let text = String(decoding: all[place..<line.end], as: UTF8.self)
            let halves = text.split(separator: ":", maxSplits: 1)
            let isOneLine = !text.utf8.contains { $0 < 0x20 && $0 != 0x09 || $0 == 0x7F }
            if halves.count == 2, isOneLine {
                switch halves[0].trimmedASCII.lowercased() {
                case "content-type", "c": part.contentType = String(halves[1].trimmedASCII)
                case "content-id": part.contentID = String(halves[1].trimmedASCII)
                default: break
                }
            }
            guard line.next > place else { break }
            place = line.next
        }
        return part
    }

    /// Where the line ends that begins at `place`, and where the next begins. A line of the last bytes ends with them.
    private static func lineEnd(in bytes: [UInt8], from place: Int) -> (end: Int, next: Int) {
        guard place < bytes.count, let feed = bytes[place...].firstIndex(of: 0x0A) else { return (bytes.count, bytes.count) }
        let end = feed > place && bytes[feed - 1] == 0x0D ? feed - 1 : feed
        return (end, feed + 1)
    }

    private static func endBefore(_ place: Int, _ bytes: [UInt8]) -> Int {
        guard place > 0, bytes[place - 1] == 0x0A else { return place }
        return place > 1 && bytes[place - 2] == 0x0D ? place - 2 : place - 1
    }
}

extension StringProtocol {
    /// Without spaces and tabs at its ends.
    fileprivate var trimmedASCII: SubSequence {
        let isSpace = { (character: Character) in character == " " || character == "\t" }
        let head = self.drop(while: isSpace)
        guard let last = head.lastIndex(where: { !isSpace($0) }) else { return head[head.endIndex...] }
        return head[...last]
    }
}
