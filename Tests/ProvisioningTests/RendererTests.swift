import CoreTypes
import HotDeskPolicy
import Provisioning
import Testing

/// What must hold of every vendor's file. Tests named after traps are listed in RealPeers/tests/traps.py.
@Suite struct RendererTests {
    private func lines(_ configuration: PhoneConfiguration?) throws -> [String] {
        let file = try #require(configuration.flatMap(Renderer.device))
        return file.text.split(separator: "\n").map(String.init)
    }

    private func text(_ model: String, person: PhonePerson? = nil, modules: Int = 0) throws -> String {
        try lines(Phones.configuration(model, person: person, modules: modules)).joined(separator: "\n")
    }

    /// Idle and logged in differ in the person's lines alone: names, language, the keys, and the mark of the generation.
    @Test(arguments: Phones.usual.map(\.model))
    func onlyThePersonsPartChanges(model: String) throws {
        let idle = try lines(Phones.configuration(model, generation: 7))
        let person = try lines(Phones.configuration(model, person: Phones.alice, generation: 8))
        #expect(idle.count == person.count)
        let allowed = [
            "generation", "account.1.label", "account.1.display_name", "lang.", "linekey", "Version", "SipName", "DisplayName", "LCDTitle",
            "DefaultLanguage", "Type", "Value", "Title", "user_realname", "user_idle", "language", "fkey", "account.1.name", "subscriber.name",
            "language.gui", "pks.", "reg.1.label", "reg.1.displayName", "lcl.ml.lang", "softkey.1", "lineKey.", "efk.", "attendant.",
            "Station_", "Display_Name", "Short_Name", "Language_", "Extended_Function", "Extension_",
        ]
        var changed = 0
        for (left, right) in zip(idle, person) where left != right {
            changed += 1
            #expect(allowed.contains { right.contains($0) }, "\(left) became \(right)")
        }
        #expect(changed > 5)
    }

    /// The person's secret is not even known here, and the desk's stands in the file of the same bytes whoever sits there.
    @Test(arguments: Phones.usual.map(\.model))
    func theAccountIsTheDesks(model: String) throws {
        let idle = try text(model), person = try text(model, person: Phones.alice)
        for file in [idle, person] { #expect(file.contains("HD0001") && file.contains("desk ")) }
    }

    @Test(arguments: Phones.usual.map(\.model))
    func equalConfigurationsGiveEqualBytes(model: String) throws {
        #expect(try lines(Phones.configuration(model, person: Phones.alice)) == lines(Phones.configuration(model, person: Phones.alice)))
    }

    /// Trap 9: every position stands in every file, or phones keep the last person's key.
    @Test(arguments: Phones.catalogue.models.filter { $0.vendor != nil }.map(\.name))
    func trap9EveryKeyIsWrittenEveryTime(name: String) throws {
        let model = Phones.model(name)
        let modules = model.keys.module?.maximum ?? 0
        let positions = model.keys.positions(modules: modules)
        for person in [nil, Phones.alice, Phones.busy] {
            let file = try text(name, person: person, modules: modules)
            let marks: [String]
            switch try #require(model.vendor) {
            case .yealink: marks = [".type ="]
            case .fanvil: marks = ["<Fkey "]
            case .snom: marks = ["<fkey "]
            case .grandstream: marks = [".keyMode\""]
            case .poly: marks = [".category="]
            case .cisco: marks = ["<Extended_Function_", "<Unit_"]
            }
            let written = marks.reduce(0) { $0 + file.ranges(of: $1).count }
            #expect(written == positions.count, "\(name)")
        }
    }

    @Test func trap1CiscoBlanksBlockANC() throws {
        let file = try text("cisco-8841")
        #expect(file.contains("<Block_ANC_Act_Code ua=\"na\"></Block_ANC_Act_Code>"))
        #expect(!file.contains("*77<"))
    }

    @Test func trap2YealinkStarDoesNotSend() throws { #expect(try lines(Phones.configuration("yealink-t54w")).contains("features.key_as_send = 1")) }

    @Test func trap3YealinkDoesNotRebootOnNotify() throws {
        #expect(try lines(Phones.configuration("yealink-t54w")).contains("sip.notify_reboot_enable = 0"))
    }

    @Test func trap4CiscoDoesNotChallengeNotify() throws {
        #expect(try text("cisco-8841").contains("<Auth_Resync-Reboot_1_ ua=\"na\">No</Auth_Resync-Reboot_1_>"))
        #expect(CheckSync(for: Phones.model("cisco-8841"))?.mayBeChallenged == true)
    }

    @Test func trap5GrandstreamKeepsItsHandsOffStarCodes() throws {
        let file = try text("grandstream-grp2614")
        #expect(file.contains("<item name=\"account.1.featureCodes.callFeatures\">No</item>"))
        #expect(file.contains("<item name=\"account.1.call.dialplan\">{ [*x]+ | \\+x+ }</item>"))
        #expect(file.contains("<item name=\"account.1.sip.allowSipReset\">Yes</item>"))
    }

    /// Expiry 600 s, local time UTC+1:30.
    @Test func trap6Units() throws {
        #expect(try text("grandstream-grp2614").contains("registerExpiration\">10</item>"))
        #expect(try text("poly-vvx450").contains("tcpIpApp.sntp.gmtOffset=\"5400\""))
        #expect(try text("fanvil-x4u").contains("<TimeZone>6</TimeZone>"))
        #expect(try text("yealink-t54w").contains("local_time.time_zone = +1:30"))
        #expect(try text("cisco-8841").contains(">GMT+01:30</Time_Zone>"))
        #expect(try text("grandstream-grp2614").contains("dateTime.timezone\">TZ-1:30<"))
        #expect(try text("snom-d785").contains(">5400</utc_offset>"))
    }

    @Test func trap7FanvilVersionRises() throws {
        let versions = try [1, 2, 9, 10, 4_000_000_000].map { generation in
            try #require(lines(Phones.configuration("fanvil-x4u", generation: generation)).first { $0.contains("<Version>") })
        }
        #expect(versions == versions.sorted() && Set(versions).count == versions.count)
    }

    /// Trap 8: a forced renewal changes the bytes though nothing else did.
    @Test(arguments: Phones.usual.map(\.model))
    func trap8AForcedRenewalChangesTheFile(model: String) throws {
        let one = try lines(Phones.configuration(model, generation: 1)), two = try lines(Phones.configuration(model, generation: 2))
        #expect(one != two && one.count == two.count)
    }

    @Test func trap10SnomCountsKeysFromZero() throws {
        let keys = try lines(Phones.configuration("snom-d713")).filter { $0.contains("<fkey ") }
        #expect(keys.count == 4)
        #expect(keys[0].contains("idx=\"0\"") && keys[0].contains(">line<"))
        #expect(keys[1].contains("idx=\"1\"") && keys[1].contains(">speed *77*<"))
        #expect(try text("yealink-t31p").contains("linekey.1.type = 15"))
        #expect(try text("fanvil-x3u").contains("<Fkey index=\"1\">"))
    }

    @Test func trap11SnomAloneWritesUpperCase() throws {
        let mac = try #require(MACAddress("80:5e:c0:aa:bb:01"))
        #expect(Vendor.allCases.map { $0.fileName(of: mac) } == [
            "805ec0aabb01.cfg", "805ec0aabb01.cfg", "805EC0AABB01.xml", "cfg805ec0aabb01.xml", "805ec0aabb01-edge.cfg", "805ec0aabb01.xml",
        ])
        #expect(try text("snom-d785").contains(">http://192.0.2.10:8080/p/token/805EC0AABB01.xml</setting_server>"))
    }

    /// Trap 20: a phone without keys still gets its file; the plan says that Logout has no key.
    @Test(arguments: ["yealink-t30p", "fanvil-x301", "cisco-7811"])
    func trap20NoKeyForLogout(model: String) throws {
        let configuration = try #require(Phones.configuration(model, person: Phones.alice))
        #expect(!configuration.keyPlan.hasServiceKey)
        #expect(configuration.keyPlan.dropped.count == 4)
        #expect(try !lines(configuration).isEmpty)
    }

    /// Trap 21: whatever a name holds, it stays inside its value: the file has the same lines as with a plain name.
    @Test(arguments: Phones.usual.map(\.model), [
        "Bob\naccount.1.password = x", "\"quoted\" & <b>x</b>", "]]>--><!--", "\u{202E}evil", "😀 Zoë Дом שלום", "@/|;=$", "%NULL%", "a\u{0}b\u{7F}", "\u{2028}x",
    ])
    func trap21NamesCannotBreakOut(model: String, name: String) throws {
        let number = try #require(ExtensionNumber("100"))
        var configuration = try #require(Phones.configuration(model))
        configuration.site.names["101"] = name
        let watch = try #require(KeyAssignment("101"))
        configuration.person = PhonePerson(number: number, name: "Plain", keys: [watch])
        let plain = try lines(configuration)
        configuration.person = PhonePerson(number: number, name: name, keys: [watch])
        let hostile = try lines(configuration)
        #expect(plain.count == hostile.count)
        for (left, right) in zip(plain, hostile) where left != right {
            let place = { (line: String) in String(line.prefix { $0 != "=" && $0 != ">" && $0 != "," }) }
            #expect(place(left) == place(right), "\(left) became \(right)")
        }
        #expect(!hostile.joined().unicodeScalars.contains { [0x202E, 0x2028, 0x7F, 0].contains($0.value) })
    }

    /// What key syntax uses is taken out of labels.
    @Test(arguments: [
        ("yealink-t33g", "linekey.3.label = a@b/c|d;e=f$g"), ("fanvil-x4u", "<Title>abcd;e=f$g</Title>"), ("snom-d785", "label=\"a@b/cd;e=f$g\""),
        ("cisco-8841", "nme=ab/c|defg<"),
    ])
    func labelsLoseTheirSyntax(model: String, expected: String) throws {
        let number = try #require(ExtensionNumber("100")), key = try #require(KeyAssignment("101:a@b/c|d;e=f$g%"))
        let file = try text(model, person: PhonePerson(number: number, name: "A", keys: [key])).replacing("%", with: "")
        #expect(file.contains(expected), "\(file)")
    }

    @Test func labelsOfOldScreens() throws {
        var configuration = try #require(Phones.configuration("snom-d785"))
        configuration.model.quirks = [.asciiLabels]
        configuration.person = PhonePerson(number: try #require(ExtensionNumber("100")), name: "Zoë")
        #expect(try lines(configuration).contains { $0.contains(">Zo</user_realname>") })
    }

    /// A preview shows neither the secret, the token nor the password.
    @Test(arguments: Phones.usual.map(\.model))
    func maskedPreview(model: String) throws {
        let configuration = try #require(Phones.configuration(model))
        let shown = try lines(configuration.masked).joined()
        for secret in ["desk ", "token", "admin secret"] { #expect(!shown.contains(secret), "\(secret)") }
        #expect(shown.contains("********"))
        #expect(!"\(configuration)".contains("desk <secret>") && !"\(configuration)".contains("token"))
    }

    @Test func bootstrapHoldsNoSecretOfSIP() throws {
        let configuration = try #require(Phones.configuration("yealink-t33g"))
        for vendor in Vendor.allCases {
            let file = Renderer.bootstrap(Bootstrap(vendor: vendor, mac: configuration.mac, url: configuration.url)).text
            #expect(file.contains("192.0.2.10:8080") && file.contains("p/token"), "\(vendor)")
            for word in ["desk", "HD0001", "admin secret", "pbx.example"] { #expect(!file.contains(word), "\(vendor): \(word)") }
        }
    }

    @Test func genericHasNoFile() throws {
        #expect(try #require(Phones.configuration("generic-sip")).model == .generic)
        #expect(Phones.configuration("generic-sip").flatMap(Renderer.device) == nil)
        #expect(CheckSync(for: .generic) == nil)
    }

    /// Trap 19: other hardware at the same desk has another number of keys, and its plan says what no longer fits.
    @Test func trap19AnotherModelAtTheDesk() throws {
        let big = try #require(Phones.configuration("yealink-t54w", person: Phones.busy)).keyPlan
        let small = try #require(Phones.configuration("yealink-t31p", person: Phones.busy)).keyPlan
        #expect(big.dropped.isEmpty && small.dropped.count == 25)
        let fetch = try Phones.catalogue.recognise(FetchRequest(fileName: "805ec0aabb01.cfg", userAgent: "Yealink SIP-T31P 124.1.2.3 80:5e:c0:aa:bb:01"))
        #expect(fetch.mismatch(with: Phones.model("yealink-t54w")) == .model(enrolled: "yealink-t54w", seen: "yealink-t31p"))
        #expect(fetch.mismatch(with: Phones.model("yealink-t31p")) == nil)
    }

    @Test(arguments: [
        ("yealink-t54w", "check-sync;reboot=false", "check-sync;reboot=true"), ("fanvil-x4u", "check-sync", "check-sync;reboot=true"),
        ("snom-d785", "check-sync;reboot=false", "check-sync;reboot=true"), ("grandstream-grp2614", "check-sync", "check-sync;reboot=true"),
        ("grandstream-gxp2170", "resync", "check-sync;reboot=true"), ("poly-vvx450", "check-sync", "check-sync"), ("cisco-8841", "resync", "reboot"),
    ])
    func checkSync(model: String, fetch: String, reboot: String) {
        #expect(CheckSync(for: Phones.model(model))?.event == fetch)
        #expect(CheckSync(for: Phones.model(model), reboot: true)?.event == reboot)
        #expect(CheckSync(for: Phones.model(model))?.subscriptionState == "active")
    }
}
