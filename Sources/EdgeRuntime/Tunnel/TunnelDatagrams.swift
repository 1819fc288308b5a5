import CoreTypes
import NIOCore
import NIOPosix

/// The UDP socket of a tunnel's datagram lanes. Lives on its loop.
final class TunnelDatagrams: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    /// No datagram of a lane is longer.
    private static let room = 2048
    private static let readBatch = 32

    var received: (([UInt8], Endpoint) -> Void)?
    /// A burst is over.
    var readComplete: (() -> Void)?
    private var context: ChannelHandlerContext?
    private var addresses = SocketAddressCache()
    private var needsFlush = false

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = unwrapInboundIn(data)
        guard let source = Endpoint(envelope.remoteAddress) else { return }
        received?(envelope.data.withUnsafeReadableBytes { [UInt8]($0) }, source)
    }

    func channelReadComplete(context: ChannelHandlerContext) { readComplete?() }

    /// An error of one datagram, such as an unreachable port, is no concern of the others.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}

    func send(_ bytes: [UInt8], to remote: Endpoint) {
        guard let context, context.channel.isWritable, let address = addresses.address(of: remote) else { return }
        let envelope = AddressedEnvelope(remoteAddress: address, data: context.channel.allocator.buffer(bytes: bytes))
        context.write(wrapOutboundOut(envelope), promise: nil)
        needsFlush = true
    }

    func flush() {
        guard needsFlush else { return }
        needsFlush = false
        context?.flush()
    }

    func close() {
        received = nil
        readComplete = nil
        context?.close(promise: nil)
    }

    /// Port 0 takes a free one.
    static func bind(_ endpoint: Endpoint, loop: any EventLoop, trafficClass: UInt8) -> EventLoopFuture<(any Channel, NIOLoopBound<TunnelDatagrams>)> {
        guard let address = endpoint.socketAddress else { return loop.makeFailedFuture(ChannelError.unknownLocalAddress) }
        return DatagramBootstrap(group: loop)
            .channelOption(.datagramVectorReadMessageCount, value: readBatch)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: readBatch * room))
            .channelOption(.writeBufferWaterMark, value: .init(low: 256 * 1024, high: 1024 * 1024))
            .channelOption(.socketOption(.so_rcvbuf), value: 2 * 1024 * 1024)
            .channelInitializer { channel in
                SocketOptions.apply(to: channel, endpoint.address.family, trafficClass: trafficClass, isListener: true)
            }
            .bind(to: address)
            .flatMapThrowing { channel in
                let handler = TunnelDatagrams()
                try channel.pipeline.syncOperations.addHandler(handler)
                return (channel, NIOLoopBound(handler, eventLoop: channel.eventLoop))
            }
    }
}
