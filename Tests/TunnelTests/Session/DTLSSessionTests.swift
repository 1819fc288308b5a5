import CoreTypes
import Testing
@testable import Tunnel

/// Two ends of a lane in memory and in virtual time.
final class LanePair {
    var client: DTLSSession
    var server: DTLSSession
    var now = Instant(nanoseconds: 0)
    var atClient: [[UInt8]] = []
    var atServer: [[UInt8]] = []
    /// Numbers of datagrams that vanish, counted over both ways.
    var lost: Set<Int> = []
    var count = 0

    init(client key: LaneKey, server other: LaneKey, mtu: Int = 1400) throws {
        var settings = DTLSSession.Settings()
        settings.mtu = mtu
        client = try DTLSSession(context: DTLSContext(role: .client), key: key, settings: settings, now: now)
        server = try DTLSSession(context: DTLSContext(role: .server), key: other, settings: settings, now: now)
    }

    var isOpen: Bool { client.state == .open && server.state == .open }

    /// Carries datagrams, and lets timers run while nothing is under way.
    func run(until limit: Duration = .seconds(10), alter: (inout [UInt8]) -> Void = { _ in }) {
        for _ in 0..<1000 {
            let moved = step(alter)
            guard !moved else { continue }
            guard let next = [client.nextDeadline, server.nextDeadline].compactMap({ $0 }).min(), next - Instant(nanoseconds: 0) <= limit else { return }
            now = max(now, next)
            client.tick(now: now)
            server.tick(now: now)
        }
        Issue.record("the two never come to rest")
    }

    private func step(_ alter: (inout [UInt8]) -> Void) -> Bool {
        let up = client.takeOutput().datagrams
        let down = server.takeOutput().datagrams
        for datagram in carried(up, alter) { server.receive(datagram, now: now) }
        for datagram in carried(down, alter) { client.receive(datagram, now: now) }
        atServer += server.payloads()
        atClient += client.payloads()
        return !up.isEmpty || !down.isEmpty
    }

    private func carried(_ datagrams: [[UInt8]], _ alter: (inout [UInt8]) -> Void) -> [[UInt8]] {
        datagrams.compactMap { datagram in
            defer { count += 1 }
            guard !lost.contains(count) else { return nil }
            var changed = datagram
            alter(&changed)
            return changed
        }
    }
}

extension DTLSSession {
    /// The payloads that came, each by itself.
    mutating func payloads() -> [[UInt8]] {
        var batch = DatagramBatch()
        takePayloads(into: &batch)
        return batch.datagrams
    }
}

@Suite("DTLS lane")
struct DTLSSessionTests {
    private let key = LaneKey(token: token, secret: Personal([UInt8](repeating: 7, count: 32)))

    @Test("a handshake in one datagram a flight, payloads both ways", arguments: [576 - 28, 1400])
    func handshake(mtu: Int) throws {
        let pair = try LanePair(client: key, server: key, mtu: mtu)
        pair.run()
        #expect(pair.isOpen && pair.count <= 6)
        #expect(pair.client.nextDeadline == nil && pair.server.nextDeadline == nil)
        let largest = [UInt8](repeating: 1, count: mtu - DTLSSession.overhead)
        try pair.client.send(largest)
        try pair.server.send([2])
        pair.run { #expect($0.count <= mtu) }
        #expect(pair.atServer == [largest] && pair.atClient == [[2]])
        #expect(throws: TLSError.self) { try pair.client.send(largest + [1]) }
        #expect(pair.client.state == .open)
    }

    @Test("any one or two datagrams of the handshake may be lost", arguments: 0..<6)
    func lossyHandshake(first: Int) throws {
        for second in first..<7 {
            let pair = try LanePair(client: key, server: key)
            pair.lost = [first, second]
            pair.run()
            #expect(pair.isOpen, "\(first) \(second)")
            #expect(pair.now - Instant(nanoseconds: 0) < .seconds(3))
        }
    }

    @Test("nobody there: given up after five seconds")
    func silence() throws {
        let pair = try LanePair(client: key, server: key)
        pair.lost = Set(0..<1000)
        pair.run()
        #expect(pair.client.state == .closed(.failed(.closedDuringHandshake)))
        #expect(pair.now - Instant(nanoseconds: 0) == .seconds(5))
    }

    @Test("another key, or another session's token: no lane")
    func wrongKey() throws {
        let otherSecret = LaneKey(token: token, secret: Personal([UInt8](repeating: 8, count: 32)))
        let otherToken = LaneKey(token: SessionToken(bytes: [UInt8](repeating: 9, count: 16)).unsafelyUnwrapped, secret: key.secret)
        for other in [otherSecret, otherToken] {
            let pair = try LanePair(client: other, server: key)
            pair.run()
            #expect(pair.client.state != .open && pair.server.state != .open)
        }
    }

    @Test("a datagram played again, damaged or forged is not read, and the lane stays open")
    func replay() throws {
        let pair = try LanePair(client: key, server: key)
        pair.run()
        var dice = SeededRandom(state: 5)
        for number in UInt8(0)..<200 {
            try pair.client.send([number])
            let datagrams = pair.client.takeOutput().datagrams
            for var datagram in datagrams {
                pair.server.receive(datagram, now: pair.now)
                pair.server.receive(datagram, now: pair.now)
                TLSMutationTests.Damage.allCases.randomElement(using: &dice)?.apply(to: &datagram, &dice)
                pair.server.receive(datagram, now: pair.now)
                pair.server.receive([UInt8](repeating: number, count: Int(number)), now: pair.now)
            }
            _ = pair.server.takeOutput()
            #expect(pair.server.payloads() == [[number]])
        }
        #expect(pair.server.state == .open)
    }

    @Test("damaged handshakes never trap and never open a lane that reads something else", arguments: UInt64(1)...60)
    func damage(seed: UInt64) throws {
        var dice = SeededRandom(state: seed)
        let pair = try LanePair(client: key, server: key)
        pair.run(until: .seconds(4)) { bytes in
            guard Int.random(in: 0..<3, using: &dice) == 0 else { return }
            TLSMutationTests.Damage.allCases.randomElement(using: &dice)?.apply(to: &bytes, &dice)
        }
        if pair.client.state == .open { try? pair.client.send([1, 2, 3]) }
        pair.run(until: .seconds(5))
        #expect(pair.atServer.isEmpty || pair.atServer == [[1, 2, 3]])
    }

    @Test("the first datagram names its session; cut or altered, it names none or another")
    func greeting() throws {
        let pair = try LanePair(client: key, server: key)
        let hello = pair.client.takeOutput().datagrams[0]
        #expect(laneToken(inFirst: hello) == token)
        for count in 0..<hello.count { _ = laneToken(inFirst: Array(hello.prefix(count))) }
        var dice = SeededRandom(state: 1)
        for _ in 0..<5000 {
            var bytes = hello
            TLSMutationTests.Damage.allCases.randomElement(using: &dice)?.apply(to: &bytes, &dice)
            _ = laneToken(inFirst: bytes)
        }
    }

    @Test("both ends of a stream take the same key from it, another stream or token gives another")
    func exporter() throws {
        let pki = try TestPKI.shared.get()
        let pairs = try (0..<2).map { _ in try TLSPair(client: pki.clientContext(versions: .tls13 ... .tls13), server: pki.serverContext(), now: pki.now) }
        for pair in pairs { pair.run() }
        let one = try pairs[0].client.laneKey(for: token)
        #expect(try one == pairs[0].server.laneKey(for: token))
        #expect(try one.secret != pairs[1].client.laneKey(for: token).secret)
        let other = SessionToken(bytes: [UInt8](repeating: 9, count: 16)).unsafelyUnwrapped
        #expect(try one.secret != pairs[0].client.laneKey(for: other).secret)
        #expect("\(one)".contains("<personal>"))
    }
}
