import CoreTypes
import NIOCore
import NIOPosix
import Tunnel

/// The UDP socket of a tunnel's datagram lanes. Lives on its loop.
final class TunnelDatagrams: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>

    /// The kernel hands over up to so many bytes of datagrams that came side by side (UDP_GRO).
    private static let room = 65_536
    private static let readBatch = 8

    /// Datagrams of one source: their bytes, and how long each but the last is, which may be shorter.
    var received: ((UnsafeRawBufferPointer, Int, Endpoint) -> Void)?
    /// A burst is over; whether the socket gave all it had.
    var readComplete: ((_ isDrained: Bool) -> Void)?
    private var context: ChannelHandlerContext?
    private var addresses = SocketAddressCache()
    private let socket: BatchSocket
    /// Messages of this burst.
    private var burst = 0

    private init(_ socket: BatchSocket) { self.socket = socket }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        burst += 1
        let envelope = unwrapInboundIn(data)
        guard let source = Endpoint(envelope.remoteAddress) else { return }
        envelope.data.withUnsafeReadableBytes { bytes in
            received?(bytes, max(1, envelope.metadata?.segmentSize ?? bytes.count), source)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        let isDrained = burst < Self.readBatch
        burst = 0
        readComplete?(isDrained)
    }

    /// An error of one datagram, such as an unreachable port, is no concern of the others.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}

    func send(_ batch: DatagramBatch, to remote: Endpoint) {
        guard context != nil, let address = addresses.address(of: remote) else { return }
        socket.send(batch, to: address)
    }

    func close() {
        received = nil
        readComplete = nil
        context?.close(promise: nil)
    }

    /// Port 0 takes a free one.
    static func bind(_ endpoint: Endpoint, loop: any EventLoop, trafficClass: UInt8) -> EventLoopFuture<(any Channel, NIOLoopBound<TunnelDatagrams>)> {
        loop.flatSubmit {
            do {
                let socket = try BatchSocket(endpoint, trafficClass: trafficClass)
                let handler = NIOLoopBound(TunnelDatagrams(socket), eventLoop: loop)
                return DatagramBootstrap(group: loop)
                    .channelOption(.datagramVectorReadMessageCount, value: readBatch)
                    .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: readBatch * room))
                    // One system call a wake-up: what is left over wakes the loop again.
                    .channelOption(.maxMessagesPerRead, value: 1)
                    .channelInitializer { channel in
                        channel.eventLoop.makeCompletedFuture {
                            if System.supportsUDPReceiveOffload {
                                try channel.syncOptions?.setOption(.datagramReceiveOffload, value: true)
                                try channel.syncOptions?.setOption(.datagramReceiveSegmentSize, value: true)
                            }
                            try channel.pipeline.syncOperations.addHandler(handler.value)
                        }
                    }
                    .withBoundSocket(try socket.duplicate())
                    .map { ($0, handler) }
            } catch {
                return loop.makeFailedFuture(error)
            }
        }
    }
}
