import CoreTypes
import SIPMessage
import Testing

@Suite("Messages that are taken")
struct MessageParserTests {
    @Test("every field has its place")
    func fields() throws {
        let bytes = request(
            "INVITE sip:*77*100*@pbx.example;user=phone SIP/2.0", cseq: "CSeq: 0102 INVITE",
            more: [
                "Contact: \"Desk\" <sip:HD0001@192.0.2.7:5062;transport=udp>;expires=60;+sip.instance=\"<urn:uuid:1>\"",
                "Route: <sip:edge.example;lr>, <sip:[2001:db8::2];lr>", "Record-Route: <sip:p1;lr>", "Content-Type: application/sdp",
                "Content-Length: 3", "X-One: 1", "Supported: 100rel, Replaces", "k: timer",
            ], body: "v=0 and more")
        let message = try #require(parse(bytes).request)
        #expect(message.method == .invite && message.uri.sip?.user == "*77*100*")
        #expect(message.headers.cseq == CSeq(102, .invite) && message.headers.callID.value == "c1@192.0.2.7")
        #expect(message.headers.via.first?.port == 5062 && message.headers.via.first?.wantsRport == true)
        #expect(message.headers.via.first?.rport == nil && message.headers.via.first?.branch == "z9hG4bKx1")
        #expect(message.headers.contact?.first?.expires == 60)
        #expect(message.headers.contact?.first?.parameter("+sip.instance")?.value == "<urn:uuid:1>")
        #expect(message.headers.route.map { $0.uri.sip?.host.text } == ["edge.example", "[2001:db8::2]"])
        #expect(message.headers.recordRoute.count == 1 && message.headers.contentType == "application/sdp")
        #expect(message.body == Array("v=0".utf8))
        #expect(message.headers.tokens(.supported) == ["100rel", "replaces", "timer"])
        #expect(message.headers.others.map { $0.name.description } == ["X-One", "Supported", "Supported"])
    }

    @Test("compact forms and letters of any case", arguments: [
        ("v", HeaderName.via), ("F", .from), ("t", .to), ("I", .callID), ("m", .contact), ("c", .contentType), ("L", .contentLength),
        ("e", .contentEncoding), ("k", .supported), ("s", .subject), ("o", .event), ("u", .allowEvents), ("r", .referTo),
        ("b", .referredBy), ("x", .sessionExpires), ("a", .acceptContact), ("j", .rejectContact), ("d", .requestDisposition),
        ("y", .identity), ("n", .identityInfo), ("p-asserted-IDENTITY", .pAssertedIdentity), ("cseq", .cseq),
    ])
    func names(_ text: String, _ name: HeaderName) {
        #expect(HeaderName(text) == name && HeaderName(text).hashValue == name.hashValue)
    }

    @Test("an unknown name has one spelling")
    func unknownName() {
        #expect(HeaderName("x-BYPASS-me").description == "X-Bypass-Me" && HeaderName("X-bypass-ME") == HeaderName("x-bypass-me"))
        #expect(HeaderName("z").description == "Z" && HeaderName("X Evil:\r\n").description == "Xevil")
    }

    @Test("white space and folds are normalised", arguments: [
        "To : <sip:b@pbx.example>", "To\t:\t<sip:b@pbx.example>", "To:\r\n <sip:b@pbx.example>", "To:\r\n\t \r\n <sip:b@pbx.example>",
        "to:<sip:b@pbx.example>  ", "T   :   sip:b@pbx.example",
    ])
    func whiteSpace(_ line: String) throws {
        let message = try #require(parse(request(to: line)).request)
        #expect(message.headers.to == NameAddress(uri: try URI(parsing: "sip:b@pbx.example")))
        let text = String(decoding: message.serialized(), as: UTF8.self)
        #expect(text.contains("\r\nTo: <sip:b@pbx.example>\r\n"))
    }

    @Test("a filter cannot be passed by a space before the colon")
    func spaceBeforeColon() throws {
        let message = try #require(parse(request(more: ["X-Bypass-me : value", "p-asserted-identity\t: <sip:ceo@pbx.example>"])).request)
        #expect(message.headers[HeaderName("X-Bypass-Me")] == "value")
        #expect(message.headers[.pAssertedIdentity] == "<sip:ceo@pbx.example>")
    }

    @Test("line ends before a message are skipped, bytes after it dropped")
    func surroundings() throws {
        let plain = try #require(parse(request(more: ["Content-Length: 0"])).message)
        #expect(parse([13, 10, 13, 10] + request(more: ["Content-Length: 0"])).message == plain)
        #expect(parse(request(more: ["Content-Length: 0"]) + Array("INVITE sip:x SIP/2.0\r\n".utf8)).message == plain)
    }

    @Test("without Content-Length a datagram's body goes to its end, a stream's message is refused")
    func withoutLength() throws {
        let bytes = request(body: "hello")
        #expect(parse(bytes).request?.body == Array("hello".utf8))
        #expect(parse(bytes, .stream).problem == .missing(.contentLength) && parse(bytes, .stream).refusal == 400)
    }

    @Test("text that is not UTF-8 is ISO-8859-1")
    func latin1() throws {
        let line = Array("From: \"J".utf8) + [0xFC] + Array("rgen\" <sip:a@pbx.example>;tag=f1\r\nSubject: Gr".utf8) + [0xFC, 0xDF] + Array("e".utf8)
        let bytes = wire(["INVITE sip:112@pbx.example SIP/2.0", "Via: SIP/2.0/UDP h;branch=z9hG4bK1", "To: <sip:112@pbx.example>", "Call-ID: 1", "CSeq: 1 INVITE"])
            + line + [13, 10, 13, 10]
        let message = try #require(parse(bytes).request)
        #expect(message.headers.from.displayName == "Jürgen" && message.headers[.subject] == "Grüße")
        #expect(parse(message.serialized()).request == message)
    }

    @Test("methods", arguments: [
        ("INVITE", Method.invite), ("invite", .other("invite")), ("Ack", .other("Ack")), ("PUBLISH", .publish), ("X-1.~", .other("X-1.~")),
    ])
    func methods(_ name: String, _ method: Method) throws {
        let message = try #require(parse(request("\(name) sip:a@b SIP/2.0", cseq: "CSeq: 1 \(name)")).request)
        #expect(message.method == method && message.headers.cseq.method == method)
    }

    @Test("edges of numbers", arguments: [
        ("CSeq: 0 OPTIONS", "Max-Forwards: 0"), ("CSeq: 2147483647 OPTIONS", "Max-Forwards: 255"),
        ("CSeq: 0000000000000000009 OPTIONS", "Max-Forwards: 000255"), ("CSeq:\t1 \t OPTIONS", ""),
    ])
    func numbers(_ cseq: String, _ hops: String) {
        #expect(parse(request(cseq: cseq, hops: hops)).request != nil)
    }

    @Test("Expires", arguments: [("60", UInt32(60)), ("0", 0), ("99999999999999999999", .max), ("-1", nil), ("soon", nil), ("", nil)] as [(String, UInt32?)])
    func expires(_ text: String, _ value: UInt32?) throws {
        #expect(try #require(parse(request(more: ["Expires: \(text)"])).request).headers.expires == value)
    }

    @Test("responses")
    func responses() throws {
        let rest = ["Via: SIP/2.0/TLS 192.0.2.1;branch=z9hG4bK1", "From: <sip:a@b>;tag=1", "To: <sip:c@d>;tag=2", "Call-ID: 9", "CSeq: 4 INVITE", ""]
        for (line, status, reason) in [("SIP/2.0 180 Ringing", 180, "Ringing"), ("sip/2.0 699 ", 699, ""), ("SIP/2.0 200", 200, "")] {
            let response = try #require(parse(wire([line] + rest)).response)
            #expect(response.status == status && response.reason == reason)
        }
        for line in ["SIP/2.0 099 Low", "SIP/2.0 700 High", "SIP/2.0 20 OK", "SIP/2.0  200 OK", "SIP/2.0 2000 OK", "SIP/3.0 200 OK", "SIP/2.0 abc OK"] {
            #expect(parse(wire([line] + rest)).refusal == 0, "\(line)")
        }
    }

    @Test("Contact", arguments: [
        ("Contact: *", ContactField.any), ("m: <sip:a@b>, \"c,d\" <sip:e@f>", nil), ("Contact: sip:a@b;expires=5,sip:c@d", nil),
    ] as [(String, ContactField?)])
    func contact(_ line: String, _ field: ContactField?) throws {
        let contact = try #require(parse(request(more: [line])).request?.headers.contact)
        if let field { #expect(contact == field) } else { #expect(contact.addresses.count == 2) }
    }
}

/// One message that is refused or ignored, and the reason.
struct RefusedCase: Sendable, CustomTestStringConvertible {
    var name: String
    var status: Int
    var problem: SIPProblem
    var bytes: [UInt8]
    init(_ name: String, _ status: Int, _ problem: SIPProblem, _ bytes: [UInt8]) {
        (self.name, self.status, self.problem, self.bytes) = (name, status, problem, bytes)
    }
    var testDescription: String { name }
}

@Suite("Messages that are refused")
struct RefusedMessageTests {
    @Test("is refused", arguments: repeated + broken + bounds + lines + noise)
    func refused(_ row: RefusedCase) {
        let result = parse(row.bytes)
        #expect(result.refusal == row.status)
        #expect(result.problem == row.problem)
    }

    /// Status 0: ignored.
    static let repeated: [RefusedCase] = [
        RefusedCase("From twice", 400, .repeated(.from), request(more: ["From: <sip:x@y>;tag=2"])),
        RefusedCase("a compact form beside its long form", 400, .repeated(.to), request(more: ["t: <sip:x@y>"])),
        RefusedCase("Call-ID twice", 400, .repeated(.callID), request(more: ["i: other"])),
        RefusedCase("CSeq twice", 400, .repeated(.cseq), request(more: ["CSeq: 7 OPTIONS"])),
        RefusedCase("Max-Forwards twice", 400, .repeated(.maxForwards), request(more: ["max-forwards : 3"])),
        RefusedCase("Content-Length twice", 400, .repeated(.contentLength), request(more: ["l: 0", "Content-Length: 0"])),
        RefusedCase("Content-Type twice", 400, .repeated(.contentType), request(more: ["c: text/plain", "Content-Type: application/sdp"])),
        RefusedCase("Expires twice", 400, .repeated(.expires), request(more: ["Expires: 60", "Expires: 0"])),
        RefusedCase("Refer-To twice", 400, .repeated(.referTo), request(more: ["Refer-To: <sip:a@b>", "r: <sip:c@d>"])),
        RefusedCase("two tags", 400, .syntax(.repeatedParameter), request(from: "From: <sip:a@b>;tag=1;tag=2")),
        RefusedCase("two tags, in another case", 400, .syntax(.repeatedParameter), request(to: "To: <sip:a@b>;tag=1;TAG=1")),
        RefusedCase("two branches", 400, .syntax(.repeatedParameter), request(via: "Via: SIP/2.0/UDP h;branch=z9hG4bK1;branch=z9hG4bK2")),
        RefusedCase("two addresses in From", 400, .syntax(.nameAddress), request(from: "From: <sip:a@b>;tag=1, <sip:c@d>")),
        RefusedCase("star beside an address", 400, .syntax(.contact), request(more: ["Contact: *", "Contact: <sip:a@b>"])),
        RefusedCase("an address beside star", 400, .syntax(.contact), request(more: ["Contact: <sip:a@b>", "m: *"])),
        RefusedCase("a URI parameter twice", 400, .syntax(.repeatedParameter), request("OPTIONS sip:a@b;lr;lr SIP/2.0")),
    ]

    static let broken: [RefusedCase] = [
        RefusedCase("CSeq of another method", 400, .methodMismatch, request(cseq: "CSeq: 7 INVITE")),
        RefusedCase("CSeq in another case", 400, .methodMismatch, request(cseq: "CSeq: 7 options")),
        RefusedCase("CSeq of 2^31", 400, .syntax(.cseq), request(cseq: "CSeq: 2147483648 OPTIONS")),
        RefusedCase("CSeq below zero", 400, .syntax(.cseq), request(cseq: "CSeq: -1 OPTIONS")),
        RefusedCase("CSeq without a method", 400, .syntax(.cseq), request(cseq: "CSeq: 7")),
        RefusedCase("CSeq with more behind it", 400, .syntax(.cseq), request(cseq: "CSeq: 7 OPTIONS now")),
        RefusedCase("Max-Forwards of 256", 400, .syntax(.maxForwards), request(hops: "Max-Forwards: 256")),
        RefusedCase("Max-Forwards below zero", 400, .syntax(.maxForwards), request(hops: "Max-Forwards: -1")),
        RefusedCase("Max-Forwards empty", 400, .syntax(.maxForwards), request(hops: "Max-Forwards:")),
        RefusedCase("Call-ID empty", 400, .syntax(.callID), request(callID: "Call-ID: ")),
        RefusedCase("Call-ID with a space", 400, .syntax(.callID), request(callID: "Call-ID: a b")),
        RefusedCase("no From", 400, .missing(.from), request(from: "")),
        RefusedCase("no To", 400, .missing(.to), request(to: "")),
        RefusedCase("no Call-ID", 400, .missing(.callID), request(callID: "")),
        RefusedCase("no CSeq", 400, .missing(.cseq), request(cseq: "")),
        RefusedCase("no Via: no way back", 0, .missing(.via), request(via: "")),
        RefusedCase("Via of another version", 400, .syntax(.via), request(via: "Via: SIP/3.0/UDP h;branch=z9hG4bK1")),
        RefusedCase("Via without a host: no way back", 0, .syntax(.host), request(via: "Via: SIP/2.0/UDP ;branch=z9hG4bK1")),
        RefusedCase("Via with port 0", 0, .syntax(.port), request(via: "Via: SIP/2.0/UDP h:0;branch=z9hG4bK1")),
        RefusedCase("an empty Via parameter", 400, .syntax(.parameter), request(via: "Via: SIP/2.0/UDP h;;branch=z9hG4bK1")),
        RefusedCase("an open quote", 400, .syntax(.quotedString), request(from: "From: \"A <sip:a@b>;tag=1")),
        RefusedCase("an open bracket", 400, .syntax(.nameAddress), request(from: "From: <sip:a@b;tag=1")),
        RefusedCase("an empty tag", 400, .syntax(.parameter), request(from: "From: <sip:a@b>;tag=")),
        RefusedCase("a comma in a name without quotes", 400, .syntax(.scheme), request(from: "From: Doe, Jane <sip:a@b>;tag=1")),
        RefusedCase("a control byte in a header's name", 400, .syntax(.headerName), request(more: ["X-\u{1}A: b"])),
        RefusedCase("NUL in a header's name", 400, .syntax(.headerName), request(more: ["From\0: <sip:a@b>"])),
        RefusedCase("a space in a header's name", 400, .syntax(.headerName), request(more: ["X A: b"])),
        RefusedCase("a line without a colon", 400, .syntax(.headerName), request(more: ["Nonsense"])),
        RefusedCase("a line without a name", 400, .syntax(.headerName), request(more: [": value"])),
        RefusedCase("a fold before the first header", 400, .syntax(.startLine), request("OPTIONS sip:a@b SIP/2.0\r\n ")),
        RefusedCase("an escaped NUL in the target", 400, .syntax(.controlCharacter), request("OPTIONS sip:9%0011@b SIP/2.0")),
        RefusedCase("an escaped line end in the target", 400, .syntax(.controlCharacter), request("OPTIONS sip:911%0d%0aX: y@b SIP/2.0".replacingSpace())),
        RefusedCase("a bare percent sign", 400, .syntax(.percentEscape), request("OPTIONS sip:911%@b SIP/2.0")),
        RefusedCase("two at signs", 400, .syntax(.uri), request("OPTIONS sip:911@evil@b SIP/2.0")),
        RefusedCase("an ACK is never answered", 0, .methodMismatch, request("ACK sip:a@b SIP/2.0", cseq: "CSeq: 1 INVITE")),
    ]

    static let bounds: [RefusedCase] = [
        RefusedCase("Content-Length beyond the datagram", 400, .bodyTooShort, request(more: ["Content-Length: 6"], body: "hello")),
        RefusedCase("Content-Length below zero", 400, .syntax(.contentLength), request(more: ["Content-Length: -1"])),
        RefusedCase("Content-Length with a sign", 400, .syntax(.contentLength), request(more: ["Content-Length: +5"], body: "hello")),
        RefusedCase("Content-Length of 2^64", 400, .syntax(.contentLength), request(more: ["Content-Length: 18446744073709551616"])),
        RefusedCase("Content-Length of 2^31", 400, .syntax(.contentLength), request(more: ["Content-Length: 2147483648"])),
        RefusedCase("Content-Length as a list", 400, .syntax(.contentLength), request(more: ["Content-Length: 5, 5"], body: "hello")),
        RefusedCase("a Request-URI of 513 bytes", 414, .requestURITooLong, request("OPTIONS sip:\(String(repeating: "1", count: 509)) SIP/2.0")),
        RefusedCase("129 headers", 400, .tooManyHeaders, request(more: (0..<123).map { "X-\($0): 1" })),
        RefusedCase("a value of 8193 bytes", 400, .headerTooLong, request(more: ["X: " + String(repeating: "a", count: 8_193)])),
        RefusedCase("a message of more than 16 KiB", 513, .messageTooLarge, request(body: String(repeating: "a", count: 16_384))),
        RefusedCase("a header section of more than 16 KiB", 513, .messageTooLarge, request(more: (0..<3).map { _ in "X: " + String(repeating: "a", count: 8_000) })),
        RefusedCase("65 parameters", 400, .syntax(.tooManyParameters), request(from: "From: <sip:a@b>" + (0..<65).map { ";p\($0)" }.joined())),
        RefusedCase("71 Vias", 400, .syntax(.tooManyParameters), request(via: "Via: " + (0..<71).map { "SIP/2.0/UDP h\($0);branch=z9hG4bK\($0)" }.joined(separator: ","))),
        RefusedCase("a Call-ID of 257 bytes", 400, .syntax(.callID), request(callID: "Call-ID: " + String(repeating: "c", count: 257))),
        RefusedCase("a method of 65 bytes", 0, .syntax(.method), request(String(repeating: "M", count: 65) + " sip:a@b SIP/2.0")),
    ]

    static let lines: [RefusedCase] = [
        RefusedCase("lines that end in LF", 400, .bareLineEnd, request().filter { $0 != 13 }),
        RefusedCase("one line that ends in LF", 400, .bareLineEnd, request(more: ["X: a\nInjected: b"])),
        RefusedCase("a CR within a line", 400, .bareLineEnd, request(more: ["X: a\rInjected: b"])),
        RefusedCase("no empty line", 400, .truncated, Array(request().dropLast(2))),
        RefusedCase("half an empty line", 400, .truncated, Array(request().dropLast(1))),
        RefusedCase("two spaces in the start line", 400, .syntax(.requestURI), request("OPTIONS  sip:a@b SIP/2.0")),
        RefusedCase("a tab in the start line", 400, .syntax(.startLine), request("OPTIONS\tsip:a@b SIP/2.0")),
        RefusedCase("a space behind the version", 400, .syntax(.startLine), request("OPTIONS sip:a@b SIP/2.0 ")),
        RefusedCase("no Request-URI", 400, .syntax(.requestURI), request("OPTIONS SIP/2.0")),
        RefusedCase("a Request-URI in brackets", 400, .syntax(.scheme), request("OPTIONS <sip:a@b> SIP/2.0")),
        RefusedCase("SIP 3.0", 505, .version, request("OPTIONS sip:a@b SIP/3.0")),
        RefusedCase("SIP 2.00", 505, .version, request("OPTIONS sip:a@b SIP/2.00")),
        RefusedCase("a response that is broken", 0, .missing(.from), request("SIP/2.0 200 OK", from: "")),
    ]

    static let noise: [RefusedCase] = [
        RefusedCase("nothing", 0, .keepAlive, []),
        RefusedCase("a keep-alive", 0, .keepAlive, [13, 10, 13, 10]),
        RefusedCase("four zeros", 0, .notSIP, [0, 0, 0, 0]),
        RefusedCase("STUN", 0, .notSIP, [0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42] + Array(repeating: 7, count: 12)),
        RefusedCase("TLS", 0, .notSIP, [0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3]),
        RefusedCase("HTTP", 0, .notSIP, wire(["GET / HTTP/1.1", "Host: a", ""])),
        RefusedCase("HTTP with a Via", 0, .notSIP, request("GET / HTTP/1.1")),
        RefusedCase("no version", 0, .notSIP, request("OPTIONS sip:a@b")),
        RefusedCase("a word", 0, .notSIP, Array("hello".utf8)),
        RefusedCase("spaces", 0, .notSIP, Array("    ".utf8)),
    ]

    @Test("a refusal carries what brings it back")
    func refusal() throws {
        guard case .reject(let response, _) = parse(request(
            from: "From: \"A\" <sip:a@pbx.example>;tag=f1", more: ["Via: SIP/2.0/TCP h2;branch=z9hG4bK2", "CSeq: 7 OPTIONS"])) else {
            Issue.record("not refused")
            return
        }
        #expect(response.status == 400 && response.reason == "Bad Request")
        #expect(response.headers.via.map { $0.branch } == ["z9hG4bKx1", "z9hG4bK2"])
        #expect(response.headers.from.tag == "f1" && response.headers.callID.value == "c1@192.0.2.7")
        #expect(response.headers.cseq == CSeq(7, .options) && response.headers.to.tag?.isEmpty == false)
        #expect(parse(response.serialized()).response == response)
    }

    @Test("a retransmission gets the same refusal")
    func sameRefusal() {
        let bytes = request(cseq: "CSeq: 7 INVITE")
        #expect(parse(bytes) == parse(bytes))
    }
}

extension String {
    /// An escaped space in place of a plain one between the scheme and the "@", so that only the escapes are at fault.
    fileprivate func replacingSpace() -> String {
        split(separator: ": ", maxSplits: 1).joined(separator: ":%20")
    }
}
