import SIPMessage
import Testing

@Suite("Dividing a stream")
struct StreamFramerTests {
    static let messages: [[UInt8]] = [
        request(more: ["Content-Length: 0"]),
        request("INVITE sip:100@pbx.example SIP/2.0", cseq: "CSeq: 1 INVITE", more: ["l : 11"], body: "v=0\r\n\r\nINVI"),
        request("SIP/2.0 200 OK", more: ["Content-Length:\r\n  3", "X: folded\r\n\tvalue"], body: "\r\n\r"),
        request("MESSAGE sip:a@b SIP/2.0", cseq: "CSeq: 2 MESSAGE", more: ["CONTENT-LENGTH: 00040"], body: String(repeating: "SIP/2.0 x\n", count: 4)),
    ]

    /// Messages with keep-alives between them.
    static let stream: [UInt8] = messages[0] + [13, 10, 13, 10] + messages[1] + messages[2] + [13, 10] + messages[3] + messages[0]
    static let expected = messages + [messages[0]]

    private func frames(_ pieces: [[UInt8]]) -> [StreamFrame] {
        var framer = StreamFramer()
        var frames: [StreamFrame] = []
        for piece in pieces {
            framer.append(piece)
            while true {
                let frame = framer.next()
                if frame == .needMore { break }
                frames.append(frame)
                if case .broken = frame { return frames }
            }
        }
        return frames
    }

    private func messages(_ frames: [StreamFrame]) -> [[UInt8]] {
        frames.compactMap { frame in
            if case .message(let bytes) = frame { return bytes }
            return nil
        }
    }

    @Test("whole, its messages are what was sent")
    func whole() {
        let frames = frames([Self.stream])
        #expect(messages(frames) == Self.expected && frames.contains(.ping) && frames.contains(.pong))
        for message in messages(frames) { #expect(parse(message, .stream).message != nil) }
    }

    @Test("cut at any byte, they are the same")
    func cutOnce() {
        for cut in 0...Self.stream.count {
            let frames = frames([Array(Self.stream[..<cut]), Array(Self.stream[cut...])])
            #expect(messages(frames) == Self.expected, "cut at \(cut)")
            #expect(frames.contains(.ping), "cut at \(cut)")
        }
    }

    @Test("byte by byte, they are the same")
    func cutEverywhere() {
        let frames = frames(Self.stream.map { [$0] })
        #expect(messages(frames) == Self.expected && frames.contains(.ping))
    }

    @Test("cut at two bytes, they are the same")
    func cutTwice() {
        var numbers = SeededNumbers(seed: 1)
        for _ in 0..<500 {
            let first = Int.random(in: 0...Self.stream.count, using: &numbers)
            let second = Int.random(in: first...Self.stream.count, using: &numbers)
            let pieces = [Array(Self.stream[..<first]), Array(Self.stream[first..<second]), Array(Self.stream[second...])]
            #expect(messages(frames(pieces)) == Self.expected)
        }
    }

    @Test("a datagram cut at any byte is refused or ignored, never half taken")
    func cutDatagram() {
        let whole = Self.messages[1]
        for cut in 0..<whole.count { #expect(parse(Array(whole[..<cut])).message == nil, "cut at \(cut)") }
    }

    @Test("keep-alives", arguments: [
        ([[13, 10, 13, 10]], [StreamFrame.ping]), ([[13, 10]], [.pong]), ([[13], [10]], [.pong]), ([[13, 10], [13, 10]], [.pong, .ping]),
        ([[13, 10, 13, 10, 13, 10, 13, 10]], [.ping]), ([[13]], []), ([Array(repeating: [13, 10], count: 10_000).flatMap { $0 }], [.ping]),
    ] as [([[UInt8]], [StreamFrame])])
    func keepAlives(_ pieces: [[UInt8]], _ expected: [StreamFrame]) {
        #expect(frames(pieces) == expected)
    }

    @Test("what is not SIP breaks the stream at once", arguments: [
        ([0x16, 3, 1, 0, 200], SIPProblem.notSIP), ([0, 1, 0, 0], .notSIP), (Array("GET / HTTP/1.1\r\n".utf8), .notSIP), (Array("hello\r\n".utf8), .notSIP),
        (Array("OPTIONS sip:a@b SIP/2.0\n".utf8), .bareLineEnd), (Array("OPTIONS sip:a@b SIP/2.0\r\nVia: x\rY".utf8), .bareLineEnd), ([13, 13], .bareLineEnd),
        (Array(repeating: 0x41, count: 16_385), .messageTooLarge), (Array("OPTIONS sip:a@b SIP/2.0\r\n".utf8) + Array(repeating: 0x41, count: 16_384), .messageTooLarge),
    ] as [([UInt8], SIPProblem)])
    func noise(_ bytes: [UInt8], _ problem: SIPProblem) {
        #expect(frames([bytes]) == [.broken(problem)])
        #expect(frames(bytes.map { [$0] }) == [.broken(problem)])
    }

    @Test("a message of unknown length comes out to be answered, then the stream is broken", arguments: [
        ([], SIPProblem.syntax(.contentLength), 400), (["Content-Length: -1"], .syntax(.contentLength), 400),
        (["Content-Length: 5", "l: 5"], .syntax(.contentLength), 400), (["Content-Length: 99999999999999999999"], .syntax(.contentLength), 400),
        (["Content-Length: 16384"], .messageTooLarge, 400), (["Content-Length: 16385"], .messageTooLarge, 513),
    ] as [([String], SIPProblem, Int)])
    func unknownLength(_ more: [String], _ problem: SIPProblem, _ status: Int) {
        let head = request(more: more)
        #expect(frames([Self.messages[0] + head + Self.messages[0]]) == [.message(Self.messages[0]), .message(head), .broken(problem)])
        #expect(parse(head, .stream).refusal == status)
    }

    @Test("nothing is kept of a broken stream")
    func brokenStaysBroken() {
        var framer = StreamFramer()
        framer.append([0x16])
        #expect(framer.next() == .broken(.notSIP))
        framer.append(Self.messages[0])
        #expect(framer.next() == .broken(.notSIP) && framer.count == 0)
    }
}
