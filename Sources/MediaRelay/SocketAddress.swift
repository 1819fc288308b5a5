import CoreTypes
import Glibc

/// Endpoints as the kernel writes them.
enum SocketAddress {
    /// Room for either family.
    static let capacity = MemoryLayout<sockaddr_in6>.stride

    /// Writes the address; how many bytes it has.
    static func write(_ endpoint: Endpoint, to memory: UnsafeMutableRawPointer) -> UInt32 {
        switch endpoint.address.family {
        case .v4:
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = endpoint.port.bigEndian
            address.sin_addr.s_addr = UInt32(truncatingIfNeeded: endpoint.address.low).bigEndian
            memory.storeBytes(of: address, as: sockaddr_in.self)
            return UInt32(MemoryLayout<sockaddr_in>.size)
        case .v6:
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = endpoint.port.bigEndian
            memory.storeBytes(of: address, as: sockaddr_in6.self)
            memory.storeBytes(of: endpoint.address.high.bigEndian, toByteOffset: addressOffset, as: UInt64.self)
            memory.storeBytes(of: endpoint.address.low.bigEndian, toByteOffset: addressOffset + 8, as: UInt64.self)
            return UInt32(MemoryLayout<sockaddr_in6>.size)
        }
    }

    /// Reads what the kernel wrote; nil for other families.
    static func read(_ memory: UnsafeRawPointer) -> Endpoint? {
        switch Int32(memory.loadUnaligned(as: sa_family_t.self)) {
        case AF_INET:
            let address = memory.loadUnaligned(as: sockaddr_in.self)
            return Endpoint(
                address: IPAddress(v4: UInt32(bigEndian: address.sin_addr.s_addr)), port: UInt16(bigEndian: address.sin_port))
        case AF_INET6:
            let high = memory.loadUnaligned(fromByteOffset: addressOffset, as: UInt64.self)
            let low = memory.loadUnaligned(fromByteOffset: addressOffset + 8, as: UInt64.self)
            let port = memory.loadUnaligned(fromByteOffset: 2, as: UInt16.self)
            return Endpoint(
                address: IPAddress(v6High: UInt64(bigEndian: high), low: UInt64(bigEndian: low)), port: UInt16(bigEndian: port))
        default:
            return nil
        }
    }

    /// Behind family, port and flow label.
    private static let addressOffset = 8
}

/// A UDP socket bound to one endpoint.
enum DatagramSocket {
    /// A bound socket that does not block. Where the process may open no more files, the limit is raised once to what it may be.
    static func bind(_ endpoint: Endpoint, trafficClass: UInt8?) throws(SocketError) -> Int32 {
        let family = endpoint.address.family == .v4 ? AF_INET : AF_INET6
        let descriptor = try open(family)
        setOptions(descriptor, family, trafficClass)
        let bound = withUnsafeTemporaryAllocation(byteCount: SocketAddress.capacity, alignment: 8) { memory -> Int32 in
            guard let base = memory.baseAddress else { return -1 }
            let size = SocketAddress.write(endpoint, to: base)
            return Glibc.bind(descriptor, base.assumingMemoryBound(to: sockaddr.self), size)
        }
        guard bound == 0 else {
            let error = SocketError(number: errno)
            close(descriptor)
            throw error
        }
        return descriptor
    }

    /// The endpoint a socket is bound to.
    static func name(of descriptor: Int32) -> Endpoint? {
        withUnsafeTemporaryAllocation(byteCount: SocketAddress.capacity, alignment: 8) { memory in
            guard let base = memory.baseAddress else { return nil }
            var size = UInt32(SocketAddress.capacity)
            guard getsockname(descriptor, base.assumingMemoryBound(to: sockaddr.self), &size) == 0 else { return nil }
            return SocketAddress.read(base)
        }
    }

    static func close(_ descriptor: Int32) { _ = Glibc.close(descriptor) }

    /// Sends one datagram; whether the kernel took it.
    static func send(_ bytes: UnsafeRawBufferPointer, from descriptor: Int32, to endpoint: Endpoint) -> Bool {
        withUnsafeTemporaryAllocation(byteCount: SocketAddress.capacity, alignment: 8) { memory in
            guard let base = memory.baseAddress else { return false }
            let size = SocketAddress.write(endpoint, to: base)
            let flags = Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)
            let address = base.assumingMemoryBound(to: sockaddr.self)
            return sendto(descriptor, bytes.baseAddress, bytes.count, flags, address, size) == bytes.count
        }
    }

    private static func open(_ family: Int32) throws(SocketError) -> Int32 {
        let kind = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        var descriptor = socket(family, kind, 0)
        if descriptor < 0, errno == EMFILE, raiseFileLimit() { descriptor = socket(family, kind, 0) }
        guard descriptor >= 0 else { throw SocketError(number: errno) }
        return descriptor
    }

    private static func raiseFileLimit() -> Bool {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur < limit.rlim_max else {
            return false
        }
        limit.rlim_cur = limit.rlim_max
        return setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0
    }

    /// The traffic class is DSCP in its upper six bits (RFC 2474 §3).
    private static func setOptions(_ descriptor: Int32, _ family: Int32, _ trafficClass: UInt8?) {
        if family == AF_INET6 { set(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1) }
        guard let trafficClass else { return }
        let value = Int32(trafficClass & 0x3F) << 2
        if family == AF_INET6 {
            set(descriptor, Int32(IPPROTO_IPV6), IPV6_TCLASS, value)
        } else {
            set(descriptor, Int32(IPPROTO_IP), IP_TOS, value)
        }
    }

    private static func set(_ descriptor: Int32, _ level: Int32, _ option: Int32, _ value: Int32) {
        var value = value
        _ = setsockopt(descriptor, level, option, &value, UInt32(MemoryLayout<Int32>.size))
    }
}

/// What the kernel said, by number and in words.
struct SocketError: Error, Hashable {
    var number: Int32

    var text: String { String(cString: strerror(number)) }
    var isOutOfDescriptors: Bool { number == EMFILE || number == ENFILE }
}
