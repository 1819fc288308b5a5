import CoreTypes
import Media
import MediaRelay
import Testing

@Suite(.everyWay) struct SpeechTests {
    static let id = MediaSessionID(rawValue: 7)

    /// A sweep, so that any loss or exchange of packets is seen.
    private static let samples: [Int16] = (0..<1500).map { Int16(truncatingIfNeeded: ($0 * $0 / 7) % 20000 - 10000) }

    private static func makeBench(_ folder: TemporaryFolder, length: Int = 1500) throws -> RelayBench {
        var samples = samples
        while samples.count < length { samples += Self.samples }
        try folder.write(PromptTests.wave(Array(samples.prefix(length))), to: "en/vm-goodbye.wav")
        return try RelayBench(prompts: PromptLibrary(folders: [folder.path], systemFolder: folder.path))
    }

    @Test(arguments: [AudioFormat.pcmu, .pcma])
    func aPromptIsHeardAsItWasRecorded(format: AudioFormat) async throws {
        let folder = try TemporaryFolder()
        let bench = try Self.makeBench(folder)
        let ports = try await bench.reserve(1)
        let phone = try Peer()
        bench.loop.perform(.announce(Self.id, phone.leg(ports[0], telephoneEvent: 101), format))
        bench.loop.perform(.play(Self.id, [.goodbye], language: "en", bargeIn: false, token: 3))
        try await bench.wait(for: "the end") { bench.recorder.events.contains(.played(Self.id, token: 3)) }
        var heard: [(RTPHeader, [UInt8])] = []
        try await bench.wait(for: "ten packets") {
            for datagram in phone.received() {
                guard let packet = try? RTPPacket.parse(datagram.bytes.span) else { continue }
                heard.append((packet.header, Array(datagram.bytes[packet.payload])))
            }
            return heard.count >= 10
        }
        #expect(heard.count == 10)
        #expect(heard.allSatisfy { $0.0.payloadType == format.payloadType && $0.1.count == 160 })
        #expect(heard.map(\.0.marker) == [true] + [Bool](repeating: false, count: 9))
        let audio = format.decode(heard.flatMap(\.1))
        #expect(Array(audio.prefix(1500)) == format.decode(format.encode(Self.samples)))
        #expect(bench.loop.counters.spoken <= 10)
    }

    @Test func aMissingPromptIsHeardAsTones() async throws {
        let folder = try TemporaryFolder()
        let bench = try Self.makeBench(folder)
        let ports = try await bench.reserve(1)
        let phone = try Peer()
        bench.loop.perform(.announce(Self.id, phone.leg(ports[0]), .pcmu))
        bench.loop.perform(.play(Self.id, [.digits("1")], language: "fr", bargeIn: false, token: 4))
        var loudest = 0
        try await bench.wait(for: "tones") {
            for datagram in phone.received() {
                let samples = AudioFormat.pcmu.decode(datagram.bytes.dropFirst(RTPHeader.size))
                loudest = max(loudest, samples.map { abs(Int($0)) }.max() ?? 0)
            }
            return loudest > 6000
        }
        #expect(bench.recorder.log.contains { $0.contains("digits/1") && $0.contains("tones") })
    }

    /// Each press as a phone sends it, seven packets, of which only those in the mask arrive.
    private static func press(_ event: UInt8, at timestamp: UInt32, mask: Int, from phone: Peer, to ports: MediaPorts) {
        for index in 0..<7 {
            let isEnd = index >= 4
            let duration = UInt16(160 * min(index + 1, 5))
            let payload = TelephoneEvent(event: event, isEnd: isEnd, duration: duration).bytes
            if mask >> index & 1 == 1 {
                phone.send(payload, type: 101, timestamp: timestamp, to: ports)
            } else {
                phone.sequence &+= 1
            }
        }
    }

    @Test func keysAreHeardThroughLoss() async throws {
        let folder = try TemporaryFolder()
        let bench = try Self.makeBench(folder)
        let ports = try await bench.reserve(1)
        let phone = try Peer()
        bench.loop.perform(.announce(Self.id, phone.leg(ports[0], telephoneEvent: 101), .pcmu))
        try await bench.settle()
        let masks = [0x7F, 0x40, 0x01, 0x08, 0x55, 0x2A, 0x70, 0x0F]
        for (index, mask) in masks.enumerated() {
            Self.press(UInt8(index), at: UInt32(index) * 2000, mask: mask, from: phone, to: ports[0])
            phone.send([UInt8](repeating: 0xFF, count: 160), timestamp: UInt32(index) * 2000 + 1500, to: ports[0])
        }
        Self.press(11, at: 30000, mask: 0x7F, from: phone, to: ports[0])
        try await bench.wait(for: "the hash") { bench.recorder.keys.hasSuffix("#") }
        #expect(bench.recorder.keys == "01234567#")
    }

    @Test func keysOfStrangersAreNotHeard() async throws {
        let folder = try TemporaryFolder()
        let bench = try Self.makeBench(folder)
        let ports = try await bench.reserve(1)
        let phone = try Peer()
        let stranger = try Peer(.otherLoopback)
        bench.loop.perform(.announce(Self.id, phone.leg(ports[0], telephoneEvent: 101), .pcmu))
        try await bench.settle()
        Self.press(9, at: 100, mask: 1, from: stranger, to: ports[0])
        try await bench.wait(for: "a drop") { bench.loop.counters.dropped(.probation) == 1 }
        Self.press(1, at: 100, mask: 0x7F, from: phone, to: ports[0])
        Self.press(9, at: 9000, mask: 0x7F, from: stranger, to: ports[0])
        Self.press(2, at: 9000, mask: 0x7F, from: phone, to: ports[0])
        try await bench.wait(for: "the last key") { bench.recorder.keys.hasSuffix("2") }
        #expect(bench.recorder.keys == "12")
    }

    @Test func aKeyEndsAPromptThatMayBeInterrupted() async throws {
        let folder = try TemporaryFolder()
        // A minute: it must not end by itself.
        let bench = try Self.makeBench(folder, length: 480_000)
        let ports = try await bench.reserve(1)
        let phone = try Peer()
        bench.loop.perform(.announce(Self.id, phone.leg(ports[0], telephoneEvent: 101), .pcmu))
        bench.loop.perform(.play(Self.id, [.goodbye], language: "en", bargeIn: true, token: 8))
        try await bench.wait(for: "speech") { !phone.received().isEmpty }
        #expect(!bench.recorder.events.contains(.played(Self.id, token: 8)))
        Self.press(5, at: 100, mask: 0x7F, from: phone, to: ports[0])
        try await bench.wait(for: "the end") { bench.recorder.events.contains(.played(Self.id, token: 8)) }
        let order = bench.recorder.events.filter { $0 == .digit(Self.id, 0x35) || $0 == .played(Self.id, token: 8) }
        #expect(order == [.digit(Self.id, 0x35), .played(Self.id, token: 8)])
        // The endpoint turns into a relay on the same ports, and the prompt does not come back.
        let more = try await bench.reserve(1)
        let pbx = try Peer()
        bench.loop.perform(.relay(Self.id, phone.leg(ports[0]), pbx.leg(more[0])))
        try await bench.settle()
        phone.send([1], to: ports[0])
        try await bench.wait(for: "the relay") { !pbx.received().isEmpty }
    }
}
