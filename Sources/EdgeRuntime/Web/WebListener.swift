import CoreTypes
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix

/// A socket that speaks HTTP with phones and administrators. Lives on the signalling loop.
final class WebListener: @unchecked Sendable {
    private let loop: any EventLoop
    private let service: any WebService
    private let limits: WebLimits
    private let logger: Logger
    private var budget: ConnectionBudget

    init(loop: any EventLoop, service: any WebService, limits: WebLimits = WebLimits(), logger: Logger) {
        self.loop = loop
        self.service = service
        self.limits = limits
        self.logger = logger
        var connections = ConnectionLimits()
        connections.total = limits.total
        connections.perSource = limits.perSource
        budget = ConnectionBudget(limits: connections)
    }

    /// Port 0 takes a free one.
    func bind(_ endpoint: Endpoint) -> EventLoopFuture<(any Channel, Endpoint)> {
        guard let address = endpoint.socketAddress else { return loop.makeFailedFuture(ChannelError.unknownLocalAddress) }
        return ServerBootstrap(group: loop)
            .serverChannelOption(.backlog, value: 512)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.maxMessagesPerRead, value: 4)
            .childChannelInitializer { channel in channel.eventLoop.makeCompletedFuture { try self.accept(channel) } }
            .bind(to: address)
            .map { channel in (channel, channel.localAddress.flatMap(Endpoint.init) ?? endpoint) }
    }

    private func accept(_ channel: any Channel) throws {
        guard let remote = channel.remoteAddress.flatMap(Endpoint.init) else { return channel.close(promise: nil) }
        if let refusal = budget.admit(remote.address) {
            logger.debug("http \(remote): connection refused: \(refusal)")
            return channel.close(promise: nil)
        }
        let connection = WebConnection(service: service, limits: limits, source: remote.address) { [self] in budget.left(remote.address) }
        var decoding = NIOHTTPDecoderLimitConfiguration()
        decoding.maxHeaderFieldSize = limits.head
        decoding.maxHeaderListSize = limits.head
        decoding.maxHeaderFieldCount = 64
        let operations = channel.pipeline.syncOperations
        try operations.configureHTTPServerPipeline(withEncoderConfiguration: .init(), withDecoderLimitConfiguration: decoding)
        try operations.addHandler(connection)
    }
}
