import CoreTypes
import Media
import Testing

@Suite struct KeySenderTests {
    static let now = Instant(nanoseconds: 1_000_000_000)

    static func header(_ index: Int) -> RTPHeader {
        RTPHeader(
            marker: false, payloadType: 8, sequenceNumber: UInt16(truncatingIfNeeded: 65_533 + index),
            timestamp: UInt32(truncatingIfNeeded: 4_294_967_000 + 160 * index), source: 5)
    }

    @Test func aKeyTakesThePlaceOfAudioPackets() throws {
        var sender = KeySender()
        let before = sender.replace(Self.header(0), size: 160, form: .event(payloadType: 101), now: Self.now)
        #expect(before == nil)
        sender.press(UInt8(ascii: "#"), for: .milliseconds(100), now: Self.now)
        var sent: [(RTPHeader, TelephoneEvent)] = []
        for index in 1...20 {
            guard let (header, payload) = sender.replace(Self.header(index), size: 160, form: .event(payloadType: 101), now: Self.now) else { break }
            guard let event = TelephoneEvent(payload: payload.span) else { break }
            sent.append((header, event))
        }
        #expect(sent.map(\.1.duration) == [160, 320, 480, 640, 800, 800, 800])
        #expect(sent.map(\.1.isEnd) == [false, false, false, false, true, true, true])
        #expect(sent.allSatisfy { $0.1.key == UInt8(ascii: "#") && $0.0.payloadType == 101 })
        #expect(sent.allSatisfy { $0.0.timestamp == Self.header(1).timestamp })
        #expect(sent.map(\.0.marker) == [true] + [Bool](repeating: false, count: 6))
        #expect(sent.map(\.0.sequenceNumber) == (1...7).map { Self.header($0).sequenceNumber })
        #expect(sender.isIdle)
    }

    @Test func keysFollowEachOtherAndAreHeardAsOften() {
        var sender = KeySender()
        var decoder = TelephoneEventDecoder()
        for key in "0044*9#A".utf8 { sender.press(key, for: .milliseconds(90), now: Self.now) }
        let isTaken = sender.press(UInt8(ascii: "x"), for: .milliseconds(90), now: Self.now)
        #expect(!isTaken)
        var heard: [UInt8] = []
        for index in 0..<200 {
            guard let (header, payload) = sender.replace(Self.header(index), size: 160, form: .event(payloadType: 101), now: Self.now),
                let event = TelephoneEvent(payload: payload.span), let key = decoder.receive(event, header: header)
            else { continue }
            heard.append(key)
        }
        #expect(String(decoding: heard, as: UTF8.self) == "0044*9#A")
    }

    @Test(arguments: AudioFormat.allCases)
    func tonesAreWhatTheDetectorHears(format: AudioFormat) {
        var sender = KeySender()
        let detector = ToneDetector()
        // The three highest of the fourth column suffer in the narrow half of G.722; no phone has such keys.
        let keys = format == .g722 ? "1234567890*#" : "1234567890*#ABCD"
        for key in keys.utf8 { sender.press(key, for: .milliseconds(100), now: Self.now) }
        var heard: [UInt8] = []
        var index = 0
        while index < 400 {
            let payload = sender.replace(Self.header(index), size: 160, form: .tone(format), now: Self.now)?.1
                ?? [UInt8](repeating: format.silence, count: 160)
            #expect(payload.count == 160)
            heard += detector.receive(payload, format: format)
            index += 1
        }
        #expect(String(decoding: heard, as: UTF8.self) == keys)
    }

    @Test func aKeyThatFoundNoAudioIsForgotten() {
        var sender = KeySender()
        sender.press(UInt8(ascii: "1"), for: .milliseconds(100), now: Self.now)
        let late = sender.replace(Self.header(0), size: 160, form: .event(payloadType: 101), now: Self.now + .seconds(3))
        #expect(late == nil)
        #expect(sender.isIdle)
        var accepted = 0
        for _ in 0..<100 where sender.press(UInt8(ascii: "1"), for: .seconds(1), now: Self.now) { accepted += 1 }
        #expect(accepted == KeySender.maximumQueue)
    }

    @Test func eventsBecomeTones() throws {
        let writer = KeyToneWriter()
        let detector = ToneDetector()
        var heard: [UInt8] = []
        for (press, key) in "15#".utf8.enumerated() {
            let code = try #require(TelephoneEvent.code(of: key))
            let start = UInt32(press * 4000)
            for (step, isEnd) in [false, false, false, false, false, true, true, true].enumerated() {
                let duration = UInt16(160 * min(step + 1, 6))
                let header = RTPHeader(marker: step == 0, payloadType: 101, sequenceNumber: UInt16(step), timestamp: start, source: 1)
                let written = writer.write(TelephoneEvent(event: code, isEnd: isEnd, duration: duration), header, format: .pcma)
                #expect((written == nil) == (step > 5), "what repeats the end says nothing new")
                guard let written else { continue }
                #expect(written.0.payloadType == 8 && written.1.count == 160)
                #expect(written.0.timestamp == start + UInt32(160 * step))
                heard += detector.receive(written.1, format: .pcma)
            }
            heard += detector.receive([UInt8](repeating: AudioFormat.pcma.silence, count: 800), format: .pcma)
        }
        #expect(String(decoding: heard, as: UTF8.self) == "15#")
        let flash = writer.write(TelephoneEvent(event: 70, isEnd: false, duration: 160), Self.header(0), format: .pcma)
        #expect(flash == nil)
    }
}
