import CoreTypes
import Glibc
import NIOCore

extension Endpoint {
    /// The address of a socket, without a detour through text; nil for a Unix socket.
    init?(_ address: SocketAddress) {
        switch address {
        case .v4(let v4):
            self.init(
                address: IPAddress(v4: UInt32(bigEndian: v4.address.sin_addr.s_addr)), port: UInt16(bigEndian: v4.address.sin_port))
        case .v6(let v6):
            let (high, low) = withUnsafeBytes(of: v6.address.sin6_addr) { bytes in
                (bytes.loadUnaligned(as: UInt64.self), bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            }
            let port = UInt16(bigEndian: v6.address.sin6_port)
            let ip = IPAddress(v6High: UInt64(bigEndian: high), low: UInt64(bigEndian: low))
            self.init(address: ip, port: port)
        case .unixDomainSocket:
            return nil
        }
    }
}

extension SocketAddress {
    init(_ endpoint: Endpoint) {
        switch endpoint.address.family {
        case .v4:
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = endpoint.port.bigEndian
            address.sin_addr.s_addr = UInt32(truncatingIfNeeded: endpoint.address.low).bigEndian
            self.init(address, host: "")
        case .v6:
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = endpoint.port.bigEndian
            withUnsafeMutableBytes(of: &address.sin6_addr) { bytes in
                bytes.storeBytes(of: endpoint.address.high.bigEndian, as: UInt64.self)
                bytes.storeBytes(of: endpoint.address.low.bigEndian, toByteOffset: 8, as: UInt64.self)
            }
            self.init(address, host: "")
        }
    }
}

/// Socket addresses by endpoint, so that a reply to a known phone makes none. Forgets everything when full.
struct SocketAddressCache {
    private var addresses: [Endpoint: SocketAddress] = [:]
    private let capacity: Int

    init(capacity: Int = 4096) { self.capacity = capacity }

    mutating func address(of endpoint: Endpoint) -> SocketAddress {
        if let known = addresses[endpoint] { return known }
        if addresses.count >= capacity { addresses.removeAll(keepingCapacity: true) }
        let made = SocketAddress(endpoint)
        addresses[endpoint] = made
        return made
    }
}
