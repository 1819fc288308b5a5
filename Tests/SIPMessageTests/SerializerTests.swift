import CoreTypes
import SIPMessage
import Testing

@Suite("Writing messages")
struct SerializerTests {
    private func headers() throws -> Headers {
        Headers(
            via: [Via(transport: "UDP", host: try #require(Host("192.0.2.1")), port: 5060, parameters: [Parameter("branch", "z9hG4bK1")])],
            from: try NameAddress(parsing: "\"A\" <sip:a@b>;tag=1"), to: try NameAddress(parsing: "<sip:c@d>"), callID: CallID("x"), cseq: CSeq(1, .invite))
    }

    @Test("one order, and Content-Length always")
    func order() throws {
        var headers = try headers()
        headers.maxForwards = 70
        headers.contact = .list([try NameAddress(parsing: "<sip:a@192.0.2.1>")])
        headers.route = [try NameAddress(parsing: "<sip:p;lr>")]
        headers.recordRoute = [try NameAddress(parsing: "<sip:r;lr>")]
        headers.contentType = "text/plain"
        headers[.expires] = "60"
        headers.add(HeaderName("x-one"), "1")
        let bytes = SIPRequest(method: .invite, uri: try URI(parsing: "sip:c@d"), headers: headers, body: Array("hi".utf8)).serialized()
        #expect(String(decoding: bytes, as: UTF8.self) == [
            "INVITE sip:c@d SIP/2.0", "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1", "Record-Route: <sip:r;lr>", "Route: <sip:p;lr>", "Max-Forwards: 70",
            "From: \"A\" <sip:a@b>;tag=1", "To: <sip:c@d>", "Call-ID: x", "CSeq: 1 INVITE", "Contact: <sip:a@192.0.2.1>", "Expires: 60", "X-One: 1",
            "Content-Type: text/plain", "Content-Length: 2", "", "hi",
        ].joined(separator: "\r\n"))
    }

    @Test("no value can end a line")
    func injection() throws {
        let evil = "a\r\nInjected: yes\r\n\r\nINVITE\n\r\0"
        var headers = try headers()
        headers.add(.subject, evil)
        headers.others[0].value += evil
        headers.contentType = evil
        headers.from.displayName = evil
        headers.from.parameters.append(Parameter(evil, evil))
        headers.to.uri = .sip(SIPURI(user: evil, password: evil, host: try #require(Host("d")), parameters: [Parameter(evil, evil)], headers: [Parameter(evil, evil)]))
        headers.via[0].transport = evil
        headers.via[0].branch = evil
        headers.callID = CallID(evil)
        headers.cseq.method = .other(evil)
        headers.route = [NameAddress(uri: .other(scheme: evil, opaque: evil)), NameAddress(uri: .tel(TelURI(number: evil)))]
        for text in [
            SIPRequest(method: .other(evil), uri: .other(scheme: "x", opaque: evil), headers: headers).serialized(),
            SIPResponse(status: 200, reason: evil, headers: headers).serialized(),
        ] {
            let lines = String(decoding: text, as: UTF8.self).split(separator: "\r\n", omittingEmptySubsequences: false)
            #expect(!lines.contains { $0.hasPrefix("Injected") } && lines.count == 13)
            for place in text.indices where text[place] == 10 { #expect(text[place - 1] == 13) }
            for place in text.indices where text[place] == 0 { #expect(text[place - 1] == UInt8(ascii: "\\"), "only as a quoted pair") }
        }
    }

    @Test("headers with a place of their own are never written twice")
    func structural() throws {
        var headers = try headers()
        for name in [HeaderName.via, .from, .to, .callID, .cseq, .maxForwards, .contact, .route, .recordRoute, .contentType, .contentLength] {
            headers.add(name, "0")
        }
        let request = SIPRequest(method: .invite, uri: try URI(parsing: "sip:a@b"), headers: headers)
        headers.others = []
        #expect(request.serialized() == SIPRequest(method: .invite, uri: request.uri, headers: headers).serialized())
    }

    @Test("others: read, set, add, remove")
    func others() throws {
        var headers = try headers()
        headers.add(.supported, "a, B")
        headers.add(.userAgent, "x")
        headers.add(HeaderName("k"), "c,,")
        #expect(headers[.supported] == "a, B" && headers.all(.supported).count == 2 && headers.tokens(.supported) == ["a", "b", "c"])
        headers[.supported] = "d"
        #expect(headers.others.map { $0.value } == ["d", "x"])
        headers[.supported] = nil
        headers.remove(.userAgent)
        #expect(headers.others.isEmpty && headers[.supported] == nil && headers.expires == nil)
        headers.expires = 5
        #expect(headers[.expires] == "5")
    }

    @Test("responses copy what they must", arguments: [
        (100, Method.invite, false, false), (180, .invite, true, true), (200, .invite, true, true), (200, .bye, true, false), (486, .invite, true, false),
        (200, .subscribe, true, true),
    ])
    func response(_ status: Int, _ method: Method, _ tagged: Bool, _ routed: Bool) throws {
        var headers = try headers()
        headers.recordRoute = [try NameAddress(parsing: "<sip:r;lr>")]
        headers.maxForwards = 5
        let response = SIPRequest(method: method, uri: try URI(parsing: "sip:a@b"), headers: headers).response(status, toTag: "mine")
        #expect(response.headers.via == headers.via && response.headers.from == headers.from && response.headers.cseq == headers.cseq)
        #expect((response.headers.to.tag == "mine") == tagged && response.headers.recordRoute.isEmpty == !routed && response.headers.maxForwards == nil)
        #expect(response.reason == SIPResponse.defaultReason(status))
        headers.to.tag = "theirs"
        #expect(SIPRequest(method: method, uri: try URI(parsing: "sip:a@b"), headers: headers).response(status, "No", toTag: "mine").headers.to.tag == "theirs")
    }

    @Test("every status has a phrase")
    func phrases() {
        for status in 100...699 { #expect(!SIPResponse.defaultReason(status).isEmpty) }
    }

    @Test("what is written is read back the same")
    func property() {
        var maker = MessageMaker(seed: 4)
        for _ in 0..<3_000 {
            let message = maker.message()
            let bytes = message.serialized()
            #expect(SIPMessage.parse(bytes, framing: .stream).message == message, "\(String(decoding: bytes, as: UTF8.self))")
        }
    }
}

/// Makes random messages that are valid.
struct MessageMaker {
    private var numbers: SeededNumbers
    init(seed: UInt64) { numbers = SeededNumbers(seed: seed) }

    private static let tokenBytes = Array("abcXYZ0189-.!%*_+`'~".utf8)
    private static let userScalars = Array("abc019*+#@:;?/&=$,%<>\" \\[]{}|^é大~!'()-_.".unicodeScalars)
    private static let methods: [Method] = [.invite, .ack, .bye, .register, .info, .other("invite"), .other("X-!%*")]

    private mutating func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &numbers) == 0 }
    private mutating func upTo(_ count: Int) -> Int { Int.random(in: 0...count, using: &numbers) }
    private mutating func token() -> String {
        String(decoding: (0...upTo(30)).map { _ in Self.tokenBytes.randomElement(using: &numbers) ?? 0x61 }, as: UTF8.self)
    }
    private mutating func text() -> String {
        var view = String.UnicodeScalarView()
        for _ in 0...upTo(30) { view.append(Self.userScalars.randomElement(using: &numbers) ?? "a") }
        return String(view)
    }

    private mutating func host() -> Host {
        switch upTo(2) {
        case 0: return Host(IPAddress(v4: UInt32.random(in: 0 ... .max, using: &numbers)))
        case 1: return Host(IPAddress(v6High: numbers.next(), low: chance(2) ? 1 : numbers.next()))
        default: return Host("h\(upTo(99)).Example.com") ?? Host(IPAddress(v4: 1))
        }
    }

    private mutating func parameters(escaped: Bool) -> [Parameter] {
        (0..<upTo(3)).map { index in
            let name = "p\(index)" + (escaped ? token().filter { $0 != "%" && $0 != "`" } : token()).lowercased()
            switch upTo(2) {
            case 0: return Parameter(name)
            case 1: return escaped ? Parameter(name, text()) : Parameter(name, text(), isQuoted: true)
            default: return Parameter(name, token())
            }
        }
    }

    private mutating func uri() -> URI {
        switch upTo(5) {
        case 0: return .tel(TelURI(number: "+1-\(upTo(99_999))", parameters: parameters(escaped: true)))
        case 1: return .other(scheme: "urn", opaque: "service:" + token())
        default:
            let user = chance(4) ? nil : text()
            return .sip(SIPURI(
                isSecure: chance(2), user: user, password: user != nil && chance(3) ? text() : nil, host: host(),
                port: chance(2) ? nil : UInt16.random(in: 1 ... .max, using: &numbers), parameters: parameters(escaped: true),
                headers: chance(5) ? [Parameter("h", text()), Parameter("h", "")] : []))
        }
    }

    private mutating func address() -> NameAddress {
        NameAddress(displayName: chance(2) ? nil : text(), uri: uri(), parameters: parameters(escaped: false))
    }
    private mutating func addresses() -> [NameAddress] { (0..<upTo(2)).map { _ in address() } }

    mutating func message() -> SIPMessage {
        let method = Self.methods.randomElement(using: &numbers) ?? .invite
        var headers = Headers(
            via: (0...upTo(2)).map { _ in Via(transport: "UDP", host: host(), port: chance(2) ? nil : 5060, parameters: parameters(escaped: false)) },
            from: address(), to: address(), callID: CallID(token()), cseq: CSeq(UInt32.random(in: 0...0x7FFF_FFFF, using: &numbers), method),
            maxForwards: chance(3) ? nil : UInt8.random(in: 0 ... .max, using: &numbers), route: addresses(), recordRoute: addresses(),
            contentType: chance(2) ? nil : "application/sdp",
            others: (0..<upTo(4)).map { _ in HeaderField(HeaderName("X" + token()), text().split(separator: " ").joined(separator: " ")) })
        headers.contact = chance(4) ? .any : chance(2) ? nil : .list([address()] + addresses())
        let body = (0..<upTo(40)).map { _ in UInt8.random(in: 0 ... .max, using: &numbers) }
        if chance(2) {
            return .response(SIPResponse(status: Int.random(in: 100...699, using: &numbers), reason: text(), headers: headers, body: body))
        }
        return .request(SIPRequest(method: method, uri: .sip(SIPURI(user: token(), host: host())), headers: headers, body: body))
    }
}
