import CoreTypes
import Testing
import Tunnel

/// Damage on the way must never trap, and never let anything be read that the other end did not write.
@Suite("TLS under damage")
struct TLSMutationTests {
    let pki: TestPKI
    init() throws { pki = try TestPKI.shared.get() }

    enum Damage: CaseIterable { case bit, byte, removed, inserted, cut, swapped, noise }

    @Test("damaged handshakes", arguments: Damage.allCases, TLSVersion.allCases)
    func handshake(damage: Damage, version: TLSVersion) throws {
        let client = try pki.clientContext(versions: version...version)
        let server = try pki.serverContext()
        let secret = Array("PIN 4711".utf8)
        var survived = 0
        for seed in UInt64(1)...60 {
            var dice = SeededRandom(state: seed &* 0x9E37_79B9)
            let pair = try TLSPair(client: client, server: server, now: pki.now)
            let target = Int.random(in: 0..<3, using: &dice)
            var flight = 0
            pair.run { bytes in
                guard !bytes.isEmpty else { return }
                defer { flight += 1 }
                guard flight == target else { return }
                damage.apply(to: &bytes, &dice)
            }
            if pair.clientState == .open { try? pair.client.send(secret) }
            if pair.serverState == .open { try? pair.server.send(secret) }
            pair.run()
            #expect(pair.atClient.isEmpty || pair.atClient == secret)
            #expect(pair.atServer.isEmpty || pair.atServer == secret)
            if !pair.atServer.isEmpty { survived += 1 }
        }
        // The record header's version is protected by nothing, and a byte may be replaced by itself.
        #expect(survived <= 6)
    }

    @Test("damaged application data is not read, and ends the connection", arguments: TLSVersion.allCases)
    func applicationData(version: TLSVersion) throws {
        let client = try pki.clientContext(versions: version...version)
        let server = try pki.serverContext()
        let secret = Array("MESSAGE sip:100@pbx.example SIP/2.0\r\n\r\n".utf8)
        for seed in UInt64(1)...60 {
            var dice = SeededRandom(state: seed)
            let pair = try TLSPair(client: client, server: server, now: pki.now)
            pair.run()
            try pair.client.send(secret)
            var record = pair.client.takeOutput()
            // Behind the record's header, so that the damage is to what is protected.
            let place = Int.random(in: 5..<record.count, using: &dice)
            record[place] ^= 1 << UInt8.random(in: 0..<8, using: &dice)
            pair.server.receive(record)
            #expect(pair.server.takePlaintext().isEmpty)
            guard case .corrupted = pair.serverState.failure else {
                Issue.record("\(pair.serverState)")
                continue
            }
            pair.run()
            #expect(pair.clientState.failure != nil)
        }
    }

    @Test("a record played again, left out or out of order is not read")
    func replay() throws {
        for order in [[0, 0], [1], [1, 0]] {
            let pair = try TLSPair(client: pki.clientContext(), server: pki.serverContext(), now: pki.now)
            pair.run()
            var records: [[UInt8]] = []
            for text in ["one", "two"] {
                try pair.client.send(Array(text.utf8))
                records.append(pair.client.takeOutput())
            }
            for place in order { pair.server.receive(records[place]) }
            #expect(pair.server.takePlaintext() == (order[0] == 0 ? Array("one".utf8) : []))
            #expect(pair.serverState.failure != nil)
        }
    }
}

extension TLSMutationTests.Damage {
    func apply(to bytes: inout [UInt8], _ dice: inout SeededRandom) {
        guard !bytes.isEmpty else { return }
        let place = Int.random(in: 0..<bytes.count, using: &dice)
        switch self {
        case .bit: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &dice)
        case .byte: bytes[place] = UInt8.random(in: 0...255, using: &dice)
        case .removed: bytes.remove(at: place)
        case .inserted: bytes.insert(UInt8.random(in: 0...255, using: &dice), at: place)
        case .cut: bytes.removeLast(bytes.count - place)
        case .swapped: bytes.swapAt(place, Int.random(in: 0..<bytes.count, using: &dice))
        case .noise: bytes = bytes.map { _ in UInt8.random(in: 0...255, using: &dice) }
        }
    }
}
