import CoreTypes
import Dispatch
import EdgeProxy
import Logging
import Media
import MediaRelay
import NIOCore
import SiteFile
import Tunnel

/// The edge's side of the tunnel: its headends, one of which carries the site. To the core each way of that headend to the
/// PBX is a trunk connection, and each stream a pair of media ports. Lives on the signalling loop.
final class TunnelTrunk {
    let files: TunnelFiles
    let driver: EdgeDriver
    let logger: Logger
    let degraded: DegradedState
    var places: [TunnelPlace] = []
    private var fleet: HeadendFleet
    private var timer: Scheduled<Void>?
    private let media: MediaLoop
    private let inlet: TunnelMediaInlet
    /// Packets of this turn on their way to the headend.
    private var leaving = PacketBatch()
    private let siteName: String

    private var table = TunnelStreamTable()
    /// Streams the core has asked for and nobody could open yet.
    private var wanted = 0
    /// The ways the core knows, by their place among its nodes.
    private var nodes: [Node?] = Array(repeating: nil, count: PBXTarget.maximumTunnelWays)
    var renewal = CertificateRenewal()

    private struct Node {
        var place: Int
        var way: SignalWay
        var flow: Flow
    }

    init(
        site: Site, headends: [PBXNode], mtu: Int, files: TunnelFiles, driver: EdgeDriver, media: MediaLoop, inlet: TunnelMediaInlet,
        degraded: DegradedState, logger: Logger
    ) throws(TLSError) {
        self.files = files
        self.driver = driver
        self.media = media
        self.inlet = inlet
        self.degraded = degraded
        self.logger = logger
        siteName = site.configuration.siteName
        fleet = HeadendFleet(count: headends.count, seed: .random(in: .min ... .max))
        let lookups = DispatchQueue(label: "edge.headends", qos: .utility, attributes: .concurrent)
        for headend in headends {
            places.append(
                try TunnelPlace(
                    node: headend, session: TunnelSession(role: .edge, limits: .edge(mtu: mtu)), mtu: mtu, loop: driver.loop, clock: driver.clock,
                    trafficClass: (site.dscp.signalling, site.dscp.media), lookups: lookups, logger: logger))
        }
    }

    var nodeNames: [String] {
        nodes.map { node in node.map { "\($0.way.transport):\($0.way.remote) by \(places[$0.place].node.text)" } ?? "" }
    }

    var active: Int? { fleet.active }

    /// For status.
    var headends: [ControlStatus.Headend] {
        places.indices.map { index in
            let status = places[index].runner.status
            let state: String
            switch status.phase {
            case .up: state = index == active ? "active" : "standby"
            case .cut: state = "cut"
            case .idle, .greeting, .ended: state = "down"
            }
            return ControlStatus.Headend(
                name: places[index].node.text, state: state, lane: (status.streams.first?.sending ?? (status.isLaneOpen ? .datagram : .stream)).word,
                streamRoundTrip: status.streamRoundTrip.map { Int($0.clampedNanoseconds / 1_000_000) },
                datagramRoundTrip: status.datagramRoundTrip.map { Int($0.clampedNanoseconds / 1_000_000) },
                datagramLoss: status.datagramLoss, isRepeating: status.isRepeating, repeated: status.counters.mediaRepeated,
                calls: index == active ? calls(status.streams) : [:], laneChanges: status.counters.laneChanges,
                late: status.counters.lateOnArrival + status.lateBeforeSending)
        }
    }

    private func calls(_ streams: [TunnelStatus.Stream]) -> [String: Int] {
        streams.reduce(into: [:]) { counts, stream in
            if table.entries[stream.id]?.session != nil { counts[stream.sending.word, default: 0] += 1 }
        }
    }

    func start() {
        for index in places.indices {
            places[index].reports = .init(
                up: { [weak self] resumed in self?.up(index, resumed) }, down: { [weak self] in self?.down(index, $0) },
                heard: { [weak self] in self?.fleetEvent(.heard(index)) },
                goAway: { [weak self] in self?.goAway(index, $0, $1) },
                action: { [weak self] in self?.perform($0, at: index) }, media: { [weak self] in self?.received($0, at: index) },
                moreWaits: { [weak self] in self?.moreWaits() })
        }
        let here = NIOLoopBound(self, eventLoop: driver.loop)
        let loop = driver.loop
        inlet.open { loop.execute { here.value.sendMedia() } }
        fleetEvent(.start)
    }

    func stop() {
        timer?.cancel()
        renewal.stop()
        for place in places { place.shutDown() }
    }

    // MARK: The fleet

    private func fleetEvent(_ event: HeadendFleet.Event) {
        for action in fleet.handle(event, now: driver.clock.now) {
            switch action {
            case .dial(let place): dial(place)
            case .hangUp(let place): hangUp(place, event)
            case .setStanding(let place, let standing): places[place].runner.session(.setStanding(standing))
            case .move(let from, let to): move(from, to)
            }
        }
        arm()
    }

    private func hangUp(_ place: Int, _ event: HeadendFleet.Event) {
        if case .tick = event {
            let sentence = "headend \(places[place].node.text): no answer in time: a firewall on the way, or what listens there is no headend"
            if degraded.set(.trunk(place), sentence) { logger.warning("tunnel: \(sentence)") }
        }
        places[place].hangUp()
    }

    private func arm() {
        timer?.cancel()
        timer = nil
        guard let deadline = fleet.nextDeadline else { return }
        let wait = max(.zero, deadline - driver.clock.now)
        timer = driver.loop.assumeIsolated().scheduleTask(in: .nanoseconds(wait.clampedNanoseconds)) { [weak self] in self?.fleetEvent(.tick) }
    }

    private func dial(_ place: Int) {
        do throws(TLSError) {
            places[place].dial(try files.context(for: places[place].node.host))
        } catch {
            let here = NIOLoopBound(self, eventLoop: driver.loop)
            let reason = error.description
            driver.loop.execute { here.value.down(place, reason) }
        }
    }

    private func move(_ from: Int, _ to: Int) {
        logger.notice("tunnel: \(places[to].node.text) takes over from \(places[from].node.text)")
        places[to].runner.adopt(places[from].runner.handOver())
        takeUp()
    }

    private func up(_ place: Int, _ resumed: Bool) {
        degraded.set(.trunk(place), nil)
        logger.notice("tunnel: headend \(places[place].node.text) is up\(resumed ? "; the session goes on" : "")")
        fleetEvent(.up(place, resumed: resumed))
        if place == active { takeUp() }
        renewal.look(self)
    }

    private func down(_ place: Int, _ reason: String) {
        let sentence = "headend \(places[place].node.text): \(reason)"
        if degraded.set(.trunk(place), sentence) { logger.warning("tunnel: \(sentence)") }
        fleetEvent(.down(place))
    }

    private func goAway(_ place: Int, _ reason: GoAwayReason, _ delay: Duration) {
        let sentence = "headend \(places[place].node.text): it sends us away: \(reason.text)"
        degraded.set(.trunk(place), sentence)
        logger.warning("tunnel: \(sentence)")
        fleetEvent(.goAway(place, retryAfter: delay))
        // There is no session to go back to.
        if reason == .revoked { places[place].runner.session(.stop(.stopped, retryAfter: .zero)) }
    }

    // MARK: What a session says

    private func perform(_ action: TunnelSession.Action, at place: Int) {
        switch action {
        case .deliverSignal(let flow, let bytes): deliver(flow, bytes, at: place)
        case .wayChanged: if place == active { syncWays() }
        case .streamBound(let id, let endpoint): if place == active { bound(id, endpoint) }
        case .streamEnded(let id, let why): if place == active { streamEnded(id, why) }
        case .certificateGiven(let chain): renewal.given(chain, self)
        case .report(.ended): if place == active { syncWays() }
        case .report(.cut(let failure, _)): logger.warning("tunnel: headend \(places[place].node.text): \(failure)")
        case .report(.lane(let lane, let reason)):
            logger.info("tunnel: media to \(places[place].node.text) goes by the \(lane == .datagram ? "datagram" : "stream") lane: \(reason)")
        case .dropped(let drop): logger.debug("tunnel: \(places[place].node.text) drops: \(drop)")
        case .report, .writeStream, .writeDatagram, .closeStream, .pauseReading, .resumeReading, .startLane, .closeLane, .deliverMedia,
            .streamWanted, .streamUpdated, .certificateWanted:
            break
        }
    }

    private func deliver(_ flow: SignalFlow, _ bytes: [UInt8], at place: Int) {
        guard let node = nodes.lazy.compactMap({ $0 }).first(where: { $0.place == place && $0.way.flow == flow }) else { return }
        driver.received(bytes, on: node.flow)
        driver.endTick()
    }

    /// The active headend carries the site from here on: what the core knows follows.
    private func takeUp() {
        syncWays()
        reopenStreams()
        openWanted()
    }

    // MARK: Ways

    /// Makes the core's trunk connections those of the active headend.
    private func syncWays() {
        let ways = active.map { places[$0].ways } ?? [:]
        for index in nodes.indices {
            let wanted = ways[UInt32(index + 1)]
            if let node = nodes[index], node.place == active, node.way == wanted { continue }
            if let node = nodes[index] {
                nodes[index] = nil
                driver.deliver(.trunkDown(TrunkNode(index: index)))
                driver.forget(node.flow.connection)
            }
            guard let wanted, let place = active else { continue }
            let flow = Flow(transport: wanted.transport, local: wanted.local, remote: wanted.remote, connection: driver.nextConnection())
            nodes[index] = Node(place: place, way: wanted, flow: flow)
            driver.add(WaySink(runner: places[place].runner, flow: wanted.flow), flow.connection)
            driver.deliver(.trunkUp(TrunkNode(index: index), flow))
        }
        driver.endTick()
    }

    // MARK: Streams

    /// What the core asks of the media loop concerns the tunnel, too.
    func note(_ command: MediaCommand) {
        switch command {
        case .reserveStreams(let count):
            wanted += count
            openWanted()
        case .relay(let session, let first, let second):
            for leg in [first, second] {
                guard let update = table.relayed(session, leg), let active else { continue }
                places[active].runner.session(.updateStream(update))
            }
        case .close(let session):
            guard let id = table.closed(session), let active else { return }
            places[active].runner.session(.closeStream(id, .callEnded))
        case .restore, .reserve, .announce, .play, .sensitive, .press, .measure: break
        }
    }

    private func openWanted() {
        guard let active, fleet.isUp(active) else { return }
        while wanted > 0, let id = places[active].runner.unusedStream(except: table.holds) {
            wanted -= 1
            table.add(id)
            places[active].runner.session(.openStream(StreamBinding(id: id)))
        }
    }

    /// Streams the session lost, or never had, are asked for again.
    private func reopenStreams() {
        guard let active else { return }
        let present = Set(places[active].runner.status.streams.map(\.id))
        for id in table.ids where !present.contains(id) {
            places[active].runner.session(.openStream(StreamBinding(id: id)))
            if let update = table.entries[id]?.update { places[active].runner.session(.updateStream(update)) }
        }
    }

    private func bound(_ id: StreamID, _ endpoint: Endpoint) {
        guard let event = table.bound(id, endpoint) else { return }
        driver.deliver(.media(event))
        driver.endTick()
    }

    private func streamEnded(_ id: StreamID, _ why: StreamEnd) {
        switch why {
        case .sessionLost: break
        case .noPort, .tooMany, .other, .badID, .callEnded:
            logger.warning("tunnel: the headend refuses a media stream: \(why)")
            // One that waits for its call is asked for again a little later; a call in which it was lost stays silent.
            guard table.entries[id]?.session == nil else { return }
            table.remove(id)
            let here = NIOLoopBound(self, eventLoop: driver.loop)
            driver.loop.scheduleTask(in: .seconds(5)) {
                here.value.wanted += 1
                here.value.openWanted()
            }
        }
    }

    /// By which lanes a call's media goes and comes, for status.
    func lane(of stream: UInt32) -> (sending: Lane, receiving: Lane?)? {
        guard let active, let found = places[active].runner.status.streams.first(where: { UInt32($0.id.rawValue) == stream }) else { return nil }
        return (found.sending, found.receiving)
    }

    // MARK: Media

    private func sendMedia() {
        inlet.take(into: &leaving)
        guard let active else { return }
        places[active].runner.sendMedia(leaving)
    }

    /// A socket of this loop holds more than was read: media does not rest before that has been.
    func moreWaits() { media.moreWaits() }

    private func received(_ packets: PacketBatch, at place: Int) {
        guard place == active else { return }
        media.receive(packets)
    }
}

/// A way of a headend, as the driver sends by it.
private final class WaySink: FlowSink {
    private let runner: TunnelRunner
    private let flow: SignalFlow

    init(runner: TunnelRunner, flow: SignalFlow) {
        self.runner = runner
        self.flow = flow
    }

    func send(_ bytes: [UInt8]) { runner.session(.sendSignal(flow, bytes)) }
    func flush() {}
    func close() {}
}

extension TunnelLimits {
    /// What an edge says it takes, where the path takes datagrams of `mtu` bytes.
    static func edge(mtu: Int) -> TunnelLimits {
        var limits = TunnelLimits()
        limits.datagramPayload = mtu - DTLSSession.overhead
        return limits
    }
}
