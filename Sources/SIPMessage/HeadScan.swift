/// Where the header section of a message ends, and what its line ends are like.
struct HeadScan {
    /// The first byte of the body; nil where the empty line is missing.
    private(set) var bodyStart: Int?
    /// Whether a line goes on in the next (RFC 3261 §7.3.1).
    private(set) var isFolded = false
    /// Whether a CR or LF stands alone.
    private(set) var hasBareLineEnd = false

    /// Looks at the bytes from `start` to the empty line, at most to `limit`.
    init(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int, limit: Int) {
        let end = Swift.min(bytes.count, limit)
        var place = start
        while place < end {
            let byte = bytes[place]
            if byte > 0x0D || (byte != 0x0D && byte != 0x0A) {
                place += 1
                continue
            }
            guard byte == 0x0D, place + 1 < end, bytes[place + 1] == 0x0A else {
                hasBareLineEnd = byte == 0x0A || place + 1 < end
                return
            }
            place += 2
            guard place < end else { return }
            if ByteClass.isWhitespace(bytes[place]) { isFolded = true }
            if bytes[place] == 0x0D, place + 1 < end, bytes[place + 1] == 0x0A {
                bodyStart = place + 2
                return
            }
        }
    }

    /// A copy in which every fold is two spaces: nothing moves.
    static func unfolded(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int, to end: Int) -> [UInt8] {
        var copy = Array(bytes)
        var place = start
        while place + 2 < Swift.min(end, copy.count) {
            if copy[place] == 0x0D, copy[place + 1] == 0x0A, ByteClass.isWhitespace(copy[place + 2]) {
                copy[place] = 0x20
                copy[place + 1] = 0x20
            }
            place += 1
        }
        return copy
    }

    /// The first byte that is not part of a CRLF at the beginning.
    static func afterLineEnds(_ bytes: UnsafeBufferPointer<UInt8>) -> Int {
        var place = 0
        while place + 1 < bytes.count, bytes[place] == 0x0D, bytes[place + 1] == 0x0A { place += 2 }
        return place
    }
}
