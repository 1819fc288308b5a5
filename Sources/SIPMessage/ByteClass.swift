/// Classes of bytes of RFC 3261 §25.1. Each is a constant-time test that the compiler turns into a bit mask.
enum ByteClass {
    @inline(__always)
    static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }

    @inline(__always)
    static func isAlphanumeric(_ byte: UInt8) -> Bool {
        isDigit(byte) || (byte | 0x20) &- UInt8(ascii: "a") < 26
    }

    @inline(__always)
    static func isAlpha(_ byte: UInt8) -> Bool { (byte | 0x20) &- UInt8(ascii: "a") < 26 }

    /// A control byte: 0x00...0x1F or DEL.
    @inline(__always)
    static func isControl(_ byte: UInt8) -> Bool { byte < 0x20 || byte == 0x7F }

    /// SP or HTAB; line ends inside values are gone before anything looks at them.
    @inline(__always)
    static func isWhitespace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    /// `token`: alphanum and - . ! % * _ + ` ' ~
    @inline(__always)
    static func isToken(_ byte: UInt8) -> Bool { mask(byte, 0x03FF_6CA2_0000_0000, 0x47FF_FFFF_87FF_FFFE) }

    /// `unreserved`: alphanum and - _ . ! ~ * ' ( )
    @inline(__always)
    static func isUnreserved(_ byte: UInt8) -> Bool {
        if isAlphanumeric(byte) { return true }
        switch byte {
        case UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "!"), UInt8(ascii: "~"), UInt8(ascii: "*"),
            UInt8(ascii: "'"), UInt8(ascii: "("), UInt8(ascii: ")"):
            return true
        default:
            return false
        }
    }

    /// What stands unescaped in a user part: `unreserved` and `user-unreserved`, & = + $ , ; ? /
    @inline(__always)
    static func isUser(_ byte: UInt8) -> Bool {
        if isUnreserved(byte) { return true }
        switch byte {
        case UInt8(ascii: "&"), UInt8(ascii: "="), UInt8(ascii: "+"), UInt8(ascii: "$"), UInt8(ascii: ","), UInt8(ascii: ";"),
            UInt8(ascii: "?"), UInt8(ascii: "/"):
            return true
        default:
            return false
        }
    }

    /// What stands unescaped in a password: `unreserved` and & = + $ ,
    @inline(__always)
    static func isPassword(_ byte: UInt8) -> Bool {
        if isUnreserved(byte) { return true }
        switch byte {
        case UInt8(ascii: "&"), UInt8(ascii: "="), UInt8(ascii: "+"), UInt8(ascii: "$"), UInt8(ascii: ","):
            return true
        default:
            return false
        }
    }

    /// `paramchar` without its escapes: `unreserved` and [ ] / : & + $. A name may not hold "=".
    @inline(__always)
    static func isURIParameter(_ byte: UInt8) -> Bool {
        if isUnreserved(byte) { return true }
        switch byte {
        case UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "/"), UInt8(ascii: ":"), UInt8(ascii: "&"), UInt8(ascii: "+"),
            UInt8(ascii: "$"):
            return true
        default:
            return false
        }
    }

    /// `paramchar`, and the "=" that many proxies put unescaped into values of their own.
    @inline(__always)
    static func isURIParameterValue(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "=") || isURIParameter(byte) }

    /// `hnv-unreserved` and `unreserved`: what stands unescaped in a URI's headers.
    @inline(__always)
    static func isURIHeader(_ byte: UInt8) -> Bool {
        if isUnreserved(byte) { return true }
        switch byte {
        case UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "/"), UInt8(ascii: "?"), UInt8(ascii: ":"), UInt8(ascii: "+"),
            UInt8(ascii: "$"):
            return true
        default:
            return false
        }
    }

    /// What a parameter's value may hold outside quotes: `token` and `host`, and, for what is seen in the
    /// field, all else that cannot be taken for the value's end.
    @inline(__always)
    static func isBareValue(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "\\"):
            return false
        default:
            return byte > 0x20 && byte != 0x7F
        }
    }

    /// Byte `b` is in the set where bit `b` of `low` (0...63) or bit `b - 64` of `high` (64...127) is one.
    @inline(__always)
    private static func mask(_ byte: UInt8, _ low: UInt64, _ high: UInt64) -> Bool {
        if byte < 64 { return low >> UInt64(byte) & 1 == 1 }
        return byte < 128 && high >> UInt64(byte - 64) & 1 == 1
    }

    @inline(__always)
    static func hexadecimalValue(_ byte: UInt8) -> UInt8? {
        if isDigit(byte) { return byte - UInt8(ascii: "0") }
        let letter = (byte | 0x20) &- UInt8(ascii: "a")
        return letter < 6 ? letter + 10 : nil
    }

    @inline(__always)
    static func lowercased(_ byte: UInt8) -> UInt8 {
        byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte
    }

    @inline(__always)
    static func uppercased(_ byte: UInt8) -> UInt8 {
        byte &- UInt8(ascii: "a") < 26 ? byte & 0xDF : byte
    }
}
