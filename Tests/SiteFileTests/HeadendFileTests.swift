@testable import SiteFile
import Testing

/// A headend's file: what is read of a good one, and one slip at a time.
@Suite struct HeadendFileTests {
    private static let good = """
        [headend]
        listen = ["192.0.2.5:5090", "192.0.2.6"]
        mtu = 1200
        [tls]
        ca = "ca.pem"
        certificate = "headend.pem"
        key = "headend.key"
        [enrol]
        ca_key = "ca.key"
        [pbx]
        address = "10.0.0.5"
        nodes = ["udp:10.0.0.20", "tls:pbx.example:5062"]
        [media]
        address = "10.0.0.5"
        ports = "30000-33999"
        """

    private static func load(_ text: String) -> HeadendLoadResult {
        HeadendLoader.load(text: text, directory: "conf") { path in
            switch path {
            case "conf/ca.pem", "conf/headend.pem": return .file(Array("-----BEGIN CERTIFICATE-----".utf8), worldReadable: true)
            case "conf/ca.key", "conf/headend.key": return .file(Array("-----BEGIN PRIVATE KEY-----".utf8), worldReadable: false)
            default: return .missing
            }
        }
    }

    @Test func goodFile() throws {
        let result = Self.load(Self.good)
        let settings = try #require(result.settings, "\(result.problems)")
        #expect(result.problems.isEmpty)
        #expect(settings.listen.map(\.port) == [5090, 5090] && settings.mtu == 1200)
        #expect(settings.nodes.map(\.text) == ["udp:10.0.0.20:5060", "tls:pbx.example:5062"])
        #expect(settings.media.ports == 30_000...33_999 && settings.authorityKeyPath == "conf/ca.key")
    }

    @Test(arguments: [
        ("192.0.2.5:5090\", \"192.0.2.6", "headend.example", "headend.listen[1]", "no address and port"),
        ("mtu = 1200", "mtu = 100", "headend.mtu", "out of range"),
        ("mtu = 1200", "mut = 1200", "headend.mut", "not a known key"),
        ("ca = \"ca.pem\"", "ca = \"other.pem\"", "tls.ca", "there is no file"),
        ("key = \"headend.key\"\n", "key = \"headend.pem\"\n", "tls.key", "holds no private key"),
        ("udp:10.0.0.20", "sip:10.0.0.20", "pbx.nodes[1]", "no transport"),
        ("udp:10.0.0.20", "udp:[2001:db8::1]:5060", "pbx.nodes[1]", "another address family"),
        ("address = \"10.0.0.5\"\nnodes", "nodes", "pbx.address", "is missing"),
        ("30000-33999", "30001-33999", "media.ports", "no range"),
    ])
    func slip(_ old: String, _ new: String, _ key: String, _ says: String) {
        let result = Self.load(Self.good.replacing(old, with: new, maxReplacements: 1))
        #expect(result.settings == nil && result.problems.count == 1, "\(result.problems)")
        #expect(result.problems.first?.key == key && result.problems.first?.description.contains(says) == true, "\(result.problems)")
    }

    @Test func everythingAtOnce() {
        let result = Self.load("")
        #expect(Set(result.problems.map(\.key)).isSuperset(of: ["headend.listen", "tls.ca", "tls.certificate", "tls.key", "pbx.address", "pbx.nodes", "media"]))
    }
}
