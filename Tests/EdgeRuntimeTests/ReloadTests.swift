import CoreTypes
import EdgeProxy
import Foundation
import SiteFile
import Testing

@testable import EdgeRuntime

/// A reload of a real site file.
@Suite(.serialized) struct ReloadTests {
    private let folder = TestFolder()

    private func write(_ text: String) throws {
        try Data(text.utf8).write(to: URL(filePath: folder.file("site.toml")))
    }

    private func text(device: String, ports: String) -> String {
        """
        [site]
        name = "branch-01"
        language = "en"
        location = "10 High Street"
        [listen]
        sip = ["udp:127.0.0.1:5060"]
        media = { address = "127.0.0.1", ports = "\(ports)" }
        control = "control"
        store = "edge.sqlite"
        [pbx]
        via = "tls"
        domain = "pbx.example"
        servers = ["127.0.0.1:9"]
        [emergency]
        numbers = ["112"]
        routes = ["pbx"]
        [[device]]
        name = "\(device)"
        mac = "80:5e:c0:aa:bb:01"
        model = "generic-sip"
        connection = "sbc"
        location = "desk 1"
        secret_file = "secret"
        """
    }

    @Test func aGoodFileTakesEffectAndABadOneDoesNot() throws {
        try Data("a long device secret".utf8).write(to: URL(filePath: folder.file("secret")))
        let first = UInt16.random(in: 5_000...16_000) * 2
        try write(text(device: "HD0001", ports: "\(first)-\(first + 199)"))
        let loaded = SiteLoader.load(path: folder.file("site.toml"))
        var site = try #require(loaded.site, "\(loaded.problems)")
        // A free port in place of the file's.
        site.configuration.listeners = site.configuration.listeners.map {
            .init(transport: $0.transport, endpoint: Endpoint(address: $0.endpoint.address, port: 0))
        }
        let log = TestLog()
        let server = try EdgeServer(site: site, sitePath: folder.file("site.toml"), logger: log.logger)
        try server.start()
        defer { server.stop() }

        try write(text(device: "HD0002", ports: "\(first)-\(first + 99)"))
        let reply = try control(site, ControlRequest(command: .reload))
        #expect(reply.ok && reply.message?.contains("listen.media") == true)
        #expect(try eventually { try devices(site) == ["HD0002"] })

        try write("[site\n")
        #expect(try control(site, ControlRequest(command: .reload)).ok == false)
        #expect(try devices(site) == ["HD0002"])

        try write(text(device: "HD0003", ports: "\(first)-\(first + 199)"))
        server.reload()
        #expect(try eventually { try devices(site) == ["HD0003"] })
        let degraded = try control(site, ControlRequest(command: .status)).status?.degraded ?? []
        #expect(!degraded.contains { $0.contains("site.toml") })
    }

    private func devices(_ site: Site) throws -> [String] {
        try control(site, ControlRequest(command: .status)).status?.devices.map(\.name) ?? []
    }
}
