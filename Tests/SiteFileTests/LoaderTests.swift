import CoreTypes
import CryptoPrimitives
import EdgeProxy
import Glibc
import HotDeskPolicy
@testable import SiteFile
import Testing

@Suite struct LoaderTests {
    @Test func allProblemsAtOnceInOrder() {
        let result = Fixture.load("""
            [site]
            name = "x y"
            [listen]
            sip = ["tcp"]
            [pbx]
            domain = 7
            [[device]]
            name = "HD1"
            connection = "stun"
            """)
        #expect(result.site == nil)
        let keys = result.errors.map { "\($0.line) \($0.key)" }
        #expect(keys == [
            "1 emergency.numbers", "1 emergency.routes", "2 site.name", "3 listen.media", "4 listen.sip[1]", "6 pbx.domain",
            "7 device[1].secret_file", "7 device[1].model", "7 device[1].mac", "9 device[1].connection",
        ])
    }

    @Test(arguments: [
        ("[site]\nname = \"a\"\nname = \"b\"\n", 3), ("[site\n", 1), ("a = \"\n", 1), ("\n\nx = [1,\n", 3), ("a = 1\u{0}", 1),
    ])
    func brokenTOML(text: String, line: Int) throws {
        let result = Fixture.load(text)
        #expect(result.site == nil)
        let problem = try #require(result.problems.first)
        #expect(result.problems.count == 1)
        #expect(problem.line == line, "\(problem)")
    }

    @Test func oneWarningForAllOpenSecrets() throws {
        let result = Fixture.load(files: [
            "/site/secrets/100": Fixture.file("a", worldReadable: true), "/site/secrets/HD0001": Fixture.file("b", worldReadable: true),
        ])
        #expect(result.site != nil)
        let problem = try #require(result.problems.first)
        #expect(result.problems.count == 1)
        #expect(problem.severity == .warning)
        #expect(problem.description.contains("1 more secret files"))
        #expect(problem.remedy == "chmod 600 /site/secrets/*")
    }

    @Test(arguments: [
        (SitePathContent.missing, "there is no file"), (.folder([]), "is a folder"), (.unreadable("Permission denied"), "Permission denied"),
        (Fixture.file("\n"), "the secret is empty"), (Fixture.file("a\u{1}b"), "control characters"),
        (.file([0xFF, 0xFE], worldReadable: false), "not UTF-8"),
    ])
    func badSecretFile(content: SitePathContent, says: String) throws {
        let result = Fixture.load(files: ["/site/secrets/100": content])
        let problem = try #require(result.problems.first)
        #expect(result.problems.count == 1)
        #expect(problem.key == "extension[1].auth.secret_file")
        #expect(problem.what.contains(says))
    }

    @Test func printsLikeACompiler() {
        let problem = SiteProblem(severity: .error, file: "conf/a.toml", line: 7, key: "pbx.ca", what: "is missing", remedy: "write it")
        #expect(problem.description == "conf/a.toml:7: error: pbx.ca: is missing; write it")
    }

    @Test func noSuchFile() {
        let result = SiteLoader.load(path: "/nonexistent/site.toml")
        #expect(result.site == nil)
        #expect(result.problems.map(\.what) == ["there is no such file"])
    }

    @Test func secretsDoNotPrint() throws {
        let site = try #require(Fixture.load().site)
        var text = ""
        dump(site, to: &text)
        text += "\(site)"
        for secret in ["site secret", "device one", "alice"] { #expect(!text.contains(secret)) }
    }

    /// Every prefix of a good file gives problems or a site, and never ends the process.
    @Test func cutAtEveryLine() {
        let lines = Fixture.text.split(separator: "\n", omittingEmptySubsequences: false)
        for count in 0..<lines.count {
            let result = Fixture.load(lines.prefix(count).joined(separator: "\n"))
            #expect(result.site != nil || !result.errors.isEmpty)
        }
    }
}

@Suite struct ShippedSiteTests {
    /// The folder with Package.swift, where the tests run from their own place in it.
    var root: String? {
        var folder = SitePaths.folder(of: #filePath)
        while folder.count > 1 {
            if access(folder + "/Package.swift", F_OK) == 0, access(folder + "/conf/demo.toml", F_OK) == 0 { return folder }
            folder = SitePaths.folder(of: folder)
        }
        return nil
    }

    /// The demo's CA is made when it is run; all else must be there.
    @Test func demoIsGood() throws {
        let root = try #require(root)
        let result = SiteLoader.load(path: root + "/conf/demo.toml")
        #expect(result.errors.filter { $0.key != "pbx.ca" } == [])
    }

    /// The example names files nobody has here; nothing else may be wrong with it.
    @Test func exampleIsGood() throws {
        let root = try #require(root)
        let result = SiteLoader.load(path: root + "/conf/example.toml")
        #expect(result.errors.filter { $0.key != "pbx.ca" && !$0.key.hasSuffix("secret_file") } == [])
    }
}

extension ShippedSiteTests {
    /// What conf/demo.toml says of its PINs, and what whoever plays its phones relies on.
    @Test(arguments: [("100", "4711"), ("101", "2580"), ("102", "8524"), ("103", "9630")])
    func demoPIN(number: String, pin: String) throws {
        let root = try #require(root)
        let text = try String(contentsOf: root + "/conf/demo.toml")
        let result = SiteLoader.load(text: text, directory: root + "/conf") { path in
            path.hasSuffix("ca.pem") ? Fixture.file("-----BEGIN CERTIFICATE-----") : SitePaths.content(of: path)
        }
        let person = try #require(result.site?.configuration.extensions.first { $0.number.text == number })
        #expect(person.secret.exposed == "demo-\(number)")
        #expect(PINHash(parsing: person.pinHash)?.matches(pin) == true)
        #expect(person.mayHotDesk == (number != "103"))
    }
}

extension String {
    fileprivate init(contentsOf path: String) throws {
        guard case .file(let bytes, _) = SitePaths.content(of: path) else { throw Unreadable() }
        self.init(decoding: bytes, as: UTF8.self)
    }

    private struct Unreadable: Error {}
}
