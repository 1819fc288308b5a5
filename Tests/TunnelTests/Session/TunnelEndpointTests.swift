import CoreTypes
import Testing
import Tunnel

private let headendAddress = Endpoint(address: IPAddress(v4: 0xC000_0264), port: 5090)
private let edgeAddress = Endpoint(address: IPAddress(v4: 0xC633_6401), port: 40_000)

/// A session with true TLS and DTLS.
final class CryptoNode: SimulatedNode {
    private var endpoint: TunnelEndpoint
    private let side: SimulatedSide
    private let context: TLSContext
    private var door: TunnelDoor?
    /// Ciphertext that could be read by somebody on the way.
    private(set) var seen: [UInt8] = []

    init(_ side: SimulatedSide, _ pki: TestPKI) throws {
        self.side = side
        let token = side == .headend ? SessionToken(bytes: [UInt8](repeating: 0xA5, count: 16)) : nil
        endpoint = try TunnelEndpoint(session: TunnelSession(role: side == .edge ? .edge : .headend, token: token))
        context = side == .edge
            ? try pki.clientContext(identity: pki.client.tls, versions: .tls13 ... .tls13)
            : try pki.serverContext(clients: pki.authority.trust, versions: .tls13 ... .tls13)
    }

    var nextDeadline: Instant? { endpoint.nextDeadline }
    var status: TunnelStatus { endpoint.session.status }

    func connected(_ now: Instant) -> [NodeOutput] {
        do {
            switch side {
            case .edge: return map(endpoint.attach(try TLSSession(context: context, now: now), to: headendAddress, now: now))
            case .headend:
                door = try TunnelDoor(context: context, now: now)
                return []
            }
        } catch {
            Issue.record("\(error)")
            return []
        }
    }

    func streamEnded(_ now: Instant) -> [NodeOutput] {
        door = nil
        return map(endpoint.handle(.streamEnded, now: now))
    }

    func streamArrived(_ bytes: [UInt8], _ now: Instant) -> [NodeOutput] {
        guard var waiting = door.take() else { return map(endpoint.handle(.streamBytes(bytes), now: now)) }
        let answer = waiting.receive(bytes)
        var outputs: [NodeOutput] = answer.isEmpty ? [] : [.stream(answer)]
        switch waiting.state {
        case .waiting: door = consume waiting
        case .greeted(let hello, let rest):
            outputs += map(endpoint.attach(waiting.intoStream(), hello: hello, rest: rest, now: now))
        case .failed, .tlsFailed, .enrolling: outputs.append(.close)
        }
        return outputs
    }

    func datagramArrived(_ bytes: [UInt8], _ now: Instant) -> [NodeOutput] {
        map(endpoint.receive(datagram: bytes, from: side == .edge ? headendAddress : edgeAddress, now: now))
    }

    func command(_ event: TunnelSession.Event, _ now: Instant) -> [NodeOutput] { map(endpoint.handle(.session(event), now: now)) }
    func tick(_ now: Instant) -> [NodeOutput] { map(endpoint.handle(.tick, now: now)) }

    private func map(_ outputs: [TunnelEndpoint.Output]) -> [NodeOutput] {
        outputs.flatMap { output -> [NodeOutput] in
            switch output {
            case .sendStream(let bytes): return [.stream(bytes)]
            case .sendDatagrams(let batch, to: _):
                if seen.count < 100_000 { seen += batch.bytes }
                return batch.datagrams.map { .datagram($0) }
            case .closeStream, .streamFailed: return [.close]
            case .session(let action): return [.app(action)]
            }
        }
    }
}

@Suite("Tunnel endpoints with TLS and DTLS on a bad line")
struct TunnelEndpointTests {
    let pki: TestPKI
    init() throws { pki = try TestPKI.shared.get() }

    private func calls(_ line: SimulatedLine, seed: UInt64) throws -> SimulatedCalls {
        let world = SimulatedWorld(line: line, seed: seed, start: pki.now)
        world.nodes = [try CryptoNode(.edge, pki), try CryptoNode(.headend, pki)]
        return SimulatedCalls(world)
    }

    @Test("calls over both lanes", arguments: [0, 10, 50])
    func calls(loss: Int) throws {
        var line = SimulatedLine()
        line.loss = loss
        let calls = try calls(line, seed: 7)
        calls.world.run(until: .seconds(15))
        calls.isTalking = false
        calls.world.run(until: .seconds(20))
        calls.expectSignalsWhole()
        for side in SimulatedSide.allCases {
            #expect(calls.world.node(side).status.streams.allSatisfy { $0.sending == .datagram })
            #expect(calls.loss(at: side, in: .seconds(6)..<Duration.seconds(15)) <= loss + 40)
        }
    }

    @Test("a cut of ten seconds: resumed, and a new lane with a new key replaces the old one without a gap")
    func cut() throws {
        var line = SimulatedLine()
        line.cuts = [Duration.seconds(6)..<Duration.seconds(16)]
        let calls = try calls(line, seed: 3)
        calls.world.run(until: .seconds(32))
        calls.isTalking = false
        calls.world.run(until: .seconds(36))
        calls.expectSignalsWhole()
        #expect(calls.lostStreams == 0 && calls.ups(.edge).last?.1 == true)
        for side in SimulatedSide.allCases {
            #expect(calls.world.node(side).status.isLaneOpen)
            #expect(calls.longestGap(at: side, in: .seconds(17)..<Duration.seconds(32)) <= .milliseconds(100))
        }
    }

    @Test("UDP blocked in mid-call and back")
    func blocked() throws {
        var line = SimulatedLine()
        line.blocked = [Duration.seconds(5)..<Duration.seconds(12)]
        let calls = try calls(line, seed: 4)
        calls.world.run(until: .seconds(25))
        calls.isTalking = false
        calls.world.run(until: .seconds(28))
        calls.expectSignalsWhole()
        for side in SimulatedSide.allCases {
            #expect(calls.longestGap(at: side, in: .seconds(4)..<Duration.seconds(25)) <= .milliseconds(100))
            #expect(calls.world.node(side).status.streams.allSatisfy { $0.sending == .datagram })
        }
    }

    @Test("a datagram from anywhere, before and after there is a stream, opens nothing")
    func noLaneWithoutStream() throws {
        let node = try CryptoNode(.headend, pki)
        let key = LaneKey(token: SessionToken(bytes: [UInt8](repeating: 0xA5, count: 16)).unsafelyUnwrapped, secret: Personal([1]))
        var stranger = try DTLSSession(context: DTLSContext(role: .client), key: key, now: pki.now)
        for datagram in stranger.takeOutput().datagrams { #expect(node.datagramArrived(datagram, pki.now).isEmpty) }
        #expect(node.nextDeadline == nil)
    }
}
