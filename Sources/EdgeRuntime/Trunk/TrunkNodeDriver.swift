import CoreTypes
import EdgeProxy
import Logging
import NIOCore
import NIOPosix
import Tunnel

/// Keeps the connection to one PBX node: performs what `TrunkLink` asks for. Lives on the signalling loop.
final class TrunkNodeDriver: TrunkConnection.Owner, @unchecked Sendable {
    private let node: TrunkNode
    private let lookup: TrunkLookup
    private let tls: TLSContext
    private let trafficClass: UInt8
    private let degraded: DegradedState
    private let logger: Logger
    private let driver: EdgeDriver

    private var link: TrunkLink
    private var channel: (any Channel)?
    private var connection: TrunkConnection?
    private var isUp = false
    private var timer: Scheduled<Void>?
    /// As DNS or the site file has it.
    private(set) var name: String

    init(
        node: TrunkNode, name: String, lookup: TrunkLookup, tls: TLSContext, trafficClass: UInt8, settings: TrunkLink.Settings,
        driver: EdgeDriver, degraded: DegradedState, logger: Logger
    ) {
        self.node = node
        self.name = name
        self.lookup = lookup
        self.tls = tls
        self.trafficClass = trafficClass
        self.driver = driver
        self.degraded = degraded
        self.logger = logger
        link = TrunkLink(settings: settings, seed: .random(in: .min ... .max))
    }

    func start() { step(.start) }
    func stop() { step(.stop) }

    // MARK: The link

    private func step(_ event: TrunkLink.Event) {
        driver.loop.assertInEventLoop()
        for action in link.handle(event, now: driver.clock.now) { perform(action) }
        arm()
    }

    /// An event of an attempt that may be over by now.
    private func step(_ event: TrunkLink.Event, of attempt: UInt64) {
        if link.attempt == attempt { step(event) }
    }

    private func perform(_ action: TrunkLink.Action) {
        switch action {
        case .resolve: resolve()
        case .connect(let endpoint): connect(endpoint)
        case .startHandshake: startHandshake()
        case .sendPing:
            connection?.sendPing()
            driver.endTick()
        case .close: abandon()
        case .report(.up(let endpoint)): isNowUp(endpoint)
        case .report(.down(let failure)): isNowDown(failure)
        }
    }

    private func arm() {
        timer?.cancel()
        timer = nil
        guard let deadline = link.nextDeadline else { return }
        let wait = max(.zero, deadline - driver.clock.now)
        timer = driver.loop.scheduleTask(in: .nanoseconds(wait.clampedNanoseconds)) { [weak self] in self?.step(.tick) }
    }

    // MARK: Connecting

    private func resolve() {
        abandon()
        let attempt = link.attempt
        lookup.resolve(node.index) { [weak self, loop = driver.loop] result in
            guard let self else { return }
            loop.execute { self.resolved(result, attempt) }
        }
    }

    private func resolved(_ result: Result<TrunkLookup.Answer, TrunkLookup.Failure>, _ attempt: UInt64) {
        guard attempt == link.attempt else { return }
        switch result {
        case .success(let answer):
            name = answer.name
            step(.resolved(answer.endpoints))
        case .failure(.failed(let why)): step(.resolutionFailed(why))
        case .failure(.noSuchNode): step(.resolved([]))
        }
    }

    private func connect(_ endpoint: Endpoint) {
        abandon()
        let attempt = link.attempt
        let trafficClass = trafficClass
        guard let address = endpoint.socketAddress else { return later(.disconnected(.noAddress), of: attempt) }
        ClientBootstrap(group: driver.loop)
            // The link has a deadline of its own; this only ends what it gave up.
            .connectTimeout(.seconds(30))
            .channelOption(.writeBufferWaterMark, value: .init(low: 1024 * 1024, high: TrunkConnection.unsentBytes))
            .channelInitializer { channel in
                self.channel = channel
                return SocketOptions.apply(to: channel, endpoint.address.family, trafficClass: trafficClass, isListener: false)
                    .flatMapThrowing { try SocketOptions.keepAlive(channel, timeout: 10_000) }
            }
            .connect(to: address)
            .whenComplete { result in
                switch result {
                case .success(let channel):
                    guard self.link.attempt == attempt else { return channel.close(promise: nil) }
                    self.step(.connected)
                case .failure(let error): self.step(.disconnected(.network(networkReason(error))), of: attempt)
                }
            }
    }

    private func startHandshake() {
        let attempt = link.attempt
        guard let channel, let local = channel.localAddress.flatMap(Endpoint.init),
            let remote = channel.remoteAddress.flatMap(Endpoint.init)
        else { return later(.disconnected(.closedByPeer), of: attempt) }
        let flow = Flow(transport: .tls, local: local, remote: remote, connection: driver.nextConnection())
        do {
            let connection = try TrunkConnection(flow: flow, context: tls, driver: driver, owner: self)
            self.connection = connection
            try channel.pipeline.syncOperations.addHandler(connection)
        } catch let error as TLSError {
            later(.disconnected(.tls(error)), of: attempt)
        } catch {
            later(.disconnected(.network(networkReason(error))), of: attempt)
        }
    }

    /// After the link has done with the present event.
    private func later(_ event: TrunkLink.Event, of attempt: UInt64) {
        driver.loop.execute { self.step(event, of: attempt) }
    }

    private func abandon() {
        connection?.abandon()
        connection = nil
        channel?.close(promise: nil)
        channel = nil
    }

    // MARK: TrunkConnection.Owner

    func handshakeCompleted(_ connection: TrunkConnection) {
        guard connection === self.connection else { return }
        step(.handshakeCompleted)
    }

    func pongReceived() { step(.pongReceived) }

    func bytesReceived() {
        // A message changes something only where an answer to a ping is awaited.
        for action in link.handle(.bytesReceived, now: driver.clock.now) { perform(action) }
    }

    func ended(_ connection: TrunkConnection, _ failure: TrunkLink.Failure) {
        guard connection === self.connection else { return }
        self.connection = nil
        channel = nil
        step(.disconnected(failure))
    }

    // MARK: Reports

    private func isNowUp(_ endpoint: Endpoint) {
        guard let connection else { return }
        isUp = true
        degraded.set(.trunk(node.index), nil)
        logger.notice("trunk: PBX \(name) is up at \(endpoint)")
        driver.deliver(.trunkUp(node, connection.flow))
        driver.endTick()
    }

    private func isNowDown(_ failure: TrunkLink.Failure) {
        if failure != .stopped, failure != .noAddress {
            let sentence = "PBX \(name): \(failure)"
            if degraded.set(.trunk(node.index), sentence) { logger.warning("trunk: \(sentence)") }
        }
        guard isUp else { return }
        isUp = false
        driver.deliver(.trunkDown(node))
        driver.endTick()
    }
}
