import CoreTypes
import Glibc

/// Addresses of a host by the system's resolver: /etc/hosts and whatever nsswitch.conf names. Blocks.
enum HostResolver {
    struct Failure: Error, Equatable, CustomStringConvertible {
        var description: String
    }

    /// In the order in which the system prefers them (RFC 6724). An address needs no lookup.
    static func resolve(_ host: String, port: UInt16) throws(Failure) -> [Endpoint] {
        if let address = IPAddress(host) { return [Endpoint(address: address, port: port)] }
        var hints = addrinfo()
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_ADDRCONFIG
        var found: UnsafeMutablePointer<addrinfo>?
        let result = getaddrinfo(host, nil, &hints, &found)
        guard result == 0 else { throw Failure(description: "\(host): \(text(of: result))") }
        defer { freeaddrinfo(found) }
        var endpoints: [Endpoint] = []
        var next = found
        while let entry = next {
            if let address = address(of: entry.pointee) { endpoints.append(Endpoint(address: address, port: port)) }
            next = entry.pointee.ai_next
        }
        return endpoints
    }

    private static func address(of entry: addrinfo) -> IPAddress? {
        guard let raw = UnsafeRawPointer(entry.ai_addr) else { return nil }
        switch entry.ai_family {
        case AF_INET:
            guard entry.ai_addrlen >= socklen_t(MemoryLayout<sockaddr_in>.size) else { return nil }
            return withUnsafeBytes(of: raw.loadUnaligned(as: sockaddr_in.self).sin_addr) { IPAddress(bytes: $0) }
        case AF_INET6:
            guard entry.ai_addrlen >= socklen_t(MemoryLayout<sockaddr_in6>.size) else { return nil }
            return withUnsafeBytes(of: raw.loadUnaligned(as: sockaddr_in6.self).sin6_addr) { IPAddress(bytes: $0) }
        default: return nil
        }
    }

    private static func text(of code: CInt) -> String {
        switch code {
        case EAI_NONAME: return "the name is not known"
        case EAI_AGAIN: return "the name server does not answer"
        default: return gai_strerror(code).map { String(cString: $0) } ?? "error \(code)"
        }
    }
}
