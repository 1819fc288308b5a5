/// Bytes of a message in the making. Text that goes in as a value can never end a line.
///
/// It owns its room until it is done: a message is a few hundred small pieces, and an array would be asked for each
/// of them whether it is shared.
struct ByteWriter: ~Copyable {
    private var start: UnsafeMutablePointer<UInt8>
    private var capacity: Int
    private var count = 0

    init(capacity: Int) {
        self.capacity = Swift.max(capacity, 16)
        start = .allocate(capacity: self.capacity)
    }

    deinit { start.deallocate() }

    /// What was written.
    var bytes: [UInt8] { Array(UnsafeBufferPointer(start: start, count: count)) }

    /// What was written, as text.
    var string: String { String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self) }

    @inline(__always)
    mutating func literal(_ text: StaticString) {
        raw(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    @inline(__always)
    mutating func byte(_ byte: UInt8) {
        reserve(1)
        put(byte)
    }

    /// Text as it is, with CR, LF and NUL as spaces.
    mutating func text(_ text: String) {
        var text = text
        text.withUTF8 { source in
            let mark = count
            raw(source)
            guard source.firstLineByte(from: 0, to: source.count) < source.count else { return }
            for place in mark..<count where ByteWriter.endsLine(start[place]) { start[place] = 0x20 }
        }
    }

    /// A token: what cannot stand in one is left out.
    mutating func token(_ name: String) {
        var name = name
        name.withUTF8 { source in
            reserve(source.count)
            for byte in source where ByteClass.isToken(byte) { put(byte) }
        }
    }

    /// A number in decimal digits; a negative one is written as 0.
    mutating func number(_ value: some BinaryInteger) {
        var rest = UInt64(clamping: value)
        // No `UInt64` has more than 20 digits.
        reserve(20)
        var power: UInt64 = 1
        while rest / power >= 10 { power *= 10 }
        while power > 0 {
            put(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest / power))
            rest %= power
            power /= 10
        }
    }

    mutating func raw(_ body: [UInt8]) { body.withUnsafeBufferPointer { raw($0) } }

    mutating func raw(_ part: UnsafeBufferPointer<UInt8>) {
        guard let source = part.baseAddress else { return }
        reserve(part.count)
        (start + count).initialize(from: source, count: part.count)
        count += part.count
    }

    /// Text with every byte outside of `stays` as a percent escape.
    @inline(__always)
    mutating func escaped(_ text: String, stays: (UInt8) -> Bool) {
        var text = text
        text.withUTF8 { source in
            reserve(3 * source.count)
            for byte in source {
                if stays(byte) {
                    put(byte)
                } else {
                    put(UInt8(ascii: "%"))
                    put(ByteWriter.hexadecimalDigit(byte >> 4))
                    put(ByteWriter.hexadecimalDigit(byte & 15))
                }
            }
        }
    }

    /// RFC 3261 §25.1 `quoted-string`: quotes, backslashes and controls get a backslash.
    mutating func quoted(_ text: String) {
        var text = text
        text.withUTF8 { source in
            reserve(2 * source.count + 2)
            put(UInt8(ascii: "\""))
            for byte in source {
                if byte == 0x0D || byte == 0x0A {
                    put(0x20)
                    continue
                }
                if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || (ByteClass.isControl(byte) && byte != 0x09) {
                    put(UInt8(ascii: "\\"))
                }
                put(byte)
            }
            put(UInt8(ascii: "\""))
        }
    }

    // MARK: Room

    /// Room for so many more bytes.
    @inline(__always)
    private mutating func reserve(_ more: Int) {
        if capacity - count < more { grow(more) }
    }

    private mutating func grow(_ more: Int) {
        capacity = Swift.max(count + more, 2 * capacity)
        let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
        larger.initialize(from: start, count: count)
        start.deallocate()
        start = larger
    }

    /// Writes one byte where room was reserved.
    @inline(__always)
    private mutating func put(_ byte: UInt8) {
        start[count] = byte
        count += 1
    }

    @inline(__always)
    private static func endsLine(_ byte: UInt8) -> Bool { byte == 0x0D || byte == 0x0A || byte == 0 }

    private static func hexadecimalDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "A") + value - 10
    }
}
