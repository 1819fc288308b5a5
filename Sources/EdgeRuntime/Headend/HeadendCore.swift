import CoreTypes
import Dispatch
import Logging
import Media
import MediaRelay
import NIOCore
import SiteFile
import Tunnel

/// What a running headend does: lets sites in, keeps them apart, lets them go. Lives on the headend's loop.
final class HeadendCore {
    /// Connections that nobody knows yet.
    private static let maximumDoors = 512
    /// Between two lines about connections that are turned away.
    private static let complaint = Duration.seconds(10)
    /// Addresses a site's datagrams are known to come from.
    private static let sourcesPerSite = 4

    private let settings: HeadendSettings
    private let loop: any EventLoop
    private let clock: EdgeClock
    private let logger: Logger
    private let media: HeadendMedia
    private let nodes: [ResolvedNode]
    private var context: TLSContext
    private var authority: CertificateAuthority?
    private var register: SiteRegister
    private var directory: HeadendDirectory
    private var sites: [String: HeadendSite] = [:]
    private var slots: [UInt32: HeadendSite] = [:]
    private var nextSlot: UInt32 = 0
    private var bySource: [Endpoint: HeadendSite] = [:]
    private var doors: [ObjectIdentifier: HeadendDoor] = [:]
    private var keeper = DoorKeeper()
    private var turnedAway = 0
    private var complained: Instant?
    private let degraded: DegradedState
    var datagrams: [TunnelDatagrams] = []
    /// Packets of this turn on their way to the sites.
    private var leaving = PacketBatch()

    init(
        settings: HeadendSettings, files: HeadendFiles, register: SiteRegister, media: HeadendMedia, loop: any EventLoop, clock: EdgeClock,
        degraded: DegradedState, logger: Logger
    ) {
        self.settings = settings
        self.loop = loop
        self.clock = clock
        self.logger = logger
        self.media = media
        self.degraded = degraded
        self.register = register
        context = files.context
        authority = files.authority
        let lookups = DispatchQueue(label: "headend.dns", qos: .utility, attributes: .concurrent)
        nodes = settings.nodes.enumerated().map { index, node in
            ResolvedNode(settings: node, tls: files.nodeContexts[index], lookups: lookups)
        }
        var limits = HeadendDirectory.Limits()
        limits.maximumSites = settings.maximumSites
        directory = HeadendDirectory(limits: limits)
    }

    private var limits: TunnelLimits {
        var limits = TunnelLimits()
        limits.maximumStreams = settings.streamsPerSite
        limits.datagramPayload = settings.mtu - DTLSSession.overhead
        return limits
    }

    // MARK: Doors

    func accept(_ channel: TunnelChannel, from source: Endpoint?) {
        guard let source, keeper.opens(from: source.address, now: clock.now) else { return turnAway(channel, source) }
        // Who is slowest to say who it is makes room: a site is quicker than that.
        if doors.count >= Self.maximumDoors, let oldest = doors.values.min(by: { $0.opened < $1.opened }) {
            oldest.end("others are waiting")
        }
        do throws(TLSError) {
            let door = try HeadendDoor(channel: channel, source: source, context: context, limits: limits, loop: loop, clock: clock)
            doors[ObjectIdentifier(door)] = door
            door.onOutcome = { [weak self, weak door] outcome in
                guard let self, let door else { return }
                doors[ObjectIdentifier(door)] = nil
                keeper.closed(from: source.address)
                decide(outcome, door)
            }
        } catch {
            logger.error("a connection cannot be taken: \(error)")
            keeper.closed(from: source.address)
            channel.close()
        }
    }

    private func turnAway(_ channel: TunnelChannel, _ source: Endpoint?) {
        channel.close()
        turnedAway += 1
        guard complained.map({ clock.now - $0 >= Self.complaint }) ?? true else { return }
        logger.warning("\(turnedAway) connections too many are turned away, the last from \(source.map { "\($0)" } ?? "?")")
        complained = clock.now
        turnedAway = 0
    }

    private func decide(_ outcome: HeadendDoor.Outcome, _ door: HeadendDoor) {
        let from = door.source.map { "\($0)" } ?? "?"
        switch outcome {
        case .failed(let why):
            logger.warning("a connection from \(from) is refused: \(why)")
            door.close()
        case .enrolling(let request, let secret): enrol(request, secret, door, from)
        case .greeted(let peer, let hello, let rest): admit(peer, hello, rest, door, from)
        }
    }

    private func admit(_ peer: TLSPeer, _ hello: TunnelHello, _ rest: [UInt8], _ door: HeadendDoor, _ from: String) {
        guard let facts = peer.certificate, let name = facts.siteName else {
            logger.warning("a connection from \(from) is refused: its certificate names no site")
            return door.refuse(.revoked)
        }
        guard !register.isRevoked(name, facts) else {
            logger.warning("\(name) is revoked and tries from \(from)")
            return door.refuse(.revoked)
        }
        if let source = door.source { keeper.noteSite(at: source.address, now: clock.now) }
        guard let fresh = SessionToken(bytes: SystemRandom.bytes(SessionToken.count)) else { return door.refuse(.other) }
        switch directory.admit(site: name, hello: hello, freshToken: fresh, now: clock.now) {
        case .refuse(let reason):
            logger.warning("\(name) from \(from) is sent away: \(reason.text)")
            door.refuse(reason)
        case .resume(let token):
            guard let site = sites[name], site.token == token, let stream = door.takeStream() else { return door.refuse(.other) }
            site.certificate = facts
            site.runner.attach(stream, door.channel, hello: hello, rest: rest)
        case .fresh(let token, _):
            sites[name]?.stop(.replaced)
            guard let site = makeSite(name, token, facts), let stream = door.takeStream() else { return door.refuse(.other) }
            site.runner.attach(stream, door.channel, hello: hello, rest: rest)
            site.open(settings, loop: loop, clock: clock)
        }
    }

    // MARK: Sites

    private func makeSite(_ name: String, _ token: SessionToken, _ facts: CertificateFacts) -> HeadendSite? {
        var lane = DTLSSession.Settings()
        lane.mtu = settings.mtu
        let runner: TunnelRunner
        do throws(TLSError) {
            runner = try TunnelRunner(
                session: TunnelSession(role: .headend, token: token, limits: limits), laneSettings: lane, loop: loop, clock: clock)
        } catch {
            logger.error("\(name): \(error)")
            return nil
        }
        nextSlot = (nextSlot + 1) % 65_536
        while slots[nextSlot] != nil { nextSlot = (nextSlot + 1) % 65_536 }
        let site = HeadendSite(
            name: name, token: token, slot: nextSlot, certificate: facts, runner: runner, media: media, nodes: nodes, logger: logger)
        runner.datagrams = datagrams.first
        site.onEnd = { [weak self, weak site] reason in if let self, let site { ended(site, reason) } }
        site.onRenew = { [weak self, weak site] request in if let self, let site { renew(site, request) } }
        sites[name] = site
        slots[site.slot] = site
        return site
    }

    private func ended(_ site: HeadendSite, _ reason: String) {
        logger.notice("\(site.name): the session is over: \(reason)")
        directory.ended(site.token)
        if sites[site.name] === site { sites[site.name] = nil }
        slots[site.slot] = nil
        for source in site.sources { bySource[source] = nil }
        // The outputs that are under way are still performed.
        let runner = NIOLoopBound(site.runner, eventLoop: loop)
        loop.execute { runner.value.shutDown() }
    }

    func stop() {
        for site in Array(sites.values) { site.stop(.restarting) }
        for door in Array(doors.values) { door.close() }
        doors = [:]
    }

    // MARK: Datagrams and media

    /// A burst of datagrams of one source; what names a session stands in it alone or last.
    func received(_ bytes: UnsafeRawBufferPointer, segment: Int, from source: Endpoint, by socket: TunnelDatagrams) {
        let known = bySource[source]
        var carried = 0
        while carried < bytes.count, !isHandshake(bytes[carried]) { carried += min(segment, bytes.count - carried) }
        if let known, carried > 0 {
            known.runner.datagrams(UnsafeRawBufferPointer(rebasing: bytes[..<carried]), segment: segment, from: source)
        }
        while carried < bytes.count {
            let datagram = Array(bytes[carried...].prefix(segment))
            carried += datagram.count
            greeted(datagram, from: source, by: socket)
        }
    }

    /// RFC 5246 §6.2.1.
    private func isHandshake(_ first: UInt8) -> Bool { first == 22 }

    private func greeted(_ datagram: [UInt8], from source: Endpoint, by socket: TunnelDatagrams) {
        let token = laneToken(inFirst: datagram)
        if let site = bySource[source], token.map({ $0 == site.token }) ?? true { return site.receive(datagram, from: source) }
        // Nothing is kept for a sender that names no session.
        guard let token, let name = directory.site(of: token), let site = sites[name] else { return }
        site.sources.append(source)
        // A hello with a token can be copied by who sees it pass: what carries media now is not forgotten for it.
        while site.sources.count > Self.sourcesPerSite, let index = site.sources.firstIndex(where: { $0 != site.runner.lanePath }) {
            bySource[site.sources.remove(at: index)] = nil
        }
        bySource[source] = site
        site.runner.datagrams = socket
        site.receive(datagram, from: source)
    }

    func datagramsComplete(isDrained: Bool) {
        if !isDrained { media.moreWaits() }
        for site in sites.values {
            site.runner.flushMedia()
        }
    }

    /// What the PBX sent, for the sites.
    func sendMedia(of inlet: TunnelMediaInlet) {
        inlet.take(into: &leaving)
        guard let first = leaving.entries.first.map({ HeadendMedia.slot(of: $0.stream) }) else { return }
        // Most turns are of one site.
        if leaving.entries.allSatisfy({ HeadendMedia.slot(of: $0.stream) == first }) {
            slots[first]?.send(leaving)
            return
        }
        var bySlot: [UInt32: PacketBatch] = [:]
        for entry in leaving.entries {
            bySlot[HeadendMedia.slot(of: entry.stream), default: PacketBatch()].append(
                stream: entry.stream, isControl: entry.isControl, leaving.packet(entry))
        }
        for (slot, packets) in bySlot { slots[slot]?.send(packets) }
    }

    // MARK: Certificates

    private func enrol(_ request: TunnelEnrolment.Request, _ secret: [UInt8], _ door: HeadendDoor, _ from: String) {
        let now = clock.now.unixSeconds
        rereadRegister()
        guard let authority else {
            logger.warning("\(from) wants to enrol, and enrol.ca_key is not set")
            return door.refuse(.other)
        }
        guard let (name, token) = register.token(named: request.tokenName, now: now), TunnelEnrolment.proves(request, token, exported: secret) else {
            logger.warning("\(from) wants to enrol with a token that is wrong, used or too old")
            return door.refuse(.revoked)
        }
        do {
            let start = Instant(nanoseconds: register.firstMoment(of: name, now: now) * 1_000_000_000)
            let chain = try authority.sign(request: request.certificateRequest, as: .site(name), from: start, days: settings.certificateDays)
            try useUp(token, of: name)
            logger.notice("\(name) is enrolled from \(from)")
            door.answer(TunnelEnrolment.answer(TunnelEnrolment.Answer(site: name, chain: chain), token, exported: secret))
        } catch {
            logger.error("\(name) cannot be enrolled: \(error)")
            door.refuse(.other)
        }
    }

    /// The token is gone from the file before anything made by it leaves. Another process may have changed the file meanwhile.
    private func useUp(_ token: TunnelEnrolment.Token, of name: String) throws(HeadendError) {
        try StateFolder.locked(settings.statePath) { () throws(HeadendError) in
            register = try SiteRegister.read(from: settings.statePath)
            guard register.token(named: token.name, now: clock.now.unixSeconds) != nil else { throw .refused("its token was used or taken back meanwhile") }
            register.used(site: name)
            try register.write(to: settings.statePath)
        }
    }

    private func renew(_ site: HeadendSite, _ request: [UInt8]) {
        guard let authority, !register.isRevoked(site.name, site.certificate) else {
            return logger.warning("\(site.name) wants a new certificate, and none is made here")
        }
        do throws(TLSError) {
            let start = Instant(nanoseconds: register.firstMoment(of: site.name, now: clock.now.unixSeconds) * 1_000_000_000)
            let chain = try authority.sign(request: request, as: .site(site.name), from: start, days: settings.certificateDays)
            site.runner.session(.giveCertificate(chain))
            logger.notice("\(site.name) has a new certificate")
        } catch {
            logger.error("\(site.name): no certificate can be made: \(error)")
        }
    }

    private func rereadRegister() {
        do throws(HeadendError) { register = try SiteRegister.read(from: settings.statePath) } catch { logger.error("\(error)") }
    }

    /// Reads certificates and sites anew; who is revoked goes at once.
    func reload() -> Result<String, HeadendError> {
        do throws(HeadendError) {
            let files = try HeadendFiles(settings)
            register = try SiteRegister.read(from: settings.statePath)
            context = files.context
            authority = files.authority
        } catch {
            degraded.set(.reload, error.description)
            return .failure(error)
        }
        degraded.set(.reload, nil)
        var gone: [String] = []
        for site in Array(sites.values) where register.isRevoked(site.name, site.certificate) {
            gone.append(site.name)
            site.stop(.revoked)
        }
        return .success(gone.isEmpty ? "certificates and sites are in force" : "in force; sent away: \(gone.sorted().joined(separator: ", "))")
    }

    func status(started: Int64) -> HeadendStatus {
        HeadendStatus(
            name: settings.name, version: EdgeVersion.text, started: started, sites: sites.values.map(\.status).sorted { $0.name < $1.name },
            freeMediaPorts: media.freeCount, degraded: degraded.sentences)
    }
}
