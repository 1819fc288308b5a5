import CoreTypes
import EdgeProxy
import Foundation
import SiteFile
import Testing

@testable import EdgeRuntime

/// Listeners, bounds and errors at start, on real sockets of the loopback interface.
@Suite(.serialized) struct ServerTests {
    private let folder = TestFolder()

    @Test func aDatagramIsAnsweredOnItsListener() throws {
        let server = try EdgeServer.started(try testSite(folder))
        defer { server.stop() }
        let endpoint = try server.bound(.udp)
        let phone = try #require(TestSocket(.udp, to: endpoint))
        phone.send("\r\n\r\n")
        phone.send(optionsRequest("udp", to: endpoint))
        // The socket is connected: only an answer from the listener's own address gets in.
        #expect(phone.receive(until: "\r\n\r\n").hasPrefix("SIP/2.0 200 "))
    }

    @Test func manyDatagramsInABurstAreAllAnswered() throws {
        let server = try EdgeServer.started(try testSite(folder))
        defer { server.stop() }
        let endpoint = try server.bound(.udp)
        let phone = try #require(TestSocket(.udp, to: endpoint))
        for index in 0..<100 { phone.send(optionsRequest("burst\(index)", to: endpoint)) }
        var answered: Set<String> = []
        for _ in 0..<100 {
            guard case .bytes(let text) = phone.receive() else { break }
            if let line = text.split(separator: "\r\n").first(where: { $0.hasPrefix("Call-ID:") }) { answered.insert(String(line)) }
        }
        #expect(answered.count == 100)
    }

    @Test func bothFamiliesListenOnOnePort() throws {
        let loopback = IPAddress(v6High: 0, low: 1)
        var site = try testSite(folder)
        site.configuration.listeners = [.init(transport: .udp, endpoint: Endpoint(address: loopback, port: 0))]
        let server = try EdgeServer.started(site)
        defer { server.stop() }
        let endpoint = try server.bound(.udp)
        let phone = try #require(TestSocket(.udp, to: endpoint))
        phone.send(optionsRequest("v6", to: endpoint))
        #expect(phone.receive(until: "\r\n\r\n").hasPrefix("SIP/2.0 200 "))
    }

    @Test func aStreamIsFramedHoweverItIsCut() throws {
        let server = try EdgeServer.started(try testSite(folder))
        defer { server.stop() }
        let endpoint = try server.bound(.tcp)
        let phone = try #require(TestSocket(.tcp, to: endpoint))
        phone.send("\r\n\r\n")
        #expect(phone.receive() == .bytes("\r\n"))
        let text = Array(optionsRequest("cut", to: endpoint, transport: "TCP").utf8)
        for byte in text { phone.send([byte]) }
        #expect(phone.receive(until: "\r\n\r\n").hasPrefix("SIP/2.0 200 "))
        phone.send(text + Array(optionsRequest("two", to: endpoint, transport: "TCP").utf8))
        let answers = phone.receive(until: "two@test")
        #expect(answers.contains("SIP/2.0 200 "))
    }

    @Test func whatIsNoSIPEndsTheConnection() throws {
        let server = try EdgeServer.started(try testSite(folder))
        defer { server.stop() }
        let phone = try #require(TestSocket(.tcp, to: try server.bound(.tcp)))
        phone.send(String(repeating: "x", count: 100_000))
        #expect(phone.isClosedByPeer())
        // Others are served as before.
        let next = try #require(TestSocket(.tcp, to: try server.bound(.tcp)))
        next.send("\r\n\r\n")
        #expect(next.receive() == .bytes("\r\n"))
    }

    @Test func oneSourceHasABoundedNumberOfConnections() throws {
        var options = EdgeServerOptions()
        options.limits.perSource = 2
        let server = try EdgeServer.started(try testSite(folder), options: options)
        defer { server.stop() }
        let endpoint = try server.bound(.tcp)
        let first = try #require(TestSocket(.tcp, to: endpoint))
        var second = TestSocket(.tcp, to: endpoint)
        for phone in [first, second] {
            phone?.send("\r\n\r\n")
            #expect(phone?.receive() == .bytes("\r\n"))
        }
        let third = try #require(TestSocket(.tcp, to: endpoint))
        #expect(third.isClosedByPeer())
        second = nil
        #expect(
            eventually {
                guard let phone = TestSocket(.tcp, to: endpoint) else { return false }
                phone.send("\r\n\r\n")
                return phone.receive() == .bytes("\r\n")
            })
    }

    @Test func aMessageThatIsNotFinishedEndsTheConnection() throws {
        var options = EdgeServerOptions()
        options.limits.unfinishedMessage = .milliseconds(1)
        let server = try EdgeServer.started(try testSite(folder), options: options)
        defer { server.stop() }
        let phone = try #require(TestSocket(.tcp, to: try server.bound(.tcp), patience: 30))
        phone.send("OPTIONS sip:x SIP/2.0\r\nVia:")
        #expect(phone.isClosedByPeer())
    }

    @Test(arguments: [TransportProtocol.udp, .tcp])
    func aPortInUseIsSaidToBe(_ transport: TransportProtocol) throws {
        let server = try EdgeServer.started(try testSite(folder))
        defer { server.stop() }
        let endpoint = try server.bound(transport)
        let folder = TestFolder()
        let site = try testSite(folder, listeners: [.init(transport: transport, endpoint: endpoint)])
        let second = try EdgeServer(site: site, sitePath: "", logger: TestLog().logger)
        #expect(throws: EdgeServerError.addressInUse(transport, endpoint)) { try second.start() }
        // What was opened before the failure is closed again.
        second.waitUntilStopped()
        #expect(!FileManager.default.fileExists(atPath: site.controlPath))
    }

    @Test func anAddressOfAnotherMachineIsSaidToBe() throws {
        let endpoint = Endpoint(address: IPAddress(v4: 0xC000_0201), port: 5060)
        let site = try testSite(folder, listeners: [.init(transport: .udp, endpoint: endpoint)])
        let server = try EdgeServer(site: site, sitePath: "", logger: TestLog().logger)
        #expect(throws: EdgeServerError.addressNotAvailable(.udp, endpoint)) { try server.start() }
    }

    @Test func aMissingCertificateIsSaidToBe() throws {
        let site = try testSite(folder, authority: folder.file("missing.pem"))
        do {
            _ = try EdgeServer(site: site, sitePath: "", logger: TestLog().logger)
            Issue.record("no error")
        } catch {
            #expect(error.description.contains("missing.pem: no such file"))
        }
    }

    @Test func everyErrorSaysWhatToDo() {
        let endpoint = Endpoint(address: IPAddress(v4: 0x7F00_0001), port: 5060)
        let errors: [EdgeServerError] = [
            .addressInUse(.udp, endpoint), .addressNotAvailable(.tcp, endpoint), .notAllowedToBind(.udp, endpoint),
            .cannotBind(.udp, endpoint, reason: "r"), .certificate(reason: "r"), .noCertificateForListener(endpoint),
            .controlSocketInUse(path: "/p"), .controlSocket(path: "/p", reason: "r"), .media(reason: "r"),
            .capture(reason: "r"),
        ]
        for error in errors { #expect(error.description.contains(";"), "\(error)") }
        #expect(errors[0].description.contains("udp 127.0.0.1:5060"))
    }

    @Test func stoppingTwiceAndStartingTwiceDoNoHarm() throws {
        let site = try testSite(folder)
        let server = try EdgeServer.started(site)
        #expect(throws: EdgeServerError.alreadyStarted) { try server.start() }
        server.stop()
        server.stop()
        server.waitUntilStopped()
        // The next process finds everything free.
        try EdgeServer.started(site).stop()
    }
}
