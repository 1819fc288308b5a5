import CoreTypes
import Logging
import Media
import NIOCore
import SiteFile
import Tunnel

/// One site at the headend, for as long as its session lasts: its tunnel, its ways to the PBX, its ports. Nothing of it is shared
/// with another site but the machine. Lives on the headend's loop.
final class HeadendSite {
    private struct Stream {
        var session: MediaSessionID
        var ports: MediaPorts
        var remote: StreamUpdate?
    }

    let name: String
    let token: SessionToken
    let runner: TunnelRunner
    /// Its number among the sites that are here.
    let slot: UInt32
    var certificate: CertificateFacts
    /// Where its datagrams come from.
    var sources: [Endpoint] = []
    var onEnd: ((String) -> Void)?
    var onRenew: (([UInt8]) -> Void)?
    private let media: HeadendMedia
    private let logger: Logger
    private var ways: [any PBXWay] = []
    private var upWays: [UInt32: SignalWay] = [:]
    private var streams: [StreamID: Stream] = [:]
    private let nodes: [ResolvedNode]

    init(
        name: String, token: SessionToken, slot: UInt32, certificate: CertificateFacts, runner: TunnelRunner, media: HeadendMedia,
        nodes: [ResolvedNode], logger: Logger
    ) {
        self.name = name
        self.token = token
        self.slot = slot
        self.certificate = certificate
        self.runner = runner
        self.media = media
        self.nodes = nodes
        self.logger = logger
        runner.onAction = { [weak self] in self?.perform($0) }
        runner.onMedia = { [weak self] packets in self?.received(&packets) }
        runner.onStreamEnd = { [weak self] in self?.streamEnded($0) }
    }

    /// Opens a way to each node of the PBX.
    func open(_ settings: HeadendSettings, loop: any EventLoop, clock: EdgeClock) {
        for (index, node) in nodes.enumerated() {
            let flow = SignalFlow(rawValue: UInt32(index + 1))
            let transport = node.settings.transport
            let reports = PBXWayReports(
                up: { [weak self] local, remote in
                    self?.announce(SignalWay(flow: flow, isUp: true, transport: transport, local: local, remote: remote))
                },
                down: { [weak self] reason in self?.wayLost(flow, node, reason) },
                received: { [weak self] bytes in self?.runner.session(.sendSignal(flow, bytes)) })
            let way: any PBXWay
            switch transport {
            case .udp:
                way = PBXDatagramWay(
                    node: node, local: settings.address, trafficClass: settings.dscp.signalling, loop: loop, reports: reports)
            case .tcp, .tls:
                way = PBXStreamWay(
                    node: node, local: settings.address, trafficClass: settings.dscp.signalling, loop: loop, clock: clock, reports: reports)
            }
            ways.append(way)
            way.start()
        }
    }

    // MARK: Ways

    private func announce(_ way: SignalWay) {
        upWays[way.flow.rawValue] = way
        runner.session(.announceWay(way))
    }

    private func wayLost(_ flow: SignalFlow, _ node: ResolvedNode, _ reason: String) {
        logger.warning("\(name): PBX \(node.settings.text): \(reason)")
        guard var way = upWays.removeValue(forKey: flow.rawValue) else { return }
        way.isUp = false
        runner.session(.announceWay(way))
    }

    // MARK: What the session says

    private func perform(_ action: TunnelSession.Action) {
        switch action {
        case .deliverSignal(let flow, let message): send(message, flow)
        case .streamWanted(let binding): bind(binding.id)
        case .streamUpdated(let update): relay(update)
        case .streamEnded(let id, _): close(id)
        case .certificateWanted(let request): onRenew?(request)
        case .report(.up(_, let resumed)):
            logger.notice("\(name): the tunnel is up\(resumed ? "; the session goes on" : "")")
            if !resumed { for way in upWays.values.sorted(by: { $0.flow.rawValue < $1.flow.rawValue }) { runner.session(.announceWay(way)) } }
        case .report(.cut(let failure, _)): logger.warning("\(name): \(failure)")
        case .report(.ended(let failure)): end(failure.description)
        case .report(.lane(let lane, let reason)): logger.info("\(name): media goes by the \(lane.word) lane: \(reason)")
        case .report(.standing(let standing)): logger.info("\(name): the site uses this headend as \(standing == .active ? "its active one" : "a standby")")
        case .dropped(let drop): logger.debug("\(name): drops: \(drop)")
        case .report, .writeStream, .writeDatagram, .closeStream, .pauseReading, .resumeReading, .startLane, .closeLane, .deliverMedia,
            .streamBound, .wayChanged, .certificateGiven:
            break
        }
    }

    private func streamEnded(_ outcome: TunnelRunner.StreamOutcome) {
        switch outcome {
        case .closed: break
        case .failed(let error): logger.warning("\(name): \(error)")
        }
    }

    /// By the way that is named, or the first that is up.
    private func send(_ message: [UInt8], _ flow: SignalFlow) {
        let index = flow == .any ? upWays.keys.min() : flow.rawValue
        guard let index, index > 0, ways.indices.contains(Int(index) - 1) else { return }
        ways[Int(index) - 1].send(message)
    }

    // MARK: Streams

    private func bind(_ id: StreamID) {
        media.take { [weak self] ports in
            guard let self else { return }
            guard let ports else {
                logger.error("\(name): no media ports are left")
                return runner.session(.refuseStream(id, .noPort))
            }
            let stream = Stream(session: media.newSession(), ports: ports)
            streams[id] = stream
            relay(stream, id)
            runner.session(.bindStream(id, Endpoint(address: ports.address, port: ports.rtp)))
        }
    }

    private func relay(_ update: StreamUpdate) {
        guard streams[update.id] != nil else { return }
        streams[update.id]?.remote = update
        if let stream = streams[update.id] { relay(stream, update.id) }
    }

    private func relay(_ stream: Stream, _ id: StreamID) {
        let own = Endpoint(address: stream.ports.address, port: stream.ports.rtp)
        let tunnel = MediaLeg(ports: MediaPorts(tunnelStream: HeadendMedia.leg(slot: slot, id), headend: own))
        media.perform(
            .relay(stream.session, tunnel, MediaLeg(ports: stream.ports, remote: stream.remote?.rtp, remoteControl: stream.remote?.rtcp)))
    }

    private func close(_ id: StreamID) {
        guard let stream = streams.removeValue(forKey: id) else { return }
        media.perform(.close(stream.session))
    }

    private func received(_ packets: inout PacketBatch) {
        packets.mark(HeadendMedia.bits(ofSlot: slot))
        media.receive(packets)
    }

    func send(_ packets: PacketBatch) { runner.sendMedia(packets) }
    func receive(_ datagram: [UInt8], from source: Endpoint) {
        datagram.withUnsafeBytes { runner.datagrams($0, segment: $0.count, from: source) }
    }

    // MARK: The end

    func stop(_ reason: GoAwayReason) { runner.session(.stop(reason, retryAfter: reason == .restarting ? .seconds(1) : .zero)) }

    private func end(_ reason: String) {
        for id in streams.keys.sorted() { close(id) }
        for way in ways { way.close() }
        ways = []
        let told = onEnd
        onEnd = nil
        told?(reason)
    }

    var status: HeadendStatus.Site {
        HeadendStatus.Site(
            name, runner.status, address: sources.last, calls: streams.values.count { $0.remote != nil }, certificateEnds: certificate.notAfter,
            ways: upWays.values.map { "\($0.transport):\($0.remote)" }.sorted())
    }
}
