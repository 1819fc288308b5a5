/// A network: an address and how many of its leading bits count (RFC 4632 §3.1, RFC 4291 §2.3).
public struct AddressBlock: Hashable, Sendable, CustomStringConvertible {
    public let address: IPAddress
    /// 0...32 or 0...128.
    public let length: Int

    /// `192.0.2.0/24`, `2001:db8::/32`, or a bare address, which is a network of one. Nil for anything else, and where
    /// bits are set behind the length: that is usually a slip.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let address = IPAddress(String(first)) else { return nil }
        let most = address.family == .v4 ? 32 : 128
        var length = most
        if parts.count == 2 {
            guard parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }), let written = Int(parts[1]), written <= most else { return nil }
            length = written
        }
        self.address = address
        self.length = length
        guard Self.masked(address, length) == address else { return nil }
    }

    public func contains(_ other: IPAddress) -> Bool {
        other.family == address.family && Self.masked(other, length) == address
    }

    public var description: String { "\(address)/\(length)" }

    private static func masked(_ address: IPAddress, _ length: Int) -> IPAddress {
        switch address.family {
        case .v4: return IPAddress(v4: UInt32(truncatingIfNeeded: address.low & (mask(length) >> 32)))
        case .v6: return IPAddress(v6High: address.high & mask(min(length, 64)), low: address.low & mask(length - 64))
        }
    }

    /// So many leading ones in 64 bits.
    private static func mask(_ length: Int) -> UInt64 {
        guard length > 0 else { return 0 }
        return length >= 64 ? .max : ~(UInt64.max >> UInt64(length))
    }
}
