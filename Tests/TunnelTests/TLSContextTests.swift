import CoreTypes
import Foundation
import Testing
import Tunnel

@Suite("TLS context")
struct TLSContextTests {
    let pki: TestPKI
    init() throws { pki = try TestPKI.shared.get() }

    private func failure(_ configuration: TLSConfiguration) -> TLSError? {
        do throws(TLSError) {
            _ = try TLSContext(configuration)
            return nil
        } catch {
            return error
        }
    }

    private func withFile<Result>(_ text: String, _ body: (String) throws -> Result) rethrows -> Result {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("tunnel-\(UUID().uuidString).pem")
        FileManager.default.createFile(atPath: url.path, contents: Data(text.utf8))
        defer { try? FileManager.default.removeItem(at: url) }
        return try body(url.path)
    }

    private func client(trust: PEMSource...) -> TLSConfiguration {
        TLSConfiguration(role: .client(serverName: "pbx.example", trust: .certificates(trust)))
    }

    @Test("files that cannot be used are named, with the reason")
    func files() {
        #expect(failure(client(trust: .file("pki/no-such.pem")))?.description == "trunk CA pki/no-such.pem: no such file")
        var configuration = client(trust: source(pki.authority.certificate))
        configuration.identity = TLSIdentity(certificateChain: .file("pki/x.pem"), privateKey: .file("pki/x.key"))
        #expect(failure(configuration)?.description == "trunk certificate pki/x.pem: no such file")
        withFile(pki.client.certificate) { path in
            configuration.identity = TLSIdentity(certificateChain: .file(path), privateKey: .file("pki/x.key"))
            #expect(failure(configuration)?.description == "trunk private key pki/x.key: no such file")
        }
        let folder = FileManager.default.temporaryDirectory.path
        guard case .unreadable = failure(client(trust: .file(folder))) else {
            Issue.record("a folder was read")
            return
        }
    }

    @Test("files that hold nothing of use")
    func contents() {
        withFile("") { path in
            #expect(failure(client(trust: .file(path))) == .noCertificate(what: "trunk CA \(path)"))
        }
        withFile("hello\n") { path in
            #expect(failure(client(trust: .file(path))) == .noCertificate(what: "trunk CA \(path)"))
        }
        let damaged = pki.authority.certificate + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        guard case .damagedCertificate(what: "trunk CA (given as text)", _) = failure(client(trust: source(damaged))) else {
            Issue.record("damage was not seen")
            return
        }
    }

    @Test("keys: of another certificate, protected by a pass phrase, none at all")
    func keys() {
        func with(_ key: String) -> TLSError? {
            var configuration = client(trust: source(pki.authority.certificate))
            configuration.identity = TLSIdentity(certificateChain: source(pki.client.certificate), privateKey: source(key))
            return failure(configuration)
        }
        #expect(with(pki.client.key) == nil)
        #expect(
            with(pki.server.key)
                == .keyMismatch(certificate: "trunk certificate (given as text)", key: "trunk private key (given as text)"))
        #expect(with(pki.encryptedKey)?.description.contains("pass phrase") == true)
        guard case .unusableKey = with(pki.client.certificate) else {
            Issue.record("a certificate passed for a key")
            return
        }
    }

    @Test("a client needs someone to trust, a server something to show")
    func incomplete() {
        #expect(failure(client()) == .noTrust(what: "trunk CA"))
        #expect(failure(TLSConfiguration(label: "listener", role: .server(clients: nil))) == .noIdentity(what: "listener"))
        #expect(failure(TLSConfiguration(role: .client(serverName: "pbx.example", trust: .system))) == nil)
    }

    @Test("what is no server name", arguments: [
        "", ".", "pbx..example", "pbx example", "pbx.example\r\n", "pbx\u{0}.example", "*.example", "[pbx.example]", "[]", "256.1.1.1",
        "sip:pbx.example", "pbx.example:5061", String(repeating: "a", count: 64) + ".example",
        String(repeating: "abcdefgh.", count: 30) + "example", "pbx.ex\u{E4}mple",
    ])
    func badNames(name: String) {
        #expect(failure(TLSConfiguration(role: .client(serverName: name, trust: pki.authority.trust))) == .badServerName(name))
    }

    @Test("certificates from files work, and say when they end")
    func fromFiles() throws {
        try withFile(pki.server.certificate) { certificate in
            try withFile(pki.server.key) { key in
                let context = try TLSContext(
                    TLSConfiguration(
                        role: .server(clients: nil),
                        identity: TLSIdentity(certificateChain: .file(certificate), privateKey: .file(key))))
                let days = ((context.identityNotAfter ?? 0) - pki.now.unixSeconds) / 86_400
                #expect(days == 29)
            }
        }
    }

    @Test("a configuration that is printed shows no key")
    func secrecy() {
        let text = String(describing: TLSConfiguration(role: .server(clients: nil), identity: pki.server.tls))
        #expect(text.contains("<personal>"))
        #expect(!text.contains("PRIVATE"))
    }
}
