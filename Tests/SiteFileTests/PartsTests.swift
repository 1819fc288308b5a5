import CoreTypes
import EdgeProxy
import HotDeskPolicy
@testable import SiteFile
import Testing

@Suite struct LineIndexTests {
    @Test func knowsEveryKindOfPlace() {
        let index = LineIndex("""
            # comment [x]
            top = 1
            [a.b]   # trailing
            c.d = { e = "}", f = [1,
              "]" , # inner
              2] }
            "quoted key" = '''
            long = "no"
            '''
            [[list]]
            x = 1
            [list.sub]
            y = \"\"\"
            \\\"\"\"
            \"\"\"
            [[list]]
            x = "a # not a comment"
            z = [ "one",
              { k = 3 } ]
            """)
        let root = KeyPath.root
        let list = root.key("list")
        let expected: [(KeyPath, Int)] = [
            (root.key("top"), 2), (root.key("a").key("b"), 3), (root.key("a").key("b").key("c").key("d"), 4),
            (root.key("a").key("b").key("c").key("d").key("e"), 4), (root.key("a").key("b").key("c").key("d").key("f").index(1), 5),
            (root.key("a").key("b").key("c").key("d").key("f").index(2), 6), (root.key("a").key("b").key("quoted key"), 7),
            (list.index(0), 10), (list.index(0).key("x"), 11), (list.index(0).key("sub").key("y"), 13), (list.index(1), 16),
            (list.index(1).key("x"), 17), (list.index(1).key("z").index(1), 19), (list.index(1).key("z").index(1).key("k"), 19),
            (list.index(1).key("missing"), 16), (root.key("nowhere"), 1),
        ]
        for (path, line) in expected { #expect(index.line(of: path) == line, "\(path)") }
    }

    /// Whatever the bytes, the scan ends.
    @Test func endsOnAnything() {
        let text = Array("[a]\nb = [{ c = \"x\\\" }, '''y''']\n[[d]]\n\"e\" = 1".utf8)
        for start in text.indices {
            for end in start...text.count { _ = LineIndex(String(decoding: text[start..<end], as: UTF8.self)) }
        }
    }
}

@Suite struct ValueTextTests {
    @Test(arguments: [("90s", 90), ("5m", 300), ("2h", 7200), ("1d", 86400), ("1h30m", 5400)])
    func durations(text: String, seconds: Int) { #expect(ValueText.duration(text) == .seconds(seconds)) }

    @Test(arguments: ["", "5", "m", "5 m", "-5m", "5w", "1h30", "99999999999999999999s", "٣m"])
    func noDurations(text: String) { #expect(ValueText.duration(text) == nil) }

    @Test(arguments: [("00:00", 0), ("7:05", 425), ("19:00", 1140), ("23:59", 1439)])
    func times(text: String, minutes: Int) { #expect(ValueText.timeOfDay(text) == minutes) }

    @Test(arguments: ["24:00", "19:60", "19", "19:0", "-1:00", "19:00:00"])
    func noTimes(text: String) { #expect(ValueText.timeOfDay(text) == nil) }

    @Test(arguments: [("pbx.example", true), ("a-b.c", true), ("10.0.0.1", false), ("-a", false), ("a..b", false), ("", false), ("a_b", false)])
    func hostNames(text: String, isName: Bool) { #expect(ValueText.isHostName(text[...]) == isName) }

    @Test(arguments: [
        ("a", "/x", "/x/a"), ("/a", "/x", "/a"), ("../a", "conf", "a"), ("../../a", "conf", "../a"), ("./a//b", "/x", "/x/a/b"),
        ("a", "", "a"), ("../../../a", "/x", "/a"),
    ])
    func paths(path: String, folder: String, resolved: String) { #expect(SitePaths.resolve(path, from: folder) == resolved) }
}

@Suite struct SpellingTests {
    @Test(arguments: [("lokation", "location"), ("NAME", "name"), ("secretfile", "secret_file")])
    func nearest(word: String, meant: String) {
        #expect(Spelling.nearest(to: word, among: ["name", "location", "secret_file"]) == meant)
    }

    @Test func nothingNear() { #expect(Spelling.nearest(to: "zebra", among: ["name", "location"]) == nil) }
}

@Suite struct ExtensionListTests {
    private func load(_ list: String) -> SiteLoadResult {
        let text = Fixture.text.replacing("location = \"10", with: "extensions_file = \"people.csv\"\nlocation = \"10")
        return Fixture.load(text, files: ["/site/people.csv": Fixture.file(list)])
    }

    @Test func addsPeople() throws {
        let rows = [
            "number,name,pin,auth_user,secret,hot_desk,language,blf",
            #"200,"Smith, ""Al""","# + "\(Fixture.pin),u200,s200,yes,es,101;;102", "201,Eve,,,,no,,", "",
        ]
        let result = load(rows.joined(separator: "\r\n"))
        #expect(result.problems == [])
        let people = try #require(result.site).configuration.extensions
        #expect(people.map(\.number.text) == ["100", "101", "200", "201"])
        #expect(people[2].name == #"Smith, "Al""#)
        #expect(people[2].authUser == "u200" && people[2].secret.exposed == "s200" && people[2].mayHotDesk)
        #expect(people[2].language == "es" && people[2].blf == ["101", "", "102"])
        #expect(people[3].mayHotDesk == false)
    }

    @Test func placesItsProblems() {
        let result = load("number,name,pinn,hot_desk\n100,Twin,,no\n5,Five,,maybe\n,Nobody,,no\n300,Short\n")
        let found = result.errors.map { "\($0.file):\($0.line) \($0.key)" }
        #expect(Set(found) == [
            "/site/people.csv:1 pinn", "/site/people.csv:2 number", "/site/people.csv:3 number", "/site/people.csv:3 hot_desk",
            "/site/people.csv:4 number", "/site/people.csv:5 ",
        ])
    }

    @Test func missingList() {
        let text = Fixture.text.replacing("location = \"10", with: "extensions_file = \"people.csv\"\nlocation = \"10")
        #expect(Fixture.load(text).errors.map(\.key) == ["site.extensions_file"])
    }
}

@Suite struct PINProtectionKeyTests {
    private func load(hotDesk: String = "", person: String) -> SiteLoadResult {
        Fixture.load(
            Fixture.text.replacing("[hotdesk]\n", with: "[hotdesk]\n\(hotDesk)\n").replacing("hot_desk = true\n", with: "hot_desk = true\n\(person)\n"))
    }

    @Test func keysAreRead() throws {
        let result = load(hotDesk: "confirm_takeover = true\ninternal_numbers = [\"2xx\", \"8.\"]", person: "pin_protected = true\npin_timeout = \"0s\"")
        #expect(result.problems == [])
        let configuration = try #require(result.site).configuration
        #expect(configuration.extensions.map(\.pinTimeout) == [.zero, nil])
        #expect(configuration.policy.confirmsTakeover && configuration.policy.internalNumbers.count == 2)
        let isInternal = { configuration.policy.isInternal($0) { _ in false } }
        #expect(isInternal("201") && isInternal("812345") && !isInternal("20"))
    }

    @Test func theTimeOutHasADefaultAndNoneWithoutProtection() throws {
        #expect(load(person: "pin_protected = true").site?.configuration.extensions[0].pinTimeout == .seconds(300))
        let result = load(person: "pin_timeout = \"5m\"")
        #expect(result.site?.configuration.extensions[0].pinTimeout == nil)
        #expect(result.problems.map(\.key) == ["extension[1].pin_timeout"])
    }

    @Test func badShapesAreSaidToBe() {
        #expect(load(hotDesk: "internal_numbers = [\"2xx\", \"2-3\", \"\", \"1.2\"]", person: "").errors.map(\.key) == [
            "hotdesk.internal_numbers[2]", "hotdesk.internal_numbers[3]", "hotdesk.internal_numbers[4]",
        ])
    }

    /// The names of the bulk format are understood as well.
    @Test func columnsOfTheBulkFormat() throws {
        let text = Fixture.text.replacing("location = \"10", with: "extensions_file = \"people.csv\"\nlocation = \"10")
        let list = "Number,Name,PIN,AuthUser,Secret,HotDesk,PinProtected,PinTimeout\n200,Eve,\(Fixture.pin),u,s,yes,yes,90s\n"
        let result = Fixture.load(text, files: ["/site/people.csv": Fixture.file(list)])
        #expect(result.problems == [])
        #expect(try #require(result.site).configuration.extensions.last?.pinTimeout == .seconds(90))
    }
}
