import CoreTypes
import EdgeProxy
import Foundation
import Glibc
import HotDeskPolicy
import SiteFile
import Testing

@testable import EdgeRuntime

@Suite(.serialized) struct ControlTests {
    private let folder = TestFolder()

    @Test func theSocketIsForItsUserAlone() throws {
        let site = try testSite(folder)
        let server = try EdgeServer.started(site)
        defer { server.stop() }
        var status = stat()
        #expect(lstat(site.controlPath, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o600)
    }

    @Test func statusShowsTheSite() throws {
        let site = try testSite(folder)
        let server = try EdgeServer.started(site)
        defer { server.stop() }
        let status = try #require(try control(site, ControlRequest(command: .status)).status)
        #expect(status.site == "test-site" && status.version == EdgeVersion.text)
        #expect(status.devices.map(\.name) == ["HD0001"])
        #expect(status.devices.first?.extension == nil)
        #expect(status.nodes.map(\.name) == ["127.0.0.1:9"] && status.nodes.map(\.up) == [false])
        // Nothing listens on port 9: said, and no reason not to start.
        #expect(
            try eventually {
                let degraded = try control(site, ControlRequest(command: .status)).status?.degraded ?? []
                return degraded.contains { $0.contains("127.0.0.1:9") && $0.contains("refused") }
            })
    }

    @Test func logoutEndsASessionThatWasRestored() throws {
        let site = try testSite(folder)
        let session = Session(
            device: try #require(DeviceName("HD0001")), extension: try #require(ExtensionNumber("100")),
            since: EdgeClock().now, generation: 1)
        try StoreFile(path: site.storePath, patience: 1).write([.session(session)], audit: [], now: EdgeClock().now)
        let server = try EdgeServer.started(site)
        let before = try #require(try control(site, ControlRequest(command: .status)).status)
        #expect(before.devices.first?.extension == "100")
        #expect(try control(site, ControlRequest(command: .logout, device: "HD0001")).ok)
        let again = try control(site, ControlRequest(command: .logout, device: "HD0001"))
        #expect(!again.ok && again.error?.contains("nobody") == true)
        #expect(try control(site, ControlRequest(command: .logout, device: "HD9999")).ok == false)
        #expect(try control(site, ControlRequest(command: .logout)).ok == false)
        server.stop()
        #expect(try StoreFile(path: site.storePath, patience: 1).load().sessions.isEmpty)
    }

    @Test func nonsenseIsAnsweredOrEnded() throws {
        let site = try testSite(folder)
        let server = try EdgeServer.started(site)
        defer { server.stop() }
        let client = try #require(TestSocket(path: site.controlPath))
        client.send("{\"command\":\"explode\"}\n")
        #expect(client.receive(until: "\n").contains("\"ok\":false"))
        client.send(String(repeating: "x", count: 10_000))
        #expect(client.isClosedByPeer())
    }

    @Test func aDeadProcessesSocketIsTakenOver() throws {
        let site = try testSite(folder)
        try EdgeServer.started(site).stop()
        // A socket file nobody listens on.
        let leftover = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(site.controlPath.utf8)) }
        unlink(site.controlPath)
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(leftover, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        #expect(bound == 0)
        close(leftover)
        let server = try EdgeServer.started(site)
        defer { server.stop() }
        #expect(try control(site, ControlRequest(command: .status)).ok)
    }

    @Test func aSecondEdgeIsRefused() throws {
        let site = try testSite(folder)
        let server = try EdgeServer.started(site)
        defer { server.stop() }
        let second = try EdgeServer(site: site, sitePath: "", logger: TestLog().logger)
        #expect(throws: EdgeServerError.controlSocketInUse(path: site.controlPath)) { try second.start() }
        #expect(try control(site, ControlRequest(command: .status)).ok)
    }

    @Test func aFileThatIsNoSocketIsLeftAlone() throws {
        let site = try testSite(folder)
        #expect(FileManager.default.createFile(atPath: site.controlPath, contents: Data("mine".utf8)))
        let server = try EdgeServer(site: site, sitePath: "", logger: TestLog().logger)
        #expect(throws: EdgeServerError.self) { try server.start() }
        #expect(FileManager.default.contents(atPath: site.controlPath) == Data("mine".utf8))
    }

    @Test func aBadReloadKeepsTheConfigurationAndShows() throws {
        let log = TestLog()
        let site = try testSite(folder)
        let server = try EdgeServer.started(site, log: log)
        defer { server.stop() }
        let reply = try control(site, ControlRequest(command: .reload))
        #expect(!reply.ok && reply.error?.contains("kept") == true)
        let status = try #require(try control(site, ControlRequest(command: .status)).status)
        #expect(status.degraded.contains { $0.contains("/nonexistent/site.toml") })
        #expect(log.lines.contains { $0.hasPrefix("error: reload: ") })
    }

    @Test func aStoreThatCannotBeOpenedIsADegradedState() throws {
        var site = try testSite(folder)
        site.storePath = folder.file("missing/edge.sqlite")
        let server = try EdgeServer.started(site)
        defer { server.stop() }
        let status = try #require(try control(site, ControlRequest(command: .status)).status)
        #expect(status.degraded.contains { $0.contains("missing/edge.sqlite") && $0.contains("log in") })
    }
}
