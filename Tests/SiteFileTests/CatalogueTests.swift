import CoreTypes
import EdgeProxy
import HotDeskPolicy
import Provisioning
@testable import SiteFile
import Testing

/// The catalogue that is shipped, and what is said of one that is wrong.
@Suite struct CatalogueTests {
    private let shipped: Catalogue

    init() throws { shipped = try #require(Fixture.load().site?.provisioning.catalogue) }

    @Test func everyVendorIsThere() {
        for vendor in Vendor.allCases {
            let models = shipped.models.filter { $0.vendor == vendor }
            #expect(models.count >= 10, "\(vendor)")
            #expect(models.allSatisfy { !$0.agents.isEmpty }, "\(vendor)")
            #expect(!(shipped.vendors[vendor]?.userAgents.isEmpty ?? true))
            for model in models { #expect(model.agents.allSatisfy { shipped.model(of: vendor, agent: $0)?.name == model.name }, "\(model.name)") }
        }
    }

    @Test(arguments: ["yealink-t54w", "yealink-t57w", "fanvil-v64", "fanvil-x210i-v2", "snom-d862"])
    func routers(name: String) throws { #expect(try #require(shipped.model(named: name)).carries == 9) }

    @Test(arguments: ["generic-sip", "snom-d785", "poly-vvx450", "cisco-8851", "grandstream-grp2614"])
    func otherHotDesks(name: String) throws {
        let model = try #require(shipped.model(named: name))
        #expect(model.canHotDesk && !model.canBeRouter)
    }

    /// Key counts of the reference, over all banks.
    @Test(arguments: [
        ("yealink-t54w", 27, 180), ("yealink-t30p", 0, 0), ("fanvil-x4u", 33, 0), ("fanvil-x210", 106, 0), ("snom-d785", 24, 54),
        ("grandstream-grp2614", 40, 0), ("poly-vvx450", 12, 0), ("cisco-8851", 10, 64),
    ])
    func keys(name: String, phone: Int, modules: Int) throws {
        let layout = try #require(shipped.model(named: name)).keys
        #expect(layout.phoneKeys == phone)
        #expect(layout.positions(modules: 99).count == phone + modules)
    }

    /// An admin's own file beside ours: the model is known, and a site may name it.
    @Test func anAdminAddsAModel() throws {
        let own = "[[model]]\nvendor = \"yealink\"\nname = \"t99x\"\nagents = [\"SIP-T99X\"]\nkeys = 99\nhot_desk = true\n"
        let names = (Fixture.catalogue["/site/phones"]?.names ?? []) + ["own.toml"]
        let text = Fixture.text.replacing("yealink-t54w", with: "yealink-t99x")
        let result = Fixture.load(text, files: ["/site/phones": .folder(names), "/site/phones/own.toml": Fixture.file(own)])
        #expect(result.problems == [])
        #expect(result.site?.provisioning.catalogue.phone(userAgent: "Yealink SIP-T99X 1.2.3.4")?.model == "yealink-t99x")
        #expect(result.site?.provisioning.catalogue.model(named: "yealink-t99x")?.title == "Yealink T99X")
    }

    /// One slip in a file of the catalogue: the problem names that file and line.
    @Test(arguments: [
        ("name = \"t99\"\nkeys = 2000", 3, "choose between 0 and 1000"), ("name = \"T 99\"\nkeys = 2", 2, "cannot name a model"),
        ("keys = 2", 1, "is missing"), ("name = \"t99\"", 1, "write keys = 12"), ("name = \"t99\"\nkeys = 2\ntier = \"gold\"", 4, "known: full"),
        ("name = \"t99\"\nkeys = 2\nquirks = [\"sulks\"]", 4, "is no quirk"), ("name = \"t54w\"\nkeys = 2", 2, "two models yealink-t54w"),
        ("name = \"t99\"\nkeyz = 2", 3, "did you mean \"keys\"?"), ("name = \"t99\"\nbanks = [{ kind = \"sidee\", keys = 2 }]", 3, "did you mean \"side\"?"),
        ("name = \"t99\"\nbanks = [{ kind = \"module\", keys = 2 }]", 3, "no bank of the phone"),
        ("name = \"t99\"\nkeys = 2\nmodule = { name = \"E\" }", 4, "how many fit"), ("name = \"t99\"\nkeys = 2\naccounts = 0", 4, "between 1 and 100"),
        ("name = \"t99\"\nkeys = 2\nrouter = true", 4, "must be a whole number"), ("name = \"t99\"\nkeys =", 3, "mend the TOML"),
    ])
    func slip(_ lines: String, line: Int, says: String) throws {
        let own = "[[model]]\n\(lines)\n" + (lines.contains("vendor") || lines.hasSuffix("=") ? "" : "vendor = \"yealink\"\n")
        let names = (Fixture.catalogue["/site/phones"]?.names ?? []) + ["zz.toml"]
        let result = Fixture.load(files: ["/site/phones": .folder(names), "/site/phones/zz.toml": Fixture.file(own)])
        let problem = try #require(result.problems.first { $0.description.contains(says) }, "\(result.problems)")
        #expect(problem.file == "/site/phones/zz.toml" && problem.line == line && problem.severity == .error, "\(problem)")
        #expect(result.site == nil)
    }

    @Test(arguments: [
        ("[vendor]\nname = \"yealink\"\nfiles = { device = [\"{mac}.cfg\"] }", 1, "described twice"),
        ("[vendor]\nname = \"yaelink\"\nfiles = { device = [\"{mac}.cfg\"] }", 2, "did you mean \"yealink\"?"),
        ("[vendor]\nname = \"cisco\"\nfiles = { device = [\"{mack}.cfg\"] }", 3, "is no pattern"),
        ("[vendor]\nname = \"cisco\"\nouis = [\"12345\"]\nfiles = { device = [\"{mac}.cfg\"] }", 3, "no beginning of a MAC"),
    ])
    func vendorSlip(_ text: String, line: Int, says: String) throws {
        let names = (Fixture.catalogue["/site/phones"]?.names ?? []) + ["zz.toml"]
        let result = Fixture.load(files: ["/site/phones": .folder(names), "/site/phones/zz.toml": Fixture.file(text + "\n")])
        let problem = try #require(result.problems.first { $0.description.contains(says) }, "\(result.problems)")
        #expect(problem.file == "/site/phones/zz.toml" && problem.line == line, "\(problem)")
    }

    /// Without a catalogue only `generic-sip` is known.
    @Test func noCatalogue() {
        let result = Fixture.load(files: ["/site/phones": .missing])
        #expect(result.errors.map(\.key) == ["device[1].model", "device[2].model"])
        #expect(result.errors.allSatisfy { $0.description.contains("no catalogue of models") }, "\(result.errors)")
        let generic = Fixture.text.replacing("yealink-t54w", with: "generic-sip").replacing("snom-d785", with: "generic-sip")
        #expect(Fixture.load(generic, files: ["/site/phones": .missing]).problems == [])
    }

    @Test func namedFolder() {
        let text = Fixture.text + "\n[provisioning]\ncatalogue = \"none\"\n"
        #expect(Fixture.load(text).errors.first { $0.key == "provisioning.catalogue" }?.description.contains("no folder /site/none") == true)
    }

    /// Beside the program, and in the folders above it.
    @Test func installedPlaces() {
        #expect(
            InstalledFiles.candidates("phones", program: "/usr/bin/edgeproxy") == [
                "/usr/bin/share/edgeproxy/phones", "/usr/bin/conf/phones", "/usr/share/edgeproxy/phones", "/usr/conf/phones",
                "/share/edgeproxy/phones", "/conf/phones",
            ])
        #expect(InstalledFiles.candidates("phones", program: "") == [])
    }
}

/// Router phones and their children.
@Suite struct RouterTests {
    private static func site(children: Int, model: String = "yealink-t54w", address: String? = "192.0.2.50", childRouter: String = "HD0001") -> SiteLoadResult {
        var text = Fixture.text.replacing("connection = \"sbc\"", with: "connection = \"router\"" + (address.map { "\naddress = \"\($0)\"" } ?? ""))
        text = text.replacing("yealink-t54w", with: model)
        for number in 0..<children {
            text += "\n[[device]]\nname = \"HDC\(number)\"\nmac = \"80:5e:c0:aa:cc:\(10 + number)\"\nmodel = \"generic-sip\"\n"
            text += "connection = \"router\"\nrouter = \"\(childRouter)\"\nsecret_file = \"secrets/HD0002\"\n"
        }
        return Fixture.load(text)
    }

    @Test func childrenPointAtTheirRouterPhone() throws {
        let result = Self.site(children: 2)
        let site = try #require(result.site, "\(result.problems)")
        let tree = RouterTree(site.configuration.devices)
        #expect(tree.children.map { ($0.key.text, $0.value.map(\.text)) }.first ?? ("", []) == ("HD0001", ["HDC0", "HDC1"]))
        #expect(tree.ordered(site.configuration.devices).map { "\($0.depth) \($0.device.name)" } == ["0 HD0001", "1 HDC0", "1 HDC1", "0 HD0002"])
        let parent = try #require(site.configuration.devices.first)
        let own = try #require(site.phoneConfiguration(of: parent, person: nil, generation: 1, url: .init("http://e/p/t/")))
        #expect("\(own.proxy.endpoint)" == "192.0.2.10:5060")
    }

    @Test func aRealPhoneBehindOne() throws {
        let text = Fixture.text.replacing("connection = \"sbc\"", with: "connection = \"router\"\naddress = \"192.0.2.50\"")
            .replacing("connection = \"lan\"", with: "connection = \"router\"\nrouter = \"HD0001\"")
        let site = try #require(Fixture.load(text).site)
        let child = try #require(site.configuration.devices.last)
        let file = try #require(site.phoneConfiguration(of: child, person: nil, generation: 1, url: .init("http://e/p/t/")).flatMap(Renderer.device))
        #expect(file.text.contains(">192.0.2.50:5060;transport=udp</user_outbound>"), "\(file.text)")
        #expect(!file.text.contains("192.0.2.10"))
    }

    @Test(arguments: [
        (Self.site(children: 10), "carries 9 phones, not 10"), (Self.site(children: 1, address: nil), "address: is missing: 1 phones"),
        (Self.site(children: 1, childRouter: "HD0002"), "HD0002 is no router phone"), (Self.site(children: 1, model: "yealink-t46u"), "cannot be a router phone"),
    ])
    func isRefused(_ result: SiteLoadResult, says: String) {
        #expect(result.site == nil)
        #expect(result.errors.contains { $0.description.contains(says) }, "\(result.problems)")
    }

    @Test func aRouterPhoneOfItsOwnName() { #expect(Self.site(children: 1).problems == []) }
}
