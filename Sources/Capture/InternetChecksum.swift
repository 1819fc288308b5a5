/// The ones' complement sum of RFC 1071.
struct InternetChecksum {
    private var sum: UInt64 = 0

    /// Adds bytes as big-endian words; only the last piece may have an odd count.
    mutating func add(_ bytes: some Sequence<UInt8>) {
        var high: UInt64?
        for byte in bytes {
            if let first = high {
                sum &+= first << 8 | UInt64(byte)
                high = nil
            } else {
                high = UInt64(byte)
            }
        }
        if let high { sum &+= high << 8 }
    }

    mutating func add(_ word: UInt16) { sum &+= UInt64(word) }

    var value: UInt16 {
        var folded = sum
        while folded > 0xFFFF { folded = (folded & 0xFFFF) + (folded >> 16) }
        return ~UInt16(truncatingIfNeeded: folded)
    }
}
