import SIPMessage
import Testing

/// Control bytes that were found by fuzzing: what is read is what is written.
@Suite("Control bytes")
struct ControlByteTests {
    private func response(reason: String = "OK", more: [UInt8] = []) -> [UInt8] {
        let lines = [
            "SIP/2.0 200 \(reason)", "Via: SIP/2.0/TLS 192.0.2.10:40001;branch=z9hG4bKc", "From: <sip:100@pbx.example>;tag=1",
            "To: <sip:101@pbx.example>;tag=2", "Call-ID: b", "CSeq: 2 INVITE",
        ]
        return lines.flatMap { Array($0.utf8) + [13, 10] } + more + [13, 10]
    }

    @Test func inAReasonPhraseTheyAreSpaces() throws {
        let read = try #require(parse(response(reason: "Not\0\u{1}quite")).response)
        #expect(read.reason == "Not  quite")
        #expect(parse(read.serialized()).response == read)
    }

    @Test(arguments: ["X-A: \u{E}value", "X-A: value\u{7F}", "X-A: \u{1} va\u{2}lue \u{3}", "X-A: \u{1}"])
    func atTheEndsOfAHeaderTheyAreGone(line: String) throws {
        let read = try #require(parse(response(more: Array(line.utf8) + [13, 10])).response)
        #expect(["value", "va lue", ""].contains(read.headers[HeaderName("X-A")] ?? "?"))
        #expect(parse(read.serialized()).response == read)
    }
}

/// Found by fuzzing: an address that was taken in one form was refused in its canonical one.
@Test("the unspecified IPv6 address", arguments: ["sip:a@[::0]:5060;j", "sip:a@[::]", "sip:a@[0:0:0:0:0:0:0:0]"])
func unspecifiedAddress(text: String) throws {
    let uri = try URI(parsing: text)
    #expect(uri.description.contains("[::]"))
    #expect(try URI(parsing: uri.description) == uri)
}
