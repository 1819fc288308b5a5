import CoreTypes
import Glibc
import NIOCore

/// The TCP connection under a tunnel's stream: bytes of TLS in and out. Lives on its loop.
///
/// Tells how much of what was written the network has not taken, so that a session never hands over media that would only
/// lie in the socket.
final class TunnelChannel: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Told in the order things happen.
    struct Listener {
        var received: ([UInt8]) -> Void
        /// A burst is over.
        var readComplete: () -> Void
        var unsent: (Int) -> Void
        /// The connection is gone; told once, and not after `close`.
        var ended: () -> Void
    }

    /// Bytes that may wait for a far end that does not read.
    private static let unsentBytes = 4 * 1024 * 1024
    /// How often a socket that is not empty is looked at again.
    private static let glance = TimeAmount.milliseconds(10)

    var listener: Listener?
    private(set) var context: ChannelHandlerContext?
    private var waiting: ByteBuffer?
    private var isEnded = false
    private var watch: Scheduled<Void>?
    /// Bytes NIO has not handed to the system.
    private var queued = 0

    var remote: Endpoint? { context?.channel.remoteAddress.flatMap(Endpoint.init) }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        listener?.received(unwrapInboundIn(data).withUnsafeReadableBytes { [UInt8]($0) })
    }

    func channelReadComplete(context: ChannelHandlerContext) { listener?.readComplete() }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { end() }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        self.context = nil
    }

    func send(_ bytes: [UInt8]) {
        guard let context, !isEnded else { return }
        if waiting == nil { waiting = context.channel.allocator.buffer(capacity: bytes.count) }
        waiting?.writeBytes(bytes)
    }

    /// Everything taken since the last flush leaves in one write.
    func flush() {
        guard let context, let buffer = waiting, !isEnded else { return }
        waiting = nil
        let count = buffer.readableBytes
        queued += count
        guard queued <= Self.unsentBytes else { return end() }
        context.writeAndFlush(wrapOutboundOut(buffer)).assumeIsolated().whenComplete { [weak self] _ in self?.queued -= count }
        look()
    }

    /// Asks the kernel what it holds that was never sent, and looks again while there is any.
    private func look() {
        guard let context, watch == nil else { return }
        let kernel = (try? TCPInformation.unsentBytes(of: context.channel)) ?? 0
        let count = queued + kernel
        listener?.unsent(count)
        guard count > 0 else { return }
        watch = context.eventLoop.assumeIsolated().scheduleTask(in: Self.glance) { [weak self] in
            self?.watch = nil
            self?.look()
        }
    }

    func setReading(_ isOn: Bool) {
        guard let context else { return }
        try? context.channel.syncOptions?.setOption(.autoRead, value: isOn)
        if isOn { context.read() }
    }

    /// Ends the connection after what was sent; nothing is told.
    func close() {
        flush()
        listener = nil
        end()
    }

    private func end() {
        guard !isEnded else { return }
        isEnded = true
        watch?.cancel()
        let told = listener
        listener = nil
        context?.close(promise: nil)
        told?.ended()
    }

    /// Small segments at once, and little unsent data in the kernel; a peer that is silently gone is noticed by pings.
    static func configure(_ channel: any Channel, trafficClass: UInt8) -> EventLoopFuture<Void> {
        let family = (channel.remoteAddress ?? channel.localAddress).flatMap(Endpoint.init)?.address.family ?? .v4
        return SocketOptions.apply(to: channel, family, trafficClass: trafficClass, isListener: false)
            .flatMapThrowing { try SocketOptions.keepAlive(channel, timeout: 15_000) }
    }
}

/// `tcpi_notsent_bytes` of tcp(7)'s TCP_INFO: what the socket holds and never sent.
enum TCPInformation {
    /// `struct tcp_info` of linux/tcp.h as far as that field, which glibc's own declaration lacks.
    private typealias Bytes = InlineArray<256, UInt8>
    private static let notSent = 144

    static func unsentBytes(of channel: any Channel) throws -> Int {
        guard let provider = channel as? any SocketOptionProvider, channel.eventLoop.inEventLoop else { return 0 }
        var count = 0
        let future: EventLoopFuture<Bytes> = provider.unsafeGetSocketOption(
            level: .init(rawValue: CInt(IPPROTO_TCP)), name: .init(rawValue: CInt(TCP_INFO)))
        // On the loop the answer is there at once.
        future.assumeIsolated().whenSuccess { bytes in
            count = (0..<4).reduce(0) { $0 | Int(bytes[notSent + $1]) << (8 * $1) }
        }
        return count
    }
}
