import CoreTypes
import Glibc
import NIOCore
import Tunnel

/// HTTPS to a vendor's service: one connection a request, the far end's certificate verified, nothing kept. Blocks its
/// thread, so it is used from threads that may wait.
struct ServiceConnection: ServiceExchange {
    /// Who vouches for the service.
    var trust: TLSTrust
    var clock: EdgeClock
    /// For one step: connecting, or the next bytes.
    var stepPatience = Duration.seconds(10)
    /// For all of a request, so that a service that trickles does not hold us.
    var patience = Duration.seconds(30)

    func answer(to request: ServiceRequest) throws(ServiceFailure) -> ServiceAnswer {
        let deadline = clock.now + patience
        let descriptor = try connected(request.url, deadline)
        defer { close(descriptor) }
        let result: Result<ServiceAnswer, ServiceFailure>
        do throws(TLSError) {
            let context = try TLSContext(TLSConfiguration(label: "redirect", role: .client(serverName: request.url.host, trust: trust)))
            var session = try TLSSession(context: context, now: EdgeClock().now)
            result = try exchange(request, &session, descriptor, deadline)
        } catch {
            throw .unavailable(error.description)
        }
        return try result.get()
    }

    private func exchange(
        _ request: ServiceRequest, _ session: inout TLSSession, _ descriptor: CInt, _ deadline: Instant
    ) throws(TLSError) -> Result<ServiceAnswer, ServiceFailure> {
        var reader = ServiceAnswerReader()
        var isAsked = false
        var block = [UInt8](repeating: 0, count: 16_384)
        while clock.now < deadline {
            if session.state == .open, !isAsked {
                isAsked = true
                try session.send(Self.bytes(of: request))
            }
            if let problem = Self.send(session.takeOutput(), descriptor) { return .failure(.unavailable(problem)) }
            var isEnd = false
            if case .closed(let closure) = session.state {
                if case .failed(let error) = closure, error != .truncated || !isAsked { throw error }
                isEnd = true
            }
            guard reader.take(session.takePlaintext()) else { return .failure(.unavailable("its answer is too long")) }
            do throws(ServiceFailure) {
                if isAsked, isEnd || !reader.bytes.isEmpty, let answer = try reader.answer(isEnd: isEnd) { return .success(answer) }
            } catch {
                return .failure(error)
            }
            let count = recv(descriptor, &block, block.count, 0)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { return .failure(.unavailable("it says nothing: \(SystemError.text(errno))")) }
            if count == 0 { session.transportClosed() } else { session.receive(Array(block.prefix(count))) }
        }
        return .failure(.unavailable("it took longer than \(patience.components.seconds) s"))
    }

    private static func bytes(of request: ServiceRequest) -> [UInt8] {
        var head = "\(request.method) \(request.url.target) HTTP/1.1\r\nHost: \(request.url.authority)\r\nConnection: close\r\n"
        head += "User-Agent: edgeproxy/\(EdgeVersion.text)\r\n"
        for (name, value) in request.headers { head += "\(name): \(value)\r\n" }
        if !request.body.isEmpty || request.method == "POST" || request.method == "PUT" { head += "Content-Length: \(request.body.count)\r\n" }
        return Array(head.utf8) + Array("\r\n".utf8) + request.body
    }

    /// What went wrong, or nil.
    private static func send(_ bytes: [UInt8], _ descriptor: CInt) -> String? {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return "it does not take what is sent: \(SystemError.text(errno))" }
            rest = rest.dropFirst(count)
        }
        return nil
    }

    private func connected(_ url: ServiceURL, _ deadline: Instant) throws(ServiceFailure) -> CInt {
        let endpoints: [Endpoint]
        do { endpoints = try HostResolver.resolve(url.host, port: url.port) } catch { throw .unavailable("\(error)") }
        var reason = "\(url.host) has no address"
        for endpoint in endpoints where clock.now < deadline {
            let family = endpoint.address.family == .v4 ? AF_INET : AF_INET6
            let descriptor = socket(family, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
            guard descriptor >= 0, let address = endpoint.socketAddress else { continue }
            var limit = timeval(tv_sec: Int(stepPatience.components.seconds), tv_usec: 0)
            let size = socklen_t(MemoryLayout<timeval>.size)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
            setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
            if address.withSockAddr({ Glibc.connect(descriptor, $0, socklen_t($1)) }) == 0 { return descriptor }
            reason = "\(endpoint): \(SystemError.text(errno == EINPROGRESS ? ETIMEDOUT : errno))"
            close(descriptor)
        }
        throw .unavailable(reason)
    }
}
