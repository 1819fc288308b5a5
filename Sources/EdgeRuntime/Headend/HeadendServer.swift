import CoreTypes
import Dispatch
import Glibc
public import Logging
import Media
import MediaRelay
import NIOCore
import NIOPosix
public import SiteFile
import Synchronization
import Tunnel

/// The headend as a process. `start`, `reload` and `stop` may be called from any thread but its own.
public final class HeadendServer: Sendable {
    private struct Parts: Sendable {
        var core: NIOLoopBound<HeadendCore>
        var channels: [any Channel]
        var media: MediaLoop
    }

    private let settings: HeadendSettings
    private let logger: Logger
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let clock = EdgeClock()
    private let degraded = DegradedState()
    private let state = Mutex<Parts?>(nil)
    private let work = DispatchQueue(label: "headend.lifecycle")
    private let ended = DispatchGroup()
    private let inlet = TunnelMediaInlet()

    public init(settings: HeadendSettings, logger: Logger) {
        ProcessTuning.limitHeaps()
        ProcessTuning.ignoreBrokenPipes()
        self.settings = settings
        self.logger = logger
        ended.enter()
    }

    // MARK: Start

    public func start() throws(HeadendError) {
        var channels: [any Channel] = []
        var media: MediaLoop?
        do throws(HeadendError) {
            let files = try HeadendFiles(settings)
            let register = try SiteRegister.read(from: settings.statePath)
            channels.append(try control())
            let made = try startMedia()
            media = made.loop
            let core = try makeCore(files, register, made.loop, made.events)
            for endpoint in settings.listen { channels += try bind(endpoint, core) }
            state.withLock { $0 = Parts(core: core, channels: channels, media: made.loop) }
        } catch {
            for channel in channels { try? channel.close().wait() }
            media?.stop()
            try? group.syncShutdownGracefully()
            ended.leave()
            throw error
        }
        let sockets = settings.listen.map { "\($0)" }.joined(separator: ", ")
        logger.notice("headend \(settings.name) listens on \(sockets) (TCP and UDP), PBX \(settings.nodes.map(\.text).joined(separator: ", "))")
    }

    private func control() throws(HeadendError) -> any Channel {
        do throws(EdgeServerError) {
            return try ControlServer.bind(path: settings.controlPath, loop: group.next()) { [weak self] in self?.answer($0, $1) }
        } catch {
            throw .server(error)
        }
    }

    /// Events of the media loop on their way to the loop of the headend.
    private final class MediaEvents: Sendable {
        let handler = Mutex<(@Sendable (MediaEvent) -> Void)?>(nil)
    }

    private func startMedia() throws(HeadendError) -> (loop: MediaLoop, events: MediaEvents) {
        let events = MediaEvents()
        let configuration = MediaLoopConfiguration(
            addresses: settings.media.addresses, ports: settings.media.ports, prompts: PromptLibrary(folders: []), dscp: settings.dscp.media,
            tunnel: { [inlet] packets in inlet.put(&packets) }, log: { [logger] level, text in logger.log(level: .init(level), "\(text)") })
        do throws(MediaLoopError) {
            let host = LoopMediaHost(loop: group.next())
            return (try MediaLoop(configuration: configuration, on: host) { event in events.handler.withLock { $0 }?(event) }, events)
        } catch {
            throw .media(reason: error.description)
        }
    }

    private func makeCore(
        _ files: HeadendFiles, _ register: SiteRegister, _ media: MediaLoop, _ events: MediaEvents
    ) throws(HeadendError) -> NIOLoopBound<HeadendCore> {
        let loop = group.next()
        let family = settings.media.addresses.first?.family ?? .v4
        let (settings, clock, degraded, logger, inlet) = (settings, clock, degraded, logger, inlet)
        let made = try? loop.submit { () -> NIOLoopBound<HeadendCore> in
            // The ports are asked for with somebody there to hear the answer.
            let box = LaterMedia()
            let held = NIOLoopBound(box, eventLoop: loop)
            events.handler.withLock { $0 = { event in loop.execute { held.value.media?.event(event) } } }
            let ports = HeadendMedia(loop: media, family: family)
            box.media = ports
            let core = HeadendCore(
                settings: settings, files: files, register: register, media: ports, loop: loop, clock: clock, degraded: degraded, logger: logger)
            let bound = NIOLoopBound(core, eventLoop: loop)
            inlet.open { loop.execute { bound.value.sendMedia(of: inlet) } }
            return bound
        }.wait()
        guard let made else { throw .refused("the event loop has stopped") }
        return made
    }

    private final class LaterMedia { var media: HeadendMedia? }

    private func bind(_ endpoint: Endpoint, _ core: NIOLoopBound<HeadendCore>) throws(HeadendError) -> [any Channel] {
        let loop = group.next()
        let trafficClass = settings.dscp
        guard let address = endpoint.socketAddress else { throw .server(.addressNotAvailable(.tcp, endpoint)) }
        var channels: [any Channel] = []
        do {
            channels.append(
                try ServerBootstrap(group: loop)
                    .serverChannelOption(.backlog, value: 256)
                    .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                    .childChannelInitializer { channel in
                        TunnelChannel.configure(channel, trafficClass: trafficClass.signalling).flatMapThrowing {
                            let handler = TunnelChannel()
                            try channel.pipeline.syncOperations.addHandler(handler)
                            core.value.accept(handler, from: channel.remoteAddress.flatMap(Endpoint.init))
                        }
                    }
                    .bind(to: address).wait())
            let (channel, handler) = try TunnelDatagrams.bind(endpoint, loop: loop, trafficClass: trafficClass.media).wait()
            channels.append(channel)
            try loop.submit {
                let socket = handler.value
                core.value.datagrams.append(socket)
                socket.received = { [weak socket] bytes, segment, source in
                    if let socket { core.value.received(bytes, segment: segment, from: source, by: socket) }
                }
                socket.readComplete = { core.value.datagramsComplete(isDrained: $0) }
            }.wait()
            return channels
        } catch {
            for channel in channels { try? channel.close().wait() }
            throw .server(EdgeServerError(binding: channels.isEmpty ? .tcp : .udp, endpoint, error))
        }
    }

    // MARK: Control

    /// On the loop.
    private func answer(_ request: ControlRequest, _ reply: @escaping (ControlReply) -> Void) {
        guard let parts = state.withLock({ $0 }) else { return reply(.failure("the headend is starting or stopping")) }
        switch request.command {
        case .status: reply(ControlReply(ok: true, headend: parts.core.value.status(started: clock.started.unixSeconds)))
        case .reload:
            switch parts.core.value.reload() {
            case .success(let sentence):
                logger.notice("reload: \(sentence)")
                reply(.done(sentence))
            case .failure(let error):
                logger.error("reload: \(error); all stays as it was")
                reply(.failure(error.description))
            }
        default: reply(.failure("a headend knows status and reload"))
        }
    }

    /// Reads certificates and sites anew.
    public func reload() {
        guard let parts = state.withLock({ $0 }) else { return }
        let logger = logger
        group.next().execute {
            switch parts.core.value.reload() {
            case .success(let sentence): logger.notice("reload: \(sentence)")
            case .failure(let error): logger.error("reload: \(error); all stays as it was")
            }
        }
    }

    // MARK: Stop

    public func stop() {
        work.sync {
            let parts = state.withLock { state in
                defer { state = nil }
                return state
            }
            guard let parts else { return }
            try? group.next().submit { parts.core.value.stop() }.wait()
            unlink(settings.controlPath)
            for channel in parts.channels { try? channel.close().wait() }
            parts.media.stop()
            try? group.syncShutdownGracefully()
            logger.notice("headend \(settings.name) has stopped")
            ended.leave()
        }
    }

    public func waitUntilStopped() { ended.wait() }
}
