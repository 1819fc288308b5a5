import CoreTypes
import Media
import MediaRelay
import Testing

/// Legs that differ in protection or in how they take keys, and sessions that meet in the relay itself.
@Suite(.everyWay) struct RelayFormTests {
    static let id = MediaSessionID(rawValue: 1)
    static let otherID = MediaSessionID(rawValue: 2)

    private static func received(_ peer: Peer, _ count: Int, _ bench: RelayBench) async throws -> [[UInt8]] {
        var all: [[UInt8]] = []
        try await bench.wait(for: "\(count) packets") {
            all += peer.received().map(\.bytes)
            return all.count >= count
        }
        return all
    }

    @Test(arguments: SRTPSuite.allCases)
    func oneLegIsProtected(suite: SRTPSuite) async throws {
        let bench = try RelayBench()
        let ports = try await bench.reserve(2)
        let phone = try Peer()
        let pbx = try Peer()
        let (ours, theirs) = (SRTPTests.key(suite, 1), SRTPTests.key(suite, 99))
        var leg = phone.leg(ports[0])
        leg.srtp = SRTPTerms(send: ours, receive: theirs)
        let end = try #require(SRTPSession(SRTPTerms(send: theirs, receive: ours)))
        bench.loop.perform(.relay(Self.id, leg, pbx.leg(ports[1])))
        try await bench.settle()

        let plain = SRTPTests.packet(1)
        for _ in 0..<20 { phone.sendRaw(plain, to: ports[0]) }
        try await bench.wait(for: "drops") { bench.loop.counters.dropped(.unauthentic) == 20 }
        let secret = try #require(SRTPTests.protect(plain, end))
        phone.sendRaw(secret, to: ports[0])
        phone.sendRaw(secret, to: ports[0])
        #expect(try await Self.received(pbx, 1, bench) == [plain])
        try await bench.wait(for: "the replay") { bench.loop.counters.dropped(.replayed) == 1 }
        let answer = pbx.send([1, 2, 3], to: ports[1])
        let heard = try await Self.received(phone, 1, bench)
        #expect(SRTPTests.unprotect(heard[0], end) == .success(answer))
        // A re-INVITE with the same terms goes on where it was.
        bench.loop.perform(.relay(Self.id, leg, pbx.leg(ports[1])))
        try await bench.settle()
        let next = SRTPTests.packet(2)
        phone.sendRaw(try #require(SRTPTests.protect(next, end)), to: ports[0])
        phone.sendRaw(secret, to: ports[0])
        #expect(try await Self.received(pbx, 1, bench) == [next])
        // Without terms it is plain again.
        bench.loop.perform(.relay(Self.id, phone.leg(ports[0]), pbx.leg(ports[1])))
        try await bench.settle()
        phone.sendRaw(plain, to: ports[0])
        #expect(try await Self.received(pbx, 1, bench) == [plain])
        #expect(bench.recorder.tapped.allSatisfy { $0.bytes.count <= plain.count }, "a capture shows what was said, not its protection")
    }

    @Test func anEndpointOfOurOwnSpeaksProtected() async throws {
        let bench = try RelayBench(prompts: PromptLibrary(systemFolder: "/nonexistent"))
        let ports = try await bench.reserve(1)
        let phone = try Peer()
        let (ours, theirs) = (SRTPTests.key(.aes128SHA80, 1), SRTPTests.key(.aes128SHA80, 99))
        var leg = phone.leg(ports[0], telephoneEvent: 101)
        leg.srtp = SRTPTerms(send: ours, receive: theirs)
        let end = try #require(SRTPSession(SRTPTerms(send: theirs, receive: ours)))
        bench.loop.perform(.announce(Self.id, leg, .g722))
        bench.loop.perform(.play(Self.id, [.goodbye], language: "en", bargeIn: true, token: 1))
        let heard = try await Self.received(phone, 3, bench)
        for packet in heard {
            guard case .success(let plain) = SRTPTests.unprotect(packet, end) else {
                Issue.record("not what our key opens")
                continue
            }
            #expect(plain[1] & 0x7F == 9 && plain.count == 172)
        }
    }

    /// Two calls whose ends at the PBX are each other: what the PBX has sent back stays here.
    @Test func aCallThatComesBackIsJoined() async throws {
        let bench = try RelayBench()
        let ports = try await bench.reserve(4)
        let one = try Peer()
        let two = try Peer()
        func end(_ pair: MediaPorts) -> Endpoint { Endpoint(address: pair.address, port: pair.rtp) }
        func control(_ pair: MediaPorts) -> Endpoint { Endpoint(address: pair.address, port: pair.rtcp) }
        let key = SRTPTests.key(.aes128SHA80, 7)
        // They have even agreed on SRTP with each other.
        let first = MediaLeg(
            ports: ports[1], remote: end(ports[2]), remoteControl: control(ports[2]), srtp: SRTPTerms(send: key, receive: key))
        let second = MediaLeg(
            ports: ports[2], remote: end(ports[1]), remoteControl: control(ports[1]), srtp: SRTPTerms(send: key, receive: key))
        bench.loop.perform(.relay(Self.id, one.leg(ports[0], telephoneEvent: 101), first))
        bench.loop.perform(.relay(Self.otherID, two.leg(ports[3]), second))
        try await bench.settle()
        let sent = (0..<20).map { one.send([UInt8($0)], to: ports[0]) }
        #expect(try await Self.received(two, 20, bench) == sent)
        let back = two.send([9], to: ports[3])
        #expect(try await Self.received(one, 1, bench) == [back])
        one.sendControl(RelayTests.report, to: ports[0])
        var heard: [[UInt8]] = []
        try await bench.wait(for: "a report") {
            heard += two.receivedControl().map(\.bytes)
            return !heard.isEmpty
        }
        #expect(heard == [RelayTests.report])
        try await bench.wait(for: "counters") { bench.loop.counters.joined == 22 }
        #expect(bench.loop.counters.received == 22 && bench.loop.counters.forwarded == 22, "no packet goes through the kernel twice")
        // Each call has its own quality, seen from both of its ends.
        bench.loop.perform(.close(Self.otherID))
        try await bench.wait(for: "quality") { bench.recorder.events.contains { if case .quality(Self.otherID, _) = $0 { true } else { false } } }
        let quality = bench.recorder.events.compactMap { if case .quality(Self.otherID, let legs) = $0 { legs } else { nil } }.last
        #expect(quality?.map(\.received) == [1, 20])
        one.send([1], to: ports[0])
        try await bench.wait(for: "nobody") { bench.loop.counters.dropped(.idlePort) == 1 }
        #expect(two.received().isEmpty)
        // Moved elsewhere by a re-INVITE, the first goes there.
        let far = try Peer()
        bench.loop.perform(.relay(Self.id, one.leg(ports[0]), far.leg(ports[1])))
        try await bench.settle()
        let last = one.send([2], to: ports[0])
        #expect(try await Self.received(far, 1, bench) == [last])
    }

    @Test func aLoopOfSessionsEnds() async throws {
        let bench = try RelayBench()
        let ports = try await bench.reserve(4)
        func leg(_ pair: Int, _ remote: Int) -> MediaLeg {
            MediaLeg(ports: ports[pair], remote: Endpoint(address: ports[remote].address, port: ports[remote].rtp))
        }
        bench.loop.perform(.relay(Self.id, leg(0, 3), leg(1, 2)))
        bench.loop.perform(.relay(Self.otherID, leg(2, 1), leg(3, 0)))
        try await bench.settle()
        // Not from the signalled port, so as often as that asks for; then it goes round until the rate of a leg is used up.
        let peer = try Peer()
        for _ in 0..<SourceLockLimits().otherPortRun { peer.send([1], to: ports[0]) }
        try await bench.wait(for: "the bound") { bench.loop.counters.dropped(.tooFast) > 0 }
        #expect(bench.loop.counters.received < 4 * 1100)
    }

    private static func events(_ packets: [[UInt8]], type: UInt8) -> String {
        var decoder = TelephoneEventDecoder()
        let keys = packets.compactMap { bytes -> UInt8? in
            guard let packet = try? RTPPacket.parse(bytes.span), packet.header.payloadType == type,
                let event = TelephoneEvent(payload: bytes.span.extracting(packet.payload))
            else { return nil }
            return decoder.receive(event, header: packet.header)
        }
        return String(decoding: keys, as: UTF8.self)
    }

    /// Audio of keys as tones, 160 samples a packet.
    private static func tones(_ keys: String, _ format: AudioFormat) -> [[UInt8]] {
        var samples = [Int16](repeating: 0, count: 800)
        for key in keys.utf8 {
            var tone = KeyTone(key: key)
            samples += (tone?.samples(800) ?? []) + [Int16](repeating: 0, count: 800)
        }
        samples += [Int16](repeating: 0, count: 160 * 12)
        let bytes = format.encode(samples)
        return stride(from: 0, to: bytes.count - 159, by: 160).map { Array(bytes[$0..<($0 + 160)]) }
    }

    @Test(arguments: [AudioFormat.pcmu, .pcma])
    func tonesBecomeEventsAndAreNotHeardBesides(format: AudioFormat) async throws {
        let bench = try RelayBench()
        let ports = try await bench.reserve(2)
        let phone = try Peer()
        let pbx = try Peer()
        bench.loop.perform(.relay(Self.id, phone.leg(ports[0]), pbx.leg(ports[1], telephoneEvent: 96)))
        try await bench.settle()
        let audio = Self.tones("159#", format)
        for (index, payload) in audio.enumerated() {
            phone.send(payload, type: format.payloadType, timestamp: UInt32(160 * index), to: ports[0])
        }
        let heard = try await Self.received(pbx, audio.count, bench)
        #expect(Self.events(heard, type: 96) == "159#")
        let numbers = heard.map { UInt16($0[2]) << 8 | UInt16($0[3]) }
        #expect(numbers == (0..<audio.count).map { UInt16(101 + $0) }, "no number is left out")
        let detector = ToneDetector()
        let rest = heard.filter { $0[1] & 0x7F == format.payloadType }.flatMap { detector.receive(Array($0[12...]), format: format) }
        #expect(rest.isEmpty)
    }

    @Test func aPressIsSentInTheFormOfTheLeg() async throws {
        let bench = try RelayBench()
        let ports = try await bench.reserve(2)
        let phone = try Peer()
        let pbx = try Peer()
        bench.loop.perform(.relay(Self.id, phone.leg(ports[0]), pbx.leg(ports[1], telephoneEvent: 101)))
        for key in "42".utf8 { bench.loop.perform(.press(Self.id, leg: 1, key: key, .milliseconds(100))) }
        for key in "8".utf8 { bench.loop.perform(.press(Self.id, leg: 0, key: key, .milliseconds(100))) }
        try await bench.settle()
        let silence = [UInt8](repeating: AudioFormat.pcma.silence, count: 160)
        for index in 0..<20 { phone.send(silence, type: 8, timestamp: UInt32(160 * index), to: ports[0]) }
        #expect(Self.events(try await Self.received(pbx, 20, bench), type: 101) == "42")
        for index in 0..<20 { pbx.send(silence, type: 8, timestamp: UInt32(160 * index), to: ports[1]) }
        let detector = ToneDetector()
        let heard = try await Self.received(phone, 20, bench).flatMap { detector.receive(Array($0[12...]), format: .pcma) }
        #expect(String(decoding: heard, as: UTF8.self) == "8")
    }

    @Test func eventsBecomeTonesForALegWithoutThem() async throws {
        let bench = try RelayBench()
        let ports = try await bench.reserve(2)
        let phone = try Peer()
        let pbx = try Peer()
        bench.loop.perform(.relay(Self.id, phone.leg(ports[0], telephoneEvent: 101), pbx.leg(ports[1])))
        try await bench.settle()
        phone.send([UInt8](repeating: AudioFormat.pcmu.silence, count: 160), type: 0, to: ports[0])
        for step in 1...8 {
            let event = TelephoneEvent(event: 5, isEnd: step > 5, duration: UInt16(160 * min(step, 6)))
            phone.send(event.bytes, type: 101, timestamp: 160, to: ports[0])
        }
        let heard = try await Self.received(pbx, 7, bench)
        #expect(heard.allSatisfy { $0[1] & 0x7F == 0 && $0.count == 172 })
        let detector = ToneDetector()
        #expect(heard.flatMap { detector.receive(Array($0[12...]), format: .pcmu) } == [UInt8(ascii: "5")])
        try await bench.wait(for: "the repeated ends") { bench.loop.counters.dropped(.converted) == 2 }
    }

    /// A phone that goes on sending audio beside its events: of each moment one packet goes on, and the keys are heard.
    @Test func audioBesideEventsIsNotMixedIntoTheTones() async throws {
        let bench = try RelayBench()
        let ports = try await bench.reserve(2)
        let phone = try Peer()
        let pbx = try Peer()
        bench.loop.perform(.relay(Self.id, phone.leg(ports[0], telephoneEvent: 101), pbx.leg(ports[1])))
        try await bench.settle()
        let speech = AudioFormat.pcma.encode((0..<160).map { Int16(9000 * ($0 / 4 % 2) - 4500) })
        for tick in 0..<60 {
            phone.send(speech, type: 8, timestamp: UInt32(160 * tick), to: ports[0])
            // Two keys of 100 ms, from ticks 20 and 40 on, the last packet thrice.
            let step = (tick - 20) % 20
            guard tick >= 20, step < 7 else { continue }
            let event = TelephoneEvent(event: UInt8(tick / 20), isEnd: step >= 4, duration: UInt16(160 * min(step + 1, 5)))
            phone.send(event.bytes, type: 101, timestamp: UInt32(160 * (tick - step)), to: ports[0])
        }
        let heard = try await Self.received(pbx, 62, bench)
        let times = heard.map { $0[4..<8].reduce(0) { $0 << 8 | Int($1) } / 160 }
        // Only the moment a key begins is there twice: its audio came first.
        #expect(times == (0..<60).flatMap { [20, 40].contains($0) ? [$0, $0] : [$0] })
        let detector = ToneDetector()
        #expect(heard.flatMap { detector.receive(Array($0[12...]), format: .pcma) } == Array("12".utf8))
    }

    @Test func aKeyAsToneIsHeardByAnEndpointOfOurOwn() async throws {
        for format in AudioFormat.allCases {
            let bench = try RelayBench()
            let ports = try await bench.reserve(1)
            let phone = try Peer()
            bench.loop.perform(.announce(Self.id, phone.leg(ports[0]), format))
            try await bench.settle()
            for (index, payload) in Self.tones("47#", format).enumerated() {
                phone.send(payload, type: format.payloadType, timestamp: UInt32(160 * index), to: ports[0])
            }
            let tones = { bench.recorder.events.compactMap { if case .tone(Self.id, let key) = $0 { key } else { nil } } }
            try await bench.wait(for: "keys") { tones().count >= 3 }
            #expect(String(decoding: tones(), as: UTF8.self) == "47#")
        }
    }

    /// Who floods a call's port from elsewhere uses up nothing of what its far end may send.
    @Test func aFloodOfAStrangerLeavesTheCallAlone() async throws {
        let bench = try RelayBench()
        let ports = try await bench.reserve(2)
        let phone = try Peer()
        let pbx = try Peer()
        let stranger = try Peer(.otherLoopback)
        bench.loop.perform(.relay(Self.id, phone.leg(ports[0]), pbx.leg(ports[1])))
        try await bench.settle()
        let first = phone.send([0], to: ports[0])
        #expect(try await Self.received(pbx, 1, bench) == [first])
        for round in 1...40 as ClosedRange<UInt64> {
            for _ in 0..<50 { stranger.send([6], to: ports[0]) }
            try await bench.wait(for: "the flood") { bench.loop.counters.dropped(.foreign) == 50 * round }
        }
        let sent = phone.send([1], to: ports[0])
        #expect(try await Self.received(pbx, 1, bench) == [sent])
        #expect(bench.loop.counters.dropped(.tooFast) == 0)
    }
}
