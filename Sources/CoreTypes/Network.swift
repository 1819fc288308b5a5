/// An IPv4 or IPv6 address, as a value without storage of its own.
public struct IPAddress: Hashable, Sendable {
    public enum Family: UInt8, Hashable, Sendable { case v4 = 4, v6 = 6 }

    public let family: Family
    /// The first eight bytes of an IPv6 address; zero for IPv4.
    public let high: UInt64
    /// The last eight bytes of an IPv6 address, or the four bytes of an IPv4 address.
    public let low: UInt64

    public init(v4: UInt32) {
        family = .v4
        high = 0
        low = UInt64(v4)
    }

    public init(v6High: UInt64, low: UInt64) {
        family = .v6
        high = v6High
        self.low = low
    }

    /// 4 or 16 bytes in network order; nil for any other count.
    public init?(bytes: some Collection<UInt8>) {
        switch bytes.count {
        case 4:
            self.init(v4: bytes.reduce(0) { $0 << 8 | UInt32($1) })
        case 16:
            self.init(
                v6High: bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) },
                low: bytes.dropFirst(8).reduce(0) { $0 << 8 | UInt64($1) })
        default:
            return nil
        }
    }

    /// The address in network order: 4 or 16 bytes.
    public var bytes: [UInt8] {
        switch family {
        case .v4: return (0..<4).map { UInt8(truncatingIfNeeded: low >> (24 - 8 * UInt64($0))) }
        case .v6:
            return (0..<16).map { UInt8(truncatingIfNeeded: ($0 < 8 ? high : low) >> (56 - 8 * UInt64($0 % 8))) }
        }
    }

    public var isLoopback: Bool {
        switch family {
        case .v4: return low >> 24 == 127
        case .v6: return high == 0 && low == 1
        }
    }

    public var isMulticast: Bool {
        switch family {
        case .v4: return low >> 28 == 0xE
        case .v6: return high >> 56 == 0xFF
        }
    }

    /// 0.0.0.0 or ::, which in SDP means "no media from you now" (RFC 3264 §8.4).
    public var isUnspecified: Bool { high == 0 && low == 0 }
}

/// An address and a port.
public struct Endpoint: Hashable, Sendable {
    public var address: IPAddress
    public var port: UInt16

    public init(address: IPAddress, port: UInt16) {
        self.address = address
        self.port = port
    }
}

/// What carries SIP on a hop (RFC 3261 §18).
public enum TransportProtocol: UInt8, Hashable, Sendable, CaseIterable, Codable {
    case udp, tcp, tls

    /// Whether the transport itself retransmits (RFC 3261 §17: timers A, E, G, I, J, K).
    public var isReliable: Bool {
        switch self {
        case .udp: return false
        case .tcp, .tls: return true
        }
    }
}

/// The way a message came in and an answer goes back: a connection, or for datagrams the pair of
/// listener and far address (RFC 5626 §3: "flow").
public struct Flow: Hashable, Sendable, Codable {
    public var transport: TransportProtocol
    /// Our end.
    public var local: Endpoint
    /// The far end, as the socket saw it.
    public var remote: Endpoint
    /// Which connection, never used twice in a process; 0 for datagrams.
    public var connection: UInt64

    public init(transport: TransportProtocol, local: Endpoint, remote: Endpoint, connection: UInt64 = 0) {
        self.transport = transport
        self.local = local
        self.remote = remote
        self.connection = connection
    }
}
