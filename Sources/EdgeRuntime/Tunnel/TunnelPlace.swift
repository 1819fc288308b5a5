import CoreTypes
import Dispatch
import Logging
import NIOCore
import NIOPosix
import SiteFile
import Tunnel

/// The edge's connection to one headend: looked up, dialled and given up as the fleet wants it. Lives on the signalling loop.
final class TunnelPlace {
    /// What happens here, told to the trunk.
    struct Reports {
        var up: (_ resumed: Bool) -> Void
        /// Why there is no connection.
        var down: (String) -> Void
        var heard: () -> Void
        var goAway: (GoAwayReason, Duration) -> Void
        var action: (TunnelSession.Action) -> Void
        var media: (PacketBatch) -> Void
        /// The datagrams' socket holds more than was read.
        var moreWaits: () -> Void
    }

    let node: PBXNode
    let runner: TunnelRunner
    /// The headend's ways to the PBX, as it told them.
    var ways: [UInt32: SignalWay] = [:]
    private let loop: any EventLoop
    private let clock: EdgeClock
    private let trafficClass: (signalling: UInt8, media: UInt8)
    private let lookups: DispatchQueue
    private let logger: Logger
    /// Goes up with each dial and hang-up: what belongs to an older one has no effect.
    private var attempt: UInt64 = 0
    private var untried: [Endpoint] = []
    private var context: TLSContext?
    private var failure = ""
    var reports: Reports?

    init(
        node: PBXNode, session: TunnelSession, mtu: Int, loop: any EventLoop, clock: EdgeClock,
        trafficClass: (signalling: UInt8, media: UInt8), lookups: DispatchQueue, logger: Logger
    ) throws(TLSError) {
        self.node = node
        self.loop = loop
        self.clock = clock
        self.trafficClass = trafficClass
        self.lookups = lookups
        self.logger = logger
        var settings = DTLSSession.Settings()
        settings.mtu = mtu
        runner = try TunnelRunner(session: session, laneSettings: settings, loop: loop, clock: clock)
        runner.onHeard = { [weak self] in self?.reports?.heard() }
        runner.onMedia = { [weak self] packets in self?.reports?.media(packets) }
        runner.onAction = { [weak self] in self?.perform($0) }
        runner.onStreamEnd = { [weak self] in self?.ended($0) }
    }

    // MARK: Dialling

    func dial(_ context: TLSContext) {
        runner.dropConnection()
        attempt &+= 1
        self.context = context
        failure = ""
        let attempt = attempt
        let node = node
        let here = NIOLoopBound(self, eventLoop: loop)
        lookups.async { [loop] in
            let result = Result { () throws(HostResolver.Failure) in try HostResolver.resolve(node.host, port: node.port) }
            loop.execute { here.value.resolved(result, attempt) }
        }
    }

    /// Gives up what is there or under way; nothing is reported of it.
    func hangUp() {
        attempt &+= 1
        runner.dropConnection()
    }

    private func resolved(_ result: Result<[Endpoint], HostResolver.Failure>, _ attempt: UInt64) {
        guard attempt == self.attempt else { return }
        switch result {
        case .success(let endpoints):
            untried = endpoints
            connectNext(attempt)
        case .failure(let failure): fail("its name cannot be resolved: \(failure)")
        }
    }

    private func connectNext(_ attempt: UInt64) {
        guard !untried.isEmpty else { return fail(failure.isEmpty ? "its name has no address" : failure) }
        let endpoint = untried.removeFirst()
        guard let address = endpoint.socketAddress else { return connectNext(attempt) }
        let here = NIOLoopBound(self, eventLoop: loop)
        let handler = NIOLoopBound(TunnelChannel(), eventLoop: loop)
        let trafficClass = trafficClass.signalling
        ClientBootstrap(group: loop)
            .connectTimeout(.seconds(3))
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                TunnelChannel.configure(channel, trafficClass: trafficClass).flatMapThrowing {
                    try channel.pipeline.syncOperations.addHandler(handler.value)
                }
            }
            .connect(to: address)
            .whenComplete { result in
                let place = here.value
                switch result {
                case .success(let channel):
                    guard place.attempt == attempt else { return channel.close(promise: nil) }
                    place.connected(handler.value, endpoint)
                case .failure(let error):
                    guard place.attempt == attempt else { return }
                    place.failure = networkReason(error)
                    place.connectNext(attempt)
                }
            }
    }

    private func connected(_ channel: TunnelChannel, _ endpoint: Endpoint) {
        guard let context else { return }
        openDatagrams(endpoint.address.family)
        do throws(TLSError) {
            runner.attach(try TLSSession(context: context, now: clock.now), channel, to: endpoint)
        } catch {
            channel.close()
            fail(error.description)
        }
    }

    /// One socket for each connection: after a change of the branch's own address the old one may lead nowhere.
    private func openDatagrams(_ family: IPAddress.Family) {
        runner.datagrams?.close()
        runner.datagrams = nil
        let any = family == .v4 ? IPAddress(v4: 0) : IPAddress(v6High: 0, low: 0)
        let here = NIOLoopBound(self, eventLoop: loop)
        let attempt = attempt
        TunnelDatagrams.bind(Endpoint(address: any, port: 0), loop: loop, trafficClass: trafficClass.media).whenSuccess { channel, handler in
            let place = here.value
            guard place.attempt == attempt else { return channel.close(promise: nil) }
            place.runner.datagrams = handler.value
            handler.value.received = { [weak place] bytes, segment, source in place?.runner.datagrams(bytes, segment: segment, from: source) }
            handler.value.readComplete = { [weak place] isDrained in
                place?.runner.flushMedia()
                if !isDrained { place?.reports?.moreWaits() }
            }
        }
    }

    // MARK: What comes of it

    private func perform(_ action: TunnelSession.Action) {
        switch action {
        case .report(.up(_, let resumed)):
            if !resumed { ways = [:] }
            reports?.up(resumed)
        case .report(.goAway(let reason, let delay)): reports?.goAway(reason, delay)
        case .wayChanged(let way):
            ways[way.flow.rawValue] = way.isUp ? way : nil
            reports?.action(action)
        case .report(.ended):
            ways = [:]
            reports?.action(action)
        case .writeStream, .writeDatagram, .closeStream, .pauseReading, .resumeReading, .startLane, .closeLane, .deliverSignal,
            .deliverMedia, .streamWanted, .streamBound, .streamUpdated, .streamEnded, .certificateWanted, .certificateGiven, .report,
            .dropped:
            reports?.action(action)
        }
    }

    private func ended(_ outcome: TunnelRunner.StreamOutcome) {
        switch outcome {
        case .closed(let failure): fail(failure.description)
        case .failed(let error): fail(error.description)
        }
    }

    private func fail(_ reason: String) {
        attempt &+= 1
        reports?.down(reason)
    }

    func shutDown() {
        attempt &+= 1
        reports = nil
        runner.session(.stop(.stopped, retryAfter: .zero))
        runner.datagrams?.close()
        runner.shutDown()
    }
}
