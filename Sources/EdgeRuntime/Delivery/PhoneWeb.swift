import CoreTypes
import EdgeProxy
import HotDeskPolicy
import Logging
import NIOCore
import NIOHTTP1
import PhoneDelivery
import Provisioning
import SiteFile

/// Serves phones their files: `/prov/FILE` to those that are armed, `/p/SECRET/FILE` to all others. Lives on the
/// signalling loop.
final class PhoneWeb: @unchecked Sendable {
    private let driver: EdgeDriver
    private let store: EdgeStore
    private let logger: Logger
    private let logs: PhoneLogs?
    private var files: PhoneFiles
    private var desk: DeliveryDesk
    private var budget: RequestBudget
    private var authenticator: FetchAuthenticator
    private(set) var counts = Counts()

    /// Since the start, for the metrics.
    struct Counts: Equatable {
        var files: UInt64 = 0
        var bootstraps: UInt64 = 0
        var missing: UInt64 = 0
        var busy: UInt64 = 0
        var logs: UInt64 = 0
        var challenges: UInt64 = 0
    }

    init(driver: EdgeDriver, store: EdgeStore, files: PhoneFiles, site: Site, options: DeliveryOptions, logger: Logger) {
        self.driver = driver
        self.store = store
        self.files = files
        self.logger = logger
        logs = options.logFolder.map { PhoneLogs(folder: $0, logger: logger) }
        desk = DeliveryDesk(rules: options.rules, seed: SystemRandom.bytes(32))
        budget = RequestBudget(now: driver.clock.now)
        authenticator = FetchAuthenticator(algorithms: options.digest, seed: SystemRandom.bytes(32))
        take(desk.setDevices(Self.provisioned(site, files), rules: options.rules, records: store.deliveries(), now: driver.clock.now))
    }

    /// The site file was read again.
    func reload(_ site: Site, _ options: DeliveryOptions, _ files: PhoneFiles) {
        self.files = files
        authenticator = FetchAuthenticator(algorithms: options.digest, seed: SystemRandom.bytes(32))
        take(desk.setDevices(Self.provisioned(site, files), rules: options.rules, now: driver.clock.now))
    }

    private static func provisioned(_ site: Site, _ files: PhoneFiles) -> [Device] {
        site.configuration.devices.filter { files.model(of: $0)?.vendor != nil }
    }

    func record(of device: DeviceName) -> DeliveryRecord? { desk.record(of: device) }

    /// False where no device of that name is provisioned here.
    func arm(_ device: DeviceName) -> Bool {
        let actions = desk.arm(device, now: driver.clock.now)
        take(actions)
        return !actions.isEmpty
    }

    private func take(_ actions: [DeliveryAction]) {
        for action in actions {
            switch action {
            case .store(let record): store.submit(record)
            case .report(let device, let text):
                store.submit(
                    AuditEntry(at: driver.clock.now, kind: .provisioning, device: device?.text ?? "", request: "provisioning", detail: text))
                logger.notice("provisioning: \(device.map { $0.text + ": " } ?? "")\(text)")
            }
        }
    }

    /// Where a phone that looks for its server by multicast is sent: to where it may ask by its MAC, while it is armed.
    func pnpTarget(_ mac: MACAddress) -> PnPTarget? {
        guard let device = desk.device(of: mac), desk.record(of: device)?.isArmed(at: driver.clock.now) == true,
            let view = driver.desk(of: device), let vendor = files.model(of: view.device)?.vendor
        else { return nil }
        return PnPTarget(vendor: vendor, url: Personal(files.firstURL))
    }

    // MARK: Requests

    /// A log at the URL of one of our phones.
    func wantsBody(_ request: WebRequest) -> Bool {
        let parts = request.parts
        guard logs != nil, request.method == .PUT || request.method == .POST, parts.count == 3, parts[0] == PhoneFiles.ownPath[...] else { return false }
        return DeliveryToken(parts[1]).map { desk.knows($0) } ?? false
    }

    func answer(_ request: WebRequest, _ reply: @escaping (WebResponse) -> Void) {
        guard budget.take(request.source, now: driver.clock.now) else {
            counts.busy &+= 1
            return reply(.busy)
        }
        guard let (token, fetch) = recognise(request) else { return missing(reply) }
        let asked = DeliveryRequest(
            source: request.source, token: token, claims: fetch.mac.map { [$0] } ?? [],
            model: fetch.agent.map { $0.model ?? "\($0.vendor.rawValue)-" })
        if let challenge = challenge(request, asked) { return reply(challenge) }
        let (verdict, actions) = desk.request(asked, now: driver.clock.now)
        take(actions)
        switch verdict {
        case .missing: missing(reply)
        case .bootstrap(let device, let token, let record): bootstrap(device, token, record, fetch, request, reply)
        case .configuration(let device, let token, let rotation): configuration(device, token, rotation, fetch, request, reply)
        }
    }

    /// What a request by a good URL is told that does not prove who it is from; nil: it does, or need not, or is not good.
    private func challenge(_ request: WebRequest, _ asked: DeliveryRequest) -> WebResponse? {
        guard let device = desk.mustProve(asked, now: driver.clock.now), let view = driver.desk(of: device),
            let credentials = files.credentials(view.device)
        else { return nil }
        let outcome = authenticator.check(
            request.headers.first(name: "Authorization"), method: request.method.rawValue, target: request.target, user: credentials.user,
            password: credentials.password.exposed, now: driver.clock.now)
        let challenges: [String]
        switch outcome {
        case .proven: return nil
        case .challenge(let values): challenges = values
        case .wrongPassword(let values):
            challenges = values
            take(desk.noteWrongPassword(device, asked, now: driver.clock.now))
        }
        counts.challenges &+= 1
        var response = WebResponse(.unauthorized, Array("who are you\n".utf8))
        response.extra = challenges.map { ("WWW-Authenticate", $0) }
        return response
    }

    private func missing(_ reply: (WebResponse) -> Void) {
        counts.missing &+= 1
        reply(.missing)
    }

    private func recognise(_ request: WebRequest) -> (DeliveryToken?, Fetch)? {
        let parts = request.parts
        var token: DeliveryToken?
        switch (parts.first, parts.count) {
        case (PhoneFiles.ownPath[...], 3):
            guard let read = DeliveryToken(parts[1]) else { return nil }
            token = read
        case (Site.bootstrapPath[...], 2): break
        default: return nil
        }
        guard let name = parts.last else { return nil }
        let asked = FetchRequest(
            fileName: String(name), userAgent: request.headers.first(name: "User-Agent"), certificateSubject: request.certificateSubject)
        guard let fetch = try? files.catalogue.recognise(asked) else { return nil }
        return (token, fetch)
    }

    private func bootstrap(
        _ device: DeviceName, _ token: DeliveryToken, _ record: DeliveryRecord, _ fetch: Fetch, _ request: WebRequest,
        _ reply: @escaping (WebResponse) -> Void
    ) {
        guard let view = driver.desk(of: device), let model = files.model(of: view.device), let vendor = model.vendor,
            let kind = fetch.kind(for: model), request.method == .GET
        else { return missing(reply) }
        switch kind {
        case .device: break
        case .common where vendor.asksForItsModelFirst: break
        case .index: return index(view.device, reply)
        case .common, .optional, .log: return missing(reply)
        }
        guard let file = files.bootstrap(view.device, token: token.text) else { return missing(reply) }
        write(record) { [self] isStored in
            // A URL that would be forgotten is none.
            guard isStored else { return reply(.busy) }
            counts.bootstraps &+= 1
            logger.info("provisioning: \(device.text) has its URL, asked from \(request.source)")
            reply(WebResponse(.ok, file.bytes, contentType: file.contentType))
        }
    }

    /// Names the device's file; holds nothing that anybody could use.
    private func index(_ device: Device, _ reply: (WebResponse) -> Void) {
        guard let file = files.index(device) else { return missing(reply) }
        counts.files &+= 1
        reply(WebResponse(.ok, file.bytes, contentType: file.contentType))
    }

    private func configuration(
        _ device: DeviceName, _ token: DeliveryToken, _ rotation: DeliveryVerdict.Rotation?, _ fetch: Fetch, _ request: WebRequest,
        _ reply: @escaping (WebResponse) -> Void
    ) {
        guard let view = driver.desk(of: device), let model = files.model(of: view.device), let kind = fetch.kind(for: model) else {
            return missing(reply)
        }
        switch kind {
        case .device where request.method == .GET || request.method == .HEAD:
            guard let rotation, request.method == .GET else { return own(view, token, request, reply) }
            write(rotation.record) { [self] isStored in own(view, isStored ? rotation.token : token, request, reply) }
        case .index where request.method == .GET: index(view.device, reply)
        case .log where request.method == .PUT || request.method == .POST:
            guard let logs, let name = request.parts.last, logs.keep(request.body, named: name, of: device) else { return missing(reply) }
            counts.logs &+= 1
            reply(WebResponse(.ok, []))
        case .device, .index, .common, .optional, .log: missing(reply)
        }
    }

    private func own(_ view: DeskView, _ token: DeliveryToken, _ request: WebRequest, _ reply: (WebResponse) -> Void) {
        guard let file = files.own(view, token: token.text) else { return missing(reply) }
        counts.files &+= 1
        logger.info("provisioning: \(view.device.name.text) fetches as \(view.person?.number.text ?? "idle")")
        let isRead = request.method == .GET
        reply(
            WebResponse(.ok, file.bytes, contentType: file.contentType) { [driver] in
                guard isRead else { return }
                driver.deliver(.phoneFetched(view.device.name, view.revision))
                driver.endTick()
            })
    }

    /// Puts the record on disk and takes it over; then goes on, on the loop.
    private func write(_ record: DeliveryRecord, _ then: @escaping (Bool) -> Void) {
        let then = NIOLoopBound(then, eventLoop: driver.loop)
        store.submit(record) { [self] isStored in
            driver.loop.execute {
                if isStored { self.desk.commit(record) }
                then.value(isStored)
            }
        }
    }
}

extension Vendor {
    /// Phones out of their box ask for a file of their model and give their MAC in the User-Agent alone.
    fileprivate var asksForItsModelFirst: Bool {
        switch self {
        case .cisco: return true
        case .yealink, .fanvil, .snom, .grandstream, .poly: return false
        }
    }
}
