/// Bytes of a message in the making. Text that goes in as a value can never end a line.
struct ByteWriter {
    private(set) var bytes: [UInt8] = []

    init(capacity: Int) { bytes.reserveCapacity(capacity) }

    @inline(__always)
    mutating func literal(_ text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    @inline(__always)
    mutating func byte(_ byte: UInt8) { bytes.append(byte) }

    /// Text as it is, with CR, LF and NUL as spaces.
    mutating func text(_ text: String) {
        var text = text
        text.withUTF8 { source in
            guard source.firstLineByte(from: 0, to: source.count) < source.count else {
                bytes.append(contentsOf: source)
                return
            }
            bytes.append(contentsOf: source.lazy.map { ByteWriter.endsLine($0) ? 0x20 : $0 })
        }
    }

    /// A token: what cannot stand in one is left out.
    mutating func token(_ name: String) {
        var name = name
        name.withUTF8 { source in
            for byte in source where ByteClass.isToken(byte) { bytes.append(byte) }
        }
    }

    /// A number in decimal digits; a negative one is written as 0.
    mutating func number(_ value: some BinaryInteger) {
        var rest = UInt64(clamping: value)
        let start = bytes.count
        repeat {
            bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        } while rest > 0
        bytes[start...].reverse()
    }

    mutating func raw(_ body: [UInt8]) { bytes.append(contentsOf: body) }

    mutating func raw(_ part: UnsafeBufferPointer<UInt8>) { bytes.append(contentsOf: part) }

    /// Text with every byte outside of `stays` as a percent escape.
    @inline(__always)
    mutating func escaped(_ text: String, stays: (UInt8) -> Bool) {
        var text = text
        text.withUTF8 { source in
            for byte in source {
                if stays(byte) {
                    bytes.append(byte)
                } else {
                    bytes.append(UInt8(ascii: "%"))
                    bytes.append(ByteWriter.hexadecimalDigit(byte >> 4))
                    bytes.append(ByteWriter.hexadecimalDigit(byte & 15))
                }
            }
        }
    }

    /// RFC 3261 §25.1 `quoted-string`: quotes, backslashes and controls get a backslash.
    mutating func quoted(_ text: String) {
        var text = text
        bytes.append(UInt8(ascii: "\""))
        text.withUTF8 { source in
            for byte in source {
                if byte == 0x0D || byte == 0x0A {
                    bytes.append(0x20)
                    continue
                }
                if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || (ByteClass.isControl(byte) && byte != 0x09) {
                    bytes.append(UInt8(ascii: "\\"))
                }
                bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    @inline(__always)
    private static func endsLine(_ byte: UInt8) -> Bool { byte == 0x0D || byte == 0x0A || byte == 0 }

    private static func hexadecimalDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "A") + value - 10
    }
}
