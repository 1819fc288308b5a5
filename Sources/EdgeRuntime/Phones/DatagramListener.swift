import CoreTypes
import Logging
import NIOCore
import NIOPosix

/// A UDP socket phones send to (RFC 3261 §18): many datagrams a read, one copy each; replies gather and leave
/// together when the burst is over.
final class DatagramListener: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    /// Datagrams a system call reads at most.
    static let readBatch = 16
    /// Room for one datagram: above the parser's limit of 16 KiB, so that a longer one is seen to be too long.
    static let datagramRoom = 20 * 1024
    /// Nothing shorter can be a SIP message: keep-alives of two or four bytes, and empty ones.
    private static let shortestMessage = 16

    let local: Endpoint
    private let driver: EdgeDriver
    private let logger: Logger
    private var context: ChannelHandlerContext?
    private var addresses = SocketAddressCache()
    private var needsFlush = false
    /// Datagrams of the present read.
    private var burst = 0

    init(local: Endpoint, driver: EdgeDriver, logger: Logger) {
        self.local = local
        self.driver = driver
        self.logger = logger
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = unwrapInboundIn(data)
        burst &+= 1
        guard envelope.data.readableBytes >= Self.shortestMessage, let remote = Endpoint(envelope.remoteAddress) else { return }
        let bytes = envelope.data.withUnsafeReadableBytes { [UInt8]($0) }
        driver.received(bytes, on: Flow(transport: .udp, local: local, remote: remote))
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        driver.endBurst(isDrained: burst < Self.readBatch)
        burst = 0
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        logger.debug("udp \(local): \(error)")
    }

    /// Takes a datagram; true where a flush is now wanted and was not before.
    func send(_ bytes: [UInt8], to remote: Endpoint) -> Bool {
        guard let context, context.channel.isWritable, let address = addresses.address(of: remote) else { return false }
        let envelope = AddressedEnvelope(remoteAddress: address, data: context.channel.allocator.buffer(bytes: bytes))
        context.write(wrapOutboundOut(envelope), promise: nil)
        defer { needsFlush = true }
        return !needsFlush
    }

    func flush() {
        needsFlush = false
        context?.flush()
    }
}

extension DatagramListener {
    /// Binds the socket; the driver sends by it from then on. Port 0 takes a free one.
    static func bind(
        _ endpoint: Endpoint, driver: EdgeDriver, trafficClass: UInt8, logger: Logger
    ) -> EventLoopFuture<(any Channel, Endpoint)> {
        guard let address = endpoint.socketAddress else { return driver.loop.makeFailedFuture(ChannelError.unknownLocalAddress) }
        return DatagramBootstrap(group: driver.loop)
            .channelOption(.datagramVectorReadMessageCount, value: readBatch)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: readBatch * datagramRoom))
            // One system call a wake-up: what is left over wakes the loop again.
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelOption(.writeBufferWaterMark, value: .init(low: 256 * 1024, high: 1024 * 1024))
            .channelOption(.socketOption(.so_rcvbuf), value: 4 * 1024 * 1024)
            .channelOption(.socketOption(.so_sndbuf), value: 1024 * 1024)
            .channelInitializer { channel in
                SocketOptions.apply(to: channel, endpoint.address.family, trafficClass: trafficClass, isListener: true)
            }
            .bind(to: address)
            .flatMapThrowing { channel in
                let bound = channel.localAddress.flatMap(Endpoint.init) ?? endpoint
                let listener = DatagramListener(local: bound, driver: driver, logger: logger)
                driver.add(listener)
                try channel.pipeline.syncOperations.addHandler(listener)
                return (channel, bound)
            }
    }
}
