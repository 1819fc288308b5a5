import PhoneDelivery
import SIPMessage
@testable import SiteFile
import Testing

/// Each key of `[provisioning]`, `[redirect]` and the HTTP part of `[listen]`, with values it must not have.
@Suite struct DeliveryProblemTests {
    /// One wrong value beside good ones.
    struct Wrong: Sendable, CustomTestStringConvertible {
        var section: String
        /// The line that is wrong: it takes the place of the good one of the same key, if there is one.
        var line: String
        var key: String
        var says: String
        var severity: SiteProblem.Severity = .error

        var testDescription: String { "\(section): \(line)" }
    }

    /// A good site with everything on.
    static let good: [(section: String, lines: [String])] = [
        ("listen", [#"http = "192.0.2.10:8080""#, #"https = "192.0.2.10:8443""#, #"certificate = "pki/branch.pem""#, #"key = "pki/branch.key""#,
            #"phone_ca = "pki/ca.pem""#, #"api_token_file = "secrets/token""#]),
        ("provisioning", [#"networks = ["192.0.2.0/24"]"#, #"enrolment = "192.0.2.0/25""#, #"arm_window = "24h""#, #"rotate_after = "30d""#, #"grace = "7d""#,
            #"digest = ["sha-256", "md5"]"#, "pnp = false", #"phone_logs = "logs""#, #"url = "http://192.0.2.10:8080/""#, #"pickup_code = "**""#, #"time_server = "pool.ntp.org""#,
            #"utc_offset = "-03:30""#, #"admin_password_file = "secrets/admin""#, #"poll = "15m""#, #"catalogue = "phones""#]),
        ("redirect.yealink", [#"service = "rps""#, #"url = "https://rps.example/""#, #"user = "key""#, #"secret_file = "secrets/rps""#, #"ca = "pki/ca.pem""#,
            #"server = "edge-1""#]),
        ("redirect.snom", [#"service = "sraps""#, #"user = "key""#, #"secret_file = "secrets/rps""#]),
        ("redirect.fanvil", [#"service = "fdps""#, #"user = "key""#, #"secret_file = "secrets/rps""#]),
    ]

    static let files: [String: SitePathContent] = [
        "/site/secrets/token": Fixture.file("0123456789abcdef0123\n"), "/site/secrets/short": Fixture.file("tooshort\n"),
        "/site/secrets/admin": Fixture.file("menu\n"), "/site/secrets/rps": Fixture.file("access\n"), "/site/secrets/empty": Fixture.file("\n"),
        "/site/secrets/binary": .file([0xFF, 0xFE], worldReadable: false), "/site/secrets/folder": .folder([]),
        "/site/secrets/locked": .unreadable("permission denied"),
    ]

    static func load(_ wrong: Wrong?, without: Set<String> = []) -> (text: String, result: SiteLoadResult) {
        var text = Fixture.text
        for (section, lines) in good {
            var lines = lines
            if let wrong, wrong.section == section {
                let name = wrong.line.prefix { $0 != " " }
                lines.removeAll { $0.hasPrefix("\(name) ") }
                lines.append(wrong.line)
            }
            lines.removeAll { line in without.contains(String(line.prefix { $0 != " " })) && line != wrong?.line }
            let block = lines.joined(separator: "\n")
            text = section == "listen"
                ? text.replacing("\n[pbx]\n", with: block + "\n\n[pbx]\n", maxReplacements: 1)
                : text.replacing("[hotdesk]\n", with: "[\(section)]\n\(block)\n\n[hotdesk]\n", maxReplacements: 1)
        }
        return (text, Fixture.load(text, files: files))
    }

    @Test func theGoodSiteIsGood() throws {
        let site = try #require(Self.load(nil).result.site, "\(Self.load(nil).result.problems)")
        #expect(Self.load(nil).result.problems.isEmpty, "\(Self.load(nil).result.problems)")
        #expect(site.redirects.map(\.service) == [.yealinkRPS, .snomSRAPS, .fanvilFDPS])
        #expect(site.redirects[0].url == "https://rps.example/" && site.redirects[1].url == "https://api.sraps.snom.com/api/v1/")
        #expect(site.redirectTargets.map(\.url) == ["http://192.0.2.10:8080/prov/", "http://192.0.2.10:8080/prov/{mac}.xml"])
        #expect(site.delivery?.digest == [.sha256, .md5])
        #expect("\(site.redirects)".contains("access") == false, "secrets print as nothing")
    }

    @Test(arguments: listen + provisioning + redirect)
    func isFoundAlone(_ wrong: Wrong) throws {
        let (text, result) = Self.load(wrong)
        let problem = try #require(result.problems.first, "nothing was found")
        #expect(result.problems.count == 1, "\(result.problems)")
        #expect(problem.key == wrong.key)
        #expect(problem.severity == wrong.severity)
        #expect(problem.description.contains(wrong.says), "\(problem)")
        #expect(!problem.remedy.isEmpty)
        #expect(problem.line == Fixture.line(of: wrong.line, in: text), "\(problem)")
        #expect((result.site == nil) == (wrong.severity == .error))
    }

    static let listen = [
        Wrong(section: "listen", line: #"http = "192.0.2.10""#, key: "listen.http", says: "no usable address and port"),
        Wrong(section: "listen", line: #"http = "edge.example:8080""#, key: "listen.http", says: "no usable address and port"),
        Wrong(section: "listen", line: #"http = "192.0.2.10:0""#, key: "listen.http", says: "no usable address and port"),
        Wrong(section: "listen", line: #"http = "0.0.0.0:8080""#, key: "listen.http", says: "no usable address and port"),
        Wrong(section: "listen", line: #"http = "224.0.0.1:8080""#, key: "listen.http", says: "no usable address and port"),
        Wrong(section: "listen", line: "http = 8080", key: "listen.http", says: "must be text in quotes"),
        Wrong(section: "listen", line: #"https = "192.0.2.10:70000""#, key: "listen.https", says: "no usable address and port"),
        Wrong(section: "listen", line: #"https = "192.0.2.10:8080""#, key: "listen.https", says: "is the address of http already"),
        Wrong(section: "listen", line: #"phone_ca = "pki/none.pem""#, key: "listen.phone_ca", says: "there is no file /site/pki/none.pem"),
        Wrong(section: "listen", line: #"phone_ca = "secrets/folder""#, key: "listen.phone_ca", says: "is a folder"),
        Wrong(section: "listen", line: #"phone_ca = "secrets/locked""#, key: "listen.phone_ca", says: "cannot be read: permission denied"),
        Wrong(section: "listen", line: #"api_token_file = "secrets/none""#, key: "listen.api_token_file", says: "there is no file"),
        Wrong(section: "listen", line: #"api_token_file = "secrets/short""#, key: "listen.api_token_file", says: "shorter than 16 bytes"),
        Wrong(section: "listen", line: #"api_token_file = "secrets/empty""#, key: "listen.api_token_file", says: "the secret is empty"),
        Wrong(section: "listen", line: #"api_token_file = "secrets/binary""#, key: "listen.api_token_file", says: "not UTF-8"),
        Wrong(section: "listen", line: #"certificate = "pki/none.pem""#, key: "listen.certificate", says: "there is no file"),
        Wrong(section: "listen", line: #"key = "pki/none.key""#, key: "listen.key", says: "there is no file"),
    ]

    static let provisioning = [
        Wrong(section: "provisioning", line: #"networks = ["192.0.2"]"#, key: "provisioning.networks[1]", says: "is no network"),
        Wrong(section: "provisioning", line: #"networks = ["192.0.2.0/24", "192.0.2.0/33"]"#, key: "provisioning.networks[2]", says: "is no network"),
        Wrong(section: "provisioning", line: "networks = []", key: "provisioning.networks", says: "the list is empty"),
        Wrong(section: "provisioning", line: #"networks = ["0.0.0.0/0"]"#, key: "provisioning.networks[1]", says: "every address in the world", severity: .warning),
        Wrong(section: "provisioning", line: #"enrolment = ["here"]"#, key: "provisioning.enrolment[1]", says: "is no network"),
        Wrong(section: "provisioning", line: "enrolment = []", key: "provisioning.enrolment", says: "the list is empty"),
        Wrong(section: "provisioning", line: #"arm_window = "soon""#, key: "provisioning.arm_window", says: "no length of time"),
        Wrong(section: "provisioning", line: #"arm_window = "1s""#, key: "provisioning.arm_window", says: "out of range"),
        Wrong(section: "provisioning", line: #"arm_window = "31d""#, key: "provisioning.arm_window", says: "out of range"),
        Wrong(section: "provisioning", line: #"rotate_after = "10m""#, key: "provisioning.rotate_after", says: "out of range"),
        Wrong(section: "provisioning", line: #"grace = "100d""#, key: "provisioning.grace", says: "out of range"),
        Wrong(section: "provisioning", line: "digest = []", key: "provisioning.digest", says: "the list is empty"),
        Wrong(section: "provisioning", line: #"digest = ["md5", "sha-1"]"#, key: "provisioning.digest[2]", says: "is no digest algorithm"),
        Wrong(section: "provisioning", line: #"digest = "md5""#, key: "provisioning.digest", says: "must be a list of texts"),
        Wrong(section: "provisioning", line: #"pnp = "yes""#, key: "provisioning.pnp", says: "must be true or false"),
        Wrong(section: "provisioning", line: "phone_logs = true", key: "provisioning.phone_logs", says: "must be text in quotes"),
        Wrong(section: "provisioning", line: #"url = "http:///x""#, key: "provisioning.url", says: "no address to fetch from"),
        Wrong(section: "provisioning", line: #"url = "http://a.example/<x>""#, key: "provisioning.url", says: "no address to fetch from"),
        Wrong(section: "provisioning", line: #"utc_offset = "15:00""#, key: "provisioning.utc_offset", says: "no offset"),
        Wrong(section: "provisioning", line: #"utc_offset = "+15:00""#, key: "provisioning.utc_offset", says: "no offset"),
        Wrong(section: "provisioning", line: #"poll = "25h""#, key: "provisioning.poll", says: "out of range"),
        Wrong(section: "provisioning", line: #"admin_password_file = "secrets/folder""#, key: "provisioning.admin_password_file", says: "is a folder"),
        Wrong(section: "provisioning", line: #"network = "x""#, key: "provisioning.network", says: #"did you mean "networks"?"#),
    ]

    static let redirect = [
        Wrong(section: "redirect.yealink", line: #"service = "ymcs""#, key: "redirect.yealink.service", says: #"has no service "ymcs""#),
        Wrong(section: "redirect.snom", line: #"service = "grape""#, key: "redirect.snom.service", says: #"has no service "grape""#),
        Wrong(section: "redirect.fanvil", line: #"service = "xmlrpc""#, key: "redirect.fanvil.service", says: #"has no service "xmlrpc""#),
        Wrong(section: "redirect.yealink", line: #"url = "http://rps.example/""#, key: "redirect.yealink.url", says: "no address of HTTPS"),
        Wrong(section: "redirect.yealink", line: #"url = "https://""#, key: "redirect.yealink.url", says: "no address of HTTPS"),
        Wrong(section: "redirect.yealink", line: #"url = "https://u:p@rps.example/""#, key: "redirect.yealink.url", says: "no address of HTTPS"),
        Wrong(section: "redirect.yealink", line: #"user = "a:b""#, key: "redirect.yealink.user", says: "cannot be a user's name"),
        Wrong(section: "redirect.yealink", line: #"user = """#, key: "redirect.yealink.user", says: "cannot be a user's name"),
        Wrong(section: "redirect.yealink", line: #"secret_file = "secrets/none""#, key: "redirect.yealink.secret_file", says: "there is no file"),
        Wrong(section: "redirect.yealink", line: #"secret = "here""#, key: "redirect.yealink.secret", says: "does not belong in the site file"),
        Wrong(section: "redirect.yealink", line: #"ca = "pki/none.pem""#, key: "redirect.yealink.ca", says: "there is no file"),
        Wrong(section: "redirect.yealink", line: #"server = "a name of more than twenty""#, key: "redirect.yealink.server", says: "cannot name a server"),
        Wrong(section: "redirect.yealink", line: #"servers = "x""#, key: "redirect.yealink.servers", says: #"did you mean "server"?"#),
    ]

    @Test func whatOthersMustSufferFromIsSaidFirst() {
        func keys(_ section: String, _ line: String) -> [String] { Self.load(Wrong(section: section, line: line, key: "", says: "")).result.problems.map(\.key) }
        #expect(keys("provisioning", "networks = 24").first == "provisioning.networks")
        #expect(keys("provisioning", #"catalogue = "nowhere""#).first == "provisioning.catalogue")
        #expect(keys("redirect.yealink", #"secret_env = "HOME""#) == ["redirect.yealink.secret_file"])
    }

    @Test func aVariableThatIsNotSetIsAWarning() throws {
        let (_, result) = Self.load(Wrong(section: "redirect.snom", line: #"secret_env = "NO_SUCH_VARIABLE_OF_THE_TESTS""#, key: "", says: ""), without: ["secret_file"])
        let warnings = result.problems.filter { $0.severity == .warning }
        #expect(warnings.map(\.key) == ["redirect.snom.secret_env"])
    }

    @Test func deliveryNeedsBothEnds() throws {
        let without = Self.load(nil, without: ["networks"]).result.problems.map(\.key)
        #expect(without.contains("provisioning.networks"))
        #expect(without.contains("redirect.yealink"))
        #expect(Self.load(nil, without: ["http", "https", "api_token_file", "phone_ca"]).result.problems.map(\.key) == ["provisioning.networks"])
        #expect(Self.load(nil, without: ["http", "https", "networks", "enrolment", "arm_window", "pnp"]).result.problems.contains { $0.key == "listen.api_token_file" })
        #expect(Self.load(nil, without: ["certificate"]).result.problems.contains { $0.key.hasPrefix("listen") })
    }
}
