@testable import SiteFile
import Testing

/// One slip in an otherwise good site, and what must be said about it.
struct Slip: Sendable, CustomTestStringConvertible {
    var old: String
    var new: String
    /// Key of the one problem.
    var key: String
    /// What it must say, somewhere in its text.
    var says: String
    var severity: SiteProblem.Severity = .error
    /// Where the problem stands, if not on the line of the slip.
    var at: String?

    var testDescription: String { "\(key): \(says)" }
}

@Suite struct ProblemTests {
    @Test(arguments: Slip.conflicts + Slip.sockets + Slip.trunk + Slip.emergency + Slip.phones + Slip.provisioning + Slip.shapes)
    func isFoundAlone(_ slip: Slip) throws {
        let text = try #require(Fixture.changed(slip.old, to: slip.new), "the slip's place is not in the fixture once: \(slip.old)")
        let result = Fixture.load(text)
        let problem = try #require(result.problems.first, "nothing was found")
        #expect(result.problems.count == 1, "\(result.problems)")
        #expect(problem.key == slip.key)
        #expect(problem.severity == slip.severity)
        #expect(problem.description.contains(slip.says), "\(problem)")
        #expect(!problem.remedy.isEmpty)
        #expect(problem.line == Fixture.line(of: slip.at ?? slip.new, in: text), "\(problem)")
        #expect((result.site == nil) == (slip.severity == .error))
    }
}

extension Slip {
    static let conflicts = [
        Slip(old: #"pbx = ["*62", "*64*", "*4"]"#, new: #"pbx = ["*70"]"#, key: "dial_codes.pbx[1]", says: "begins like the login code *77*"),
        Slip(old: #"pbx = ["*62", "*64*", "*4"]"#, new: #"pbx = ["*4", "*"]"#, key: "dial_codes.pbx[2]", says: "begins like the login code"),
        Slip(old: #"number = "101""#, new: #"number = "5""#, key: "extension[2].number", says: "login code *77*5* is the logout code"),
        Slip(old: #"number = "101""#, new: #"number = "112""#, key: "extension[2].number", says: "also an emergency number"),
        Slip(old: #"number = "101""#, new: #"number = "9911""#, key: "extension[2].number", says: "the outside prefix 9 and the emergency number 911"),
        Slip(old: #"number = "101""#, new: #"number = "100" # twin"#, key: "extension[2].number", says: "two extensions 100"),
        Slip(old: #"mac = "80:5e:c0:aa:bb:02""#, new: #"mac = "805ec0aabb01""#, key: "device[2].mac", says: "80:5e:c0:aa:bb:01 is already the MAC of HD0001"),
        Slip(old: #"name = "HD0002""#, new: #"name = "hd0001""#, key: "device[2].name", says: "two devices HD0001"),
        Slip(old: #"logout = "*77*5*""#, new: #"logout = "*77*""#, key: "dial_codes.logout", says: "are the same"),
        Slip(old: #"user = "branch-01""#, new: #"user = "100", auth_user = "x""#, key: "pbx.account.user", says: "also an extension"),
        Slip(old: #"pbx = ["*62", "*64*", "*4"]"#, new: #"pbx = ["911"]"#, key: "dial_codes.pbx[1]", says: "is also an emergency number"),
        Slip(old: #"pbx = ["*62", "*64*", "*4"]"#, new: #"pbx = ["9112"]"#, key: "dial_codes.pbx[1]", says: "begins with the emergency number 911"),
        Slip(old: #"pbx = ["*62", "*64*", "*4"]"#, new: #"pbx = ["9"]"#, key: "dial_codes.pbx[1]", says: "outside_prefixes", severity: .warning),
    ]

    static let sockets = [
        Slip(old: "[hotdesk]\n", new: "[media]\nend_after_silence = \"5s\" # soon\n[hotdesk]\n", key: "media.end_after_silence", says: "out of range", at: "end_after_silence"),
        Slip(old: "[hotdesk]\n", new: "[media]\nend_after_silence = \"soon\"\n[hotdesk]\n", key: "media.end_after_silence", says: "no length of time", at: "end_after_silence"),
        Slip(old: #"sip = ["udp:192.0.2.10:5060", "tcp:192.0.2.10:5060"]"#, new: "sip = []", key: "listen.sip", says: "no address to send to"),
        Slip(old: #""tcp:192.0.2.10:5060""#, new: #""tcp:192.0.2.300:5060""#, key: "listen.sip[2]", says: "no usable address"),
        Slip(old: #""tcp:192.0.2.10:5060""#, new: #""192.0.2.10:5060""#, key: "listen.sip[2]", says: "does not begin with a transport"),
        Slip(old: #""tcp:192.0.2.10:5060""#, new: #""tcp:0.0.0.0:5060""#, key: "listen.sip[2]", says: "no address that phones could be told"),
        Slip(old: #""tcp:192.0.2.10:5060""#, new: #""tcp:224.0.0.1:5060""#, key: "listen.sip[2]", says: "multicast"),
        Slip(old: #""tcp:192.0.2.10:5060""#, new: #""tls:192.0.2.10:5061""#, key: "listen.certificate", says: "phones that come by TLS", at: "[listen]"),
        Slip(old: "[pbx]\n", new: "key = \"pki/branch.key\"\n[pbx]\n", key: "listen.key", says: "no use without its certificate", at: "key = \"pki"),
        Slip(old: #""tcp:192.0.2.10:5060""#, new: #""udp:192.0.2.10:5060" ]#"#, key: "listen.sip[2]", says: "listened on twice"),
        Slip(old: #""tcp:192.0.2.10:5060""#, new: #""tcp:[2001:db8::1]:5060""#, key: "listen.sip[2]", says: "no media address of the same family"),
        Slip(old: #""udp:192.0.2.10:5060""#, new: #""udp:192.0.2.10:20010""#, key: "listen.sip[1]", says: "within the media ports"),
        Slip(old: "20000-20999", new: "20001-20999", key: "listen.media.ports", says: "begin with an even port"),
        Slip(old: "20000-20999", new: "20000-20998", key: "listen.media.ports", says: "end with an odd one"),
        Slip(old: "20000-20999", new: "20000-20007", key: "listen.media.ports", says: "too few"),
        Slip(old: "20000-20999", new: "20000", key: "listen.media.ports", says: "no range"),
        Slip(old: "20000-20999", new: "30000-20999", key: "listen.media.ports", says: "no range"),
        Slip(old: "20000-20999", new: "20000-70000", key: "listen.media.ports", says: "no range"),
        Slip(old: #"media = { address = "192.0.2.10""#, new: #"media = { address = "desk""#, key: "listen.media.address", says: "no IP address"),
    ]

    static let trunk = [
        Slip(
            old: #"via = "tls""#, new: "via = \"tls\"\nheadends = [\"h.example:5090\"]", key: "pbx.headends", says: "for the tunnel alone",
            at: #"headends = ["h.example:5090"]"#),
        Slip(old: #"via = "tls""#, new: #"via = "udp""#, key: "pbx.via", says: "never plain text"),
        Slip(old: #""pbx2.example""#, new: #""pbx2.example:5060""#, key: "pbx.servers[2]", says: "port of plain SIP"),
        Slip(old: #""pbx2.example""#, new: #""sip:pbx2.example""#, key: "pbx.servers[2]", says: "always TLS"),
        Slip(old: #""pbx2.example""#, new: #""pbx2.example:5061;transport=udp""#, key: "pbx.servers[2]", says: "always TLS"),
        Slip(old: #""pbx2.example""#, new: #""pbx2.example:five""#, key: "pbx.servers[2]", says: "no host and port"),
        Slip(old: #""pbx2.example""#, new: #""pbx1.example" ]#"#, key: "pbx.servers[2]", says: "listed twice"),
        Slip(old: "pki/ca.pem", new: "pki/none.pem", key: "pbx.ca", says: "there is no file /site/pki/none.pem"),
        Slip(old: "pki/ca.pem", new: "secrets/100", key: "pbx.ca", says: "holds no certificate"),
        Slip(old: #"ca = "pki/ca.pem""#, new: #"key = "pki/branch.key""#, key: "pbx.key", says: "without its certificate"),
        Slip(old: #"ca = "pki/ca.pem""#, new: #"certificate = "pki/branch.pem""#, key: "pbx.certificate", says: "without its key"),
        Slip(old: #"domain = "pbx.example""#, new: #"domain = "sip:pbx.example""#, key: "pbx.domain", says: "is no domain"),
        Slip(old: "secrets/branch-01", new: "secrets/nobody", key: "pbx.account.secret_file", says: "there is no file"),
        Slip(old: #"secret_file = "secrets/branch-01""#, new: #"secret = "hunter2""#, key: "pbx.account.secret", says: "does not belong in the site file"),
    ]

    static let emergency = [
        Slip(old: #"numbers = ["112", "911"]"#, new: "numbers = []", key: "emergency.numbers", says: "no emergency number"),
        Slip(old: #"numbers = ["112", "911"]"#, new: "", key: "emergency.numbers", says: "no emergency number", at: "[emergency]"),
        Slip(old: #"numbers = ["112", "911"]"#, new: #"numbers = ["112", "9-1-1"]"#, key: "emergency.numbers[2]", says: "no emergency number"),
        Slip(old: #"routes = ["pbx", "gateway:fxo"]"#, new: "routes = []", key: "emergency.routes", says: "no way out"),
        Slip(old: "gateway:fxo", new: "gateway:fxs", key: "emergency.routes[2]", says: #"did you mean "gateway:fxo"?"#),
        Slip(old: "gateway:fxo", new: "fxo\" ] #", key: "emergency.routes[2]", says: "is no route"),
        Slip(old: #"address = "192.0.2.20:5060""#, new: #"address = "fxo.example:5060""#, key: "gateway[1].address", says: "not a name"),
        Slip(old: #"call_back_window = "60m""#, new: #"call_back_window = "1h30""#, key: "emergency.call_back_window", says: "no length of time"),
        Slip(old: #"call_back_window = "60m""#, new: #"call_back_window = "5s""#, key: "emergency.call_back_window", says: "out of range"),
    ]

    static let phones = [
        Slip(old: #"connection = "lan""#, new: #"connection = "stun""#, key: "device[2].connection", says: "past the edge"),
        Slip(old: #"connection = "lan""#, new: #"connection = "router""#, key: "device[2].connection", says: "a snom-d785 cannot be a router phone"),
        Slip(old: #"connection = "lan""#, new: #"connection = "wifi""#, key: "device[2].connection", says: "no way to connect"),
        Slip(old: "snom-d785", new: "fanvil-h5", key: "device[2].model", says: "cannot be a hot desk"),
        Slip(old: "snom-d785", new: "yealink-t30p", key: "device[2].model", says: "no key for logout", severity: .warning),
        Slip(old: "snom-d785", new: "snom-d758", key: "device[2].model", says: "did you mean"),
        Slip(old: "model = \"snom-d785\"", new: "model = \"snom-d785\"\nmodules = 4", key: "device[2].modules", says: "at most 3", at: "modules = 4"),
        Slip(old: "model = \"snom-d785\"", new: "model = \"snom-d713\"\nmodules = 1", key: "device[2].modules", says: "takes no expansion modules", at: "modules = 1"),
        Slip(old: #"connection = "lan""#, new: "connection = \"lan\"\nrouter = \"HD0001\"", key: "device[2].router", says: "connects by \"router\"", at: "router = \"HD0001\""),
        Slip(old: #"connection = "lan""#, new: "connection = \"router\"\nrouter = \"HD0009\"", key: "device[2].router", says: "no device HD0009", at: "router = \"HD0009\""),
        Slip(old: #"connection = "lan""#, new: "connection = \"router\"\nrouter = \"Desk\"", key: "device[2].router", says: "no device name", at: "router = \"Desk\""),
        Slip(old: #"connection = "sbc""#, new: "connection = \"lan\"\naddress = \"desk\"", key: "device[1].address", says: "no address of a phone", at: "address = \"desk\""),
        Slip(old: "snom-d785", new: "telegraph", key: "device[2].model", says: "no model known"),
        Slip(old: #"name = "HD0002""#, new: #"name = "Desk 2""#, key: "device[2].name", says: "no device name"),
        Slip(old: "80:5e:c0:aa:bb:02", new: "80:5e:c0:aa:xx", key: "device[2].mac", says: "no MAC address"),
        Slip(old: Fixture.pin, new: "4711", key: "extension[1].pin", says: "hash-pin --extension 100"),
        Slip(old: Fixture.pin, new: "scrypt:14:8:1:AA==:BB", key: "extension[1].pin", says: "damaged"),
        Slip(old: "pin = \"\(Fixture.pin)\"", new: "", key: "extension[1].pin", says: "is missing", at: "[[extension]]"),
        Slip(old: #"auth = { user = "100", secret_file = "secrets/100" }"#, new: "", key: "extension[1].auth", says: "is missing", at: "[[extension]]"),
        Slip(old: #"number = "101""#, new: #"number = "1O1""#, key: "extension[2].number", says: "no extension"),
        Slip(old: #"name = "Bob Jones""#, new: #"name = "Bob\u0007""#, key: "extension[2].name", says: "control characters"),
        Slip(old: #"name = "Bob Jones""#, new: "name = \"Bob\"\nlanguage = \"de\"", key: "extension[2].language", says: #"no prompts in "de""#, at: "language = \"de\""),
        Slip(old: #"language = "en""#, new: #"language = "fr""#, key: "site.language", says: "install asterisk-core-sounds-fr-wav", severity: .warning),
        Slip(old: #"blf = ["101", "", "102"]"#, new: #"blf = ["101", "x"]"#, key: "extension[1].blf[2]", says: "cannot be dialled"),
        Slip(old: #"at = "19:00""#, new: #"at = "25:00""#, key: "hotdesk.auto_logout.at", says: "no time of day"),
        Slip(old: #"second_login = "move""#, new: #"second_login = "both""#, key: "hotdesk.second_login", says: "no rule"),
    ]

    static let provisioning = [
        Slip(old: "[hotdesk]\n", new: "[provisioning]\nurl = \"ftp://x/\"\n[hotdesk]\n", key: "provisioning.url", says: "no address to fetch from", at: "url ="),
        Slip(old: "[hotdesk]\n", new: "[provisioning]\npickup_code = \"pick\"\n[hotdesk]\n", key: "provisioning.pickup_code", says: "cannot be dialled", at: "pickup_code"),
        Slip(old: "[hotdesk]\n", new: "[provisioning]\ntime_server = \"a b\"\n[hotdesk]\n", key: "provisioning.time_server", says: "is no host", at: "time_server"),
        Slip(old: "[hotdesk]\n", new: "[provisioning]\nutc_offset = \"+01:10\"\n[hotdesk]\n", key: "provisioning.utc_offset", says: "no offset", at: "utc_offset"),
        Slip(old: "[hotdesk]\n", new: "[provisioning]\npoll = \"5s\"\n[hotdesk]\n", key: "provisioning.poll", says: "out of range", at: "poll ="),
        Slip(old: "[hotdesk]\n", new: "[provisioning]\nadmin_password_file = \"secrets/none\"\n[hotdesk]\n", key: "provisioning.admin_password_file", says: "no file", at: "admin_password_file"),
        Slip(old: "[hotdesk]\n", new: "[provisioning]\npollen = \"5m\"\n[hotdesk]\n", key: "provisioning.pollen", says: "did you mean", at: "pollen"),
    ]

    static let shapes = [
        Slip(old: "second_login", new: "second_logon", key: "hotdesk.second_logon", says: #"did you mean "second_login"?"#),
        Slip(old: "model = \"snom-d785\"", new: "model = \"snom-d785\"\nmodle = \"x\"", key: "device[2].modle", says: #"did you mean "model"?"#, at: "modle = \"x\""),
        Slip(old: "[dial_codes]", new: "[dial_code]", key: "dial_code", says: #"did you mean "dial_codes"?"#),
        Slip(old: #"language = "en""#, new: "language = 1", key: "site.language", says: "is a number, but must be text in quotes"),
        Slip(old: "attempts = 3", new: #"attempts = "3""#, key: "hotdesk.pin.attempts", says: "must be a whole number"),
        Slip(old: "attempts = 3", new: "attempts = 0", key: "hotdesk.pin.attempts", says: "between 1 and 20"),
        Slip(old: #"name = "branch-01""#, new: #"name = "branch/01""#, key: "site.name", says: "cannot name a site"),
        Slip(old: #"location = "10 High Street, Springfield""#, new: "", key: "site.location", says: "is missing", severity: .warning, at: "[site]"),
    ]
}
