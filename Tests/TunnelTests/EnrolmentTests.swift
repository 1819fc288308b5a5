import CoreTypes
import Testing
import Tunnel

@Suite("Enrolment and certificates")
struct EnrolmentTests {
    private let now = Instant(nanoseconds: 1_800_000_000_000_000_000)
    private let token = TunnelEnrolment.Token(secret: Array(1...16))
    private let secret = [UInt8](repeating: 7, count: 32)

    @Test("a token survives being written and read, in either case and with spaces")
    func text() {
        #expect(TunnelEnrolment.Token(token.text) == token)
        #expect(TunnelEnrolment.Token(token.text.uppercased().replacing("-", with: " ")) == token)
        for bad in ["", "0102", token.text + "00", token.text.replacing("0", with: "x")] { #expect(TunnelEnrolment.Token(bad) == nil) }
    }

    @Test("each end proves the token on this connection; another connection, token or request does not fit")
    func proofs() throws {
        let asked = TunnelEnrolment.request(token, exported: secret, certificateRequest: [1, 2, 3])
        for cut in 0..<asked.count { #expect(TunnelEnrolment.readRequest(Array(asked.prefix(cut))) == .needMore) }
        guard case .value(let request) = TunnelEnrolment.readRequest(asked) else { throw CancellationError() }
        #expect(TunnelEnrolment.proves(request, token, exported: secret))
        #expect(!TunnelEnrolment.proves(request, token, exported: [UInt8](repeating: 8, count: 32)))
        #expect(!TunnelEnrolment.proves(request, TunnelEnrolment.Token(secret: Array(2...17)), exported: secret))
        var changed = request
        changed.certificateRequest = [1, 2, 4]
        #expect(!TunnelEnrolment.proves(changed, token, exported: secret))
        let answer = TunnelEnrolment.Answer(site: "branch-01", chain: [9, 9])
        let bytes = TunnelEnrolment.answer(answer, token, exported: secret)
        #expect(TunnelEnrolment.readAnswer(bytes, token, exported: secret) == .value(answer))
        #expect(TunnelEnrolment.readAnswer(bytes, token, exported: [UInt8](repeating: 8, count: 32)) == .broken)
        for place in 3..<bytes.count {
            var damaged = bytes
            damaged[place] ^= 1
            #expect(TunnelEnrolment.readAnswer(damaged, token, exported: secret) == .broken)
        }
    }

    @Test("a site's certificate bears the name the headend gives it, whatever the request says, and is trusted by its authority")
    func signing() throws {
        let authority = try CertificateAuthority(name: "test", key: try PrivateKey(), now: now)
        let server = try PrivateKey()
        let serverChain = try authority.sign(server, as: .headend(names: ["DNS:headend.example"]), from: now, days: 30)
        let key = try PrivateKey()
        let chain = try authority.sign(request: try key.request(commonName: "someone else"), as: .site("branch-01"), from: now, days: 10)
        let facts = try CertificateFacts.reading(.text(Personal(chain)))
        #expect(facts.siteName == "branch-01" && facts.notBefore == now.unixSeconds && facts.notAfter == now.unixSeconds + 864_000)
        let trust = TLSTrust.certificates([.text(Personal(authority.certificatePEM))])
        func pair(_ days: Int64, name: String = "headend.example") throws -> TLSPair {
            try TLSPair(
                client: TLSContext(
                    TLSConfiguration(
                        role: .client(serverName: name, trust: trust),
                        identity: TLSIdentity(certificateChain: .text(Personal(chain)), privateKey: .text(key.pem)))),
                server: TLSContext(
                    TLSConfiguration(
                        role: .server(clients: trust),
                        identity: TLSIdentity(certificateChain: .text(Personal(serverChain)), privateKey: .text(server.pem)))),
                now: now + .seconds(60 + days * 86_400))
        }
        // In time; a year back or ahead of it; past the site's own; another name.
        let cases: [(Int64, String, Bool)] = [
            (0, "headend.example", true), (-365, "headend.example", false), (365, "headend.example", false), (11, "headend.example", false),
            (0, "other.example", false),
        ]
        for (days, name, works) in cases {
            let both = try pair(days, name: name)
            both.run()
            #expect(both.isOpen == works, "\(days) days, \(name)")
        }
    }

    @Test("a request that is not signed by its own key, and any other bytes, get nothing")
    func badRequests() throws {
        let authority = try CertificateAuthority(name: "test", key: try PrivateKey(), now: now)
        let good = try PrivateKey().request(commonName: "a")
        var damaged = good
        damaged[damaged.count - 1] ^= 1
        for bytes in [[], [0x30], damaged, Array(good.dropLast(4)), [UInt8](repeating: 0x30, count: 300)] {
            #expect(throws: TLSError.self) { try authority.sign(request: bytes, as: .site("a"), from: now, days: 1) }
        }
    }
}
