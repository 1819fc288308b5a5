import CoreTypes
import Dispatch
import EdgeProxy
import HotDeskPolicy
public import Logging
import Media
import MediaRelay
import NIOCore
import NIOPosix
public import SiteFile
import Synchronization
import Tunnel

/// The edge as a process: listeners, trunk, media, store and control socket around the core.
///
/// One event loop does all signalling. `start`, `reload` and `stop` may be called from any other thread.
public final class EdgeServer: Sendable {
    private struct Parts: Sendable {
        var driver: EdgeDriver
        var trunk: [TrunkNodeDriver]
        var tunnel: NIOLoopBound<TunnelTrunk>?
        var phones: StreamListener
        var channels: [any Channel]
        var media: MediaLoop
        var calls: CallTotals
        var store: EdgeStore
        var site: Site
        var listeners: [EdgeConfiguration.Listener]
        var phoneWeb: PhoneWeb?
        var http: [Endpoint]
        var redirects: RedirectWorker
    }

    private enum State: Sendable {
        case fresh, starting
        case running(Parts)
        case stopped
    }

    private let site: Site
    private let sitePath: String
    private let logger: Logger
    private let options: EdgeServerOptions
    private let group: MultiThreadedEventLoopGroup
    private let clock = EdgeClock()
    private let degraded = DegradedState()
    private let contexts: [TLSContext]
    private let serverTLS: TLSServerContext?
    private let webTLS: TLSServerContext?
    private let state = Mutex(State.fresh)
    private let stopping = DispatchQueue(label: "edge.lifecycle")
    private let ended = DispatchGroup()

    /// Reads the certificates; opens nothing else.
    public convenience init(site: Site, sitePath: String, logger: Logger) throws(EdgeServerError) {
        try self.init(site: site, sitePath: sitePath, logger: logger, options: EdgeServerOptions())
    }

    init(site: Site, sitePath: String, logger: Logger, options: EdgeServerOptions) throws(EdgeServerError) {
        ProcessTuning.limitHeaps()
        ProcessTuning.ignoreBrokenPipes()
        self.site = site
        self.sitePath = sitePath
        self.logger = logger
        self.options = options
        contexts = try TrunkContexts.make(for: site)
        serverTLS = try site.serverTLS.map { files throws(EdgeServerError) in try TLSServerContext(phones: files) }
        webTLS = try TLSServerFiles(web: site).map { files throws(EdgeServerError) in try TLSServerContext(web: files) }
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        ended.enter()
    }

    // MARK: Start

    /// Opens the store, binds every socket and begins to connect to the PBX. Throws where the edge could not do
    /// its work; what was opened until then is closed again. A store or PBX that cannot be reached is no such
    /// case: `status` says so, and emergency calls work.
    public func start() throws(EdgeServerError) {
        let isFresh = state.withLock { state in
            guard case .fresh = state else { return false }
            state = .starting
            return true
        }
        guard isFresh else { throw .alreadyStarted }
        var starter = EdgeStarter(
            site: site, clock: clock, loop: group.next(), degraded: degraded, logger: logger, contexts: contexts,
            serverTLS: serverTLS, webTLS: webTLS, options: options)
        do throws(EdgeServerError) {
            let started = try starter.start { [weak self] request, reply in self?.answer(request, reply) }
            state.withLock {
                $0 = .running(
                    Parts(
                        driver: started.driver, trunk: started.trunk, tunnel: started.tunnel, phones: started.phones, channels: started.channels,
                        media: started.media, calls: started.calls, store: started.store, site: site, listeners: started.listeners,
                        phoneWeb: started.phoneWeb, http: started.http, redirects: started.redirects))
            }
        } catch {
            starter.undo()
            state.withLock { $0 = .stopped }
            try? group.syncShutdownGracefully()
            ended.leave()
            throw error
        }
        let sockets = site.listen.map { "\($0.transport):\($0.endpoint)" }.joined(separator: ", ")
        logger.notice("edge of site \(site.configuration.siteName) listens on \(sockets)")
        ProcessTuning.forgetStart()
    }

    /// What the sockets were bound to, in the order of the site file; empty unless running.
    var boundListeners: [EdgeConfiguration.Listener] { running?.listeners ?? [] }

    /// Where HTTP and then HTTPS were bound; empty unless running with them.
    var boundHTTP: [Endpoint] { running?.http ?? [] }

    private var running: Parts? {
        state.withLock { state in
            if case .running(let parts) = state { return parts }
            return nil
        }
    }

    // MARK: Reload

    /// Reads the site file again. With a problem in it, everything stays as it is, and the log says why.
    public func reload() { stopping.async { _ = self.reloadNow() } }

    /// What was done, or why not.
    private func reloadNow() -> Result<String, ReloadFailure> {
        guard let parts = running else { return .failure(ReloadFailure(why: "the edge does not run")) }
        let result = SiteLoader.load(path: sitePath)
        for problem in result.problems {
            logger.log(level: problem.severity == .error ? .error : .warning, "reload: \(problem)")
        }
        guard let new = result.site else {
            let sentence = "\(sitePath) has errors; the configuration from before is kept"
            degraded.set(.reload, sentence)
            logger.error("reload: \(sentence)")
            return .failure(ReloadFailure(why: sentence))
        }
        degraded.set(.reload, nil)
        let certificates = reloadCertificates(new)
        var configuration = SiteChanges.applicable(new.configuration, on: site.configuration)
        configuration.listeners = parts.listeners
        let applied = configuration
        parts.driver.loop.execute {
            parts.driver.deliver(.reload(applied))
            parts.driver.endTick()
            if let web = parts.phoneWeb, let options = new.delivery, let files = PhoneFiles(new) { web.reload(new, options, files) }
        }
        parts.redirects.take(new)
        let waiting = SiteChanges.needingRestart(from: site, to: new)
        var sentence = "\(sitePath) is in force"
        if let certificates { sentence += "; \(certificates)" }
        if !waiting.isEmpty { sentence += "; a restart is needed for: \(waiting.joined(separator: ", "))" }
        logger.notice("reload: \(sentence)")
        return .success(sentence)
    }

    /// Reads our own certificate again, renewed or not: new connections are shown it. What was wrong, or nil.
    private func reloadCertificates(_ new: Site) -> String? {
        guard let serverTLS, let files = new.serverTLS else { return nil }
        do throws(TLSError) {
            try serverTLS.reload(TLSServerFiles(files))
            if let webTLS, let files = TLSServerFiles(web: new) { try webTLS.reload(files) }
            degraded.set(.certificate, nil)
            return nil
        } catch {
            let sentence = "the certificate from before stays in use: \(error)"
            degraded.set(.certificate, sentence)
            logger.error("reload: \(sentence)")
            return sentence
        }
    }

    private struct ReloadFailure: Error { var why: String }

    // MARK: Control socket

    /// On the loop.
    private func answer(_ request: ControlRequest, _ reply: @escaping (ControlReply) -> Void) {
        guard let parts = running else { return reply(.failure("the edge is starting or stopping")) }
        switch request.command {
        case .status: measuredStatus(parts, reply)
        case .calls: recentCalls(request.last, parts, reply)
        case .metrics: reply(.metrics(metrics(parts)))
        case .logout: reply(logout(request.device, parts))
        case .unlock: reply(unlock(request.device, parts))
        case .arm: reply(arm(request.device, parts))
        case .redirect: reply(redirect(request.device, parts))
        case .reload:
            let answer = NIOLoopBound(reply, eventLoop: parts.driver.loop)
            stopping.async {
                let result = self.reloadNow()
                parts.driver.loop.execute {
                    switch result {
                    case .success(let sentence): answer.value(.done(sentence))
                    case .failure(let failure): answer.value(.failure(failure.why))
                    }
                }
            }
        }
    }

    /// How long the media loop is given to say how the calls fare.
    private static let measuring = TimeAmount.milliseconds(50)

    private func measuredStatus(_ parts: Parts, _ reply: @escaping (ControlReply) -> Void) {
        guard parts.driver.status().calls > 0 else { return reply(.status(status(parts))) }
        parts.driver.deliver(.measure)
        parts.driver.endTick()
        let answer = NIOLoopBound(reply, eventLoop: parts.driver.loop)
        parts.driver.loop.scheduleTask(in: Self.measuring) { answer.value(.status(self.status(parts))) }
    }

    private func recentCalls(_ count: Int?, _ parts: Parts, _ reply: @escaping (ControlReply) -> Void) {
        let answer = NIOLoopBound(reply, eventLoop: parts.driver.loop)
        parts.store.recentCalls(min(max(count ?? 20, 1), ControlRequest.maximumCalls)) { result in
            parts.driver.loop.execute {
                switch result {
                case .success(let calls): answer.value(.calls(calls))
                case .failure(let problem): answer.value(.failure("\(problem)"))
                }
            }
        }
    }

    /// The state of the edge in the text format of Prometheus. On the loop.
    private func metrics(_ parts: Parts) -> String {
        MetricsText(status(parts), media: parts.media.counters, calls: parts.calls.totals, fetches: parts.phoneWeb?.counts).text
    }

    private func status(_ parts: Parts) -> ControlStatus {
        let state = parts.driver.status()
        let overdue = state.devices.filter { $0.phone == .overdue }.map {
            "\($0.name.text): the phone has not fetched its configuration; it shows what was before"
        }
        let tunnel = parts.tunnel?.value
        var status = ControlStatus(
            state, version: EdgeVersion.text, started: clock.started.unixSeconds,
            nodeNames: tunnel?.nodeNames ?? parts.trunk.map(\.name), degraded: degraded.sentences + overdue)
        status.note(parts.redirects.entries)
        status.mediaWay = parts.media.way?.rawValue
        guard let tunnel else { return status }
        // A way the headend does not have is no node that is down.
        status.nodes.removeAll { $0.name.isEmpty }
        status.headends = tunnel.headends
        for (index, call) in state.inProgress.enumerated() where status.inProgress.indices.contains(index) {
            status.inProgress[index].lane = call.tunnelStream.flatMap { tunnel.lane(of: $0)?.sending.word }
        }
        return status
    }

    private func logout(_ text: String?, _ parts: Parts) -> ControlReply {
        guard let name = text.flatMap({ DeviceName($0) }) else { return .failure("a logout names a device, such as HD0001") }
        guard let device = parts.driver.status().devices.first(where: { $0.name == name }) else {
            return .failure("\(name.text): the site has no such device")
        }
        guard let session = device.session else { return .failure("\(name.text): nobody is logged in") }
        parts.driver.deliver(.logout(name))
        parts.driver.endTick()
        return .done("\(name.text): extension \(session.extension.text) is logged out")
    }

    private func unlock(_ text: String?, _ parts: Parts) -> ControlReply {
        let text = text ?? ""
        if let name = DeviceName(text) {
            guard parts.driver.status().devices.contains(where: { $0.name == name }) else {
                return .failure("\(name.text): the site has no such device")
            }
            parts.driver.deliver(.unlockDevice(name))
        } else if let number = ExtensionNumber(text) {
            parts.driver.deliver(.unlockExtension(number))
        } else {
            return .failure("an unlock names a device, such as HD0001, or an extension, such as 100")
        }
        parts.driver.endTick()
        return .done("\(text) may try its PIN again")
    }

    private func arm(_ text: String?, _ parts: Parts) -> ControlReply {
        guard let name = text.flatMap({ DeviceName($0) }) else { return .failure("arming names a device, such as HD0001") }
        guard let web = parts.phoneWeb else { return .failure("phones fetch nothing from this edge: the site file has no provisioning.networks") }
        guard web.arm(name) else { return .failure("\(name.text): the site has no such device that could be provisioned") }
        return .done("\(name.text) is armed: it may ask for its address by its MAC now")
    }

    private func redirect(_ text: String?, _ parts: Parts) -> ControlReply {
        let name = text.flatMap { DeviceName($0) }
        if text != nil, name == nil { return .failure("\(text ?? ""): no device's name") }
        guard parts.redirects.retry(name) else {
            return .failure("\(name?.text ?? ""): no redirect service the site has an account at is to know this device")
        }
        return .done(name.map { "\($0.text): its vendor's service is told again, if it has to be" } ?? "what waits is tried again")
    }

    // MARK: Stop

    /// Closes everything and writes what is held to the disk; returns when that is done. Not called on the loop.
    public func stop() {
        stopping.sync {
            let parts = state.withLock { state -> Parts? in
                guard case .running(let parts) = state else { return nil }
                state = .stopped
                return parts
            }
            guard let parts else { return }
            parts.redirects.stop()
            EdgeStarter.close(
                driver: parts.driver, trunk: parts.trunk, tunnel: parts.tunnel, phones: parts.phones, channels: parts.channels, media: parts.media,
                store: parts.store, controlPath: site.controlPath)
            try? group.syncShutdownGracefully()
            logger.notice("edge of site \(site.configuration.siteName) has stopped")
            ended.leave()
        }
    }

    /// Returns once `stop` has done its work, or `start` has failed.
    public func waitUntilStopped() { ended.wait() }
}

/// The version of this program.
public enum EdgeVersion {
    public static let text = "0.1.0"
}
