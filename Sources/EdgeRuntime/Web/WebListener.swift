import CoreTypes
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import PhoneDelivery
import Tunnel

/// A socket that speaks HTTP with phones and administrators. Lives on the signalling loop.
final class WebListener: @unchecked Sendable {
    private let loop: any EventLoop
    private let service: any WebService
    private let limits: WebLimits
    private let clock: EdgeClock
    private let logger: Logger
    private var budget: ConnectionBudget
    /// A handshake costs more than a request, and comes before anybody is known.
    private var handshakes: RequestBudget

    init(loop: any EventLoop, service: any WebService, limits: WebLimits = WebLimits(), clock: EdgeClock, logger: Logger) {
        self.loop = loop
        self.service = service
        self.limits = limits
        self.clock = clock
        self.logger = logger
        handshakes = RequestBudget(now: clock.now)
        var connections = ConnectionLimits()
        connections.total = limits.total
        connections.perSource = limits.perSource
        budget = ConnectionBudget(limits: connections)
    }

    /// Port 0 takes a free one.
    /// - Parameter tls: nil: plain HTTP.
    func bind(_ endpoint: Endpoint, tls: TLSServerContext? = nil) -> EventLoopFuture<(any Channel, Endpoint)> {
        guard let address = endpoint.socketAddress else { return loop.makeFailedFuture(ChannelError.unknownLocalAddress) }
        return ServerBootstrap(group: loop)
            .serverChannelOption(.backlog, value: 512)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.maxMessagesPerRead, value: 4)
            .childChannelInitializer { channel in channel.eventLoop.makeCompletedFuture { try self.accept(channel, tls) } }
            .bind(to: address)
            .map { channel in (channel, channel.localAddress.flatMap(Endpoint.init) ?? endpoint) }
    }

    private func accept(_ channel: any Channel, _ tls: TLSServerContext?) throws {
        guard let remote = channel.remoteAddress.flatMap(Endpoint.init) else { return channel.close(promise: nil) }
        if let refusal = budget.admit(remote.address) {
            logger.debug("http \(remote): connection refused: \(refusal)")
            return channel.close(promise: nil)
        }
        if tls != nil, !handshakes.take(remote.address, now: clock.now) {
            budget.left(remote.address)
            logger.debug("https \(remote): too many handshakes")
            return channel.close(promise: nil)
        }
        let operations = channel.pipeline.syncOperations
        let secure = try tls.map { try TLSServerHandler(context: $0.current, now: clock.now) }
        if let secure { try operations.addHandler(secure) }
        let connection = WebConnection(
            service: service, limits: limits, source: remote.address, certificateSubject: { [weak secure] in secure?.peer?.certificate?.subject }
        ) { [self] in budget.left(remote.address) }
        var decoding = NIOHTTPDecoderLimitConfiguration()
        decoding.maxHeaderFieldSize = limits.head
        decoding.maxHeaderListSize = limits.head
        decoding.maxHeaderFieldCount = 64
        try operations.configureHTTPServerPipeline(withEncoderConfiguration: .init(), withDecoderLimitConfiguration: decoding)
        try operations.addHandler(connection)
    }
}
