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
        while true {
            place = bytes.firstLineByte(from: place, to: end)
            guard place < end else { return }
            let byte = bytes[place]
            guard byte == 0x0D || byte == 0x0A else {
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

extension UnsafeBufferPointer<UInt8> {
    /// The place of the first byte below 0x0E, among which are CR and LF, or `end`. Looks at eight bytes at a time.
    @inline(__always)
    func firstLineByte(from start: Int, to end: Int) -> Int {
        var place = Swift.max(start, 0)
        let end = Swift.min(end, count)
        let raw = UnsafeRawBufferPointer(self)
        while place + 8 <= end {
            let word = raw.loadUnaligned(fromByteOffset: place, as: UInt64.self)
            // A byte's top bit stays set where the byte was below 0x0E.
            guard (word &- 0x0E0E_0E0E_0E0E_0E0E) & ~word & 0x8080_8080_8080_8080 == 0 else { break }
            place += 8
        }
        while place < end, self[place] >= 0x0E { place += 1 }
        return Swift.min(place, end)
    }
}
