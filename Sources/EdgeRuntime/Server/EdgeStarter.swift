import CoreTypes
import EdgeProxy
import Glibc
import HotDeskPolicy
import Logging
import Media
import MediaRelay
import NIOCore
import SiteFile
import Synchronization
import Tunnel

/// Puts an edge together, part by part, and takes it apart again where one fails.
struct EdgeStarter {
    struct Started {
        var driver: EdgeDriver
        var trunk: [TrunkNodeDriver]
        var tunnel: NIOLoopBound<TunnelTrunk>?
        var phones: StreamListener
        var channels: [any Channel]
        var media: MediaLoop
        var calls: CallTotals
        var store: EdgeStore
        /// With the ports that were really bound.
        var listeners: [EdgeConfiguration.Listener]
        /// Nil: phones fetch nothing here.
        var phoneWeb: PhoneWeb?
        /// Where HTTP and then HTTPS were really bound.
        var http: [Endpoint]
        var redirects: RedirectWorker
    }

    /// Where parts that are made before the driver send their events.
    private final class EventInlet: Sendable {
        private let driver = Mutex<EdgeDriver?>(nil)
        func open(_ driver: EdgeDriver) { self.driver.withLock { $0 = driver } }
        func submit(_ event: EdgeEvent) { driver.withLock { $0 }?.submit(event) }
    }

    let site: Site
    let clock: EdgeClock
    let loop: any EventLoop
    let degraded: DegradedState
    let logger: Logger
    let contexts: [TLSContext]
    let serverTLS: TLSServerContext?
    /// Where phones are asked for a certificate of their own; nil: as `serverTLS`.
    let webTLS: TLSServerContext?
    let options: EdgeServerOptions

    private let inlet = EventInlet()
    private let calls = CallTotals()
    private var store: EdgeStore?
    private var media: MediaLoop?
    private var driver: EdgeDriver?
    private var phones: StreamListener?
    private var trunk: [TrunkNodeDriver] = []
    private var tunnel: NIOLoopBound<TunnelTrunk>?
    private let tunnelMedia = TunnelMediaInlet()
    private var channels: [any Channel] = []

    init(
        site: Site, clock: EdgeClock, loop: any EventLoop, degraded: DegradedState, logger: Logger, contexts: [TLSContext],
        serverTLS: TLSServerContext?, webTLS: TLSServerContext?, options: EdgeServerOptions
    ) {
        self.site = site
        self.clock = clock
        self.loop = loop
        self.degraded = degraded
        self.logger = logger
        self.contexts = contexts
        self.serverTLS = serverTLS
        self.webTLS = webTLS
        self.options = options
    }

    mutating func start(
        control: @escaping @Sendable (ControlRequest, @escaping (ControlReply) -> Void) -> Void
    ) throws(EdgeServerError) -> Started {
        // First of all: whoever holds the control socket holds the store too.
        channels.append(try ControlServer.bind(path: site.controlPath, loop: loop, answer: control))
        let (store, snapshot) = openStore()
        self.store = store
        let capture = try site.capture.map { options throws(EdgeServerError) in
            try CaptureTap(options: options, site: site.configuration.siteName, clock: clock, degraded: degraded, logger: logger)
        }
        let media = try startMedia(capture)
        self.media = media
        let driver = makeDriver(store: store, media: media, capture: capture, snapshot: snapshot)
        self.driver = driver
        inlet.open(driver)
        let phones = StreamListener(
            driver: driver, limits: options.limits, trafficClass: site.dscp.signalling, logger: logger)
        self.phones = phones
        let listeners = try bindListeners(driver, phones)
        let phoneWeb = makePhoneWeb(driver, store)
        let http = try startWeb(driver, phoneWeb, control)
        startPnP(phoneWeb)
        trunk = startTrunk(driver)
        tunnel = try startTunnel(driver, media)
        driver.submit(.tick)
        loop.execute { driver.startMinutes() }
        return Started(
            driver: driver, trunk: trunk, tunnel: tunnel, phones: phones, channels: channels, media: media, calls: calls, store: store,
            listeners: listeners, phoneWeb: phoneWeb, http: http, redirects: RedirectWorker(site: site, clock: clock, store: store, logger: logger))
    }

    // MARK: Parts

    private func openStore() -> (EdgeStore, EdgeSnapshot?) {
        let store = EdgeStore(path: site.storePath, clock: clock, patience: options.storePatience) {
            [inlet, degraded, logger] report in
            switch report {
            case .stored(let token, let isStored): inlet.submit(.stored(token, isStored))
            case .health(let problem?):
                if degraded.set(.store, "\(problem)") { logger.error("store: \(problem)") }
            case .unread:
                let sentence = "who was logged in before the start could not be read then; restart the edge to restore it"
                degraded.set(.unreadStore, sentence)
                logger.warning("store: \(sentence)")
            case .health(nil):
                if degraded.set(.store, nil) { logger.notice("store: it works again") }
            }
        }
        return (store, store.open())
    }

    private func startMedia(_ capture: CaptureTap?) throws(EdgeServerError) -> MediaLoop {
        var configuration = MediaLoopConfiguration(
            addresses: site.media.addresses, ports: site.media.ports, prompts: PromptLibrary(folders: [site.promptsPath]),
            silence: site.configuration.endAfterSilence ?? .seconds(30), dscp: site.dscp.media,
            tunnel: { [tunnelMedia] packets in tunnelMedia.put(&packets) }, tap: capture?.mediaTap,
            log: { [logger] level, text in logger.log(level: .init(level), "\(text)") })
        configuration.way = site.usesRing ? nil : .epoll
        let host: LoopMediaHost?
        switch site.pbx {
        case .headends: host = LoopMediaHost(loop: loop)
        case .nodes, .service: host = nil
        }
        do throws(MediaLoopError) {
            return try MediaLoop(configuration: configuration, on: host) { [inlet] event in inlet.submit(.media(event)) }
        } catch {
            throw .media(reason: error.description)
        }
    }

    private func makeDriver(store: EdgeStore, media: MediaLoop, capture: CaptureTap?, snapshot: EdgeSnapshot?) -> EdgeDriver {
        let core = EdgeProxy(
            configuration: site.configuration, seed: SystemRandom.bytes(32), restoring: snapshot, now: clock.now)
        let verifier = PINVerifier { [inlet] check, matches in inlet.submit(.pinVerified(check, matches)) }
        let outlets = EdgeDriver.Outlets(
            media: { media.perform($0) }, store: { store.submit($0, $1) }, audit: { store.submit($0) },
            call: { [calls] in
                calls.add($0)
                store.submit($0)
            },
            verify: { verifier.verify($0, $1, $2) })
        let closing = ClosingTime(minute: site.configuration.policy.autoLogout.at, from: ClosingTime.localMinute(at: clock.now))
        return EdgeDriver(
            loop: loop, clock: clock, core: core, closing: closing, outlets: outlets, capture: capture, logger: logger)
    }

    private mutating func bindListeners(
        _ driver: EdgeDriver, _ phones: StreamListener
    ) throws(EdgeServerError) -> [EdgeConfiguration.Listener] {
        var bound: [EdgeConfiguration.Listener] = []
        for listener in site.listen {
            let future: EventLoopFuture<(any Channel, Endpoint)>
            switch listener.transport {
            case .udp:
                future = DatagramListener.bind(
                    listener.endpoint, driver: driver, trafficClass: site.dscp.signalling, logger: logger)
            case .tcp: future = phones.bind(listener.endpoint, tls: nil)
            case .tls:
                guard let serverTLS else { throw .noCertificateForListener(listener.endpoint) }
                future = phones.bind(listener.endpoint, tls: serverTLS)
            }
            do {
                let (channel, endpoint) = try future.wait()
                channels.append(channel)
                bound.append(EdgeConfiguration.Listener(transport: listener.transport, endpoint: endpoint))
            } catch {
                throw EdgeServerError(binding: listener.transport, listener.endpoint, error)
            }
        }
        return bound
    }

    // MARK: HTTP

    private func makePhoneWeb(_ driver: EdgeDriver, _ store: EdgeStore) -> PhoneWeb? {
        guard let options = site.delivery, let files = PhoneFiles(site) else { return nil }
        return PhoneWeb(driver: driver, store: store, files: files, site: site, options: options, logger: logger)
    }

    /// Phones that are not heard are set up by DHCP or by hand: no reason not to start.
    private mutating func startPnP(_ phones: PhoneWeb?) {
        guard let phones, site.delivery?.pnp == true else { return }
        let listener = PnPListener(loop: loop, clock: clock, logger: logger) { phones.pnpTarget($0) }
        do {
            channels += try listener.open(on: site.listen.map(\.endpoint.address))
        } catch {
            logger.warning("PnP: phones cannot be heard: \(error)")
        }
    }

    private mutating func startWeb(
        _ driver: EdgeDriver, _ phones: PhoneWeb?, _ control: @escaping @Sendable (ControlRequest, @escaping (ControlReply) -> Void) -> Void
    ) throws(EdgeServerError) -> [Endpoint] {
        guard site.web.isOpen else { return [] }
        let admin = site.web.apiToken.map { AdminWeb(token: $0, control: control) }
        let listener = WebListener(loop: loop, service: EdgeWeb(phones: phones, admin: admin, clock: clock), clock: clock, logger: logger)
        var bound: [Endpoint] = []
        if let endpoint = site.web.http { bound.append(try bind(listener, endpoint, tls: nil)) }
        if let endpoint = site.web.https {
            guard let tls = webTLS ?? serverTLS else { throw .noCertificateForListener(endpoint) }
            bound.append(try bind(listener, endpoint, tls: tls))
        }
        return bound
    }

    private mutating func bind(_ listener: WebListener, _ endpoint: Endpoint, tls: TLSServerContext?) throws(EdgeServerError) -> Endpoint {
        do {
            let (channel, bound) = try listener.bind(endpoint, tls: tls).wait()
            channels.append(channel)
            return bound
        } catch {
            throw EdgeServerError(binding: .tcp, endpoint, error)
        }
    }

    private func startTrunk(_ driver: EdgeDriver) -> [TrunkNodeDriver] {
        let lookup = TrunkLookup(target: site.pbx, clock: clock, resolver: options.resolver)
        let names = site.pbxNodes.map(\.text)
        let nodes = contexts.enumerated().map { index, context in
            TrunkNodeDriver(
                node: TrunkNode(index: index), name: names.indices.contains(index) ? names[index] : "node \(index + 1)",
                lookup: lookup, tls: context, trafficClass: site.dscp.signalling, settings: options.link,
                driver: driver, degraded: degraded, logger: logger)
        }
        loop.execute { for node in nodes { node.start() } }
        return nodes
    }

    /// Nil where the PBX is reached by TLS.
    private func startTunnel(_ driver: EdgeDriver, _ media: MediaLoop) throws(EdgeServerError) -> NIOLoopBound<TunnelTrunk>? {
        guard case .headends(let headends, let mtu) = site.pbx else { return nil }
        let site = site
        let (degraded, logger, inlet) = (degraded, logger, tunnelMedia)
        let made = try? loop.submit { () -> Result<NIOLoopBound<TunnelTrunk>, TLSError> in
            do throws(TLSError) {
                let tunnel = try TunnelTrunk(
                    site: site, headends: headends, mtu: mtu, files: TunnelFiles(site.trunkTLS), driver: driver, media: media, inlet: inlet,
                    degraded: degraded, logger: logger)
                driver.tunnel = tunnel
                tunnel.start()
                return .success(NIOLoopBound(tunnel, eventLoop: driver.loop))
            } catch {
                return .failure(error)
            }
        }.wait()
        switch made {
        case .success(let tunnel): return tunnel
        case .failure(let error): throw .certificate(reason: error.description)
        case nil: throw .certificate(reason: "the event loop has stopped")
        }
    }

    // MARK: Taking apart

    /// Closes what was opened before a part failed.
    func undo() {
        Self.close(
            driver: driver, trunk: trunk, tunnel: tunnel, phones: phones, channels: channels, media: media, store: store,
            controlPath: site.controlPath)
    }

    static func close(
        driver: EdgeDriver?, trunk: [TrunkNodeDriver], tunnel: NIOLoopBound<TunnelTrunk>?, phones: StreamListener?, channels: [any Channel], media: MediaLoop?,
        store: EdgeStore?, controlPath: String
    ) {
        if let driver {
            try? driver.loop.submit {
                for node in trunk { node.stop() }
                tunnel?.value.stop()
                phones?.shutDown()
                driver.shutDown()
            }.wait()
        }
        // The control socket is the first channel: where there is one, the file is ours.
        if !channels.isEmpty { unlink(controlPath) }
        for channel in channels { try? channel.close().wait() }
        media?.stop()
        driver?.capture?.close()
        store?.close()
    }
}

extension Logger.Level {
    init(_ level: MediaLogLevel) {
        switch level {
        case .debug: self = .debug
        case .info: self = .info
        case .notice: self = .notice
        case .warning: self = .warning
        case .error: self = .error
        }
    }
}
