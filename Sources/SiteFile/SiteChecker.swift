import CoreTypes
import EdgeProxy
import HotDeskPolicy

/// Turns a shape into a site. Each section has its file of checks; what is wrong is reported and left out, and
/// the site that comes of it is used only where nothing was.
final class SiteChecker {
    let shape: SiteShape
    let problems: Problems
    private let directory: String
    private let readFile: (String) -> SitePathContent
    /// Secret files every user of the machine can read.
    private var exposedSecrets: [Placed<String>] = []

    init(shape: SiteShape, problems: Problems, directory: String, readFile: @escaping (String) -> SitePathContent) {
        self.shape = shape
        self.problems = problems
        self.directory = directory
        self.readFile = readFile
    }

    func check() -> Site? {
        let rows = shape.extensions + listedExtensions()
        let name = siteName()
        let listeners = listeners()
        let media = mediaRange()
        let domain = pbxDomain()
        let target = pbxTarget(domain: domain ?? "")
        let tls = trunkTLS()
        let serverTLS = serverTLS(isNeeded: shape.listen.https != nil || listeners.contains { $0.transport == .tls })
        let account = account()
        let codes = dialCodes()
        let emergency = emergencyRules()
        let routes = emergencyRoutes()
        let catalogue = catalogue()
        let devices = devices(catalogue.catalogue, found: catalogue.path != nil)
        let extensions = extensions(rows)
        let prompts = promptsPath(rows)
        let rules = PolicyRules(
            dialCodes: codes, emergency: emergency, pin: pinRules(), secondLogin: secondLogin(), autoLogout: autoLogout(),
            internalNumbers: internalNumbers(), confirmsTakeover: shape.hotDesk.confirmTakeover?.value ?? false)
        checkListenConflicts(listeners, media: media, devices: devices.count)
        checkDialConflicts(rows)
        checkAccount(account, against: extensions)
        let web = web()
        let delivery = delivery(web)
        let redirects = redirects(isDelivering: delivery != nil)
        reportExposedSecrets()
        let paths = (store: storePath(name), control: controlPath(name))
        let extra = (capture: capture(), level: logLevel(), dscp: trafficClass(), expires: deviceExpires())
        guard let media, let target else { return nil }
        var configuration = EdgeConfiguration(
            siteName: name, language: shape.site.language?.value ?? "en", location: shape.site.location?.value ?? "",
            listeners: listeners, mediaAddresses: media.addresses,
            pbx: EdgeConfiguration.PBX(
                domain: domain ?? "", nodeCount: target.nodeCount, account: account, registrationExpires: registrationExpires(),
                isTunnelled: isTunnelled),
            policy: rules, devices: devices, extensions: extensions, emergencyRoutes: routes,
            plainPhones: shape.hotDesk.plainPhones?.value ?? true, deviceExpires: extra.expires,
            deviceDigest: deviceDigest(), endAfterSilence: endAfterSilence(), srtp: srtpRules())
        if delivery != nil { configuration.phoneRefresh = PhoneRefreshRules(events: checkSyncEvents(devices, catalogue.catalogue)) }
        return Site(
            configuration: configuration, media: media, pbx: target, trunkTLS: tls, serverTLS: serverTLS,
            storePath: paths.store, controlPath: paths.control, promptsPath: prompts, capture: extra.capture, logLevel: extra.level,
            dscp: extra.dscp, usesRing: shape.media.usesRing?.value ?? true, provisioning: provisioningSettings(catalogue), web: web, delivery: delivery, redirects: redirects)
    }
}

// MARK: Help for the checks of every section

extension SiteChecker {
    /// The value, or a report that the key is missing.
    func required<Value>(_ value: Placed<Value>?, _ key: String, in path: KeyPath, _ remedy: String) -> Placed<Value>? {
        if value == nil, !isReported(path.key(key)) { problems.error(path.key(key), "is missing", remedy) }
        return value
    }

    /// A key of the wrong kind has been reported as such; that it is missing too would be noise.
    private func isReported(_ path: KeyPath) -> Bool { problems.hasError(at: path) }

    /// A path in the site file, seen from the site file's folder.
    func resolve(_ path: String) -> String { SitePaths.resolve(path, from: directory) }

    func content(of path: String) -> SitePathContent { readFile(path) }

    /// A duration between bounds; `fallback` where the key is absent or wrong.
    func duration(_ text: Placed<String>?, within bounds: ClosedRange<Duration>, example: String, or fallback: Duration) -> Duration {
        guard let text else { return fallback }
        guard let duration = ValueText.duration(text.value) else {
            problems.error(text.path, "\"\(text.value)\" is no length of time", "write a number and s, m, h or d, as in \"\(example)\"")
            return fallback
        }
        guard bounds.contains(duration) else {
            problems.error(
                text.path, "\"\(text.value)\" is out of range",
                "choose between \(bounds.lowerBound.components.seconds) s and \(bounds.upperBound.components.seconds) s")
            return fallback
        }
        return duration
    }

    func number(_ number: Placed<Int>?, within bounds: ClosedRange<Int>, or fallback: Int) -> Int {
        guard let number else { return fallback }
        guard bounds.contains(number.value) else {
            problems.error(number.path, "\(number.value) is out of range", "choose between \(bounds.lowerBound) and \(bounds.upperBound)")
            return fallback
        }
        return number.value
    }
}

// MARK: Secrets

extension SiteChecker {
    /// The secret of a device, an extension or the account: the first line of its file.
    func secret(_ section: SecretSection, example: String) -> Personal<String>? {
        if let plain = section.plain {
            guard section.plain?.path.row != nil else {
                problems.error(
                    plain.path, "a secret does not belong in the site file",
                    "put it alone into a file that only the edge's user can read, and write secret_file = \"\(example)\"")
                return nil
            }
            return checked(plain.value, plain.path)
        }
        guard let file = required(section.file, "secret_file", in: section.path, "write secret_file = \"\(example)\"") else { return nil }
        let path = resolve(file.value)
        switch readFile(path) {
        case .file(let bytes, let worldReadable):
            if worldReadable { exposedSecrets.append(Placed(value: path, path: file.path)) }
            guard let text = String(validating: bytes, as: UTF8.self) else {
                problems.error(file.path, "\(path) is not UTF-8 text", "write the secret alone on the first line")
                return nil
            }
            return checked(ValueText.trimmed(text.prefix { !$0.isNewline }), file.path)
        case .folder:
            problems.error(file.path, "\(path) is a folder", "name the file that holds the secret")
        case .missing:
            problems.error(file.path, "there is no file \(path)", "create it with the secret alone on its first line, mode 600")
        case .unreadable(let reason):
            problems.error(file.path, "\(path) cannot be read: \(reason)", "let the edge's user read it")
        }
        return nil
    }

    private func checked(_ secret: String, _ path: KeyPath) -> Personal<String>? {
        guard !secret.isEmpty else {
            problems.error(path, "the secret is empty", "write the secret alone on the first line of the file")
            return nil
        }
        guard secret.utf8.count <= 128, secret.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
            problems.error(path, "the secret is longer than 128 bytes or has control characters", "choose printable characters")
            return nil
        }
        return Personal(secret)
    }

    /// A list of extensions with secrets in it is a secret file, too.
    func noteExposed(_ path: String, at place: KeyPath) { exposedSecrets.append(Placed(value: path, path: place)) }

    /// One warning for all of them: they usually come by the dozen.
    private func reportExposedSecrets() {
        guard let first = exposedSecrets.first else { return }
        let paths = Set(exposedSecrets.map(\.value))
        let subject = paths.count == 1 ? "\(first.value) can be read" : "\(first.value) and \(paths.count - 1) more secret files can be read"
        let folder = SitePaths.folder(of: first.value)
        problems.warning(first.path, "\(subject) by every user of this machine", "chmod 600 \(paths.count == 1 ? first.value : folder + "/*")")
    }
}

extension PBXTarget {
    /// How many nodes the core must be ready for.
    var nodeCount: Int {
        switch self {
        case .nodes(let nodes): return nodes.count
        case .service: return Self.maximumServiceNodes
        case .headends: return Self.maximumTunnelWays
        }
    }
}
