/// Text for a phone's screen, made safe for the syntax it is put into.
enum DisplayText {
    /// Controls, line and paragraph separators, marks that turn the direction of writing, and what XML 1.0 cannot hold.
    static func isUnprintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0...0x1F, 0x7F...0x9F, 0x2028...0x202E, 0x2066...0x2069, 0x200E, 0x200F, 0xFEFF, 0xFFFE, 0xFFFF: return true
        default: return false
        }
    }

    /// Without unprintable characters and those of `stripped`; in ASCII alone if asked; at most `limit` characters.
    static func label(_ text: String, stripping stripped: String = "", asciiOnly: Bool = false, limit: Int = 32) -> String {
        var kept = String.UnicodeScalarView()
        for scalar in text.unicodeScalars where !isUnprintable(scalar) && !stripped.unicodeScalars.contains(scalar) {
            if !asciiOnly || scalar.isASCII { kept.append(scalar) }
        }
        var label = String(kept).prefix(limit)
        while label.last == " " { label.removeLast() }
        while label.first == " " { label.removeFirst() }
        return String(label)
    }

    /// A value that is no label: the same, of any length.
    static func value(_ text: String) -> String {
        var kept = String.UnicodeScalarView()
        for scalar in text.unicodeScalars where !isUnprintable(scalar) { kept.append(scalar) }
        return String(kept)
    }
}
