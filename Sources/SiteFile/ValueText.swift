/// The small notations of a site file.
enum ValueText {
    /// `90s`, `5m`, `2h`, `1d`, `1h30m`: whole numbers with a unit each, at most a year together.
    static func duration(_ text: String) -> Duration? {
        var seconds = 0
        var digits = ""
        var hasUnit = false
        for byte in text.utf8 {
            if ASCII.isDigit(byte) {
                digits.append(Character(UnicodeScalar(byte)))
                continue
            }
            guard let unit = unit(byte), digits.utf8.count <= 8, let number = Int(digits) else { return nil }
            seconds += number * unit
            digits = ""
            hasUnit = true
        }
        guard hasUnit, digits.isEmpty, seconds <= 366 * 86400 else { return nil }
        return .seconds(seconds)
    }

    private static func unit(_ byte: UInt8) -> Int? {
        switch byte {
        case UInt8(ascii: "s"): return 1
        case UInt8(ascii: "m"): return 60
        case UInt8(ascii: "h"): return 3600
        case UInt8(ascii: "d"): return 86400
        default: return nil
        }
    }

    /// `19:00`: minutes after midnight.
    static func timeOfDay(_ text: String) -> Int? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[1].utf8.count == 2, let hour = number(parts[0], maximumDigits: 2),
            let minute = number(parts[1], maximumDigits: 2), hour < 24, minute < 60
        else { return nil }
        return hour * 60 + minute
    }

    /// `64KB`, `100MB`, `2GB`: powers of 1024.
    static func size(_ text: String) -> UInt64? {
        for (suffix, factor) in [("KB", UInt64(1) << 10), ("MB", UInt64(1) << 20), ("GB", UInt64(1) << 30)]
        where text.hasSuffix(suffix) {
            return number(text.dropLast(2), maximumDigits: 6).map { UInt64($0) * factor }
        }
        return nil
    }

    /// `20000-20999`.
    static func portRange(_ text: String) -> ClosedRange<UInt16>? {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let low = port(parts[0]), let high = port(parts[1]), low <= high else { return nil }
        return low...high
    }

    /// 1...65535.
    static func port(_ text: some StringProtocol) -> UInt16? {
        number(text, maximumDigits: 5).flatMap { UInt16(exactly: $0) }.flatMap { $0 == 0 ? nil : $0 }
    }

    private static func number(_ text: some StringProtocol, maximumDigits: Int) -> Int? {
        guard (1...maximumDigits).contains(text.utf8.count), text.utf8.allSatisfy(ASCII.isDigit) else { return nil }
        return Int(text)
    }

    /// A host name of letters, digits, hyphens and dots (RFC 1123 §2.1).
    static func isHostName(_ text: Substring) -> Bool {
        guard (1...253).contains(text.utf8.count), let last = text.utf8.last else { return false }
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        return labels.allSatisfy { isHostLabel($0) } && !(ASCII.isDigit(last) && labels.count == 4)
    }

    private static func isHostLabel(_ label: Substring) -> Bool {
        guard (1...63).contains(label.utf8.count), label.utf8.first != UInt8(ascii: "-"), label.utf8.last != UInt8(ascii: "-")
        else { return false }
        return label.utf8.allSatisfy { ASCII.isDigit($0) || ASCII.isLetter($0) || $0 == UInt8(ascii: "-") }
    }

    /// A code that can be dialled: 1 to 16 digits, stars and hashes.
    static func isDialable(_ text: String) -> Bool {
        (1...16).contains(text.utf8.count)
            && text.utf8.allSatisfy { ASCII.isDigit($0) || $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "#") }
    }

    /// 1 to 16 digits.
    static func isDigits(_ text: String) -> Bool {
        (1...16).contains(text.utf8.count) && text.utf8.allSatisfy(ASCII.isDigit)
    }

    /// A user part that needs no escape (RFC 3261 §25.1: `unreserved`), 1 to 64 bytes.
    static func isUser(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { ASCII.isDigit($0) || ASCII.isLetter($0) || "-_.!~*'()+".utf8.contains($0) }
    }

    /// A user's name as HTTP authentication carries it (RFC 7617 §2): 1 to 128 printable bytes, neither colon nor quote.
    static func isAccountName(_ text: String) -> Bool {
        (1...128).contains(text.utf8.count) && text.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != 0x22 && $0 != 0x3A }
    }

    /// Text for a screen: no control characters, at most 128 bytes.
    static func isLabel(_ text: String) -> Bool {
        text.utf8.count <= 128 && text.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) }
    }

    /// Without spaces, tabs and carriage returns at both ends.
    static func trimmed(_ text: some StringProtocol) -> String {
        let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\r" || $0 == "\r\n" || $0 == "\n" }
        var rest = Substring(text)
        while let first = rest.first, isSpace(first) { rest.removeFirst() }
        while let last = rest.last, isSpace(last) { rest.removeLast() }
        return String(rest)
    }
}

enum ASCII {
    static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
    static func isLetter(_ byte: UInt8) -> Bool { (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) }
}
