internal import CoreTypes

/// Reads big-endian fields from bytes of a peer; nil where they end too soon.
struct WireReader {
    private let bytes: ArraySlice<UInt8>
    private var place: Int

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        place = bytes.startIndex
    }

    init(_ bytes: [UInt8]) { self.init(bytes[...]) }

    var remaining: Int { bytes.endIndex - place }

    mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
        guard count >= 0, count <= remaining else { return nil }
        defer { place += count }
        return bytes[place..<place + count]
    }

    mutating func rest() -> ArraySlice<UInt8> {
        defer { place = bytes.endIndex }
        return bytes[place...]
    }

    mutating func integer<Value: FixedWidthInteger & UnsignedInteger>(_: Value.Type = Value.self) -> Value? {
        guard let field = take(Value.bitWidth / 8) else { return nil }
        return field.reduce(0) { $0 << 8 | Value($1) }
    }

    /// An address: its family (4 or 6), 4 or 16 bytes, and a port of 16 bits.
    mutating func endpoint() -> Endpoint? {
        guard let family = integer(UInt8.self).flatMap(IPAddress.Family.init(rawValue:)),
            let field = take(family == .v4 ? 4 : 16), let address = IPAddress(bytes: field),
            let port = integer(UInt16.self)
        else { return nil }
        return Endpoint(address: address, port: port)
    }
}

extension [UInt8] {
    mutating func appendInteger<Value: FixedWidthInteger & UnsignedInteger>(_ value: Value) {
        for shift in stride(from: Value.bitWidth - 8, through: 0, by: -8) { append(UInt8(truncatingIfNeeded: value >> shift)) }
    }

    mutating func appendEndpoint(_ endpoint: Endpoint) {
        append(endpoint.address.family.rawValue)
        append(contentsOf: endpoint.address.bytes)
        appendInteger(endpoint.port)
    }
}

/// What stands first in every frame and datagram: below 32 a type, from 32 on a media channel. One byte below 64,
/// else two with the upper bits `01` (the first two forms of RFC 9000 §16; the longer ones are refused).
enum FrameHead {
    static let firstMedia: UInt16 = 32
    static let maximum: UInt16 = 0x3FFF

    static func append(_ value: UInt16, to bytes: inout [UInt8]) {
        if value >= 64 { bytes.append(0x40 | UInt8(truncatingIfNeeded: value >> 8)) }
        bytes.append(UInt8(truncatingIfNeeded: value))
    }

    enum Reading: Equatable { case value(UInt16, length: Int), needMore, broken }

    /// The head at the front of `bytes`. A value below 64 in two bytes is refused: each has one spelling.
    static func read(_ bytes: ArraySlice<UInt8>) -> Reading {
        guard let first = bytes.first else { return .needMore }
        guard first >= 0x40 else { return .value(UInt16(first), length: 1) }
        guard first < 0x80 else { return .broken }
        guard let second = bytes.dropFirst().first else { return .needMore }
        let value = UInt16(first & 0x3F) << 8 | UInt16(second)
        return value < 64 ? .broken : .value(value, length: 2)
    }
}
