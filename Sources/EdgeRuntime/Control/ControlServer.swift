import Glibc
import NIOCore
import NIOPosix

/// The Unix socket of `edgeproxy status`, `logout` and `reload`: for the user the edge runs as, and root.
enum ControlServer {
    typealias Answer = (ControlRequest, @escaping (ControlReply) -> Void) -> Void

    /// Makes the socket with mode 0600. One that a dead process left is taken over; one that somebody answers on
    /// is not. Not called on the loop.
    static func bind(
        path: String, loop: any EventLoop, answer: @escaping @Sendable (ControlRequest, @escaping (ControlReply) -> Void) -> Void
    ) throws(EdgeServerError) -> any Channel {
        try clear(path)
        // The socket must never be open to others, not even for a moment.
        let mask = umask(0o177)
        defer { umask(mask) }
        do {
            return try ServerBootstrap(group: loop)
                .serverChannelOption(.backlog, value: 16)
                .childChannelOption(.writeBufferWaterMark, value: .init(low: 64 * 1024, high: 1024 * 1024))
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(ControlConnection(answer: answer))
                    }
                }
                .bind(unixDomainSocketPath: path)
                .wait()
        } catch let error as IOError {
            throw .controlSocket(path: path, reason: SystemError.text(error.errnoCode))
        } catch {
            throw .controlSocket(path: path, reason: "\(error)")
        }
    }

    /// Removes a socket nobody answers on.
    private static func clear(_ path: String) throws(EdgeServerError) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw .controlSocket(path: path, reason: "there is a file of that name that is no socket")
        }
        switch isAnswered(path) {
        case true?: throw .controlSocketInUse(path: path)
        case false?: unlink(path)
        case nil: throw .controlSocket(path: path, reason: "the name is too long (107 bytes at most) or no socket can be made")
        }
    }

    private static func isAnswered(_ path: String) -> Bool? {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let name = Array(path.utf8)
        guard name.count < MemoryLayout.size(ofValue: address.sun_path) else { return nil }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        defer { Glibc.close(descriptor) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        // A full queue of connections means that somebody is there.
        return result == 0 || errno == EAGAIN
    }
}

/// One client of the control socket: a line in, a line out, as often as it likes.
private final class ControlConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// How long a client may be silent.
    private static let patience = TimeAmount.seconds(10)

    private let answer: ControlServer.Answer
    private var line: [UInt8] = []
    private var context: ChannelHandlerContext?
    private var timer: Scheduled<Void>?

    init(answer: @escaping ControlServer.Answer) { self.answer = answer }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        restartTimer(context)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        timer?.cancel()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        restartTimer(context)
        for byte in unwrapInboundIn(data).readableBytesView {
            guard byte == 0x0A else {
                line.append(byte)
                guard line.count <= ControlCodec.maximumRequest else { return context.close(promise: nil) }
                continue
            }
            handle()
        }
    }

    private func handle() {
        defer { line.removeAll() }
        guard let request = ControlCodec.request(line) else { return reply(.failure("this is no request")) }
        answer(request) { [weak self] in self?.reply($0) }
    }

    private func reply(_ reply: ControlReply) {
        guard let context else { return }
        context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(bytes: ControlCodec.line(reply))), promise: nil)
    }

    private func restartTimer(_ context: ChannelHandlerContext) {
        timer?.cancel()
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: Self.patience) { [weak self] in
            self?.context?.close(promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
