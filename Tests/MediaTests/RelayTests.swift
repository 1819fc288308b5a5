import CoreTypes
import Media
import MediaRelay
import Testing

@Suite(.everyWay) struct RelayTests {
    static let id = MediaSessionID(rawValue: 1)
    static let report: [UInt8] = [0x80, 201, 0, 1, 1, 2, 3, 4]

    private static func received(_ peer: Peer, _ count: Int, _ bench: RelayBench) async throws -> [(bytes: [UInt8], from: Endpoint)] {
        var all: [(bytes: [UInt8], from: Endpoint)] = []
        try await bench.wait(for: "\(count) packets") {
            all += peer.received()
            return all.count >= count
        }
        return all
    }

    @Test(arguments: [IPAddress.loopback, IPAddress(v6High: 0, low: 1)])
    func mediaGoesBothWays(address: IPAddress) async throws {
        let bench = try RelayBench(address: address)
        let ports = try await bench.reserve(2, address.family)
        #expect(ports.allSatisfy { $0.rtp % 2 == 0 && bench.ports.contains($0.rtcp) })
        let phone = try Peer(address)
        let pbx = try Peer(address)
        bench.loop.perform(.relay(Self.id, phone.leg(ports[0]), pbx.leg(ports[1])))
        try await bench.settle()

        let sent = (0..<50).map { phone.send([UInt8(truncatingIfNeeded: $0), 2, 3], to: ports[0]) }
        let heard = try await Self.received(pbx, 50, bench)
        #expect(heard.map(\.bytes) == sent)
        #expect(heard.allSatisfy { $0.from == Endpoint(address: address, port: ports[1].rtp) })
        let back = pbx.send([9], to: ports[1])
        #expect(try await Self.received(phone, 1, bench).map(\.bytes) == [back])
        #expect(bench.recorder.events.contains(.sourceLocked(Self.id, leg: 0, phone.endpoint)))
        #expect(bench.recorder.events.contains(.sourceLocked(Self.id, leg: 1, pbx.endpoint)))
        try await bench.wait(for: "counters") { bench.loop.counters.forwarded == 51 }
    }

    /// The process before had the ports, and one far end was behind a NAT: media go both ways before it has spoken twice.
    @Test func aRelayOfTheProcessBeforeIsTakenUp() async throws {
        let before = try RelayBench()
        let old = try await before.reserve(2)
        before.loop.stop()
        let bench = try RelayBench(ports: before.ports)
        let phone = try Peer()
        let pbx = try Peer(source: 77)
        var signalled = phone.leg(old[0])
        signalled.remote = Endpoint(address: .otherLoopback, port: 9)
        bench.loop.perform([
            .restore(Self.id, signalled, pbx.leg(old[1]), sources: [phone.endpoint, nil]), .reserve(count: 1, family: .v4),
        ])
        try await bench.wait(for: "the ports") { bench.recorder.events.contains { if case .portsReady = $0 { true } else { false } } }
        guard case .restored(Self.id, let ports)? = bench.recorder.events.first else {
            Issue.record("not taken up: \(bench.recorder.events)")
            return
        }
        #expect(ports.map(\.rtp) == old.map(\.rtp) && !bench.recorder.announced.contains { ports.map(\.rtp).contains($0.rtp) })
        let down = pbx.send([9], to: ports[1])
        #expect(try await Self.received(phone, 1, bench).map(\.bytes) == [down])
        let up = phone.send([8], to: ports[0])
        #expect(try await Self.received(pbx, 1, bench).map(\.bytes) == [up])
    }

    @Test func aRelayWhosePortsAreTakenIsNotTakenUp() async throws {
        let holder = try RelayBench()
        let held = try await holder.reserve(2)
        let bench = try RelayBench(ports: holder.ports)
        let phone = try Peer()
        bench.loop.perform(.restore(Self.id, phone.leg(held[0]), phone.leg(held[1]), sources: [nil, nil]))
        try await bench.wait(for: "the answer") { bench.recorder.events == [.restored(Self.id, [])] }
    }

    @Test func controlIsRelayedOnceTheSourceIsKnown() async throws {
        let bench = try RelayBench()
        let ports = try await bench.reserve(2)
        let phone = try Peer()
        let pbx = try Peer()
        bench.loop.perform(.relay(Self.id, phone.leg(ports[0]), pbx.leg(ports[1])))
        try await bench.settle()
        phone.sendControl(Self.report, to: ports[0])
        try await bench.wait(for: "early control") { bench.loop.counters.dropped(.earlyControl) == 1 }
        phone.send([1], to: ports[0])
        _ = try await Self.received(pbx, 1, bench)
        // A BYE alone is no compound packet.
        phone.sendControl([0x81, 203, 0, 1, 1, 2, 3, 4], to: ports[0])
        phone.sendControl(Self.report, to: ports[0])
        var heard: [[UInt8]] = []
        try await bench.wait(for: "a report") {
            heard += pbx.receivedControl().map(\.bytes)
            return !heard.isEmpty
        }
        #expect(heard == [Self.report])
        #expect(bench.loop.counters.dropped(.notRTCP) == 1)
    }

    @Test func aThirdHostIsNeverForwarded() async throws {
        let bench = try RelayBench()
        let ports = try await bench.reserve(2)
        let phone = try Peer()
        let pbx = try Peer()
        let stranger = try Peer(.otherLoopback)
        bench.loop.perform(.relay(Self.id, phone.leg(ports[0]), pbx.leg(ports[1])))
        try await bench.settle()
        let first = phone.send([1], to: ports[0])
        #expect(try await Self.received(pbx, 1, bench).map(\.bytes) == [first])
        for _ in 0..<100 { stranger.send([6, 6, 6], to: ports[0]) }
        for _ in 0..<10 { stranger.sendRaw([0x80, 0, 1], to: ports[0]) }
        for _ in 0..<10 { stranger.sendRaw([UInt8](repeating: 0x16, count: 200), to: ports[0]) }
        let last = phone.send([2], to: ports[0])
        #expect(try await Self.received(pbx, 1, bench).map(\.bytes) == [last])
        try await bench.wait(for: "drops") {
            bench.loop.counters.dropped(.foreign) == 100 && bench.loop.counters.dropped(.size) == 10
                && bench.loop.counters.dropped(.notRTP) == 10
        }
        #expect(pbx.received().isEmpty)
    }

    @Test func aSprayOverTheRangeReachesNobody() async throws {
        let bench = try RelayBench(pairs: 20)
        let ports = try await bench.reserve(20 - 2)
        let phone = try Peer()
        let pbx = try Peer()
        let stranger = try Peer(.otherLoopback)
        bench.loop.perform(.relay(Self.id, phone.leg(ports[3]), pbx.leg(ports[4])))
        try await bench.settle()
        for pair in ports {
            stranger.send([6], to: pair)
            stranger.sendControl(Self.report, to: pair)
        }
        let sent = phone.send([1], to: ports[3])
        #expect(try await Self.received(pbx, 1, bench).map(\.bytes) == [sent])
        try await bench.wait(for: "drops") {
            bench.loop.counters.dropped(.idlePort) == UInt64(2 * (ports.count - 2)) && [.foreign, .probation, .earlyControl].reduce(0) { $0 + bench.loop.counters.dropped($1) } == 4
        }
        #expect(pbx.received().isEmpty && phone.received().isEmpty)
        #expect(pbx.receivedControl().isEmpty && phone.receivedControl().isEmpty)
    }

    @Test func behindNATMediaGoesToWhereItComesFrom() async throws {
        let bench = try RelayBench()
        let ports = try await bench.reserve(2)
        let phone = try Peer()
        let elsewhere = try Peer(.otherLoopback)
        let pbx = try Peer()
        var leg = elsewhere.leg(ports[0])
        leg.signallingSource = .loopback
        bench.loop.perform(.relay(Self.id, leg, pbx.leg(ports[1])))
        try await bench.settle()
        pbx.send([1], to: ports[1])
        #expect(try await Self.received(elsewhere, 1, bench).count == 1)
        phone.send([2], to: ports[0])
        let second = phone.send([3], to: ports[0])
        #expect(try await Self.received(pbx, 1, bench).map(\.bytes) == [second])
        let answer = pbx.send([4], to: ports[1])
        #expect(try await Self.received(phone, 1, bench).map(\.bytes) == [answer])
    }

    @Test func reInviteMovesALeg() async throws {
        let bench = try RelayBench()
        let ports = try await bench.reserve(2)
        let phone = try Peer()
        let moved = try Peer()
        let pbx = try Peer()
        bench.loop.perform(.relay(Self.id, phone.leg(ports[0]), pbx.leg(ports[1])))
        try await bench.settle()
        phone.send([1], to: ports[0])
        pbx.send([1], to: ports[1])
        _ = try await Self.received(pbx, 1, bench)
        _ = try await Self.received(phone, 1, bench)
        bench.loop.perform(.relay(Self.id, moved.leg(ports[0]), pbx.leg(ports[1])))
        try await bench.settle()
        pbx.send([2], to: ports[1])
        _ = try await Self.received(moved, 1, bench)
        let fresh = moved.send([3], to: ports[0])
        #expect(try await Self.received(pbx, 1, bench).map(\.bytes) == [fresh])
        phone.send([4], to: ports[0])
        try await bench.wait(for: "the old place to be foreign") { bench.loop.counters.dropped(.foreign) == 1 }
        #expect(phone.received().isEmpty)
        // The PBX's leg did not move: its lock was kept.
        let locks = bench.recorder.events.filter { $0 == .sourceLocked(Self.id, leg: 1, pbx.endpoint) }
        #expect(locks.count == 1)
    }

    @Test func telephoneEventIsRenumbered() async throws {
        let bench = try RelayBench()
        let ports = try await bench.reserve(2)
        let phone = try Peer()
        let pbx = try Peer()
        bench.loop.perform(.relay(Self.id, phone.leg(ports[0], telephoneEvent: 96), pbx.leg(ports[1], telephoneEvent: 101)))
        try await bench.settle()
        phone.send([5, 0, 0, 160], type: 96, to: ports[0])
        phone.send([5], type: 0, to: ports[0])
        let heard = try await Self.received(pbx, 2, bench)
        #expect(heard.map { $0.bytes[1] & 0x7F } == [101, 0])
        pbx.send([5, 0, 0, 160], type: 101, to: ports[1])
        #expect(try await Self.received(phone, 1, bench).map { $0.bytes[1] & 0x7F } == [96])
    }

    @Test func secretsAreMarkedForTheTap() async throws {
        let bench = try RelayBench()
        let ports = try await bench.reserve(2)
        let phone = try Peer()
        let pbx = try Peer()
        bench.loop.perform(.relay(Self.id, phone.leg(ports[0], telephoneEvent: 96), pbx.leg(ports[1], telephoneEvent: 101)))
        try await bench.settle()
        phone.send([1], to: ports[0])
        _ = try await Self.received(pbx, 1, bench)
        bench.loop.perform(.sensitive(Self.id, true))
        try await bench.settle()
        phone.send([2], to: ports[0])
        phone.send([5, 0, 0, 160], type: 96, to: ports[0])
        _ = try await Self.received(pbx, 2, bench)
        bench.loop.perform(.sensitive(Self.id, false))
        try await bench.settle()
        phone.send([3], to: ports[0])
        _ = try await Self.received(pbx, 1, bench)
        let tapped = bench.recorder.tapped
        #expect(tapped.map(\.kind) == [
            .plain, .plain, .sensitiveAudio, .sensitiveAudio, .sensitiveEvent(payloadType: 96), .sensitiveEvent(payloadType: 101),
            .plain, .plain,
        ])
        #expect(tapped.prefix(2).map(\.from) == [phone.endpoint, Endpoint(address: .loopback, port: ports[1].rtp)])
        #expect(tapped.prefix(2).map(\.to) == [Endpoint(address: .loopback, port: ports[0].rtp), pbx.endpoint])
    }

    @Test(arguments: [
        Endpoint(address: IPAddress(v4: 0xE000_0001), port: 4000), Endpoint(address: .loopback, port: 0),
        Endpoint(address: IPAddress(v4: 0), port: 4000),
    ])
    func whereNothingMayGoNothingGoes(remote: Endpoint) async throws {
        let bench = try RelayBench()
        let ports = try await bench.reserve(2)
        let phone = try Peer()
        bench.loop.perform(.relay(Self.id, phone.leg(ports[0]), MediaLeg(ports: ports[1], remote: remote)))
        try await bench.settle()
        phone.send([1], to: ports[0])
        try await bench.wait(for: "the drop") { bench.loop.counters.dropped(.noDestination) == 1 }
        #expect(bench.loop.counters.forwarded == 0)
    }

    @Test func portsComeBackInOrderAndStayBound() async throws {
        let bench = try RelayBench(pairs: 4)
        let ports = try await bench.reserve(4)
        let phone = try Peer()
        let pbx = try Peer()
        let other = MediaSessionID(rawValue: 2)
        bench.loop.perform(.relay(Self.id, phone.leg(ports[0]), pbx.leg(ports[1])))
        bench.loop.perform(.relay(other, phone.leg(ports[2]), pbx.leg(ports[3])))
        // Ports of another session, the same twice, and ports nobody announced.
        bench.loop.perform(.relay(MediaSessionID(rawValue: 3), phone.leg(ports[2]), pbx.leg(ports[0])))
        bench.loop.perform(.relay(MediaSessionID(rawValue: 4), phone.leg(ports[2]), pbx.leg(ports[2])))
        bench.loop.perform(.announce(
            MediaSessionID(rawValue: 5), phone.leg(MediaPorts(id: 99, address: .loopback, rtp: 4)), .pcmu))
        bench.loop.perform(.close(other))
        bench.loop.perform(.close(Self.id))
        try await bench.wait(for: "the ports again") { bench.recorder.announced.count == 8 }
        #expect(Array(bench.recorder.announced.suffix(4)) == [ports[2], ports[3], ports[0], ports[1]])
        #expect(bench.recorder.log.filter { $0.hasPrefix("error") }.count == 3)
        bench.loop.perform(.relay(other, phone.leg(ports[1]), pbx.leg(ports[2])))
        try await bench.settle()
        let sent = phone.send([1], to: ports[1])
        #expect(try await Self.received(pbx, 1, bench).map(\.bytes) == [sent])
    }

    @Test func anExhaustedRangeIsSaid() async throws {
        let bench = try RelayBench(pairs: 3)
        bench.loop.perform(.reserve(count: 5, family: .v4))
        try await bench.wait(for: "an empty announcement") { bench.recorder.events.contains(.portsReady([])) }
        #expect(bench.recorder.announced.count <= 3)
        #expect(bench.recorder.log.contains { $0.contains("\(bench.ports.lowerBound)-\(bench.ports.upperBound)") })
        bench.loop.perform(.reserve(count: 1, family: .v6))
        try await bench.wait(for: "no IPv6") { bench.recorder.log.contains { $0.contains("IPv6") } }
    }

    @Test func takenPortsAreSkipped() async throws {
        let bench = try RelayBench(pairs: 3)
        let holder = try RelayBench.hold(Endpoint(address: .loopback, port: bench.ports.lowerBound + 1))
        defer { holder.close() }
        let ports = try await bench.reserve(1)
        #expect(ports[0].rtp > bench.ports.lowerBound)
        #expect(bench.recorder.log.contains { $0.hasPrefix("warning") && $0.contains("skipped") })
    }

    @Test func silenceIsReportedOnceUntilItEnds() async throws {
        let bench = try RelayBench(silence: .milliseconds(60))
        let ports = try await bench.reserve(2)
        let phone = try Peer()
        let pbx = try Peer()
        func count() -> Int {
            bench.recorder.events.filter { if case .silent(Self.id, let time) = $0 { time >= .milliseconds(60) } else { false } }.count
        }
        bench.loop.perform(.relay(Self.id, phone.leg(ports[0]), pbx.leg(ports[1])))
        try await bench.wait(for: "silence") { count() == 1 }
        phone.send([1], to: ports[0])
        try await bench.wait(for: "silence again") { count() == 2 }
    }

    @Test func unknownSessionsAreLogged() async throws {
        let bench = try RelayBench()
        bench.loop.perform(.sensitive(Self.id, true))
        bench.loop.perform(.play(Self.id, [.goodbye], language: "en", bargeIn: true, token: 1))
        bench.loop.perform(.close(Self.id))
        try await bench.wait(for: "three lines") { bench.recorder.log.count { $0.contains("session") } == 3 }
        bench.loop.stop()
        bench.loop.perform(.close(Self.id))
        bench.loop.stop()
    }

    @Test func badConfigurationsAreRefused() {
        func failure(_ addresses: [IPAddress], _ ports: ClosedRange<UInt16>) -> MediaLoopError? {
            do throws(MediaLoopError) {
                _ = try MediaLoop(
                    configuration: MediaLoopConfiguration(addresses: addresses, ports: ports, prompts: PromptLibrary())
                ) { _ in }
                return nil
            } catch {
                return error
            }
        }
        #expect(failure([], 4000...4001) == .noAddress)
        #expect(failure([.loopback], 4001...4002) == .noPorts(4001...4002))
        guard case .unusableAddress = failure([IPAddress(v4: 0xC000_0201)], 4000...4001) else {
            Issue.record("an address that is not ours was taken")
            return
        }
    }
}
