import CoreTypes
import EdgeProxy
import HotDeskPolicy
@testable import SiteFile
import Testing

/// Site files that are changed by commands.
@Suite struct EnrolmentTests {
    private func enrolment(_ text: String = Fixture.text, files: [String: SitePathContent] = [:]) throws -> Enrolment {
        var all = Fixture.files.merging(Fixture.catalogue) { first, _ in first }.merging(files) { _, new in new }
        all["/site/branch.toml"] = Fixture.file(text)
        return try Enrolment(siteFile: "/site/branch.toml") { [all] in all[$0] ?? .missing }
    }

    @Sendable private static func random(_ count: Int) -> [UInt8] { Array(repeating: 0xAB, count: count) }

    private func device(_ name: String = "HD0003", mac: String = "805ec0aabb03", model: String = "snom-d785", connection: String = "sbc") throws -> Enrolment.NewDevice {
        Enrolment.NewDevice(
            name: try #require(DeviceName(name)), mac: try #require(MACAddress(mac)), model: model, connection: connection, location: "desk \"3\"\\")
    }

    @Test func addsADevice() throws {
        let change = try enrolment().add(devices: [device()], random: Self.random)
        #expect(change.text.hasPrefix(Fixture.text))
        #expect(change.files.map(\.path) == ["/site/secrets/HD0003"])
        #expect(change.files.first?.content.exposed == String(repeating: "ab", count: 20) + "\n")
        let again = Fixture.load(change.text, files: ["/site/secrets/HD0003": Fixture.file("x")])
        #expect(again.site?.configuration.devices.last?.location == "desk \"3\"\\")
        #expect(change.warnings == [])
    }

    /// A secret that is there already is kept.
    @Test func keepsASecret() throws {
        let change = try enrolment(files: ["/site/secrets/HD0003": Fixture.file("mine")]).add(devices: [device()], random: Self.random)
        #expect(change.files.isEmpty)
    }

    @Test(arguments: [
        ("HD0001", "805ec0aabb03", "snom-d785", "sbc", "two devices HD0001"), ("HD0003", "805ec0aabb01", "snom-d785", "sbc", "already the MAC"),
        ("HD0003", "805ec0aabb03", "snom-x", "sbc", "no model known here"), ("HD0003", "805ec0aabb03", "snom-d785", "stun", "is refused"),
        ("HD0003", "805ec0aabb03", "snom-d785", "router", "cannot be a router phone"), ("HD0003", "805ec0aabb03", "fanvil-h5", "sbc", "cannot be a hot desk"),
    ])
    func refuses(_ name: String, _ mac: String, _ model: String, _ connection: String, _ says: String) throws {
        let enrolment = try enrolment()
        let new = try device(name, mac: mac, model: model, connection: connection)
        let error = #expect(throws: Enrolment.Refused.self) { try enrolment.add(devices: [new], random: Self.random) }
        #expect(error?.problems.contains { $0.description.contains(says) && $0.line > 1 } == true, "\(String(describing: error))")
    }

    /// Comments, blank lines and everything else stay as they were; what was added goes again without a trace.
    @Test func removesADevice() throws {
        let text = Fixture.text.replacing("[[device]]\nname = \"HD0002\"", with: "# the corner\n[[device]]  # second\nname = \"HD0002\"  # here")
            .replacing("[[extension]]\nnumber = \"100\"", with: "# people\n[[extension]]\nnumber = \"100\"")
        let change = try enrolment(text).remove(device: try #require(DeviceName("HD0002")))
        #expect(!change.text.contains("HD0002") && change.text.contains("# the corner\n\n# people\n[[extension]]"), "\(change.text)")
        #expect(Fixture.load(change.text).site?.configuration.devices.map(\.name.text) == ["HD0001"])
        let added = try enrolment().add(devices: [device()], random: Self.random)
        let gone = try enrolment(added.text, files: ["/site/secrets/HD0003": Fixture.file("x")]).remove(device: try #require(DeviceName("HD0003")))
        #expect(Fixture.load(gone.text).site == Fixture.load().site)
        #expect(ValueText.trimmed(gone.text) == ValueText.trimmed(Fixture.text))
    }

    @Test func removesWithManyLinedValues() throws {
        let text = Fixture.text.replacing("location = \"desk 14\"", with: "location = \"\"\"desk\n[[device]]\nx = 1\n14\"\"\"")
        #expect(Fixture.load(text).site?.configuration.devices.count == 2)
        let change = try enrolment(text).remove(device: try #require(DeviceName("HD0001")))
        #expect(Fixture.load(change.text).site?.configuration.devices.map(\.name.text) == ["HD0002"])
        #expect(!change.text.contains("x = 1"))
    }

    /// Devices in one inline list: cutting lines would take the others with it.
    @Test func anInlineListIsLeftAlone() throws {
        let parts = Fixture.text.split(separator: "[[device]]", omittingEmptySubsequences: false)
        let rest = try #require(parts.last?.firstRange(of: "[[extension]]")).lowerBound
        let devices = ["HD0001", "HD0002"].enumerated().map { index, name in
            "{ name = \"\(name)\", mac = \"80:5e:c0:aa:bb:0\(index)\", model = \"generic-sip\", secret_file = \"secrets/\(name)\" }"
        }
        let text = "device = [\(devices.joined(separator: ", "))]\n" + String(try #require(parts.first)) + String(try #require(parts.last)[rest...])
        #expect(Fixture.load(text).site?.configuration.devices.count == 2)
        let enrolment = try enrolment(text)
        let name = try #require(DeviceName("HD0001"))
        let error = #expect(throws: Enrolment.Refused.self) { try enrolment.remove(device: name) }
        #expect(error?.reason?.contains("by hand") == true)
    }

    @Test func noSuchDevice() throws {
        let enrolment = try enrolment()
        let name = try #require(DeviceName("HD9999"))
        let error = #expect(throws: Enrolment.Refused.self) { try enrolment.remove(device: name) }
        #expect(error?.reason?.contains("no device HD9999") == true)
    }

    @Test func filesAreWrittenWhole() throws {
        let folder = "/tmp/edgeproxy-enrolment-\(UInt64.random(in: 0 ... .max))"
        try PrivateFile.writeSecret("one\n", to: "\(folder)/secret", like: "/dev/null")
        #expect(SitePaths.content(of: "\(folder)/secret") == .file(Array("one\n".utf8), worldReadable: false))
        try PrivateFile.replace("\(folder)/secret", with: "two\n")
        #expect(SitePaths.content(of: "\(folder)/secret") == .file(Array("two\n".utf8), worldReadable: false))
        #expect(SitePaths.content(of: folder) == .folder(["secret"]))
        #expect(throws: PrivateFile.Failure.self) { try PrivateFile.replace("\(folder)/none", with: "x") }
        #expect(throws: PrivateFile.Failure.self) { try PrivateFile.writeSecret("x", to: "\(folder)/secret/below", like: "/dev/null") }
        #expect(throws: PrivateFile.Failure.self) { try PrivateFile.writeSecret("x", to: "\(folder)/other", like: "\(folder)/none") }
    }
}

/// The bulk format of 3CX V20 and the small list.
@Suite struct ImportTests {
    private static let header = BulkRowReader.columns.joined(separator: ",")

    /// A row of the bulk format with these columns filled.
    private static func row(_ values: [String: String]) -> String {
        BulkRowReader.columns.map { column in
            let value = values[column] ?? ""
            return value.contains(",") || value.contains("\"") || value.contains("\n") ? "\"" + value.replacing("\"", with: "\"\"") + "\"" : value
        }.joined(separator: ",")
    }

    private static func person(_ number: String, _ more: [String: String] = [:]) -> [String: String] {
        ["Number": number, "FirstName": "Eve", "LastName": "Stone", "VMPIN": "8350", "PinTimeout": "60", "BLF": "<PhoneDevice><BLFS/></PhoneDevice>"]
            .merging(more) { $1 }
    }

    private static func desk(_ number: String, _ mac: String, _ more: [String: String] = [:]) -> [String: String] {
        ["Number": number, "MAC": mac, "Model": "Yealink T54W", "HotDesk": "1"].merging(more) { $1 }
    }

    private func read(_ text: String, secrets: Set<String> = []) throws -> ImportList {
        let site = try #require(Fixture.load().site)
        return ImportList(
            text,
            context: .init(site: site, hash: { _ in Fixture.pin }, weakness: { pin, number in pin == number.text ? "like the extension" : nil }) { secrets.contains($0) })
    }

    private func read(_ rows: [[String: String]], secrets: Set<String> = []) throws -> ImportList {
        try read(([Self.header] + rows.map(Self.row)).joined(separator: "\r\n") + "\r\n", secrets: secrets)
    }

    @Test func everyColumnIsKnown() throws {
        #expect(BulkRowReader.columns.count == 54 && Set(BulkRowReader.columns).count == 54)
        #expect(try read([]).problem == nil)
        #expect(try read(Self.header.replacing(",HotDesk,", with: ",HotDsk,")).problem?.contains("missing: HotDesk unknown: HotDsk") == true)
        #expect(try read("").problem == "the file is empty")
        #expect(try read("number,nmae\n1,x").problem?.contains("unknown columns: nmae") == true)
    }

    @Test func peopleAndDesks() throws {
        let list = try read([
            Self.person("200"), Self.person("201", ["VMPIN": ""]), Self.desk("HD0003", "805EC0AABB03"),
            Self.desk("300", "805EC0AABB04", ["Router": "805EC0AABB04"]), Self.desk("HD0005", "805EC0AABB05", ["Router": "805EC0AABB04", "Model": "Snom D785"]),
            Self.desk("HD0006", "805EC0AABB06", ["Router": "C41ENxwkq7My"]),
        ], secrets: ["200"])
        #expect(list.bad.isEmpty, "\(list.bad)")
        #expect(list.people.map(\.mayHotDesk) == [true, false])
        #expect(list.people.first?.pinHash == Fixture.pin)
        #expect(list.rows[1].notes.contains { $0.contains("no PIN") } && list.rows[1].notes.contains { $0.contains("secrets/201") })
        #expect(list.devices.map(\.name.text) == ["HD0003", "HD0300", "HD0005", "HD0006"])
        #expect(list.devices.map(\.connection) == ["sbc", "router", "router", "sbc"])
        #expect(list.devices.map { $0.router?.text } == [nil, nil, "HD0300", nil])
        #expect(list.devices[2].model == "snom-d785")
    }

    @Test func keys() throws {
        let blf = #"<PhoneDevice><BLFS><BLF ID="-1" BLFNo="2" BLFType="Line" BLFTypeID="6" /><BLF ID="32" BLFNo="3" BLFType="BLF" BLFTypeID="0">101</BLF>"#
            + #"<BLF ID="36" BLFNo="5" BLFType="SpeedDial" BLFTypeID="1">103</BLF><BLF ID="-1" BLFNo="6" BLFType="CustomSpeedDial" BLFTypeID="2">*9104"#
            + "\nPage &amp; All\n\nX</BLF>"
            + #"<BLF ID="6" BLFNo="7" BLFType="SharedParking" BLFTypeID="3">SP1</BLF><BLF ID="LOGGEDINQUEUE" BLFNo="8" BLFType="QueueLogin" BLFTypeID="4">DEFINED BY ID</BLF>"#
            + "</BLFS></PhoneDevice>"
        let list = try read([Self.person("200", ["BLF": blf])])
        #expect(list.people.first?.blf == ["", "", "101", "", "speed:103", "speed:*9104:Page & All X", "park:SP1", ""], "\(list.rows)")
        #expect(list.rows.first?.notes.contains { $0.contains("queue login") } == true)
    }

    @Test(arguments: [
        (person("5O"), "no extension"), (person("200", ["FirstName": "", "LastName": ""]), "no name"), (person("200", ["VMPIN": "200"]), "VMPIN: like the extension"),
        (person("200", ["BLF": "<PhoneDevice>"]), "BLF is cut off"), (person("200", ["BLF": "<X/>"]), "does not begin with"),
        (person("200", ["BLF": "<PhoneDevice><BLFS><BLF BLFNo=\"9999\">1</BLF></BLFS></PhoneDevice>"]), "at place 9999"),
        (person("200", ["BLF": "<PhoneDevice><BLFS><BLF BLFNo=\"1\">x y</BLF></BLFS></PhoneDevice>"]), "cannot be dialled"),
        (person("200", ["BLF": "<!DOCTYPE x><PhoneDevice/>"]), "document type"), (person("200", ["BLF": "<PhoneDevice>&bomb;</PhoneDevice>"]), "unknown entity"),
        (person("200", ["HotDesk": "maybe"]), "must be 0 or 1"), (desk("lobby", "805EC0AABB03"), "names no hot desk"), (desk("HD0003", "805EC0"), "no MAC"),
        (desk("HD0003", "805EC0AABB03", ["Model": "Yealink T1"]), "no model known"), (desk("HD0003", "805EC0AABB03", ["Model": "Yealink CP920"]), "cannot be a hot desk"),
        (desk("HD0003", "805EC0AABB03", ["Router": "805EC0AABBFF"]), "is no hot desk of this site"), (desk("HD0003", "805EC0AABB03", ["Router": "STUN"]), "STUN is refused"),
        (desk("HD0003", "805EC0AABB03", ["Router": "805EC0AABB03", "Model": "Snom D785"]), "cannot be a router phone"),
    ] as [([String: String], String)])
    func badRow(_ values: [String: String], _ says: String) throws {
        let list = try read([Self.person("250"), values])
        let bad = try #require(list.bad.first)
        #expect(list.bad.count == 1 && bad.line == 3)
        guard case .bad(let why) = bad.outcome else { return }
        #expect(why.contains(says), "\(why)")
    }

    @Test func whoIsThereIsKept() throws {
        let list = try read([Self.person("100"), Self.person("200", ["Disabled": "1"]), Self.desk("HD0001", "805EC0AABBEE"), Self.desk("HD0009", "805EC0AABB02")])
        #expect(list.bad.isEmpty && list.people.isEmpty && list.devices.isEmpty && list.rows.count == 4)
    }

    @Test func twins() throws {
        let list = try read([Self.person("200"), Self.person("200"), Self.desk("HD0003", "805EC0AABB03"), Self.desk("HD0004", "805EC0AABB03")])
        #expect(list.bad.map(\.line) == [3, 5])
    }

    @Test func fieldsAreCounted() throws {
        let list = try read(Self.header + "\n200,Eve\n")
        #expect(list.bad.map(\.line) == [2])
    }

    /// PinProtected and PinTimeout, seconds, become the site file's own keys.
    @Test func pinTimeout() throws {
        let rows = [Self.person("200", ["PinProtected": "1"]), Self.person("201"), Self.person("202", ["PinProtected": "1", "PinTimeout": "a day"])]
        let list = try read(rows, secrets: ["200", "201"])
        #expect(list.people.map(\.pinTimeout) == [60, nil] && list.bad.map(\.line) == [4])
        var all = Fixture.files.merging(Fixture.catalogue) { first, _ in first }
        all["/site/branch.toml"] = Fixture.file(Fixture.text)
        all["/site/secrets/200"] = Fixture.file("x")
        all["/site/secrets/201"] = Fixture.file("x")
        let change = try Enrolment(siteFile: "/site/branch.toml") { [all] in all[$0] ?? .missing }
            .add(devices: [], extensions: list.people, random: { Array(repeating: 1, count: $0) })
        #expect(change.text.contains("pin_protected = true\npin_timeout = \"60s\"\n"))
    }

    @Test func theSmallList() throws {
        let list = try read("number,name,pin,auth_user,secret,hot_desk,language,blf\n200,Eve,8350,u200,s3cret,yes,,101;;speed:5:Mum\n201,Dan,,,,no,,\n202,Al,202,,,,,\n")
        #expect(list.people.count == 2 && list.bad.map(\.line) == [4])
        #expect(list.people.first?.mayHotDesk == true && list.people.first?.blf == ["101", "", "speed:5:Mum"] && list.people.first?.secret?.exposed == "s3cret")
        #expect(list.rows[1].notes == [])
    }

    /// What was read goes into the site file whole, and the site is good; secrets and PINs are not in it.
    @Test func goesIntoTheSite() throws {
        let list = try read("number,name,pin,auth_user,secret\n200,\"Eve \"\"E\"\" Stone\",8350,u200,s3cret\n")
        var all = Fixture.files.merging(Fixture.catalogue) { first, _ in first }
        all["/site/branch.toml"] = Fixture.file(Fixture.text)
        let enrolment = try Enrolment(siteFile: "/site/branch.toml") { [all] in all[$0] ?? .missing }
        let change = try enrolment.add(devices: list.devices, extensions: list.people, random: { Array(repeating: 1, count: $0) })
        #expect(!change.text.contains("s3cret") && !change.text.contains("8350"))
        let secret = Fixture.file(change.files.first?.content.exposed ?? "")
        let result = Fixture.load(change.text, files: ["/site/secrets/200": secret])
        let site = try #require(result.site)
        let eve = try #require(site.configuration.extensions.last)
        #expect(eve.name == "Eve \"E\" Stone" && eve.mayHotDesk && eve.secret.exposed == "s3cret" && eve.authUser == "u200")
    }
}
