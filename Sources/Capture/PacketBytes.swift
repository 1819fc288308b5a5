import CoreTypes

/// A part of a captured packet. Every read is checked: nil is beyond the end.
struct PacketBytes {
    private let storage: [UInt8]
    private let range: Range<Int>

    init(_ bytes: [UInt8]) {
        storage = bytes
        range = bytes.indices
    }

    private init(_ storage: [UInt8], _ range: Range<Int>) {
        self.storage = storage
        self.range = range
    }

    var count: Int { range.count }
    var array: [UInt8] { Array(storage[range]) }

    func byte(_ offset: Int) -> UInt8? {
        guard offset >= 0, offset < range.count else { return nil }
        return storage[range.lowerBound + offset]
    }

    /// Network order.
    func word(_ offset: Int) -> UInt16? {
        guard let high = byte(offset), let low = byte(offset + 1) else { return nil }
        return UInt16(high) << 8 | UInt16(low)
    }

    /// Network order.
    func double(_ offset: Int) -> UInt32? {
        guard let high = word(offset), let low = word(offset + 2) else { return nil }
        return UInt32(high) << 16 | UInt32(low)
    }

    func address(_ offset: Int, _ family: IPAddress.Family) -> IPAddress? {
        guard let part = part(offset, count: family == .v4 ? 4 : 16) else { return nil }
        return IPAddress(bytes: storage[part.range])
    }

    /// Exactly `count` bytes.
    func part(_ offset: Int, count: Int) -> PacketBytes? {
        guard offset >= 0, count >= 0, offset <= range.count, count <= range.count - offset else { return nil }
        let start = range.lowerBound + offset
        return PacketBytes(storage, start..<start + count)
    }

    /// All from `offset`.
    func rest(_ offset: Int) -> PacketBytes? {
        guard offset >= 0, offset <= range.count else { return nil }
        return part(offset, count: range.count - offset)
    }
}
