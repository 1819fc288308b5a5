import Capture
import Testing

@Suite struct MaskTests {
    struct RTPCase: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let packet: [UInt8]
        let masked: [UInt8]
    }

    static let head: [UInt8] = [0, 1, 0, 0, 0, 2, 0, 0, 0, 3]

    static let events: [RTPCase] = [
        RTPCase(testDescription: "one event", packet: [0x80, 101] + head + [7, 0x8A, 3, 32], masked: [0x80, 101] + head + [0, 0x8A, 3, 32]),
        RTPCase(testDescription: "with marker", packet: [0x80, 229] + head + [11, 10, 0, 160], masked: [0x80, 229] + head + [0, 10, 0, 160]),
        RTPCase(
            testDescription: "two events", packet: [0x80, 101] + head + [7, 1, 2, 3, 8, 1, 2, 3],
            masked: [0x80, 101] + head + [0, 1, 2, 3, 0, 1, 2, 3]),
        RTPCase(
            testDescription: "CSRC and extension", packet: [0x91, 101] + head + [9, 9, 9, 9, 0, 0, 0, 1, 8, 8, 8, 8, 5, 1, 2, 3],
            masked: [0x91, 101] + head + [9, 9, 9, 9, 0, 0, 0, 1, 8, 8, 8, 8, 0, 1, 2, 3]),
        RTPCase(testDescription: "cut in the event", packet: [0x80, 101] + head + [7, 1], masked: [0x80, 101] + head + [0, 1]),
        RTPCase(testDescription: "no event", packet: [0x80, 101] + head, masked: [0x80, 101] + head),
        RTPCase(testDescription: "audio", packet: [0x80, 0] + head + [7, 1, 2, 3], masked: [0x80, 0] + head + [7, 1, 2, 3]),
        RTPCase(testDescription: "broken header", packet: [0x8F, 101] + head + [7, 1, 2, 3], masked: [0x8F, 101] + head + [0, 0, 0, 0]),
        RTPCase(testDescription: "broken extension", packet: [0x90, 101] + head + [7, 1, 255, 255], masked: [0x90, 101] + head + [0, 0, 0, 0]),
        RTPCase(testDescription: "short", packet: [0x80], masked: [0x80]),
        RTPCase(testDescription: "empty", packet: [], masked: []),
    ]

    @Test(arguments: events) func telephoneEvent(_ sample: RTPCase) {
        #expect(CaptureMask.maskTelephoneEvent(sample.packet, payloadType: 101) == sample.masked)
    }

    static let audio: [RTPCase] = [
        RTPCase(testDescription: "PCMU", packet: [0x80, 0] + head + [7, 1, 2], masked: [0x80, 0] + head + [255, 255, 255]),
        RTPCase(testDescription: "PCMA with marker", packet: [0x80, 136] + head + [7, 1], masked: [0x80, 136] + head + [0xD5, 0xD5]),
        RTPCase(testDescription: "another", packet: [0x80, 9] + head + [7, 1], masked: [0x80, 9] + head + [0, 0]),
        RTPCase(
            testDescription: "CSRC", packet: [0x81, 0] + head + [9, 9, 9, 9, 5], masked: [0x81, 0] + head + [9, 9, 9, 9, 255]),
        RTPCase(testDescription: "broken", packet: [0x8F, 8] + head + [7, 1], masked: [0x8F, 8] + head + [0xD5, 0xD5]),
        RTPCase(testDescription: "short", packet: [0x80, 0, 1], masked: [0x80, 0, 1]),
        RTPCase(testDescription: "empty", packet: [], masked: []),
    ]

    @Test(arguments: audio) func inBandAudio(_ sample: RTPCase) {
        #expect(CaptureMask.maskAudio(sample.packet) == sample.masked)
    }

    struct SIPCase: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var start = "INFO sip:a@b SIP/2.0"
        var type = "Content-Type: application/dtmf-relay"
        let body: String
        let masked: String
    }

    static let messages: [SIPCase] = [
        SIPCase(testDescription: "relay", body: "Signal=5\r\nDuration=160\r\n", masked: "Signal=0\r\nDuration=160\r\n"),
        SIPCase(testDescription: "relay, spaces and case", body: "signal = 5 \r\nDuration= 160", masked: "signal = 0 \r\nDuration= 160"),
        SIPCase(testDescription: "relay, duration first", body: "Duration=160\nSignal=#\n", masked: "Duration=160\nSignal=0\n"),
        SIPCase(testDescription: "relay, number of an event", body: "Signal=11\r\n", masked: "Signal=00\r\n"),
        SIPCase(testDescription: "relay without its form", body: "5\r\n", masked: "0\r\n"),
        SIPCase(testDescription: "plain", type: "Content-Type: application/dtmf", body: "5", masked: "0"),
        SIPCase(testDescription: "plain, more", type: "Content-Type: application/dtmf", body: "12 *\r\n", masked: "00 0\r\n"),
        SIPCase(
            testDescription: "relay called plain", type: "Content-Type: application/dtmf", body: "Signal=5\r\nDuration=160",
            masked: "Signal=0\r\nDuration=160"),
        SIPCase(testDescription: "compact name", type: "c: Application/DTMF-Relay;charset=utf-8", body: "Signal=5", masked: "Signal=0"),
        SIPCase(testDescription: "folded", type: "Content-Type:\r\n application/dtmf-relay", body: "Signal=5", masked: "Signal=0"),
        SIPCase(
            testDescription: "digits of another kind", type: "Content-Type: application/vnd.nortelnetworks.digits",
            body: "p=Digit-Collection\r\nd=5\r\n", masked: "p=0000000000000000\r\nd=0\r\n"),
        SIPCase(
            testDescription: "in parts", type: "Content-Type: multipart/mixed;boundary=x",
            body: "--x\r\nContent-Type: application/dtmf-relay\r\n\r\nSignal=5\r\n--x--",
            masked: "--x\r\nContent-Type: application/dtmf-relay\r\n\r\nSignal=0\r\n--x--"),
        SIPCase(
            testDescription: "other parts", type: "Content-Type: multipart/mixed;boundary=x",
            body: "--x\r\nContent-Type: text/plain\r\n\r\nHello=5\r\n--x--",
            masked: "--x\r\nContent-Type: text/plain\r\n\r\nHello=5\r\n--x--"),
        SIPCase(
            testDescription: "a picture request", type: "Content-Type: application/media_control+xml", body: "<x/>", masked: "<x/>"),
        SIPCase(testDescription: "no type", type: "X: y", body: "Signal=5", masked: "Signal=5"),
        SIPCase(testDescription: "another method", start: "MESSAGE sip:a@b SIP/2.0", body: "Signal=5", masked: "Signal=5"),
        SIPCase(testDescription: "a response", start: "SIP/2.0 200 OK", body: "Signal=5", masked: "Signal=5"),
        SIPCase(testDescription: "empty lines before", start: "\r\n\r\nINFO sip:a@b SIP/2.0", body: "Signal=5", masked: "Signal=0"),
    ]

    @Test(arguments: messages) func digitsOfINFO(_ sample: SIPCase) {
        let head = "\(sample.start)\r\nCall-ID: Signal=7\r\n\(sample.type)\r\nContent-Length: \(sample.body.utf8.count)\r\n\r\n"
        let masked = CaptureMask.maskSIP(Array((head + sample.body).utf8))
        #expect(String(decoding: masked, as: UTF8.self) == head + sample.masked)
    }

    /// Never longer or shorter, whatever comes.
    @Test func lengthStays() {
        var dice = Dice(state: 7)
        let whole = Array("INFO sip:a@b SIP/2.0\r\nContent-Type: application/dtmf-relay\r\n\r\nSignal=5\r\nDuration=160\r\n".utf8)
        for _ in 0..<2000 {
            var bytes = Array(whole.prefix(Int.random(in: 0...whole.count, using: &dice)))
            for index in bytes.indices where Int.random(in: 0..<20, using: &dice) == 0 { bytes[index] = UInt8.random(in: 0...255, using: &dice) }
            #expect(CaptureMask.maskSIP(bytes).count == bytes.count)
            #expect(CaptureMask.maskAudio(bytes).count == bytes.count)
            #expect(CaptureMask.maskTelephoneEvent(bytes, payloadType: 101).count == bytes.count)
        }
    }
}
