/// A header that the message model has no place of its own for.
public struct HeaderField: Hashable, Sendable {
    public var name: HeaderName
    /// Never holds a line end: control characters but HTAB become spaces.
    public var value: String {
        didSet { value = HeaderField.singleLine(value) }
    }

    public init(name: HeaderName, value: String) {
        self.name = name
        self.value = HeaderField.singleLine(value)
    }

    public init(_ name: HeaderName, _ value: String) { self.init(name: name, value: value) }

    /// A value that was read; it holds no line end.
    @inline(__always)
    init(_ name: HeaderName, reading value: ByteCursor) {
        if value.contains(where: HeaderField.isRefused) {
            self.init(name: name, value: value.text)
        } else {
            self.init(name: name, clean: value.text)
        }
    }

    @inline(__always)
    private init(name: HeaderName, clean value: String) {
        self.name = name
        self.value = value
    }

    /// Text with a space for each control character but HTAB; none at its ends where there was one.
    static func singleLine(_ text: String) -> String {
        guard text.utf8.contains(where: isRefused) else { return text }
        var clean = text.utf8.map { isRefused($0) ? 0x20 : $0 }[...]
        while let first = clean.first, ByteClass.isWhitespace(first) { clean.removeFirst() }
        while let last = clean.last, ByteClass.isWhitespace(last) { clean.removeLast() }
        return String(decoding: clean, as: UTF8.self)
    }

    @inline(__always)
    private static func isRefused(_ byte: UInt8) -> Bool { ByteClass.isControl(byte) && byte != 0x09 }
}
