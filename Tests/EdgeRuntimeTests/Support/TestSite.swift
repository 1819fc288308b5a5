import CoreTypes
import EdgeProxy
import Foundation
import HotDeskPolicy
import Logging
import SiteFile
import Synchronization
import Testing

@testable import EdgeRuntime

/// A small site on free ports of the loopback interface.
func testSite(
    _ folder: TestFolder, listeners: [EdgeConfiguration.Listener]? = nil, nodes: [PBXNode] = [PBXNode(host: "127.0.0.1", port: 9)],
    authority: String? = nil
) throws -> Site {
    let loopback = IPAddress(v4: 0x7F00_0001)
    let device = Device(
        name: try #require(DeviceName("HD0001")), mac: try #require(MACAddress("80:5e:c0:aa:bb:01")), model: "yealink-t54w",
        location: "desk 14", connection: .sbc, secret: Personal("device secret"), emergencyIdentity: nil)
    let person = Extension(
        number: try #require(ExtensionNumber("100")), name: "Alice Smith", pinHash: "scrypt:none", authUser: "100",
        secret: Personal("extension secret"), mayHotDesk: true, language: nil, blf: [])
    let configuration = EdgeConfiguration(
        siteName: "test-site", language: "en", location: "nowhere",
        listeners: listeners ?? [
            .init(transport: .udp, endpoint: Endpoint(address: loopback, port: 0)),
            .init(transport: .tcp, endpoint: Endpoint(address: loopback, port: 0)),
        ],
        mediaAddresses: [loopback], pbx: .init(domain: "pbx.example", nodeCount: nodes.count, account: nil),
        policy: PolicyRules(
            dialCodes: DialCodes(),
            emergency: EmergencyRules(numbers: ["112"], outsidePrefixes: [], callBackWindow: .seconds(3600)),
            pin: PINRules(), secondLogin: .move, autoLogout: AutoLogout(at: nil, afterIdle: nil)),
        devices: [device], extensions: [person], emergencyRoutes: [.pbx], plainPhones: true)
    // Each test has a range of its own, so that tests may run beside each other.
    let first = UInt16.random(in: 5_000...16_000) * 2
    return Site(
        configuration: configuration, media: MediaRange(addresses: [loopback], ports: first...(first + 199)), pbx: .nodes(nodes),
        trunkTLS: TrunkTLS(authorityPath: authority), storePath: folder.file("edge.sqlite"), controlPath: folder.file("control"))
}

/// A log that is kept in memory.
final class TestLog: LogHandler, Sendable {
    private let held = Mutex<[String]>([])
    var lines: [String] { held.withLock { $0 } }

    var logger: Logger {
        var logger = Logger(label: "edge") { _ in self }
        logger.logLevel = .debug
        return logger
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { nil }
        set {}
    }
    var metadata: Logger.Metadata { get { [:] } set {} }
    var logLevel: Logger.Level { get { .debug } set {} }

    func log(event: LogEvent) { held.withLock { $0.append("\(event.level): \(event.message)") } }
}

extension EdgeServer {
    /// Starts it on a site; the caller stops it.
    static func started(_ site: Site, log: TestLog = TestLog(), options: EdgeServerOptions = EdgeServerOptions()) throws -> EdgeServer {
        let server = try EdgeServer(site: site, sitePath: "/nonexistent/site.toml", logger: log.logger, options: options)
        try server.start()
        return server
    }

    func bound(_ transport: TransportProtocol) throws -> Endpoint {
        try #require(boundListeners.first { $0.transport == transport }).endpoint
    }
}

/// One line to the control socket, one line back.
func control(_ site: Site, _ request: ControlRequest) throws -> ControlReply {
    let socket = try #require(TestSocket(path: site.controlPath))
    socket.send(ControlCodec.line(request))
    return try #require(ControlCodec.reply(Array(socket.receive(until: "\n").utf8)))
}

func optionsRequest(_ branch: String, to: Endpoint, transport: String = "UDP") -> String {
    """
    OPTIONS sip:\(to) SIP/2.0\r
    Via: SIP/2.0/\(transport) 127.0.0.1:40000;branch=z9hG4bK\(branch);rport\r
    From: <sip:HD0001@pbx.example>;tag=\(branch)\r
    To: <sip:pbx.example>\r
    Call-ID: \(branch)@test\r
    CSeq: 1 OPTIONS\r
    Max-Forwards: 70\r
    Content-Length: 0\r
    \r

    """
}
