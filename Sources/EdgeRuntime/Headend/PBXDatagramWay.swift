import CoreTypes
import NIOCore
import NIOPosix

/// SIP over UDP to one node, from a socket that is this site's alone: by it the PBX's requests find the site.
final class PBXDatagramWay: ChannelInboundHandler, PBXWay {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    private static let pause = TimeAmount.seconds(5)

    private let node: ResolvedNode
    private let local: IPAddress
    private let trafficClass: UInt8
    private let loop: any EventLoop
    private let reports: PBXWayReports
    private var context: ChannelHandlerContext?
    private var remote: (endpoint: Endpoint, socket: SocketAddress)?
    private var isClosed = false

    init(node: ResolvedNode, local: IPAddress, trafficClass: UInt8, loop: any EventLoop, reports: PBXWayReports) {
        self.node = node
        self.local = local
        self.trafficClass = trafficClass
        self.loop = loop
        self.reports = reports
    }

    func start() {
        let here = NIOLoopBound(self, eventLoop: loop)
        node.resolve { [loop] result in
            loop.execute {
                switch result {
                case .success(let endpoints): here.value.bind(endpoints.first)
                case .failure(let why): here.value.again(why.description)
                }
            }
        }
    }

    private func bind(_ endpoint: Endpoint?) {
        guard !isClosed else { return }
        guard let endpoint, let socket = endpoint.socketAddress, let own = Endpoint(address: local, port: 0).socketAddress else {
            return again("its name has no address")
        }
        remote = (endpoint, socket)
        let here = NIOLoopBound(self, eventLoop: loop)
        let (family, trafficClass) = (local.family, trafficClass)
        DatagramBootstrap(group: loop)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: DatagramListener.datagramRoom))
            .channelInitializer { channel in
                SocketOptions.apply(to: channel, family, trafficClass: trafficClass, isListener: true).flatMapThrowing {
                    try channel.pipeline.syncOperations.addHandler(here.value)
                }
            }
            .bind(to: own)
            .whenComplete { result in
                switch result {
                case .success(let channel): here.value.bound(channel)
                case .failure(let error): here.value.again(networkReason(error))
                }
            }
    }

    private func bound(_ channel: any Channel) {
        guard !isClosed, let remote, let own = channel.localAddress.flatMap(Endpoint.init) else { return channel.close(promise: nil) }
        reports.up(own, remote.endpoint)
    }

    private func again(_ reason: String) {
        reports.down(reason)
        let here = NIOLoopBound(self, eventLoop: loop)
        loop.scheduleTask(in: Self.pause) { if !here.value.isClosed { here.value.start() } }
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    /// Only the node itself is listened to, from whatever port.
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = unwrapInboundIn(data)
        guard envelope.data.readableBytes >= 16, Endpoint(envelope.remoteAddress)?.address == remote?.endpoint.address else { return }
        reports.received(envelope.data.withUnsafeReadableBytes { [UInt8]($0) })
    }

    /// An unreachable port is told by the transactions of the edge.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}

    func send(_ message: [UInt8]) {
        guard let context, let remote else { return }
        let envelope = AddressedEnvelope(remoteAddress: remote.socket, data: context.channel.allocator.buffer(bytes: message))
        context.writeAndFlush(wrapOutboundOut(envelope), promise: nil)
    }

    func close() {
        isClosed = true
        context?.close(promise: nil)
    }
}
