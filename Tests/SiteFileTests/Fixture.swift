import CryptoPrimitives
@testable import SiteFile

/// A good site as text, changed a little by each test, on a disk of its own.
struct Fixture {
    static let pin = PINHash.make(pin: "4711", salt: [UInt8](repeating: 7, count: 16)).text

    static let text = """
        [site]
        name = "branch-01"
        language = "en"
        location = "10 High Street, Springfield"

        [listen]
        sip = ["udp:192.0.2.10:5060", "tcp:192.0.2.10:5060"]
        media = { address = "192.0.2.10", ports = "20000-20999" }

        [pbx]
        via = "tls"
        domain = "pbx.example"
        servers = ["pbx1.example:5061", "pbx2.example"]
        ca = "pki/ca.pem"
        account = { user = "branch-01", secret_file = "secrets/branch-01" }

        [dial_codes]
        login = "*77*"
        logout = "*77*5*"
        pbx = ["*62", "*64*", "*4"]

        [hotdesk]
        second_login = "move"
        auto_logout = { at = "19:00", after_idle = "2h" }
        pin = { attempts = 3, within = "5m", lock = "15m" }

        [emergency]
        numbers = ["112", "911"]
        routes = ["pbx", "gateway:fxo"]
        outside_prefixes = ["9"]
        call_back_window = "60m"

        [[gateway]]
        name = "fxo"
        address = "192.0.2.20:5060"

        [[device]]
        name = "HD0001"
        mac = "80:5e:c0:aa:bb:01"
        model = "yealink-t54w"
        connection = "sbc"
        location = "desk 14"
        secret_file = "secrets/HD0001"

        [[device]]
        name = "HD0002"
        mac = "80:5e:c0:aa:bb:02"
        model = "snom-d785"
        connection = "lan"
        secret_file = "secrets/HD0002"

        [[extension]]
        number = "100"
        name = "Alice Smith"
        pin = "\(pin)"
        auth = { user = "100", secret_file = "secrets/100" }
        hot_desk = true
        blf = ["101", "", "102"]

        [[extension]]
        number = "101"
        name = "Bob Jones"

        """

    static let files: [String: SitePathContent] = [
        "/site/pki/ca.pem": file("-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"),
        "/site/pki/branch.pem": file("-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"),
        "/site/pki/branch.key": file("-----BEGIN PRIVATE KEY-----\nMA==\n-----END PRIVATE KEY-----\n"),
        "/site/secrets/branch-01": file("site secret\n"),
        "/site/secrets/HD0001": file("  device one \nignored\n"),
        "/site/secrets/HD0002": file("device two"),
        "/site/secrets/100": file("alice\r\n"),
        "/usr/share/asterisk/sounds": .folder(["en_US_f_Allison", "es_MX_f_Allison"]),
    ]

    static func file(_ text: String, worldReadable: Bool = false) -> SitePathContent {
        .file(Array(text.utf8), worldReadable: worldReadable)
    }

    static func load(_ text: String = text, files extra: [String: SitePathContent] = [:]) -> SiteLoadResult {
        let files = files.merging(catalogue) { first, _ in first }.merging(extra) { _, new in new }
        return SiteLoader.load(text: text, directory: "/site", file: "branch.toml") { files[$0] ?? .missing }
    }

    /// The catalogue that is shipped, as if it lay beside the site file.
    static let catalogue: [String: SitePathContent] = {
        let folder = InstalledFiles.candidates("phones").first { SitePaths.content(of: $0).names != nil } ?? ""
        let names = SitePaths.content(of: folder).names ?? []
        var files = Dictionary(uniqueKeysWithValues: names.map { ("/site/phones/\($0)", SitePaths.content(of: "\(folder)/\($0)")) })
        files["/site/phones"] = .folder(names)
        return files
    }()

    /// The good text with one place changed; nil where the place is not there exactly once.
    static func changed(_ old: String, to new: String) -> String? {
        let parts = text.components(separatedBy: old)
        return parts.count == 2 ? parts[0] + new + parts[1] : nil
    }

    /// The line of the first occurrence, from 1.
    static func line(of part: String, in text: String) -> Int? {
        guard let range = text.firstRange(of: part) else { return nil }
        return text[..<range.lowerBound].count(where: { $0 == "\n" }) + 1
    }
}

extension String {
    fileprivate func components(separatedBy separator: String) -> [String] {
        self.split(separator: separator, omittingEmptySubsequences: false).map(String.init)
    }
}

extension SitePathContent {
    /// Of a folder.
    var names: [String]? {
        if case .folder(let names) = self { return names }
        return nil
    }
}
