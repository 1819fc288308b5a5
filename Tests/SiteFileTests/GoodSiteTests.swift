import CoreTypes
import EdgeProxy
import HotDeskPolicy
@testable import SiteFile
import Testing

@Suite struct GoodSiteTests {
    @Test func readsEverything() throws {
        let result = Fixture.load()
        #expect(result.problems == [])
        let site = try #require(result.site)
        let configuration = site.configuration
        #expect(configuration.siteName == "branch-01")
        #expect(configuration.listeners.map(\.transport) == [.udp, .tcp])
        #expect(configuration.listeners.map(\.endpoint.description) == ["192.0.2.10:5060", "192.0.2.10:5060"])
        #expect(site.media.ports == 20000...20999)
        #expect(site.pbx == .nodes([PBXNode(host: "pbx1.example", port: 5061), PBXNode(host: "pbx2.example", port: 5061)]))
        #expect(configuration.pbx.nodeCount == 2)
        #expect(configuration.pbx.account?.authUser == "branch-01")
        #expect(configuration.pbx.account?.secret.exposed == "site secret")
        #expect(site.trunkTLS == TrunkTLS(authorityPath: "/site/pki/ca.pem"))
        #expect(site.controlPath == "/site/run/branch-01.sock")
        #expect(site.storePath == "/site/run/branch-01.sqlite")
        #expect(site.capture == nil)
        #expect(configuration.endAfterSilence == nil)
    }

    @Test func readsTheRules() throws {
        let configuration = try #require(Fixture.load().site).configuration
        let policy = configuration.policy
        #expect(policy.dialCodes.login == "*77*" && policy.dialCodes.logout == "*77*5*" && policy.dialCodes.pbx == ["*62", "*64*", "*4"])
        #expect(policy.autoLogout.at == 19 * 60 && policy.autoLogout.afterIdle == .seconds(7200))
        #expect(policy.pin.attempts == 3 && policy.pin.within == .seconds(300) && policy.pin.lock == .seconds(900))
        #expect(policy.emergency.numbers == ["112", "911"] && policy.emergency.outsidePrefixes == ["9"])
        #expect(policy.emergency.callBackWindow == .seconds(3600))
        let fxo = try #require(Endpoint("192.0.2.20:5060"))
        #expect(configuration.emergencyRoutes == [.pbx, .gateway(name: "fxo", fxo)])
    }

    @Test func readsThePeople() throws {
        let configuration = try #require(Fixture.load().site).configuration
        #expect(configuration.devices.map(\.name.text) == ["HD0001", "HD0002"])
        #expect(configuration.devices.map(\.secret.exposed) == ["device one", "device two"])
        #expect(configuration.devices.map(\.location) == ["desk 14", "10 High Street, Springfield"])
        #expect(configuration.devices.map(\.connection) == [.sbc, .lan])
        #expect(configuration.extensions.map(\.number.text) == ["100", "101"])
        #expect(configuration.extensions.map(\.mayHotDesk) == [true, false])
        #expect(configuration.extensions.first?.secret.exposed == "alice")
        #expect(configuration.extensions.first?.blf == ["101", "", "102"])
    }

    @Test func findsNodesByDNSWhereNoneAreListed() throws {
        let text = try #require(Fixture.changed(#"servers = ["pbx1.example:5061", "pbx2.example"]"#, to: ""))
        #expect(Fixture.load(text).site?.pbx == .service(domain: "pbx.example"))
    }

    @Test func readsIPv6AndOptions() throws {
        var text = Fixture.text.replacing(#""tcp:192.0.2.10:5060"]"#, with: #""tcp:[2001:db8::10]:5060"]"#)
        text = text.replacing(#"address = "192.0.2.10""#, with: #"address = ["192.0.2.10", "2001:db8::10"]"#)
        text = text.replacing(#""pbx2.example"]"#, with: #""[2001:db8::20]:5062"]"#)
        text += """
            [capture]
            directory = "../captures"
            max_size = "2MB"
            [log]
            level = "debug"
            [media]
            end_after_silence = "90s"
            io_uring = false
            """
        let result = Fixture.load(text)
        #expect(result.problems == [])
        let site = try #require(result.site)
        #expect(site.media.addresses.map(\.family) == [.v4, .v6])
        #expect(site.pbxNodes.map(\.text) == ["pbx1.example:5061", "[2001:db8::20]:5062"])
        #expect(site.capture == CaptureOptions(directory: "/captures", maximumSize: 2 << 20))
        #expect(site.logLevel == .debug)
        #expect(site.configuration.endAfterSilence == .seconds(90))
        #expect(!site.usesRing)
    }

    @Test func phonesByTLS() throws {
        let text = try #require(
            Fixture.changed(
                #""tcp:192.0.2.10:5060"]"#,
                to: #""tls:192.0.2.10:5061"]"# + "\ncertificate = \"pki/branch.pem\"\nkey = \"pki/branch.key\""))
        let result = Fixture.load(text)
        #expect(result.problems == [])
        #expect(result.site?.serverTLS == ServerTLS(certificatePath: "/site/pki/branch.pem", keyPath: "/site/pki/branch.key"))
        #expect(result.site?.listen.map(\.transport) == [.udp, .tls])
    }

    @Test func clientCertificate() throws {
        let text = try #require(Fixture.changed(#"ca = "pki/ca.pem""#, to: "certificate = \"pki/branch.pem\"\nkey = \"pki/branch.key\""))
        let result = Fixture.load(text)
        #expect(result.problems == [])
        #expect(result.site?.trunkTLS == TrunkTLS(certificatePath: "/site/pki/branch.pem", keyPath: "/site/pki/branch.key"))
    }
}

@Suite struct PromptFolderTests {
    private func load(_ folder: SitePathContent, language: String) -> SiteLoadResult {
        let text = Fixture.text.replacing(#"language = "en""#, with: "language = \"\(language)\"") + "\n[prompts]\ndirectory = \"voices\"\n"
        return Fixture.load(text, files: ["/site/voices": folder])
    }

    @Test func ownRecordingsMakeALanguage() {
        let result = load(.folder(["de"]), language: "de")
        #expect(result.problems == [])
        #expect(result.site?.promptsPath == "/site/voices")
        #expect(load(.folder(["agent-user.wav"]), language: "de").problems == [])
    }

    @Test func ownFolderAddsToThePackages() {
        #expect(load(.folder(["de"]), language: "es").problems == [])
        #expect(load(.folder(["de"]), language: "nl").errors.map(\.key) == ["site.language"])
        #expect(load(.missing, language: "en").errors.map(\.key) == ["prompts.directory"])
    }
}
