import ArgumentParser
import CoreTypes
import EdgeProxy
import HotDeskPolicy
import Provisioning
import SiteFile

struct Render: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the file a phone would get, idle or as a person.",
        discussion: "The file goes to standard output, what becomes of the keys to standard error. Secrets are masked unless asked for; "
            + "the address with the device's token is never shown.")

    @OptionGroup var option: SiteOption

    @Argument(help: "The device, as in HD0001.")
    var device: String

    @Option(name: .customLong("as"), help: ArgumentHelp("The extension that is logged in.", valueName: "number"))
    var number: String?

    @Flag(help: "Only say what becomes of the keys, on standard output.")
    var keys = false

    @Flag(help: "Show the device's secret and the phones' password.")
    var showSecrets = false

    func run() throws {
        let site = try option.loaded()
        let configuration = try configuration(of: site)
        let report = Self.report(configuration)
        guard !keys else { return print(report.joined(separator: "\n")) }
        for line in report { Console.complain(line) }
        var shown = configuration.masked
        if showSecrets {
            shown.secret = configuration.secret
            shown.site.adminPassword = configuration.site.adminPassword
        }
        print(Renderer.device(shown)?.text ?? "", terminator: "")
    }

    private func configuration(of site: Site) throws -> PhoneConfiguration {
        guard let found = DeviceName(device).flatMap({ name in site.configuration.devices.first { $0.name == name } }) else {
            Console.complain("edgeproxy: there is no device \(device) in \(option.site)")
            throw ExitCode.refused
        }
        var person: Extension?
        if let number {
            person = ExtensionNumber(number).flatMap { number in site.configuration.extensions.first { $0.number == number } }
            guard person != nil else {
                Console.complain("edgeproxy: there is no extension \(number) in \(option.site)")
                throw ExitCode.refused
            }
        }
        guard let configuration = site.phoneConfiguration(of: found, person: person, generation: 0, url: Personal("")) else {
            Console.complain("edgeproxy: \(found.name) is a \(found.model), of which nothing is provisioned")
            throw ExitCode.refused
        }
        return configuration
    }

    /// What moves, what falls off, and what the model cannot have.
    static func report(_ configuration: PhoneConfiguration) -> [String] {
        let plan = configuration.keyPlan
        let service = configuration.person == nil ? "Login" : "Logout"
        let code = configuration.person == nil ? configuration.site.loginCode : configuration.site.logoutCode
        var lines = ["\(configuration.device), \(configuration.model.title): \(plan.positions.count) keys"]
        if plan.hasServiceKey {
            lines.append("key 2: \(service) (\(code))")
        } else {
            lines.append("no key for \(service) on this model: \(code) must be dialled\(configuration.model.vendor == .poly ? ", or its soft key pressed" : "")")
        }
        for placement in plan.placements {
            let what = placement.assignment.text
            if let key = placement.key {
                lines.append("key \(key): \(what)" + (key == placement.wanted ? "" : ", moved from place \(placement.wanted) of the list"))
            } else {
                lines.append("dropped: \(what), place \(placement.wanted) of the list: there is no key left")
            }
        }
        let used = plan.keys.count { $0 != .empty }
        lines.append("\(plan.positions.count - used) keys stay empty, \(plan.dropped.count) dropped")
        return lines
    }
}
