import CoreTypes
import EdgeProxy
import SiteFile
import Testing
import Tunnel

@testable import EdgeRuntime

/// The trunk against a PBX of the test's own, over real TLS.
@Suite(.serialized) struct TrunkTests {
    private let folder = TestFolder()
    private let pki: TestPKI

    init() throws { pki = try TestPKI() }

    private var quick: EdgeServerOptions {
        var options = EdgeServerOptions()
        options.link.firstRetry = .milliseconds(20)
        options.link.baseDelay = .milliseconds(20)
        options.link.maximumDelay = .milliseconds(50)
        return options
    }

    private func isUp(_ site: Site) throws -> [Bool] {
        try control(site, ControlRequest(command: .status)).status?.nodes.map(\.up) ?? []
    }

    @Test func itComesUpAndComesBack() throws {
        let pbx = try TestPBX(pki)
        let port = try pbx.start()
        let site = try testSite(folder, nodes: [PBXNode(host: "localhost", port: port)], authority: pki.authority)
        let server = try EdgeServer.started(site, options: quick)
        defer { server.stop() }
        #expect(try eventually { try isUp(site) == [true] })
        #expect(try control(site, ControlRequest(command: .status)).status?.degraded == [])
        let before = pbx.connectionCount
        pbx.dropConnections()
        #expect(eventually { pbx.connectionCount > before })
        #expect(try eventually { try isUp(site) == [true] })
    }

    @Test func anUnknownAuthorityIsSaidAndNothingIsSent() throws {
        let pbx = try TestPBX(pki)
        let port = try pbx.start()
        let log = TestLog()
        let site = try testSite(folder, nodes: [PBXNode(host: "localhost", port: port)], authority: pki.stranger)
        let server = try EdgeServer.started(site, log: log, options: quick)
        defer { server.stop() }
        #expect(
            try eventually {
                let degraded = try control(site, ControlRequest(command: .status)).status?.degraded ?? []
                return degraded.contains { $0.contains("vouches") }
            })
        #expect(try isUp(site) == [false])
        #expect(pbx.messages.isEmpty)
        // Said once, not at each try.
        #expect(eventually { pbx.connectionCount >= 3 })
        #expect(log.lines.filter { $0.contains("vouches") }.count == 1)
    }

    @Test func aWrongNameIsSaid() throws {
        let pbx = try TestPBX(pki)
        let port = try pbx.start()
        let site = try testSite(folder, nodes: [PBXNode(host: "127.0.0.2", port: port)], authority: pki.authority)
        let server = try EdgeServer.started(site, options: quick)
        defer { server.stop() }
        #expect(
            try eventually {
                try control(site, ControlRequest(command: .status)).status?.degraded.contains { $0.contains("127.0.0.2") } == true
            })
        #expect(try isUp(site) == [false])
    }

    @Test func aPBXThatComesLaterIsFound() throws {
        let pbx = try TestPBX(pki)
        let port = try pbx.start()
        pbx.stopListening()
        let site = try testSite(
            folder, nodes: [PBXNode(host: "127.0.0.1", port: port), PBXNode(host: "localhost", port: 9)], authority: pki.authority)
        let server = try EdgeServer.started(site, options: quick)
        defer { server.stop() }
        #expect(
            try eventually { try control(site, ControlRequest(command: .status)).status?.degraded.count == 2 })
        _ = try pbx.start(port: Int(port))
        #expect(try eventually { try isUp(site) == [true, false] })
    }
}
