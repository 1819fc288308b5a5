import ArgumentParser
import EdgeProxy
import EdgeRuntime
import HotDeskPolicy
import SiteFile

struct RedirectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "redirect", abstract: "Vendors' redirect services: what they know of the site's phones.",
        discussion: "A running edge tells them by itself, and tries again what failed.",
        subcommands: [List.self, Retry.self, Check.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List each phone, what its vendor's service knows, and the address it must be told.",
            discussion: "By hand: enter the address at the vendor's portal, give it by DHCP, or type it at the phone.")
        @OptionGroup var option: SiteOption

        func run() throws {
            let site = try option.loaded()
            guard site.bootstrapURL != nil else {
                Console.complain("edgeproxy: \(option.site) delivers nothing: write networks in [provisioning] and http in [listen]")
                throw ExitCode.refused
            }
            let known = RedirectCommand.known(site)
            let rows = site.configuration.devices.map { device -> [String] in
                let state = RedirectCommand.state(of: device, site, known)
                let problem = known?[device.name.text]?.problem ?? ""
                return [device.name.text, device.mac.text, device.model, state, site.addressByHand(of: device) ?? "-", problem]
            }
            print(StatusTable.aligned([["DEVICE", "MAC", "MODEL", "STATE", "ADDRESS", "PROBLEM"]] + rows).joined(separator: "\n"))
        }
    }

    struct Retry: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Have the running edge try again at once.", discussion: "Without a device: everything that waits.")
        @OptionGroup var option: SiteOption
        @Argument(help: "The device, as in HD0001.") var device: String?

        func run() throws {
            let reply = try ControlSession.ask(ControlRequest(command: .redirect, device: device), site: option.site)
            print(reply.message ?? "it is tried again")
        }
    }

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Ask each service whether it knows the site's account.", discussion: "Needs no running edge, and changes nothing.")
        @OptionGroup var option: SiteOption

        func run() throws {
            let site = try option.loaded()
            guard !site.redirects.isEmpty else { return print("the site has no account at a redirect service") }
            let results = RedirectCheck.run(site)
            for (name, problem) in results { print("\(name): \(problem ?? "the account is good")") }
            if results.contains(where: { $0.problem != nil }) { throw ExitCode.refused }
        }
    }

    // MARK: What the running edge says

    /// By device; nil: no edge answers.
    static func known(_ site: Site) -> [String: ControlStatus.Redirect]? {
        guard let reply = try? ControlClient(path: site.controlPath).ask(ControlRequest(command: .status)), let status = reply.status else { return nil }
        return Dictionary(status.devices.compactMap { device in device.redirect.map { (device.name, $0) } }, uniquingKeysWith: { first, _ in first })
    }

    static func state(of device: HotDeskPolicy.Device, _ site: Site, _ known: [String: ControlStatus.Redirect]?) -> String {
        guard let vendor = site.vendor(of: device), site.bootstrapURL != nil else { return "-" }
        guard site.redirects.contains(where: { $0.vendor == vendor }) else { return "by hand" }
        guard let known else { return "?" }
        return known[device.name.text]?.state ?? "waiting"
    }

    /// One word a device.
    static func states(_ site: Site) -> [String: String] {
        let known = site.redirects.isEmpty ? nil : known(site)
        return Dictionary(site.configuration.devices.map { ($0.name.text, state(of: $0, site, known)) }, uniquingKeysWith: { first, _ in first })
    }
}
