import Media
import Testing

@Suite struct TelephoneEventTests {
    /// One packet: timestamp, event, end bit, duration.
    struct Packet: Sendable {
        var timestamp: UInt32
        var event: UInt8
        var end: Bool
        var duration: UInt16
        var source: UInt32 = 7

        init(_ timestamp: UInt32, _ event: UInt8, _ end: Bool, _ duration: UInt16, source: UInt32 = 7) {
            self.timestamp = timestamp
            self.event = event
            self.end = end
            self.duration = duration
            self.source = source
        }
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var packets: [Packet]
        var keys: String
        var testDescription: String { name }
    }

    static let press = [
        Packet(1000, 5, false, 160), Packet(1000, 5, false, 320), Packet(1000, 5, true, 480), Packet(1000, 5, true, 480),
        Packet(1000, 5, true, 480),
    ]

    static let cases = [
        Case(name: "whole press", packets: press, keys: "5"),
        Case(name: "start lost", packets: Array(press.suffix(1)), keys: "5"),
        Case(name: "end lost", packets: Array(press.prefix(1)), keys: "5"),
        Case(name: "end lost, next key", packets: Array(press.prefix(1)) + [Packet(3000, 6, false, 160)], keys: "56"),
        Case(name: "same key twice", packets: press + press.map { Packet($0.timestamp + 4000, $0.event, $0.end, $0.duration) }, keys: "55"),
        Case(name: "same key twice, all ends lost", packets: [Packet(1000, 5, false, 160), Packet(5000, 5, false, 160)], keys: "55"),
        Case(name: "late packets of the key before", packets: [press[0], Packet(3000, 6, false, 160), press[4], press[3]], keys: "56"),
        Case(name: "two keys at one timestamp", packets: [press[0], Packet(1000, 6, false, 160)], keys: "56"),
        Case(
            name: "held longer than a duration can say",
            packets: [Packet(0, 1, false, 160), Packet(0, 1, false, 65535), Packet(65535, 1, false, 800), Packet(65535, 1, true, 1600)],
            keys: "1"),
        Case(name: "timestamp wraps", packets: [Packet(.max - 80, 1, true, 80), Packet(400, 2, true, 80)], keys: "12"),
        Case(name: "another SSRC begins anew", packets: [press[0], Packet(20, 5, false, 160, source: 8)], keys: "55"),
        Case(name: "events that are no keys", packets: [16, 32, 36, 255].map { Packet(9, $0, false, 160) }, keys: ""),
        Case(
            name: "all keys", packets: (0...15).map { Packet(UInt32($0) * 1000, UInt8($0), true, 400) }, keys: "0123456789*#ABCD"),
    ]

    @Test(arguments: cases)
    func keys(_ example: Case) {
        var decoder = TelephoneEventDecoder()
        var keys: [UInt8] = []
        for packet in example.packets {
            let header = RTPHeader(
                marker: false, payloadType: 101, sequenceNumber: 1, timestamp: packet.timestamp, source: packet.source)
            let event = TelephoneEvent(event: packet.event, isEnd: packet.end, duration: packet.duration)
            if let key = decoder.receive(event, header: header) { keys.append(key) }
        }
        #expect(String(decoding: keys, as: UTF8.self) == example.keys)
    }

    /// Any one packet of a press suffices, and any order and doubling gives the key once.
    @Test func lossAndDoubling() {
        for mask in 1..<32 {
            var decoder = TelephoneEventDecoder()
            var count = 0
            for (index, packet) in (Self.press + Self.press.reversed()).enumerated() where mask >> (index % 5) & 1 == 1 {
                let header = RTPHeader(marker: false, payloadType: 101, sequenceNumber: 1, timestamp: packet.timestamp, source: 7)
                let event = TelephoneEvent(event: packet.event, isEnd: packet.end, duration: packet.duration)
                if decoder.receive(event, header: header) != nil { count += 1 }
            }
            #expect(count == 1)
        }
    }

    @Test func payload() {
        let bytes: [UInt8] = [11, 0x8A, 0x03, 0x20]
        let event = TelephoneEvent(payload: bytes.span)
        #expect(event == TelephoneEvent(event: 11, isEnd: true, volume: 10, duration: 800))
        #expect(event?.bytes == bytes)
        for length in 0..<4 { #expect(TelephoneEvent(payload: Array(bytes.prefix(length)).span) == nil) }
    }
}
