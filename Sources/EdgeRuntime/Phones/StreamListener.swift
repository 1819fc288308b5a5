import CoreTypes
import Logging
import NIOCore
import NIOPosix

/// The TCP and TLS sockets phones connect to. Lives on the signalling loop.
final class StreamListener: @unchecked Sendable {
    private let driver: EdgeDriver
    private let logger: Logger
    private let trafficClass: UInt8
    private var budget: ConnectionBudget
    private var connections: [UInt64: PhoneConnection] = [:]
    private var sweep: RepeatedTask?

    /// Between two looks for connections that are over their time.
    private static let sweepInterval = TimeAmount.seconds(5)

    init(driver: EdgeDriver, limits: ConnectionLimits, trafficClass: UInt8, logger: Logger) {
        self.driver = driver
        self.logger = logger
        self.trafficClass = trafficClass
        budget = ConnectionBudget(limits: limits)
    }

    /// Binds one more address; the limits are those of all addresses together. Port 0 takes a free one.
    ///
    /// - Parameter tls: what phones are shown that must speak TLS; nil: plain TCP.
    func bind(_ endpoint: Endpoint, tls: TLSServerContext?) -> EventLoopFuture<(any Channel, Endpoint)> {
        let trafficClass = trafficClass
        guard let address = endpoint.socketAddress else { return driver.loop.makeFailedFuture(ChannelError.unknownLocalAddress) }
        return ServerBootstrap(group: driver.loop)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { channel in
                SocketOptions.apply(to: channel, endpoint.address.family, trafficClass: trafficClass, isListener: true)
            }
            .childChannelOption(.writeBufferWaterMark, value: .init(low: 64 * 1024, high: budget.limits.unsentBytes))
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try self.accept(channel, endpoint, tls) }
            }
            .bind(to: address)
            .map { channel in
                self.startSweeping()
                return (channel, channel.localAddress.flatMap(Endpoint.init) ?? endpoint)
            }
    }

    private func accept(_ channel: any Channel, _ listener: Endpoint, _ tls: TLSServerContext?) throws {
        guard let remote = channel.remoteAddress.flatMap(Endpoint.init) else { return channel.close(promise: nil) }
        if let refusal = budget.admit(remote.address) {
            logger.debug("\(tls == nil ? "tcp" : "tls") \(remote): connection refused: \(refusal)")
            return channel.close(promise: nil)
        }
        do {
            try SocketOptions.keepAlive(channel, timeout: 30_000)
            if let tls {
                try channel.pipeline.syncOperations.addHandler(TLSServerHandler(context: tls.current, now: driver.clock.now))
            }
        } catch {
            budget.left(remote.address)
            throw error
        }
        let flow = Flow(
            transport: tls == nil ? .tcp : .tls, local: channel.localAddress.flatMap(Endpoint.init) ?? listener, remote: remote,
            connection: driver.nextConnection())
        let connection = PhoneConnection(flow: flow, driver: driver, limits: budget.limits, logger: logger) { [self] in
            budget.left(remote.address)
            connections[flow.connection] = nil
        }
        connections[flow.connection] = connection
        try channel.pipeline.syncOperations.addHandler(connection)
    }

    private func startSweeping() {
        guard sweep == nil else { return }
        sweep = driver.loop.scheduleRepeatedTask(initialDelay: Self.sweepInterval, delay: Self.sweepInterval) { [weak self] _ in
            self?.endOverdue()
        }
    }

    private func endOverdue() {
        let now = driver.clock.now
        for connection in Array(connections.values) {
            if let reason = connection.overdue(now) { connection.abort(reason) }
        }
    }

    func shutDown() { sweep?.cancel() }
}
