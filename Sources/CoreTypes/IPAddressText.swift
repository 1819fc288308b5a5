/// Text forms of addresses: RFC 4291 §2.2 and dotted decimal in, RFC 5952 out.
extension IPAddress: CustomStringConvertible {
    /// Reads "192.0.2.1" or "2001:db8::1", without brackets, zone or prefix length; nil for anything else.
    public init?(_ text: String) {
        var text = text
        guard let address = text.withUTF8({ IPAddress(ascii: $0) }) else { return nil }
        self = address
    }

    /// The same on the bytes of the text.
    public init?(ascii bytes: UnsafeBufferPointer<UInt8>) {
        // The longest form is 45 bytes: six groups and an embedded IPv4 address.
        guard bytes.count >= 2, bytes.count <= 45 else { return nil }
        if bytes.contains(UInt8(ascii: ":")) {
            self.init(ipv6Text: bytes)
        } else {
            guard let value = Self.dottedDecimal(bytes, from: 0) else { return nil }
            self.init(v4: value)
        }
    }

    /// RFC 5952 for IPv6 (mapped IPv4 addresses in the mixed form of its §5), dotted decimal for IPv4.
    public var description: String {
        switch family {
        case .v4: return Self.dottedText(UInt32(truncatingIfNeeded: low))
        case .v6: return ipv6Text
        }
    }

    /// Four decimal numbers of 0...255 without leading zeros, from `start` to the end of `bytes`.
    private static func dottedDecimal(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> UInt32? {
        var value: UInt32 = 0
        var part: UInt32 = 0
        var digits = 0
        var parts = 0
        for byte in bytes[start...] {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                guard digits == 0 || part != 0 else { return nil }
                part = part * 10 + UInt32(byte - UInt8(ascii: "0"))
                digits += 1
                guard part <= 255 else { return nil }
            case UInt8(ascii: "."):
                guard digits > 0, parts < 3 else { return nil }
                value = value << 8 | part
                (part, digits, parts) = (0, 0, parts + 1)
            default:
                return nil
            }
        }
        guard digits > 0, parts == 3 else { return nil }
        return value << 8 | part
    }

    private static func dottedText(_ value: UInt32) -> String {
        // Fifteen bytes at most, which a String holds without storage.
        String(unsafeUninitializedCapacity: 15) { text in
            var count = 0
            for shift in stride(from: UInt32(24), through: 0, by: -8) {
                let part = UInt8(truncatingIfNeeded: value >> shift)
                if count > 0 {
                    text.initializeElement(at: count, to: UInt8(ascii: "."))
                    count += 1
                }
                if part >= 100 {
                    text.initializeElement(at: count, to: 0x30 + part / 100)
                    count += 1
                }
                if part >= 10 {
                    text.initializeElement(at: count, to: 0x30 + part / 10 % 10)
                    count += 1
                }
                text.initializeElement(at: count, to: 0x30 + part % 10)
                count += 1
            }
            return count
        }
    }
}

extension IPAddress {
    /// Eight groups of up to four hexadecimal digits, one run of zero groups as "::", the last two groups
    /// perhaps in dotted decimal.
    private init?(ipv6Text bytes: UnsafeBufferPointer<UInt8>) {
        let colon = UInt8(ascii: ":")
        var reader = GroupReader()
        var index = 0
        if bytes[0] == colon {
            guard bytes[1] == colon else { return nil }
            reader.gap = 0
            index = 2
        }
        while index < bytes.count {
            let start = index
            var group: UInt16 = 0
            while index < bytes.count, let digit = Self.hexadecimalDigit(bytes[index]) {
                guard index - start < 4 else { return nil }
                group = group << 4 | digit
                index += 1
            }
            if index < bytes.count, bytes[index] == UInt8(ascii: ".") {
                guard let tail = Self.dottedDecimal(bytes, from: start) else { return nil }
                guard reader.add(UInt16(tail >> 16)), reader.add(UInt16(truncatingIfNeeded: tail)) else { return nil }
                break
            }
            guard index > start, reader.add(group) else { return nil }
            guard index < bytes.count else { break }
            guard bytes[index] == colon, index + 1 < bytes.count else { return nil }
            index += 1
            if bytes[index] == colon {
                guard reader.gap == nil else { return nil }
                reader.gap = reader.count
                index += 1
            }
        }
        guard let (high, low) = reader.halves else { return nil }
        self.init(v6High: high, low: low)
    }

    private static func hexadecimalDigit(_ byte: UInt8) -> UInt16? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): return UInt16(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): return UInt16(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): return UInt16(byte - UInt8(ascii: "A") + 10)
        default: return nil
        }
    }

    private func group(_ index: Int) -> UInt16 {
        let half = index < 4 ? high : low
        return UInt16(truncatingIfNeeded: half >> (48 - 16 * UInt64(index % 4)))
    }

    private var ipv6Text: String {
        if high == 0, low >> 32 == 0xFFFF {
            return "::ffff:" + Self.dottedText(UInt32(truncatingIfNeeded: low))
        }
        let run = longestZeroRun
        var text = ""
        var index = 0
        while index < 8 {
            if let run, run.lowerBound == index {
                text += "::"
                index = run.upperBound
                continue
            }
            if !text.isEmpty, text.utf8.last != UInt8(ascii: ":") { text += ":" }
            text += String(group(index), radix: 16)
            index += 1
        }
        return text
    }

    /// The first of the longest runs of two or more zero groups (RFC 5952 §4.2).
    private var longestZeroRun: Range<Int>? {
        var best: Range<Int>?
        var index = 0
        while index < 8 {
            var end = index
            while end < 8, group(end) == 0 { end += 1 }
            if end - index >= 2, end - index > (best?.count ?? 0) { best = index..<end }
            index = Swift.max(end, index + 1)
        }
        return best
    }
}

/// Collects the groups of an IPv6 address on both sides of its "::".
private struct GroupReader {
    /// The groups before the gap, or all of them, the last read in the lowest 16 bits.
    private var before: (UInt64, UInt64) = (0, 0)
    private var after: (UInt64, UInt64) = (0, 0)
    private(set) var count = 0
    /// How many groups stood before the "::".
    var gap: Int?

    mutating func add(_ group: UInt16) -> Bool {
        guard count < 8 else { return false }
        count += 1
        if gap == nil {
            before = Self.shift(before, by: group)
        } else {
            after = Self.shift(after, by: group)
        }
        return true
    }

    /// Both halves of the address, or nil where groups are missing or "::" stands for none.
    var halves: (UInt64, UInt64)? {
        guard let gap else { return count == 8 ? before : nil }
        guard count < 8 else { return nil }
        var head = before
        for _ in gap..<8 { head = Self.shift(head, by: 0) }
        return (head.0 | after.0, head.1 | after.1)
    }

    private static func shift(_ value: (UInt64, UInt64), by group: UInt16) -> (UInt64, UInt64) {
        (value.0 << 16 | value.1 >> 48, value.1 << 16 | UInt64(group))
    }
}

extension Endpoint: CustomStringConvertible {
    /// Reads "192.0.2.1:5060" or "[2001:db8::1]:5060"; nil for anything else. Port 0 is allowed: "any" for a socket.
    public init?(_ text: String) {
        guard let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")) else { return nil }
        let digits = text.utf8[text.utf8.index(after: colon)...]
        guard (1...5).contains(digits.count), digits.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { return nil }
        guard let port = UInt16(String(digits) ?? "") else { return nil }
        var host = text.utf8[..<colon]
        let bracketed = host.first == UInt8(ascii: "[") && host.last == UInt8(ascii: "]") && host.count > 2
        if bracketed { host = host.dropFirst().dropLast() }
        guard let address = IPAddress(String(host) ?? ""), (address.family == .v6) == bracketed else { return nil }
        self.init(address: address, port: port)
    }

    /// "192.0.2.1:5060" or "[2001:db8::1]:5060".
    public var description: String {
        switch address.family {
        case .v4: return "\(address.description):\(port)"
        case .v6: return "[\(address.description)]:\(port)"
        }
    }
}
