import CoreTypes
import SIPMessage
import Testing

/// Whatever comes in, every parser ends, and what it takes can be written and read again.
@Suite("Mutated input")
struct MutationTests {
    private static let pieces: [[UInt8]] = [
        "\r\n", "\r\n ", "\n", "\r", "\0", "\"", "<", ">", ";", ",", "=", "%", "%00", "%0d%0a", "[", "]", ":", "@", "::", "\\", "*", "SIP/2.0", "sip:", "l: 99999999999999999999",
        "18446744073709551616", "-1", "é", "Via: ", "tag=", "/", " ", "\t",
    ].map { Array($0.utf8) } + [[0xFF], [0xC3], [0x80, 0xFE]]

    private static func mutated(_ bytes: [UInt8], _ numbers: inout SeededNumbers) -> [UInt8] {
        var bytes = bytes
        for _ in 0...Int.random(in: 0..<4, using: &numbers) where !bytes.isEmpty {
            let place = Int.random(in: 0..<bytes.count, using: &numbers)
            switch Int.random(in: 0..<6, using: &numbers) {
            case 0: bytes[place] = UInt8.random(in: 0 ... .max, using: &numbers)
            case 1: bytes.remove(at: place)
            case 2: bytes.insert(contentsOf: pieces.randomElement(using: &numbers) ?? [], at: place)
            case 3: bytes.removeSubrange(place..<Swift.min(bytes.count, place + Int.random(in: 0..<40, using: &numbers)))
            case 4: bytes.insert(contentsOf: bytes[place..<Swift.min(bytes.count, place + 60)], at: Int.random(in: 0..<bytes.count, using: &numbers))
            default: bytes.removeSubrange(place...)
            }
        }
        return bytes
    }

    private func readable(_ bytes: [UInt8]) -> String {
        bytes.map { $0 >= 0x20 && $0 < 0x7F ? String(UnicodeScalar($0)) : "<\($0)>" }.joined()
    }

    private static let samples: [[UInt8]] = StreamFramerTests.messages + RefusedMessageTests.repeated.map { $0.bytes } + RefusedMessageTests.broken.map { $0.bytes }
        + [request(
            "INVITE sip:*77*100*@[2001:db8::1]:5061;user=phone?x=y SIP/2.0", cseq: "CSeq: 1 INVITE", from: "f: \"A \\\"B\" <sips:a:b@c>;tag=1",
            more: ["m: <sip:a@b>;q=0.5, <tel:+1;phone-context=x>", "Route: <sip:a;lr>", "Record-Route: <sip:b>", "Authorization: Digest x=\"y\"", "c: application/sdp", "l: 5"],
            body: "v=0\r\n")]

    @Test("messages", arguments: 0..<8)
    func messages(_ seed: Int) {
        var numbers = SeededNumbers(seed: UInt64(seed))
        for _ in 0..<2_500 {
            let bytes = Self.mutated(Self.samples.randomElement(using: &numbers) ?? [], &numbers)
            for framing in [Framing.datagram, .stream] {
                switch SIPMessage.parse(bytes, framing: framing) {
                case .message(let message):
                    let again = SIPMessage.parse(message.serialized(), framing: .stream)
                    #expect(again.message == message, "\(readable(bytes))")
                case .reject(let response, let problem):
                    #expect(response.status == problem.status)
                    #expect(parse(response.serialized()).response == response, "\(readable(bytes))")
                case .ignore:
                    break
                }
            }
            var framer = StreamFramer()
            framer.append(bytes)
            for _ in 0..<100 where framer.next() == .needMore { break }
        }
    }

    @Test("the shared messages")
    func sharedMessages() {
        var numbers = SeededNumbers(seed: 99)
        let samples = ["rfc4475", "rfc5118"].flatMap { folder in SharedData.names(folder).compactMap { SharedData.bytes("\(folder)/\($0)") } }
        guard !samples.isEmpty else { return }
        for _ in 0..<5_000 {
            let bytes = Self.mutated(samples.randomElement(using: &numbers) ?? [], &numbers)
            if let message = parse(bytes).message { #expect(SIPMessage.parse(message.serialized(), framing: .stream).message == message, "\(readable(bytes))") }
        }
    }

    @Test("session descriptions")
    func descriptions() {
        var numbers = SeededNumbers(seed: 5)
        for _ in 0..<5_000 {
            let bytes = Self.mutated(Array(SessionDescriptionTests.offer.utf8), &numbers)
            guard let description = try? SessionDescription(parsing: bytes) else { continue }
            #expect((try? SessionDescription(parsing: description.serialized())) == description, "\(readable(bytes))")
            for media in description.media { _ = (description.rtcp(of: media), media.direction, media.formats.map(media.rtpMap)) }
        }
    }

    @Test("digest values, URIs, addresses")
    func values() {
        var numbers = SeededNumbers(seed: 6)
        let digest = "Digest username=\"u\\\"v\", realm=\"r, s\", nonce=\"n\", uri=\"sip:a@b\", response=\"0123\", qop=auth, nc=0000000a, cnonce=\"c\", algorithm=SHA-256"
        let uris = ["sip:a%20b:c@[2001:db8::1]:5060;x=y;lr?h=%20&i=j", "tel:+1-2;phone-context=+3", "urn:service:sos", "sips:1.2.3.4"]
        for _ in 0..<5_000 {
            let text = String(decoding: Self.mutated(Array(digest.utf8), &numbers), as: UTF8.self)
            if let value = try? DigestCredentials(parsing: text) { #expect((try? DigestCredentials(parsing: value.headerValue)) == value, "\(text)") }
            if let value = try? DigestChallenge(parsing: text) { #expect((try? DigestChallenge(parsing: value.headerValue)) == value, "\(text)") }
            let uri = String(decoding: Self.mutated(Array((uris.randomElement(using: &numbers) ?? "").utf8), &numbers), as: UTF8.self)
            if let value = try? URI(parsing: uri) { #expect((try? URI(parsing: value.description)) == value, "\(uri)") }
            if let value = try? NameAddress(parsing: "<\(uri)>;tag=1") { #expect((try? NameAddress(parsing: value.description)) == value, "\(uri)") }
            if let value = IPAddress(uri) { #expect(IPAddress(value.description) == value) }
            _ = (Host(uri), Endpoint(uri), try? Via(parsing: uri))
        }
    }
}
