public import CoreTypes
import CryptoPrimitives
public import HotDeskPolicy
import Provisioning

/// Puts devices and extensions into a site file, and takes devices out. A change is made on the text, checked as a whole
/// with what it brings along, and given out only if the site is good: nothing is ever half done.
public struct Enrolment: Sendable {
    public struct NewDevice: Sendable, Equatable {
        public var name: DeviceName
        public var mac: MACAddress
        public var model: String
        public var connection: String
        public var router: DeviceName?
        public var address: String?
        public var location: String?
        public var modules: Int

        public init(
            name: DeviceName, mac: MACAddress, model: String, connection: String = "sbc", router: DeviceName? = nil, address: String? = nil,
            location: String? = nil, modules: Int = 0
        ) {
            self.name = name
            self.mac = mac
            self.model = model
            self.connection = connection
            self.router = router
            self.address = address
            self.location = location
            self.modules = modules
        }
    }

    public struct NewExtension: Sendable, Equatable {
        public var number: ExtensionNumber
        public var name: String
        /// Text form of a `PINHash`; nil: none, and no hot desk.
        public var pinHash: String?
        public var authUser: String?
        /// Password at the PBX, to be kept in a file of its own; nil: the file is there already, or there is none.
        public var secret: Personal<String>?
        public var hasSecret: Bool
        public var language: String?
        public var blf: [String]
        /// Seconds after which calls outside need the PIN again; nil: they never do.
        public var pinTimeout: Int?

        /// Whether all is there that a hot desk needs.
        public var mayHotDesk: Bool { pinHash != nil && hasSecret }
    }

    /// A change that is good, and not made yet.
    public struct Change: Sendable {
        /// The site file's new text.
        public var text: String
        /// Files to be written before it: secrets.
        public var files: [(path: String, content: Personal<String>)]
        /// Warnings the new site has and the old one had not.
        public var warnings: [SiteProblem]
    }

    /// Why nothing was changed.
    public struct Refused: Error, Sendable {
        public var problems: [SiteProblem]
        public var reason: String?

        public init(problems: [SiteProblem], reason: String? = nil) {
            self.problems = problems
            self.reason = reason
        }
    }

    private let path: String
    private let folder: String
    private let text: String
    private let content: @Sendable (String) -> SitePathContent
    public let before: SiteLoadResult

    public init(siteFile path: String) throws(Refused) {
        try self.init(siteFile: path, content: SitePaths.content)
    }

    init(siteFile path: String, content: @escaping @Sendable (String) -> SitePathContent) throws(Refused) {
        guard case .file(let bytes, _) = content(path), let text = String(validating: bytes, as: UTF8.self) else {
            throw Refused(problems: SiteLoader.load(path: path).problems)
        }
        self.path = path
        self.text = text
        self.content = content
        folder = SitePaths.folder(of: path)
        before = SiteLoader.load(text: text, directory: folder, file: path, readFile: content)
    }

    /// The site as it is; nil where it has errors.
    public var site: Site? { before.site }

    /// Whether there is a secret file for this name beside the site file.
    public func hasSecretFile(_ name: String) -> Bool {
        if case .file = content(secretPath(name)) { return true }
        return false
    }

    private func secretPath(_ name: String) -> String { SitePaths.resolve("secrets/\(name)", from: folder) }

    /// - Parameter random: 32 random bytes a device, for its secret.
    public func add(devices: [NewDevice], extensions: [NewExtension] = [], random: (Int) -> [UInt8]) throws(Refused) -> Change {
        var files: [(path: String, content: Personal<String>)] = []
        var tables: [(name: String, keys: [(String, String)])] = []
        for device in devices {
            if !hasSecretFile(device.name.text) {
                files.append((secretPath(device.name.text), Personal(hexadecimal(random(20)) + "\n")))
            }
            tables.append(("device", Self.keys(of: device)))
        }
        for person in extensions {
            if let secret = person.secret { files.append((secretPath(person.number.text), Personal(secret.exposed + "\n"))) }
            tables.append(("extension", Self.keys(of: person)))
        }
        return try checked(SiteEdit.appending(tables, to: text), files)
    }

    /// The secret's file stays: it may be wanted again, and deleting is for people.
    public func remove(device name: DeviceName) throws(Refused) -> Change {
        var names = Self.deviceNames(in: text)
        guard let index = names.firstIndex(of: name) else {
            throw Refused(problems: [], reason: "there is no device \(name) in \(path)")
        }
        names.remove(at: index)
        guard let changed = SiteEdit.removing("device", index: index, from: text), Self.deviceNames(in: changed) == names else {
            throw Refused(problems: [], reason: "\(name) is not written as [[device]] in \(path): take it out by hand")
        }
        return try checked(changed, [])
    }

    private static func deviceNames(in text: String) -> [DeviceName?] {
        guard let document = try? TOMLDocument.parse(text), case .array(let tables)? = document["device"] else { return [] }
        return tables.map { table in
            guard case .table(let keys) = table, case .string(let name)? = keys["name"] else { return nil }
            return DeviceName(name)
        }
    }

    private func checked(_ changed: String, _ files: [(path: String, content: Personal<String>)]) throws(Refused) -> Change {
        let added = Dictionary(files.map { ($0.path, $0.content.exposed) }, uniquingKeysWith: { $1 })
        let after = SiteLoader.load(text: changed, directory: folder, file: path) { path in
            added[path].map { .file(Array($0.utf8), worldReadable: false) } ?? content(path)
        }
        guard after.site != nil else { throw Refused(problems: after.errors) }
        let known = Set(before.warnings.map(\.what))
        return Change(text: changed, files: files, warnings: after.warnings.filter { !known.contains($0.what) })
    }

    private static func keys(of device: NewDevice) -> [(String, String)] {
        var keys = [
            ("name", SiteEdit.quoted(device.name.text)), ("mac", SiteEdit.quoted(device.mac.text)), ("model", SiteEdit.quoted(device.model)),
            ("connection", SiteEdit.quoted(device.connection)),
        ]
        if let router = device.router { keys.append(("router", SiteEdit.quoted(router.text))) }
        if let address = device.address { keys.append(("address", SiteEdit.quoted(address))) }
        if device.modules != 0 { keys.append(("modules", "\(device.modules)")) }
        if let location = device.location { keys.append(("location", SiteEdit.quoted(location))) }
        keys.append(("secret_file", SiteEdit.quoted("secrets/\(device.name.text)")))
        return keys
    }

    private static func keys(of person: NewExtension) -> [(String, String)] {
        var keys = [("number", SiteEdit.quoted(person.number.text)), ("name", SiteEdit.quoted(person.name))]
        if let hash = person.pinHash { keys.append(("pin", SiteEdit.quoted(hash))) }
        if person.hasSecret {
            let user = SiteEdit.quoted(person.authUser ?? person.number.text)
            keys.append(("auth", "{ user = \(user), secret_file = \(SiteEdit.quoted("secrets/\(person.number.text)")) }"))
        }
        keys.append(("hot_desk", "\(person.mayHotDesk)"))
        if let language = person.language { keys.append(("language", SiteEdit.quoted(language))) }
        if person.mayHotDesk, let timeout = person.pinTimeout { keys += [("pin_protected", "true"), ("pin_timeout", SiteEdit.quoted("\(timeout)s"))] }
        if !person.blf.isEmpty { keys.append(("blf", SiteEdit.list(person.blf))) }
        return keys
    }
}
