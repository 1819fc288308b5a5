import ArgumentParser
import Provisioning
import SiteFile

struct Models: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the phone models that are known.",
        discussion: "Reads the catalogue of the site, or of a folder, or the installed one. A model is added by a file in that folder; "
            + "docs/provisioning.md says how. Exits with 1 where a file of the catalogue is wrong.")

    @Option(name: .long, help: ArgumentHelp("The site file whose catalogue is meant.", valueName: "file"))
    var site: String?

    @Option(name: .long, help: ArgumentHelp("A folder of model files.", valueName: "folder"))
    var phones: String?

    @Option(name: .long, help: ArgumentHelp("Only this vendor's: yealink, fanvil, snom, grandstream, poly, cisco.", valueName: "name"))
    var vendor: String?

    func validate() throws {
        if let vendor, Vendor(rawValue: vendor) == nil { throw ValidationError("\"\(vendor)\" is no vendor: \(Vendor.allCases.map(\.rawValue).joined(separator: ", ")).") }
        if site != nil, phones != nil { throw ValidationError("Name a site or a folder, not both.") }
    }

    func run() throws {
        let result = catalogue()
        for problem in result.problems { Console.complain("\(problem)") }
        guard let folder = result.folder else {
            Console.complain("edgeproxy: there is no catalogue of phone models here")
            throw ExitCode.refused
        }
        let models = result.catalogue.models.filter { vendor == nil || $0.vendor?.rawValue == vendor }
        let header = ["MODEL", "TITLE", "SUPPORT", "KEYS", "MODULES", "ACCOUNTS", "HOT DESK", "ROUTER PHONE FOR"]
        print(StatusTable.aligned([header] + models.map(Self.row)).joined(separator: "\n"))
        print("\n\(models.count) models from \(folder)")
        if result.problems.contains(where: { $0.severity == .error }) { throw ExitCode.refused }
    }

    private func catalogue() -> (catalogue: Catalogue, folder: String?, problems: [SiteProblem]) {
        if let site {
            let result = SiteLoader.load(path: site)
            let settings = result.site?.provisioning
            return (settings?.catalogue ?? Catalogue(), settings?.cataloguePath, result.errors)
        }
        let result = CatalogueLoader.load(folder: phones)
        return (result.catalogue, result.folder, result.problems)
    }

    private static func row(_ model: PhoneModel) -> [String] {
        let keys = model.vendor == nil ? "-" : model.keys.banks.isEmpty ? "0" : model.keys.banks.map(bank).joined(separator: " + ")
        let modules = model.keys.module.map { "\($0.name) \($0.keys) x \($0.maximum)" } ?? "-"
        return [
            model.name, model.title, model.tier.rawValue, keys, modules, "\(model.accounts)", model.canHotDesk ? "yes" : "no",
            model.carries.map { "\($0) phones" } ?? "-",
        ]
    }

    private static func bank(_ bank: KeyBank) -> String {
        let count = bank.pages == 1 ? "\(bank.keys)" : "\(bank.pages) x \(bank.keys)"
        return bank.kind == .line ? count : "\(count) \(bank.kind.rawValue)"
    }
}

struct DHCPOptionsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dhcp-options",
        abstract: "Print what the DHCP server of the phones' network should say, so that new phones find the edge.",
        discussion: "Takes the address from url in [provisioning]. The text holds no secret.")

    @OptionGroup var option: SiteOption

    @Option(name: .long, help: "For which server: dnsmasq, isc, kea, windows or mikrotik. Without it: all.")
    var server: String?

    func validate() throws {
        if let server, DHCPOptions.Server(rawValue: server) == nil {
            throw ValidationError("\"\(server)\" is no DHCP server known here: \(DHCPOptions.Server.allCases.map(\.rawValue).joined(separator: ", ")).")
        }
    }

    func run() throws {
        let site = try option.loaded()
        guard let url = site.bootstrapURL else {
            Console.complain("edgeproxy: \(option.site) delivers nothing: write networks in [provisioning] and http in [listen]")
            throw ExitCode.refused
        }
        let options = DHCPOptions(url: url, catalogue: site.provisioning.catalogue)
        let servers = DHCPOptions.Server.allCases.filter { server == nil || $0.rawValue == server }
        print(servers.map { options.text(for: $0) }.joined(separator: "\n"), terminator: "")
    }
}

extension SiteOption {
    /// The site, or its errors on standard error.
    func loaded() throws -> Site {
        let result = SiteLoader.load(path: site)
        if let site = result.site { return site }
        for problem in result.errors { Console.complain("\(problem)") }
        throw ExitCode.refused
    }
}
