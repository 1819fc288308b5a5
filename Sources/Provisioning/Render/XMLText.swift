/// XML 1.0 in the making: names come from the program, values are escaped on the way in, elements close in order.
struct XMLText {
    private(set) var text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    private var open: [String] = []

    typealias Attributes = [(SettingName, String)]

    /// Every `-` but the first in a row is left out: two end a comment.
    mutating func comment(_ words: String) {
        indent()
        var last: Character?
        let safe = DisplayText.value(words).filter { character in
            defer { last = character }
            return character != "-" || last != "-"
        }
        text += "<!-- \(safe) -->\n"
    }

    mutating func element(_ name: SettingName, _ attributes: Attributes = [], _ value: String) {
        indent()
        text += "<\(name.text)\(Self.text(attributes))>\(Self.escaped(value))</\(name.text)>\n"
    }

    mutating func element(_ name: SettingName, _ attributes: Attributes = [], _ content: (inout XMLText) -> Void) {
        indent()
        text += "<\(name.text)\(Self.text(attributes))>\n"
        open.append(name.text)
        content(&self)
        open.removeLast()
        indent()
        text += "</\(name.text)>\n"
    }

    /// An element of attributes alone, one on each line.
    mutating func attributes(_ name: SettingName, _ attributes: Attributes) {
        indent()
        text += "<\(name.text)"
        for (key, value) in attributes {
            text += "\n" + String(repeating: "  ", count: open.count + 1) + "\(key.text)=\"\(Self.escaped(value))\""
        }
        text += "/>\n"
    }

    private mutating func indent() { text += String(repeating: "  ", count: open.count) }

    private static func text(_ attributes: Attributes) -> String {
        attributes.reduce("") { $0 + " \($1.0.text)=\"\(escaped($1.1))\"" }
    }

    private static func escaped(_ value: String) -> String {
        var escaped = ""
        for scalar in value.unicodeScalars where !DisplayText.isUnprintable(scalar) {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "'": escaped += "&apos;"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
