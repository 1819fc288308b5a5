import ArgumentParser
import CoreTypes
import EdgeProxy
import HotDeskPolicy
import Provisioning
import SiteFile

struct DeviceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "device", abstract: "Enrol, list, arm and remove hot-desk phones.",
        subcommands: [Add.self, List.self, Arm.self, Remove.self])

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Enrol a phone: append it to the site file and make its secret.",
            discussion: "The site file is changed only if the result is good, comments and all else stay as they are. The running edge "
                + "takes it up at \"edgeproxy reload\".")

        @OptionGroup var option: SiteOption
        @Argument(help: "Its name, as in HD0001.") var name: String
        @Option(help: "From the label on the phone.") var mac: String
        @Option(help: "As \"edgeproxy models\" lists it.") var model: String
        @Option(help: "How it reaches the edge: sbc, lan or router.") var connection = "sbc"
        @Option(help: ArgumentHelp("The router phone it is behind.", valueName: "device")) var router: String?
        @Option(help: "The fixed address of a router phone.") var address: String?
        @Option(help: "Where somebody who calls for help is found.") var location: String?
        @Option(help: "Expansion modules at the phone.") var modules = 0

        func run() throws {
            guard let device = DeviceName(name) else { throw ValidationError("\"\(name)\" is no device name: HD and 1 to 8 letters or digits.") }
            guard let mac = MACAddress(mac) else { throw ValidationError("\"\(mac)\" is no MAC address: six pairs of hexadecimal digits.") }
            let parent = router.map { DeviceName($0) }
            if let parent, parent == nil { throw ValidationError("\"\(router ?? "")\" is no device name.") }
            let new = Enrolment.NewDevice(
                name: device, mac: mac, model: model, connection: connection, router: parent ?? nil, address: address, location: location, modules: modules)
            try Enrolling.change(option.site) { (enrolment) throws(Enrolment.Refused) in
                try enrolment.add(devices: [new], random: Enrolling.random)
            }
            print("\(device) is enrolled in \(option.site); after \"edgeproxy reload\" the edge waits for the phone")
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the enrolled phones, each router phone with those behind it.",
            discussion: "REDIRECT is what the vendor's redirect service knows of the phone, as the running edge says: \"?\" without one, \"by hand\" where the site has no account there.")
        @OptionGroup var option: SiteOption

        func run() throws {
            let site = try option.loaded()
            let redirects = RedirectCommand.states(site)
            let rows = RouterTree(site.configuration.devices).ordered(site.configuration.devices).map { device, depth -> [String] in
                let isRouter = device.router == device.name
                let way = isRouter ? "router phone" : device.router.map { "behind \($0)" } ?? device.connection.rawValue
                return [String(repeating: "  ", count: depth) + device.name.text, device.mac.text, device.model, way, redirects[device.name.text] ?? "-", device.location]
            }
            print(StatusTable.aligned([["DEVICE", "MAC", "MODEL", "CONNECTION", "REDIRECT", "LOCATION"]] + rows).joined(separator: "\n"))
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take a phone out of the site file.", discussion: "Comments stay; so does the file with its secret.")
        @OptionGroup var option: SiteOption
        @Argument(help: "The device, as in HD0001.") var name: String

        func run() throws {
            guard let device = DeviceName(name) else { throw ValidationError("\"\(name)\" is no device name.") }
            try Enrolling.change(option.site) { (enrolment) throws(Enrolment.Refused) in try enrolment.remove(device: device) }
            print("\(device) is taken out of \(option.site); secrets/\(device) is left, and \"edgeproxy reload\" makes it known")
        }
    }
}

/// What all changes of a site file have in common.
enum Enrolling {
    static func random(_ count: Int) -> [UInt8] {
        var random = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &random) }
    }

    static func open(_ path: String) throws -> Enrolment {
        try good { () throws(Enrolment.Refused) in try Enrolment(siteFile: path) }
    }

    static func change(_ path: String, _ make: (Enrolment) throws(Enrolment.Refused) -> Enrolment.Change) throws {
        let enrolment = try open(path)
        try write(good { () throws(Enrolment.Refused) in try make(enrolment) }, to: path)
    }

    /// What is made, or why it is not, on standard error.
    static func good<Value>(_ make: () throws(Enrolment.Refused) -> Value) throws -> Value {
        do {
            return try make()
        } catch {
            throw refusal(error)
        }
    }

    /// Secrets first: a site file that names what is not there would be no site.
    static func write(_ change: Enrolment.Change, to path: String) throws {
        for warning in change.warnings { Console.complain("\(warning)") }
        do {
            for file in change.files { try PrivateFile.writeSecret(file.content.exposed, to: file.path, like: path) }
            try PrivateFile.replace(path, with: change.text)
        } catch {
            Console.complain("edgeproxy: \(error)")
            throw ExitCode.refused
        }
    }

    static func refusal(_ error: Enrolment.Refused) -> ExitCode {
        for problem in error.problems { Console.complain("\(problem)") }
        Console.complain("edgeproxy: nothing was changed\(error.reason.map { ": \($0)" } ?? "")")
        return .refused
    }
}
