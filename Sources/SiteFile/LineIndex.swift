/// Which line each key of a TOML document stands on.
///
/// The parser keeps no places, so the document is read a second time, for keys and line ends only. The text
/// has been parsed before: what is not TOML is skipped, never reported.
struct LineIndex {
    private(set) var lines: [KeyPath: Int] = [:]

    init(_ text: String) {
        var scanner = LineScanner(bytes: Array(text.utf8))
        scanner.scanDocument()
        lines = scanner.lines
    }

    /// The line of the value, or of the nearest thing around it that has one.
    func line(of path: KeyPath) -> Int {
        var path = path
        while !path.steps.isEmpty {
            if let line = lines[path] { return line }
            path = path.parent
        }
        return 1
    }
}

private struct LineScanner {
    let bytes: [UInt8]
    var position = 0
    var line = 1
    var lines: [KeyPath: Int] = [:]
    /// How many tables each array of tables has so far.
    var counts: [KeyPath: Int] = [:]

    init(bytes: [UInt8]) { self.bytes = bytes }

    private var current: UInt8? { byte(at: 0) }

    private func byte(at offset: Int) -> UInt8? {
        let index = position + offset
        return index < bytes.count ? bytes[index] : nil
    }

    private mutating func advance() {
        if current == UInt8(ascii: "\n") { line += 1 }
        position += 1
    }

    private mutating func note(_ path: KeyPath) {
        if lines[path] == nil { lines[path] = line }
    }

    mutating func scanDocument() {
        var table = KeyPath.root
        while true {
            skipBlank(lineEnds: true)
            guard let byte = current else { return }
            if byte == UInt8(ascii: "[") {
                table = scanHeader()
            } else {
                scanPair(in: table)
                skipLine()
            }
        }
    }

    /// `[a.b]` or `[[a.b]]`; gives the path of the table that begins here.
    private mutating func scanHeader() -> KeyPath {
        advance()
        let isArray = current == UInt8(ascii: "[")
        if isArray { advance() }
        let keys = scanKeys()
        var path = KeyPath.root
        for (offset, key) in keys.enumerated() {
            path = path.key(key)
            let isLast = offset == keys.count - 1
            if isLast && isArray {
                note(path)
                let count = counts[path, default: 0]
                counts[path] = count + 1
                path = path.index(count)
            } else if let count = counts[path] {
                path = path.index(count - 1)
            }
            note(path)
        }
        skipLine()
        return path
    }

    /// `key = value`, the key possibly dotted.
    private mutating func scanPair(in table: KeyPath) {
        var path = table
        for key in scanKeys() {
            path = path.key(key)
            note(path)
        }
        skipBlank(lineEnds: false)
        guard current == UInt8(ascii: "=") else { return }
        advance()
        skipBlank(lineEnds: false)
        scanValue(path)
    }

    private mutating func scanKeys() -> [String] {
        var keys: [String] = []
        while true {
            skipBlank(lineEnds: false)
            guard let key = scanKey() else { return keys }
            keys.append(key)
            skipBlank(lineEnds: false)
            guard current == UInt8(ascii: ".") else { return keys }
            advance()
        }
    }

    private mutating func scanKey() -> String? {
        guard let byte = current else { return nil }
        if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
            let start = position + 1
            scanString()
            return String(decoding: bytes[min(start, position)..<max(start, position - 1)], as: UTF8.self)
        }
        let start = position
        while let byte = current, Self.isBare(byte) { advance() }
        return position > start ? String(decoding: bytes[start..<position], as: UTF8.self) : nil
    }

    private static func isBare(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), 0x80...0xFF:
            return true
        default:
            return false
        }
    }

    private mutating func scanValue(_ path: KeyPath) {
        note(path)
        switch current {
        case UInt8(ascii: "\""), UInt8(ascii: "'"): scanString()
        case UInt8(ascii: "["): scanArray(path)
        case UInt8(ascii: "{"): scanInlineTable(path)
        default:
            while let byte = current, !Self.endsScalar(byte) { advance() }
        }
    }

    private static func endsScalar(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: ","), UInt8(ascii: "]"), UInt8(ascii: "}"), UInt8(ascii: "#"), UInt8(ascii: "\n"): return true
        default: return false
        }
    }

    private mutating func scanArray(_ path: KeyPath) {
        advance()
        var element = 0
        while true {
            skipBlank(lineEnds: true)
            guard let byte = current else { return }
            switch byte {
            case UInt8(ascii: "]"):
                advance()
                return
            case UInt8(ascii: ","):
                advance()
            default:
                let before = position
                scanValue(path.index(element))
                element += 1
                if position == before { advance() }
            }
        }
    }

    private mutating func scanInlineTable(_ path: KeyPath) {
        advance()
        while true {
            skipBlank(lineEnds: true)
            guard let byte = current else { return }
            switch byte {
            case UInt8(ascii: "}"):
                advance()
                return
            case UInt8(ascii: ","):
                advance()
            default:
                let before = position
                scanPair(in: path)
                if position == before { advance() }
            }
        }
    }

    /// A string of any of the four kinds, from its first quote past its last.
    private mutating func scanString() {
        guard let quote = current else { return }
        let isLong = byte(at: 1) == quote && byte(at: 2) == quote
        let closing = isLong ? 3 : 1
        for _ in 0..<closing { advance() }
        while let byte = current {
            if byte == UInt8(ascii: "\\"), quote == UInt8(ascii: "\"") {
                advance()
                if current != nil { advance() }
            } else if byte == quote, !isLong || (self.byte(at: 1) == quote && self.byte(at: 2) == quote) {
                for _ in 0..<closing { advance() }
                // Up to two more quotes may stand before the closing three.
                while isLong, current == quote { advance() }
                return
            } else if byte == UInt8(ascii: "\n"), !isLong {
                return
            } else {
                advance()
            }
        }
    }

    /// Spaces, tabs and comments, and line ends if asked.
    private mutating func skipBlank(lineEnds: Bool) {
        while let byte = current {
            switch byte {
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"):
                advance()
            case UInt8(ascii: "\n") where lineEnds:
                advance()
            case UInt8(ascii: "#") where lineEnds:
                while let byte = current, byte != UInt8(ascii: "\n") { advance() }
            default:
                return
            }
        }
    }

    private mutating func skipLine() {
        while let byte = current, byte != UInt8(ascii: "\n") { advance() }
    }
}
