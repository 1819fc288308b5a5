import CoreTypes
import Testing
import Tunnel

private let request = Array("OPTIONS sip:pbx.example SIP/2.0\r\n\r\n".utf8)

@Suite("TLS session")
struct TLSSessionTests {
    let pki: TestPKI
    init() throws { pki = try TestPKI.shared.get() }

    private func pair(
        name: String = "pbx.example", trust: TLSTrust? = nil, server: TestPKI.Identity? = nil,
        versions: ClosedRange<TLSVersion> = .tls12 ... .tls13, now: Instant? = nil
    ) throws -> TLSPair {
        try TLSPair(
            client: pki.clientContext(name, trust: trust, versions: versions), server: pki.serverContext(server), now: now ?? pki.now)
    }

    @Test("handshake, both versions, whole and byte by byte", arguments: TLSVersion.allCases, [Int.max, 1, 7])
    func handshake(version: TLSVersion, step: Int) throws {
        let pair = try pair(versions: version...version)
        pair.run(step: step)
        #expect(pair.isOpen)
        #expect(pair.client.peer?.version == (version == .tls13 ? "TLSv1.3" : "TLSv1.2"))
        #expect(pair.client.peer?.subject == "CN=pbx.example")
        #expect(pair.client.peer?.cipher.isEmpty == false)
        #expect(pair.server.peer?.certificate == nil)
        let days = (pair.client.peer?.notAfter ?? 0) - pki.now.unixSeconds
        #expect((29 * 86_400...30 * 86_400).contains(days))
        try pair.client.send(request)
        try pair.server.send(Array("SIP/2.0 200 OK\r\n\r\n".utf8))
        pair.run(step: step)
        #expect(pair.atServer == request)
        #expect(pair.atClient == Array("SIP/2.0 200 OK\r\n\r\n".utf8))
    }

    @Test("names a certificate is valid for", arguments: [
        "pbx.example", "PBX.Example", "pbx.example.", "a.wild.example", "192.0.2.1", "2001:db8::1", "[2001:db8::1]",
        "2001:0db8:0:0::0001",
    ])
    func goodNames(name: String) throws {
        let pair = try pair(name: name)
        pair.run()
        #expect(pair.isOpen)
    }

    @Test("names it is not valid for", arguments: [
        "pbx2.example", "example", "wild.example", "a.b.wild.example", "192.0.2.2", "2001:db8::2", "pbx.example.evil.example",
    ])
    func wrongNames(name: String) throws {
        let pair = try pair(name: name)
        pair.run()
        guard case .nameMismatch(expected: name, let facts) = pair.clientState.failure else {
            Issue.record("\(pair.clientState)")
            return
        }
        #expect(facts.names == "DNS:pbx.example, DNS:*.wild.example, IP Address:192.0.2.1, IP Address:2001:DB8:0:0:0:0:0:1")
        #expect(pair.serverState.failure == .refusedByPeer(.badCertificate))
        #expect(pair.atServer.isEmpty)
    }

    @Test("a certificate without alternative names is judged by its CN; an address is never")
    func commonName() throws {
        let good = try pair(name: "old.example", server: pki.plainServer)
        good.run()
        #expect(good.isOpen)
        let bad = try pair(name: "pbx.example", server: pki.plainServer)
        bad.run()
        #expect(bad.clientState.failure != nil)
    }

    @Test("authorities nobody named, and a certificate that vouches for itself")
    func unknownAuthority() throws {
        for (trust, server) in [(pki.otherAuthority.trust, pki.server), (pki.authority.trust, pki.selfSigned), (.system, pki.server)] {
            let pair = try pair(trust: trust, server: server)
            pair.run()
            guard case .unknownAuthority = pair.clientState.failure else {
                Issue.record("\(pair.clientState)")
                continue
            }
            #expect(pair.serverState.failure == .refusedByPeer(.unknownAuthority))
        }
    }

    @Test("intermediates in the chain, or themselves trusted; a pinned certificate")
    func chains() throws {
        for (trust, server) in [
            (pki.authority.trust, pki.chainedServer), (pki.intermediate.trust, pki.chainedServer), (pki.selfSigned.trust, pki.selfSigned),
            (pki.server.trust, pki.server),
        ] {
            let pair = try pair(trust: trust, server: server)
            pair.run()
            #expect(pair.isOpen)
        }
    }

    @Test("expired, and not yet valid by this machine's clock")
    func time() throws {
        let late = try pair(now: pki.now + .seconds(40 * 86_400))
        late.run()
        guard case .certificateExpired(let facts) = late.clientState.failure else {
            Issue.record("\(late.clientState)")
            return
        }
        #expect(facts.subject == "CN=pbx.example")
        #expect(late.serverState.failure == .refusedByPeer(.certificateExpired))

        let early = try pair(now: Instant(nanoseconds: 0))
        early.run()
        guard case .certificateNotYetValid(_, now: 0) = early.clientState.failure else {
            Issue.record("\(early.clientState)")
            return
        }
        #expect(early.clientState.failure?.description.contains("1970-01-01 00:00:00 UTC: check this machine's clock") == true)
    }

    @Test("a client certificate, where one is required", arguments: TLSVersion.allCases)
    func clientCertificate(version: TLSVersion) throws {
        let server = try pki.serverContext(clients: pki.authority.trust)
        let good = try TLSPair(
            client: pki.clientContext(identity: pki.client.tls, versions: version...version), server: server, now: pki.now)
        good.run()
        #expect(good.isOpen)
        #expect(good.server.peer?.subject == "CN=branch-01")

        let bare = try TLSPair(client: pki.clientContext(versions: version...version), server: server, now: pki.now)
        bare.run()
        #expect(bare.serverState.failure == .certificateMissing)
        let expected: TLSAlert = version == .tls13 ? .certificateRequired : .handshakeFailure
        #expect(bare.clientState.failure == .refusedByPeer(expected))

        let stranger = try TLSPair(
            client: pki.clientContext(identity: pki.strangerClient.tls, versions: version...version), server: server, now: pki.now)
        stranger.run()
        guard case .unknownAuthority = stranger.serverState.failure else {
            Issue.record("\(stranger.serverState)")
            return
        }
        #expect(stranger.clientState.failure == .refusedByPeer(.unknownAuthority))
    }

    @Test("ends that share no version")
    func versions() throws {
        let pair = try TLSPair(
            client: pki.clientContext(versions: .tls13 ... .tls13), server: pki.serverContext(versions: .tls12 ... .tls12), now: pki.now)
        pair.run()
        #expect(pair.serverState.failure == .protocolVersion)
        #expect(pair.clientState.failure == .refusedByPeer(.protocolVersion))
    }

    @Test("a peer that speaks TLS 1.1 at most is refused")
    func tls11() throws {
        let random = [UInt8](repeating: 7, count: 32)
        // RFC 4346 §7.4.1.2 and §7.4.1.3: version 3.2, no session, one cipher, no compression.
        let clientHello = [3, 2] + random + [0, 0, 2, 0xC0, 0x13, 1, 0]
        let serverHello = [3, 2] + random + [0, 0xC0, 0x13, 0]

        var client = try TLSSession(context: pki.clientContext(), now: pki.now)
        _ = client.takeOutput()
        client.receive(handshakeRecord(2, serverHello))
        #expect(client.state.failure == .protocolVersion)
        #expect(client.takeOutput().suffix(2) == [2, 70], "the alert protocol_version")

        var server = try TLSSession(context: pki.serverContext(), now: pki.now)
        server.receive(handshakeRecord(1, clientHello))
        #expect(server.state.failure == .protocolVersion)
        #expect(server.takeOutput().suffix(2) == [2, 70])
    }

    private func handshakeRecord(_ type: UInt8, _ body: [UInt8]) -> [UInt8] {
        [0x16, 3, 1, 0, UInt8(body.count + 4), type, 0, 0, UInt8(body.count)] + body
    }

    @Test("what is no TLS", arguments: [
        "SIP/2.0 400 Bad Request\r\n\r\n", "REGISTER sip:pbx.example SIP/2.0\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
        "\r\n\r\n\r\n\r\n", "\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}",
    ])
    func noTLS(text: String) throws {
        for context in [try pki.clientContext(), try pki.serverContext()] {
            var session = try TLSSession(context: context, now: pki.now)
            session.receive(Array(text.utf8))
            #expect(session.state.failure == .notTLS)
            #expect(session.takePlaintext().isEmpty)
        }
    }

    @Test("nothing is sent before the handshake is over, and nothing after the end")
    func notOpen() throws {
        let pair = try pair()
        #expect(throws: TLSError.notOpen) { try pair.client.send(request) }
        pair.run()
        #expect(pair.atServer.isEmpty)
        pair.client.close()
        #expect(throws: TLSError.notOpen) { try pair.client.send(request) }
        pair.run()
        #expect(pair.clientState == .closed(.here))
        #expect(pair.serverState == .closed(.byPeer))
        #expect(throws: TLSError.notOpen) { try pair.server.send(request) }
    }

    @Test("what came before close_notify is delivered with it; a later end of the transport changes nothing")
    func orderlyClose() throws {
        let pair = try pair()
        pair.run()
        try pair.client.send(request)
        pair.client.close()
        pair.run()
        #expect(pair.atServer == request)
        #expect(pair.serverState == .closed(.byPeer))
        pair.server.transportClosed()
        pair.client.transportClosed()
        #expect(pair.serverState == .closed(.byPeer))
        #expect(pair.clientState == .closed(.here))
    }

    @Test("an end of the transport without close_notify is a truncation")
    func truncation() throws {
        let pair = try pair()
        pair.run()
        try pair.client.send(request)
        let record = pair.client.takeOutput()
        pair.server.receive(Array(record.dropLast()))
        #expect(pair.server.takePlaintext().isEmpty)
        pair.server.transportClosed()
        #expect(pair.serverState.failure == .truncated)
        pair.server.receive(Array(record.suffix(1)))
        #expect(pair.server.takePlaintext().isEmpty)
    }

    @Test("the transport ends at every byte of the server's handshake")
    func cutAtEveryByte() throws {
        let clientContext = try pki.clientContext()
        let serverContext = try pki.serverContext()
        var cut = 0
        while true {
            let pair = try TLSPair(client: clientContext, server: serverContext, now: pki.now)
            pair.server.receive(pair.client.takeOutput())
            let flight = pair.server.takeOutput()
            guard cut < flight.count else { break }
            pair.client.receive(Array(flight.prefix(cut)))
            if pair.clientState == .handshaking {
                pair.client.transportClosed()
                #expect(pair.clientState.failure == .closedDuringHandshake)
            } else {
                // The Finished was there; what is missing may only be session tickets.
                #expect(pair.clientState == .open)
            }
            #expect(pair.client.takePlaintext().isEmpty)
            cut += 1
        }
        #expect(cut > 500)
    }

    @Test("a megabyte each way at once, in odd pieces", arguments: TLSVersion.allCases)
    func megabyte(version: TLSVersion) throws {
        let pair = try pair(versions: version...version)
        pair.run()
        let one = (0..<1_048_576).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let other = (0..<1_048_577).map { UInt8(truncatingIfNeeded: $0 &* 17) }
        try pair.client.send(one)
        try pair.server.send(other)
        pair.run(step: 9973)
        #expect(pair.atServer == one)
        #expect(pair.atClient == other)
        try pair.client.send(request)
        pair.run()
        #expect(pair.atServer.count == one.count + request.count)
    }

    @Test("messages given together share a record; a large one is cut at 16 KiB")
    func records() throws {
        let pair = try pair()
        pair.run()
        try pair.client.send([request, request, request])
        let together = pair.client.takeOutput()
        #expect(recordCount(together) == 1)
        pair.server.receive(together)
        #expect(pair.server.plaintextCount == 3 * request.count)
        #expect(pair.server.takePlaintext() == request + request + request)
        try pair.client.send([[UInt8]]())
        #expect(pair.client.outputCount == 0)
        try pair.client.send([UInt8](repeating: 1, count: 40_000))
        #expect(recordCount(pair.client.takeOutput()) == 3)
    }

    private func recordCount(_ bytes: [UInt8]) -> Int {
        var count = 0
        var place = 0
        while place + 5 <= bytes.count {
            place += 5 + Int(bytes[place + 3]) * 256 + Int(bytes[place + 4])
            count += 1
        }
        return count
    }

    @Test("output taken in small pieces is the same")
    func smallReads() throws {
        let pair = try pair()
        pair.run()
        try pair.client.send(request)
        var taken: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 10)
        while true {
            let count = buffer.withUnsafeMutableBytes { pair.client.readOutput(into: $0) }
            guard count > 0 else { break }
            taken += buffer.prefix(count)
        }
        pair.server.receive(taken)
        #expect(pair.server.takePlaintext() == request)
    }
}
