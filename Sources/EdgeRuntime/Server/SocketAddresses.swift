import CoreTypes
import NIOCore

extension Endpoint {
    /// The address of a socket, without a detour through text; nil for a Unix socket.
    ///
    /// Both socket address structures begin with the family and the port, two bytes each; `sockaddr_in` has the
    /// address right after them, `sockaddr_in6` after four bytes of flow information (RFC 3493 §3.3).
    init?(_ address: SocketAddress) {
        switch address {
        case .v4(let v4):
            self = withUnsafeBytes(of: v4.address) { bytes in
                Endpoint(
                    address: IPAddress(v4: UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))),
                    port: UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self)))
            }
        case .v6(let v6):
            self = withUnsafeBytes(of: v6.address) { bytes in
                Endpoint(
                    address: IPAddress(
                        v6High: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
                        low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self))),
                    port: UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self)))
            }
        case .unixDomainSocket:
            return nil
        }
    }

    /// For a socket call. Nil never: four or sixteen bytes always make an address.
    var socketAddress: SocketAddress? {
        try? SocketAddress(packedIPAddress: ByteBuffer(bytes: address.bytes), port: Int(port))
    }
}

/// Socket addresses by endpoint, so that a reply to a known phone makes none. Forgets everything when full.
struct SocketAddressCache {
    private var addresses: [Endpoint: SocketAddress] = [:]
    private let capacity: Int

    init(capacity: Int = 4096) { self.capacity = capacity }

    mutating func address(of endpoint: Endpoint) -> SocketAddress? {
        if let known = addresses[endpoint] { return known }
        if addresses.count >= capacity { addresses.removeAll(keepingCapacity: true) }
        guard let made = endpoint.socketAddress else { return nil }
        addresses[endpoint] = made
        return made
    }
}
