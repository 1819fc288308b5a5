import EdgeRuntime
import Glibc

/// Asks the running edge of a site over its control socket.
struct ControlClient {
    enum Failure: Error, CustomStringConvertible {
        case unreachable(path: String, reason: String)
        case silent(path: String)
        case pathTooLong(String)

        var description: String {
            switch self {
            case .unreachable(let path, let reason): return "no edge answers at \(path): \(reason); is \"edgeproxy run\" running for this site?"
            case .silent(let path): return "the edge at \(path) gave no answer"
            case .pathTooLong(let path): return "the path of the control socket is longer than 107 bytes: \(path)"
            }
        }
    }

    var path: String
    /// How long an answer is waited for, in seconds.
    var patience = 5
    /// No answer is longer: 16 MiB.
    private static let maximumReply = 16 << 20

    func ask(_ request: ControlRequest) throws(Failure) -> ControlReply {
        let descriptor = try connected()
        defer { close(descriptor) }
        var line = ControlCodec.line(request)[...]
        while !line.isEmpty {
            let count = line.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw .silent(path: path) }
            line = line.dropFirst(count)
        }
        guard let reply = ControlCodec.reply(answer(descriptor)) else { throw .silent(path: path) }
        return reply
    }

    /// Bytes up to the first line feed.
    private func answer(_ descriptor: CInt) -> [UInt8] {
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 65536)
        while bytes.count < Self.maximumReply {
            let count = recv(descriptor, &block, block.count, 0)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { break }
            bytes += block.prefix(count)
            if block.prefix(count).contains(0x0A) { break }
        }
        return Array(bytes.prefix { $0 != 0x0A })
    }

    private func connected() throws(Failure) -> CInt {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw .unreachable(path: path, reason: Self.reason()) }
        var limit = timeval(tv_sec: patience, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
        guard var address = Self.address(path) else {
            close(descriptor)
            throw .pathTooLong(path)
        }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else {
            let reason = Self.reason()
            close(descriptor)
            throw .unreachable(path: path, reason: reason)
        }
        return descriptor
    }

    /// Nil where the path does not fit with its zero byte.
    private static func address(_ path: String) -> sockaddr_un? {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        let room = MemoryLayout.size(ofValue: address.sun_path)
        guard bytes.count < room else { return nil }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        return address
    }

    private static func reason() -> String { String(cString: strerror(errno)) }
}
