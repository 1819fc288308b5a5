public import HotDeskPolicy

/// A file name or a User-Agent with places in it, as the catalogue has them: `{mac}` twelve hexadecimal digits, with
/// `:` or `-` between pairs or without; `{MAC}` the same, written in upper case; `{model}` anything, as little as
/// possible; `{version}` a word; `{any}` anything. Letters match in any case.
public struct TextPattern: Sendable, Hashable {
    enum Part: Sendable, Hashable {
        /// In lower case.
        case literal([UInt8])
        case mac(upper: Bool)
        case model
        case version
        case any
    }

    public let text: String
    let parts: [Part]

    /// Nil for an unknown place, a brace alone, or more than eight places.
    public init?(_ text: String) {
        var parts: [Part] = []
        var literal: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "{") else {
                guard byte != UInt8(ascii: "}") else { return nil }
                literal.append(Self.lowercased(byte))
                continue
            }
            guard let end = rest.firstIndex(of: UInt8(ascii: "}")) else { return nil }
            if !literal.isEmpty { parts.append(.literal(literal)) }
            literal = []
            switch String(decoding: rest[..<end], as: UTF8.self) {
            case "mac": parts.append(.mac(upper: false))
            case "MAC": parts.append(.mac(upper: true))
            case "model": parts.append(.model)
            case "version": parts.append(.version)
            case "any": parts.append(.any)
            default: return nil
            }
            rest = rest[rest.index(after: end)...]
        }
        if !literal.isEmpty { parts.append(.literal(literal)) }
        guard !parts.isEmpty, parts.count <= 17 else { return nil }
        self.text = text
        self.parts = parts
    }

    /// What stood in the places.
    public struct Match: Sendable, Equatable {
        public var mac: MACAddress?
        public var model: String?
        public var version: String?
    }

    /// Nil where the whole of `text` does not match, or is longer than 256 bytes.
    public func match(_ text: String) -> Match? {
        let bytes = Array(text.utf8)
        guard bytes.count <= 256 else { return nil }
        var search = Search(bytes: bytes, parts: parts)
        return search.run()
    }

    static func lowercased(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }

    /// Tries each way; a place and part that led nowhere once are not tried again, so it takes at most bytes × parts steps
    /// of bytes each.
    private struct Search {
        let bytes: [UInt8]
        let parts: [Part]
        var failed: Set<Int> = []
        var match = Match()

        init(bytes: [UInt8], parts: [Part]) {
            self.bytes = bytes
            self.parts = parts
        }

        mutating func run() -> Match? { reaches(end: 0, 0) ? match : nil }

        /// Whether the parts from `part` on match the bytes from `start` on.
        private mutating func reaches(end part: Int, _ start: Int) -> Bool {
            guard part < parts.count else { return start == bytes.count }
            let state = part * (bytes.count + 1) + start
            guard !failed.contains(state) else { return false }
            for stop in stops(parts[part], start) where mayGoOn(part + 1, stop) && reaches(end: part + 1, stop) {
                take(parts[part], start, stop)
                return true
            }
            failed.insert(state)
            return false
        }

        /// Whether the next part's first byte, where it is known, stands there: most places are ruled out by it.
        private func mayGoOn(_ part: Int, _ start: Int) -> Bool {
            guard part < parts.count else { return start == bytes.count }
            guard case .literal(let literal) = parts[part], let first = literal.first else { return true }
            return start < bytes.count && TextPattern.lowercased(bytes[start]) == first
        }

        /// Where the part can end, nearest first.
        private func stops(_ part: Part, _ start: Int) -> [Int] {
            switch part {
            case .literal(let literal):
                let end = start + literal.count
                guard end <= bytes.count, zip(bytes[start..<end], literal).allSatisfy({ TextPattern.lowercased($0) == $1 }) else { return [] }
                return [end]
            case .mac:
                return [12, 17].map { start + $0 }.filter { $0 <= bytes.count && mac(start, $0) != nil }
            case .model:
                return start < bytes.count ? Array((start + 1)...bytes.count) : []
            case .version:
                let end = bytes[start...].firstIndex(of: 0x20) ?? bytes.count
                return start < end ? Array((start + 1)...end) : []
            case .any:
                return Array(start...bytes.count)
            }
        }

        /// Twelve zeros stand in names for "every phone" and are no address.
        private func mac(_ start: Int, _ stop: Int) -> MACAddress? {
            MACAddress(String(decoding: bytes[start..<stop], as: UTF8.self)).flatMap { $0.rawValue == 0 ? nil : $0 }
        }

        private mutating func take(_ part: Part, _ start: Int, _ stop: Int) {
            let text = String(decoding: bytes[start..<stop], as: UTF8.self)
            switch part {
            case .mac: match.mac = mac(start, stop)
            case .model: match.model = text
            case .version: match.version = text
            case .literal, .any: break
            }
        }
    }
}
