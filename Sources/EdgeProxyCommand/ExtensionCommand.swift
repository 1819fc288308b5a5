import ArgumentParser
import CryptoPrimitives
import HotDeskPolicy
import SiteFile

struct ExtensionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "extension", abstract: "Bring people into a site.", subcommands: [Import.self])

    struct Import: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Import people and hot desks from a CSV file: the bulk format of 3CX V20, or number,name,pin,auth_user,secret,hot_desk,language,blf.",
            discussion: "Shows each row and what becomes of it. With one bad row nothing is imported. Who is there already is kept. "
                + "PINs are hashed, SIP passwords go into files under secrets/.")

        @OptionGroup var option: SiteOption
        @Argument(help: "The CSV file.") var file: String
        @Flag(help: "Only show what would change.") var dryRun = false
        @Option(
            help: ArgumentHelp("Fixed address of a router phone in the file, as in HD0001=192.0.2.50; may be repeated.", valueName: "device=address"))
        var routerAddress: [String] = []

        func run() throws {
            let addresses = try addresses()
            let enrolment = try Enrolling.open(option.site)
            guard let site = enrolment.site else { throw Enrolling.refusal(Enrolment.Refused(problems: enrolment.before.errors)) }
            let isReal = !dryRun
            let context = ImportList.Context(
                site: site, hash: { isReal ? Self.hash($0) : Self.placeholder }, weakness: { PINStrength.weakness(of: $0, extension: $1) },
                hasSecretFile: { enrolment.hasSecretFile($0) }, addresses: addresses)
            let list = ImportList(try text(), context: context)
            if let problem = list.problem { return try refuse("\(file): \(problem)") }
            print(Self.table(list).joined(separator: "\n"))
            guard list.bad.isEmpty else { return try refuse("\(list.bad.count) of \(list.rows.count) rows are bad: nothing was imported") }
            let change = try Enrolling.good { () throws(Enrolment.Refused) in
                try enrolment.add(devices: list.devices, extensions: list.people, random: Enrolling.random)
            }
            let counts = "\(list.devices.count) devices and \(list.people.count) extensions"
            if dryRun { return print("\(counts) would be added to \(option.site)") }
            if !list.devices.isEmpty || !list.people.isEmpty { try Enrolling.write(change, to: option.site) }
            print("\(counts) are added to \(option.site); \"edgeproxy reload\" makes them known")
        }

        private func refuse(_ reason: String) throws {
            Console.complain("edgeproxy: \(reason)")
            throw ExitCode.refused
        }

        private func text() throws -> String {
            switch SiteLoader.text(of: file) {
            case .success(let text): return text
            case .failure(let failure):
                try refuse("\(file) \(failure.reason)")
                return ""
            }
        }

        private func addresses() throws -> [DeviceName: String] {
            var addresses: [DeviceName: String] = [:]
            for text in routerAddress {
                let parts = text.split(separator: "=", maxSplits: 1)
                guard parts.count == 2, let name = DeviceName(String(parts[0])) else { throw ValidationError("\"\(text)\" is not DEVICE=ADDRESS.") }
                addresses[name] = String(parts[1])
            }
            return addresses
        }

        /// Well formed, and no PIN's.
        private static let placeholder = PINHash.make(pin: "", salt: [UInt8](repeating: 0, count: 16)).text

        private static func hash(_ pin: String) -> String { PINHash.make(pin: pin, salt: Enrolling.random(16)).text }

        static func table(_ list: ImportList) -> [String] {
            let rows = list.rows.map { row -> [String] in
                let (change, details): (String, String)
                switch row.outcome {
                case .device(let device):
                    let way = device.router.map { "behind \($0)" } ?? (device.connection == "router" ? "router phone" : device.connection)
                    (change, details) = ("new device", "\(device.model), \(way)")
                case .person(let person):
                    let keys = person.blf.count { !$0.isEmpty }
                    (change, details) = ("new extension", (person.mayHotDesk ? "hot desk" : "no hot desk") + (keys == 0 ? "" : ", \(keys) keys"))
                case .kept(let why): (change, details) = ("none", why)
                case .bad(let why): (change, details) = ("BAD", why)
                }
                return ["\(row.line)", row.number, row.name, change, ([details] + row.notes).joined(separator: "; ")]
            }
            return StatusTable.aligned([["LINE", "NUMBER", "NAME", "CHANGE", "DETAILS"]] + rows)
        }
    }
}
