import CoreTypes
import Glibc
import HotDeskPolicy
public import Provisioning

/// `[provisioning]`, and the catalogue of phone models it is about.
extension SiteChecker {
    func provisioningSettings(_ catalogue: (path: String?, catalogue: Catalogue)) -> ProvisioningSettings {
        let section = shape.provisioning
        return ProvisioningSettings(
            catalogue: catalogue.catalogue, cataloguePath: catalogue.path, url: provisioningURL(section), pickupCode: pickupCode(section),
            timeServer: timeServer(section), utcOffset: utcOffset(section), adminPassword: adminPassword(section),
            pollMinutes: pollMinutes(section))
    }

    /// The catalogue and its folder: the one the site names, else `phones` beside the site file, else the installed one.
    func catalogue() -> (path: String?, catalogue: Catalogue) {
        let reader = CatalogueReader(problems: problems, content: content)
        if let named = shape.provisioning.catalogue {
            let path = resolve(named.value)
            if case .folder(let files) = content(of: path) { return (path, reader.read(folder: path, files: files)) }
            problems.error(named.path, "there is no folder \(path)", "name the folder of the phone models, or take the key out")
            return (nil, Catalogue())
        }
        for path in [resolve("phones")] + InstalledFiles.candidates("phones") {
            if case .folder(let files) = content(of: path) { return (path, reader.read(folder: path, files: files)) }
        }
        return (nil, Catalogue())
    }

    private func provisioningURL(_ section: ProvisioningSection) -> String? {
        guard let url = section.url else { return nil }
        let scheme = ["http://", "https://"].first { url.value.hasPrefix($0) }
        let rest = scheme.map { url.value.dropFirst($0.utf8.count) } ?? ""
        let isGood = !rest.isEmpty && rest.first != "/" && url.value.utf8.count <= 200
            && rest.utf8.allSatisfy { ASCII.isDigit($0) || ASCII.isLetter($0) || ".-_:/[]".utf8.contains($0) }
        guard isGood else {
            problems.error(url.path, "\"\(url.value)\" is no address to fetch from", "write url = \"http://192.0.2.10:8080/\"")
            return nil
        }
        return url.value.hasSuffix("/") ? url.value : url.value + "/"
    }

    private func pickupCode(_ section: ProvisioningSection) -> String {
        guard let code = section.pickupCode else { return "**" }
        if ValueText.isDialable(code.value) { return code.value }
        problems.error(code.path, "\"\(code.value)\" cannot be dialled", "write the PBX's code for picking up a call, as in \"**\"")
        return "**"
    }

    private func timeServer(_ section: ProvisioningSection) -> String? {
        guard let server = section.timeServer else { return nil }
        if IPAddress(server.value) != nil || ValueText.isHostName(server.value[...]) { return server.value }
        problems.error(server.path, "\"\(server.value)\" is no host", "write a name or an address, as in \"pool.ntp.org\"")
        return nil
    }

    /// `+01:00`, `-03:30`: quarters of an hour, as phones count them.
    private func utcOffset(_ section: ProvisioningSection) -> Int? {
        guard let text = section.utcOffset else { return nil }
        let sign = text.value.first
        let minutes = sign == "+" || sign == "-" ? ValueText.timeOfDay(String(text.value.dropFirst())) : nil
        let offset = minutes.map { sign == "-" ? -$0 : $0 }
        guard let offset, (-720...840).contains(offset), offset % 15 == 0 else {
            problems.error(text.path, "\"\(text.value)\" is no offset from UTC", "write it as in \"+01:00\" or \"-03:30\"")
            return nil
        }
        return offset
    }

    private func adminPassword(_ section: ProvisioningSection) -> Personal<String>? {
        guard let file = section.adminPasswordFile else { return nil }
        return secret(SecretSection(path: section.path, file: file, plain: nil), example: "secrets/phone-admin")
    }

    private func pollMinutes(_ section: ProvisioningSection) -> Int {
        let poll = duration(section.poll, within: .seconds(60)...(.seconds(86400)), example: "15m", or: .seconds(900))
        return Int(poll.components.seconds / 60)
    }
}

/// The catalogue by itself, without a site.
public enum CatalogueLoader {
    public struct Result: Sendable {
        public var catalogue: Catalogue
        /// The folder it came from; nil: there is none.
        public var folder: String?
        public var problems: [SiteProblem]
    }

    /// The catalogue of a folder; without one, of the installed folder.
    public static func load(folder: String? = nil) -> Result {
        let problems = Problems()
        for path in folder.map({ [$0] }) ?? InstalledFiles.candidates("phones") {
            guard case .folder(let files) = SitePaths.content(of: path) else { continue }
            let catalogue = CatalogueReader(problems: problems, content: SitePaths.content).read(folder: path, files: files)
            return Result(catalogue: catalogue, folder: path, problems: problems.report(file: path, text: ""))
        }
        return Result(catalogue: Catalogue(), folder: nil, problems: [])
    }
}

/// Files that come with the program.
enum InstalledFiles {
    /// `share/edgeproxy/NAME` and `conf/NAME` beside the program and in each folder above it: `/usr/bin/edgeproxy` has
    /// `/usr/share/edgeproxy`, a checkout has its `conf`.
    static func candidates(_ name: String, program: String = programPath) -> [String] {
        var folder = SitePaths.folder(of: program)
        var paths: [String] = []
        while !folder.isEmpty {
            let base = folder == "/" ? "" : folder
            paths += ["\(base)/share/edgeproxy/\(name)", "\(base)/conf/\(name)"]
            guard folder != "/" else { break }
            folder = SitePaths.folder(of: folder)
        }
        return paths
    }

    private static var programPath: String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        return count > 0 ? String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self) : ""
    }
}
