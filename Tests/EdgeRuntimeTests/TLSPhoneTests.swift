import CoreTypes
import EdgeProxy
import Foundation
import SiteFile
import Testing
import Tunnel

@testable import EdgeRuntime

/// Phones that come by TLS, at a whole edge.
@Suite struct TLSPhoneTests {
    let folder = TestFolder()
    let pki: TestPKI

    init() throws { pki = try TestPKI() }

    private func site() throws -> Site {
        var site = try testSite(
            folder, listeners: [.init(transport: .tls, endpoint: Endpoint(address: IPAddress(v4: 0x7F00_0001), port: 0))])
        site.serverTLS = ServerTLS(certificatePath: pki.certificate, keyPath: pki.key)
        return site
    }

    @Test func aPhoneIsAnsweredOnItsConnection() throws {
        let server = try EdgeServer.started(try site())
        defer { server.stop() }
        let endpoint = try server.bound(.tls)
        let phone = try #require(try TestTLSClient(to: endpoint, trust: pki.authority))
        try #require(phone.connect())
        #expect(phone.peer?.subject == "CN=localhost")
        try phone.send(optionsRequest("one", to: endpoint, transport: "TLS"))
        let answer = phone.receive(until: "\r\n\r\n")
        #expect(answer.hasPrefix("SIP/2.0 200 "))
        #expect(answer.contains("SIP/2.0/TLS"))
        // A message cut into records at every byte is the same message.
        try phone.send(optionsRequest("two", to: endpoint, transport: "TLS").utf8.map { [$0] })
        #expect(phone.receive(until: "\r\n\r\n").hasPrefix("SIP/2.0 200 "))
    }

    @Test func plainTextIsNotServedThere() throws {
        let server = try EdgeServer.started(try site())
        defer { server.stop() }
        let endpoint = try server.bound(.tls)
        let phone = try #require(TestSocket(.tcp, to: endpoint))
        phone.send(optionsRequest("one", to: endpoint, transport: "TCP"))
        #expect(phone.isClosedByPeer())
    }

    @Test func theCertificateIsReadAgainOnReload() throws {
        let context = try TLSServerContext(
            label: "phones", files: TLSServerFiles(certificatePath: pki.certificate, keyPath: pki.key))
        let before = context.current
        // A key that does not fit: what was in use stays.
        #expect(throws: TLSError.self) {
            try context.reload(TLSServerFiles(certificatePath: pki.authority, keyPath: pki.key))
        }
        #expect(context.current === before)
        try context.reload(TLSServerFiles(certificatePath: pki.certificate, keyPath: pki.key))
        #expect(context.current !== before)
    }

    @Test func aListenerWithoutCertificateIsSaidToBe() throws {
        var site = try site()
        site.serverTLS = nil
        let server = try EdgeServer(site: site, sitePath: "", logger: TestLog().logger)
        #expect(throws: EdgeServerError.noCertificateForListener(site.listen[0].endpoint)) { try server.start() }
    }
}
