/// A place in a buffer of bytes and the end of what may be read there.
///
/// Every read is checked against `end`, and `end` never lies beyond the buffer, so that no input can reach
/// memory outside of it. A cursor is also how a part of the buffer is handed on: the part is what is left to read.
struct ByteCursor {
    private let bytes: UnsafeBufferPointer<UInt8>
    private(set) var position: Int
    let end: Int

    init(_ bytes: UnsafeBufferPointer<UInt8>) {
        self.bytes = bytes
        position = 0
        end = bytes.count
    }

    private init(_ bytes: UnsafeBufferPointer<UInt8>, _ position: Int, _ end: Int) {
        self.bytes = bytes
        self.position = position
        self.end = end
    }

    @inline(__always)
    var isAtEnd: Bool { position >= end }

    @inline(__always)
    var count: Int { end - position }

    /// The next byte, or nil at the end.
    @inline(__always)
    var next: UInt8? { position < end ? bytes[position] : nil }

    /// The byte `offset` places on, or nil where there is none.
    @inline(__always)
    func peek(_ offset: Int) -> UInt8? {
        let place = position + offset
        return place >= position && place < end ? bytes[place] : nil
    }

    /// The part between two places, held inside this cursor's own.
    @inline(__always)
    func part(from start: Int, to stop: Int) -> ByteCursor {
        let lower = Swift.min(Swift.max(start, position), end)
        return ByteCursor(bytes, lower, Swift.min(Swift.max(stop, lower), end))
    }

    @inline(__always)
    mutating func skip(_ count: Int = 1) {
        position = Swift.min(position + Swift.max(count, 0), end)
    }

    /// Moves past `byte` if it is next.
    @inline(__always)
    mutating func take(_ byte: UInt8) -> Bool {
        guard position < end, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    /// Moves past the bytes for which `belongs` holds and gives them.
    @inline(__always)
    mutating func takeWhile(_ belongs: (UInt8) -> Bool) -> ByteCursor {
        let start = position
        var place = start
        while place < end, belongs(bytes[place]) { place += 1 }
        position = place
        return ByteCursor(bytes, start, place)
    }

    /// Takes a line off: up to its CRLF, which is passed over.
    @inline(__always)
    mutating func line() -> ByteCursor {
        let start = position
        var place = bytes.firstLineByte(from: start, to: end)
        while place < end, bytes[place] != 0x0D { place = bytes.firstLineByte(from: place + 1, to: end) }
        position = Swift.min(place + 2, end)
        return ByteCursor(bytes, start, place)
    }

    /// Moves past SP and HTAB.
    @inline(__always)
    mutating func skipWhitespace() {
        while position < end, ByteClass.isWhitespace(bytes[position]) { position += 1 }
    }

    /// This part without SP and HTAB at both ends.
    @inline(__always)
    var trimmed: ByteCursor {
        var lower = position
        var upper = end
        while lower < upper, ByteClass.isWhitespace(bytes[lower]) { lower += 1 }
        while upper > lower, ByteClass.isWhitespace(bytes[upper - 1]) { upper -= 1 }
        return ByteCursor(bytes, lower, upper)
    }

    /// The place of the first `byte`, or nil.
    @inline(__always)
    func firstIndex(of byte: UInt8) -> Int? {
        var place = position
        while place < end {
            if bytes[place] == byte { return place }
            place += 1
        }
        return nil
    }

    @inline(__always)
    func contains(where matches: (UInt8) -> Bool) -> Bool {
        var place = position
        while place < end {
            if matches(bytes[place]) { return true }
            place += 1
        }
        return false
    }

    /// The bytes of this part.
    @inline(__always)
    var buffer: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(rebasing: bytes[position..<end]) }
}

extension ByteCursor {
    /// Whether this part is `text`, letters in any case. `text` is in lower case.
    @inline(__always)
    func equals(lowercase text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        let expected = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        var index = 0
        while index < expected.count {
            guard ByteClass.lowercased(bytes[position + index]) == expected[index] else { return false }
            index += 1
        }
        return true
    }

    /// Whether this part is exactly `text`.
    @inline(__always)
    func equals(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        let expected = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        return buffer.elementsEqual(expected)
    }

    /// The text of this part: UTF-8, or ISO-8859-1 where it is not UTF-8.
    var text: String {
        if isASCII { return String(unsafeUninitializedCapacity: count) { $0.initialize(fromContentsOf: buffer) } }
        if let text = String(validating: buffer, as: UTF8.self) { return text }
        return String(String.UnicodeScalarView(buffer.map { Unicode.Scalar($0) }))
    }

    /// The text of this part, ASCII letters in lower case.
    var lowercasedText: String {
        guard contains(where: { $0 &- UInt8(ascii: "A") < 26 }) else { return text }
        guard isASCII else { return ByteCursor.mapped(Array(buffer), ByteClass.lowercased) }
        return asciiText(ByteClass.lowercased)
    }

    /// The text of this part, ASCII letters in upper case.
    var uppercasedText: String {
        guard contains(where: { $0 &- UInt8(ascii: "a") < 26 }) else { return text }
        guard isASCII else { return ByteCursor.mapped(Array(buffer), ByteClass.uppercased) }
        return asciiText(ByteClass.uppercased)
    }

    /// Digits as a number of at most `maximum`; nil for no digits, other bytes, or more than that.
    func decimal(maximum: UInt64) -> UInt64? {
        guard position < end else { return nil }
        var value: UInt64 = 0
        var place = position
        while place < end {
            let byte = bytes[place]
            guard ByteClass.isDigit(byte), value <= maximum / 10 else { return nil }
            value = value &* 10 &+ UInt64(byte - UInt8(ascii: "0"))
            guard value <= maximum else { return nil }
            place += 1
        }
        return value
    }

    @inline(__always)
    var isASCII: Bool {
        var all: UInt8 = 0
        var place = position
        while place < end {
            all |= bytes[place]
            place += 1
        }
        return all < 0x80
    }

    @inline(__always)
    private func asciiText(_ change: (UInt8) -> UInt8) -> String {
        String(unsafeUninitializedCapacity: count) { target in
            for index in 0..<count { target.initializeElement(at: index, to: change(bytes[position + index])) }
            return count
        }
    }

    private static func mapped(_ bytes: [UInt8], _ change: (UInt8) -> UInt8) -> String {
        bytes.map(change).withUnsafeBufferPointer { ByteCursor($0).text }
    }
}

extension String {
    /// Runs `body` on a cursor over the UTF-8 of this text.
    func withCursor<Result, Failure: Error>(
        _ body: (inout ByteCursor) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        var text = self
        // `withUTF8` knows no typed errors.
        return try text.withUTF8 { bytes -> Swift.Result<Result, Failure> in
            var cursor = ByteCursor(bytes)
            do throws(Failure) {
                return .success(try body(&cursor))
            } catch {
                return .failure(error)
            }
        }.get()
    }
}
