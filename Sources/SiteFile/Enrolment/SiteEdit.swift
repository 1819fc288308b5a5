/// Changes of a site file's text that leave everything else in it as it was, comments too: tables are appended at the
/// end, or one is cut out.
enum SiteEdit {
    /// `[[name]]` with these keys, in this order, after everything else.
    static func appending(_ tables: [(name: String, keys: [(String, String)])], to text: String) -> String {
        var text = text
        if !text.isEmpty, !text.hasSuffix("\n") { text += "\n" }
        for table in tables {
            text += "\n[[\(table.name)]]\n"
            for (key, value) in table.keys { text += "\(key) = \(value)\n" }
        }
        return text
    }

    /// Without the `index`th `[[name]]`, counted from 0: from its header to the last line that belongs to it. Comments
    /// above the header, and those above whatever comes next, stay. Nil where there is no such table.
    static func removing(_ name: String, index: Int, from text: String) -> String? {
        let places = LineIndex(text)
        let path = KeyPath.root.key(name).index(index)
        guard let first = places.lines[path] else { return nil }
        // The last line that any value of the table stands on, multi-line values to their end.
        let next = places.lines.filter { $0.value > first && !path.isPrefix(of: $0.key) }.map(\.value).min()
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        var end = min(next.map { $0 - 1 } ?? lines.count, lines.count)
        while end > first, isBlankOrComment(lines[end - 1]) { end -= 1 }
        var kept = Array(lines[..<(first - 1)])
        let rest = lines[end...]
        // One blank line is enough where two came together.
        if kept.last.map(isBlank) ?? false, rest.first.map(isBlank) ?? true { kept.removeLast() }
        return (kept + rest).joined(separator: "\n")
    }

    private static func isBlank(_ line: Substring) -> Bool { line.utf8.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D } }

    private static func isBlankOrComment(_ line: Substring) -> Bool {
        isBlank(line) || line.utf8.first { $0 != 0x20 && $0 != 0x09 } == UInt8(ascii: "#")
    }

    /// A TOML basic string.
    static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            default:
                if scalar.value < 0x20 || scalar.value == 0x7F {
                    let digits = String(scalar.value, radix: 16)
                    quoted += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
                } else {
                    quoted.unicodeScalars.append(scalar)
                }
            }
        }
        return quoted + "\""
    }

    static func list(_ texts: [String]) -> String { "[" + texts.map(quoted).joined(separator: ", ") + "]" }
}

extension KeyPath {
    fileprivate func isPrefix(of other: KeyPath) -> Bool { other.steps.starts(with: steps) }
}
