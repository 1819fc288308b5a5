import CoreTypes
import Foundation

/// A plain blocking socket for tests; each wait is bounded.
final class TestSocket {
    private let descriptor: CInt
    private var held: [UInt8] = []

    enum Kind { case udp, tcp }

    init?(_ kind: Kind, to remote: Endpoint, patience: Int = 10) {
        let family = remote.address.family == .v4 ? AF_INET : AF_INET6
        descriptor = socket(family, CInt((kind == .udp ? SOCK_DGRAM : SOCK_STREAM).rawValue), 0)
        guard descriptor >= 0 else { return nil }
        var limit = timeval(tv_sec: patience, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        guard Self.connect(descriptor, remote) else {
            Glibc.close(descriptor)
            return nil
        }
    }

    /// A Unix socket.
    init?(path: String) {
        descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else {
            Glibc.close(descriptor)
            return nil
        }
    }

    deinit { Glibc.close(descriptor) }

    private static func connect(_ descriptor: CInt, _ remote: Endpoint) -> Bool {
        let bytes = remote.address.bytes
        switch remote.address.family {
        case .v4:
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = remote.port.bigEndian
            withUnsafeMutableBytes(of: &address.sin_addr) { $0.copyBytes(from: bytes) }
            return withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
                }
            }
        case .v6:
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = remote.port.bigEndian
            withUnsafeMutableBytes(of: &address.sin6_addr) { $0.copyBytes(from: bytes) }
            return withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in6>.size)) == 0
                }
            }
        }
    }

    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool { Glibc.send(descriptor, bytes, bytes.count, CInt(MSG_NOSIGNAL)) == bytes.count }

    @discardableResult
    func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    enum Received: Equatable {
        case bytes(String)
        case closed
        case nothing
    }

    /// One read.
    func receive() -> Received {
        guard let bytes = receiveBytes() else { return .nothing }
        return bytes.isEmpty ? .closed : .bytes(String(decoding: bytes, as: UTF8.self))
    }

    /// One read; empty at the end of the connection, nil where nothing comes.
    func receiveBytes() -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        if count > 0 { return Array(buffer.prefix(count)) }
        return count == 0 || errno == ECONNRESET ? [] : nil
    }

    /// Reads until the text holds `end`, or nothing more comes.
    func receive(until end: String) -> String {
        var text = ""
        while !text.contains(end) {
            guard case .bytes(let more) = receive() else { return text }
            text += more
        }
        return text
    }

    /// Whether the far end closes the connection; what comes before is skipped.
    func isClosedByPeer() -> Bool {
        while true {
            switch receive() {
            case .bytes: continue
            case .closed: return true
            case .nothing: return false
            }
        }
    }
}

/// Looks again until it is so, for at most 20 seconds.
func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
    for _ in 0..<2_000 {
        if try condition() { return true }
        usleep(10_000)
    }
    return try condition()
}
