import CoreTypes
import NIOCore
import NIOPosix
import Tunnel

/// SIP over TCP or TLS to one node, on a connection that is this site's alone. `TrunkLink` keeps it.
final class PBXStreamWay: PBXWay {
    private let node: ResolvedNode
    private let local: IPAddress
    private let trafficClass: UInt8
    private let loop: any EventLoop
    private let clock: EdgeClock
    private let reports: PBXWayReports
    private var link: TrunkLink
    private var timer: Scheduled<Void>?
    private var connection: PBXStreamConnection?
    private var isUp = false

    init(node: ResolvedNode, local: IPAddress, trafficClass: UInt8, loop: any EventLoop, clock: EdgeClock, reports: PBXWayReports) {
        self.node = node
        self.local = local
        self.trafficClass = trafficClass
        self.loop = loop
        self.clock = clock
        self.reports = reports
        link = TrunkLink(seed: .random(in: .min ... .max))
    }

    func start() { step(.start) }
    func close() { step(.stop) }
    func send(_ message: [UInt8]) { if isUp { connection?.send(message) } }

    private func step(_ event: TrunkLink.Event) {
        for action in link.handle(event, now: clock.now) { perform(action) }
        timer?.cancel()
        timer = nil
        guard let deadline = link.nextDeadline else { return }
        let wait = max(.zero, deadline - clock.now)
        timer = loop.assumeIsolated().scheduleTask(in: .nanoseconds(wait.clampedNanoseconds)) { [weak self] in self?.step(.tick) }
    }

    private func perform(_ action: TrunkLink.Action) {
        switch action {
        case .resolve: resolve()
        case .connect(let endpoint): connect(endpoint)
        case .startHandshake: connection?.begin()
        case .sendPing: connection?.send(PBXStreamConnection.ping)
        case .close:
            connection?.abandon()
            connection = nil
        case .report(.up(let endpoint)):
            guard let own = connection?.local else { return }
            isUp = true
            reports.up(own, endpoint)
        case .report(.down(let failure)):
            isUp = false
            if failure != .stopped { reports.down(failure.description) }
        }
    }

    private func resolve() {
        let attempt = link.attempt
        let here = NIOLoopBound(self, eventLoop: loop)
        node.resolve { [loop] result in
            loop.execute {
                guard here.value.link.attempt == attempt else { return }
                switch result {
                case .success(let endpoints): here.value.step(.resolved(endpoints))
                case .failure(let why): here.value.step(.resolutionFailed(why.description))
                }
            }
        }
    }

    private func connect(_ endpoint: Endpoint) {
        connection?.abandon()
        connection = nil
        let attempt = link.attempt
        guard let address = endpoint.socketAddress, let own = Endpoint(address: local, port: 0).socketAddress else { return }
        let here = NIOLoopBound(self, eventLoop: loop)
        let (family, trafficClass) = (endpoint.address.family, trafficClass)
        ClientBootstrap(group: loop)
            // The link has a deadline of its own; this only ends what it gave up.
            .connectTimeout(.seconds(30))
            .bind(to: own)
            .channelInitializer { channel in
                SocketOptions.apply(to: channel, family, trafficClass: trafficClass, isListener: false)
                    .flatMapThrowing { try SocketOptions.keepAlive(channel, timeout: 10_000) }
            }
            .connect(to: address)
            .whenComplete { result in
                let way = here.value
                switch result {
                case .success(let channel):
                    guard way.link.attempt == attempt else { return channel.close(promise: nil) }
                    way.connected(channel, attempt)
                case .failure(let error):
                    if way.link.attempt == attempt { way.step(.disconnected(.network(networkReason(error)))) }
                }
            }
    }

    private func connected(_ channel: any Channel, _ attempt: UInt64) {
        let made = PBXStreamConnection(now: clock.now, tls: node.tls)
        made.onOpen = { [weak self] in self?.later(.handshakeCompleted, attempt) }
        made.onMessage = { [weak self] bytes in
            self?.step(.bytesReceived)
            self?.reports.received(bytes)
        }
        made.onPong = { [weak self] in self?.step(.pongReceived) }
        made.onEnd = { [weak self] failure in self?.later(.disconnected(failure), attempt) }
        connection = made
        do {
            try channel.pipeline.syncOperations.addHandler(made)
            step(.connected)
        } catch {
            step(.disconnected(.network(networkReason(error))))
        }
    }

    /// After the link has done with the present event.
    private func later(_ event: TrunkLink.Event, _ attempt: UInt64) {
        let here = NIOLoopBound(self, eventLoop: loop)
        loop.execute { if here.value.link.attempt == attempt { here.value.step(event) } }
    }
}
