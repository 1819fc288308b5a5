/// Numbers of one shape: digits, `*`, `#` and `+` stand for themselves, `x` for any digit, and `.` at the end for
/// whatever else is dialled behind.
public struct NumberPattern: Hashable, Sendable {
    private let bytes: [UInt8]

    /// Nil where the text is no pattern: empty, or with another byte in it, or a `.` that is not its end.
    public init?(_ text: String) {
        let bytes = Array(text.utf8.map { $0 == UInt8(ascii: "X") ? UInt8(ascii: "x") : $0 })
        guard !bytes.isEmpty, bytes != [UInt8(ascii: ".")] else { return nil }
        let isPattern = bytes.enumerated().allSatisfy { place, byte in
            ASCII.isDialable(byte) || byte == UInt8(ascii: "x") || (byte == UInt8(ascii: ".") && place == bytes.count - 1)
        }
        guard isPattern else { return nil }
        self.bytes = bytes
    }

    public func matches(_ number: String) -> Bool {
        let isOpen = bytes.last == UInt8(ascii: ".")
        let shape = isOpen ? bytes.dropLast() : bytes[...]
        let dialled = Array(number.utf8)
        guard isOpen ? dialled.count >= shape.count : dialled.count == shape.count else { return false }
        return zip(shape, dialled).allSatisfy { $0 == UInt8(ascii: "x") ? ASCII.isDigit($1) : $0 == $1 }
    }
}
