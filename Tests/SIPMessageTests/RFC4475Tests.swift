import CoreTypes
import SIPMessage
import Testing

/// What one torture message must come to. "Judged above" means that the message is well formed and that a layer
/// over the parser has to refuse or to ignore it; the note says which and why.
struct TortureCase: Sendable, CustomTestStringConvertible {
    enum Outcome: Sendable {
        case valid(@Sendable (SIPMessage) throws -> Void)
        case judgedAbove(String, @Sendable (SIPMessage) throws -> Void)
        case rejected(Int, SIPProblem)
        case ignored(SIPProblem)
    }

    var name: String
    /// The RFC's section.
    var section: String
    var outcome: Outcome

    init(_ name: String, _ section: String, _ outcome: Outcome) {
        (self.name, self.section, self.outcome) = (name, section, outcome)
    }

    var testDescription: String { "\(name) (\(section))" }

    func check(_ bytes: [UInt8]) throws {
        let result = SIPMessage.parse(bytes, framing: .datagram)
        switch outcome {
        case .valid(let check), .judgedAbove(_, let check):
            let message = try #require(result.message, "\(name): \(String(describing: result.problem))")
            try check(message)
            let again = SIPMessage.parse(message.serialized(), framing: .datagram).message
            #expect(again == message, "\(name) changes when it is written and read again")
        case .rejected(let status, let problem):
            #expect(result.refusal == status, "\(name)")
            #expect(result.problem == problem, "\(name)")
        case .ignored(let problem):
            #expect(result.refusal == 0, "\(name)")
            #expect(result.problem == problem, "\(name)")
        }
    }
}

private func request(_ message: SIPMessage) throws -> SIPRequest {
    guard case .request(let request) = message else { throw SIPSyntaxError(.startLine) }
    return request
}

private func response(_ message: SIPMessage) throws -> SIPResponse {
    guard case .response(let response) = message else { throw SIPSyntaxError(.startLine) }
    return response
}

@Suite("RFC 4475 torture messages")
struct RFC4475Tests {
    @Test("each message gets what the RFC asks for", arguments: validMessages + invalidMessages + upperLayerMessages)
    func message(_ row: TortureCase) throws {
        guard let bytes = SharedData.bytes("rfc4475/\(row.name).dat") else { return }
        try row.check(bytes)
    }

    @Test("no message of the folder is left out")
    func complete() {
        let listed = Set((Self.validMessages + Self.invalidMessages + Self.upperLayerMessages).map { $0.name + ".dat" })
        for name in SharedData.names("rfc4475") { #expect(listed.contains(name), "\(name)") }
        #expect(listed.count == 50)
    }

    static let validMessages: [TortureCase] = [
        TortureCase("wsinv", "3.1.1.1", .valid { (message) throws in
            let request = try request(message)
            #expect(request.method == .invite && request.uri.description == "sip:vivekg@chair-dnrc.example.com;unknownparam")
            let headers = request.headers
            #expect(headers.to.tag == "1918181833n" && headers.from.tag == "98asjd8")
            #expect(headers.from.displayName == "J Rosenberg \\\"")
            #expect(headers.maxForwards == 68 && headers.cseq == CSeq(9, .invite))
            #expect(headers.via.map { $0.transport } == ["UDP", "TCP", "UDP"])
            #expect(headers.via.map { $0.branch } == ["390skdjuw", "z9hG4bK9ikj8", "z9hG4bK30239"])
            #expect(headers.via.last?.host.address == IPAddress("192.168.255.111"))
            #expect(headers[.subject] == "")
            #expect(headers[HeaderName("NewFangledHeader")] == "newfangled value   continued newfangled value")
            #expect(headers.route.first?.uri.sip?.parameter("unknownwith")?.value == "value")
            let contact = try #require(headers.contact?.first)
            #expect(contact.displayName == "Quoted string \"\"" && contact.parameter("newparam")?.value == "newvalue")
            #expect(contact.parameter("secondparam") != nil && contact.parameter("q")?.value == "0.33")
            #expect(try SessionDescription(parsing: request.body).media.count == 2)
        }),
        TortureCase("intmeth", "3.1.1.2", .valid { (message) throws in
            let request = try request(message)
            #expect(request.method == .other("!interesting-Method0123456789_*+`.%indeed'~"))
            let uri = try #require(request.uri.sip)
            #expect(uri.user == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*")
            #expect(uri.password == "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)" && uri.host.text == "example.com")
            #expect(request.headers.to.displayName == "BEL:\u{7} NUL:\0 DEL:\u{7F}")
            #expect(request.headers.from.displayName == "token1~` token2'+_ token3*%!.-")
            #expect(request.headers.from.parameter("fromparam''~+*_!.-%")?.value == "работающий")
            #expect(request.headers[HeaderName("EXTENSIONHEADER-!.%*+_`'~")] == "\u{FEFF}大停電")
            #expect(request.headers.maxForwards == 255)
        }),
        TortureCase("esc01", "3.1.1.3", .valid { (message) throws in
            let request = try request(message)
            #expect(request.uri.sip?.user == "sips:user@example.com" && request.uri.sip?.host.text == "example.net")
            #expect(request.uri.description == "sip:sips%3Auser%40example.com@example.net")
            #expect(request.headers.to.uri.sip?.user == "user")
            #expect(request.headers.from.uri.sip?.user == "I have spaces")
            let contact = try #require(request.headers.contact?.first?.uri.sip)
            #expect(contact.user == "caller" && contact.parameter("lr") != nil && contact.parameter("name")?.value == "value%41")
        }),
        // The RFC wants a REGISTER accepted that names %00; that no NUL comes out of it is our part.
        TortureCase("escnull", "3.1.1.4", .valid { (message) throws in
            let headers = try request(message).headers
            #expect(headers.to.uri == .other(scheme: "sip", opaque: "null-%00-null@example.com"))
            #expect(headers.contact?.addresses.map { $0.uri.description } == ["sip:%00@host5.example.com", "sip:%00%00@host5.example.com"])
        }),
        TortureCase("esc02", "3.1.1.5", .valid { (message) throws in
            let request = try request(message)
            #expect(request.method == .other("RE%47IST%45R") && request.headers.to.displayName == "%Z%45")
            #expect(request.headers.via.first?.branch == "z9hG4bK209%fzsnel234")
            #expect(request.headers.contact?.addresses.count == 2)
            #expect(request.headers[HeaderName("C%6Fntact")] == "<sip:alias2@host2.example.com>")
        }),
        TortureCase("lwsdisp", "3.1.1.6", .valid { (message) throws in
            #expect(message.headers.from.displayName == "caller" && message.headers.from.tag == "323")
        }),
        TortureCase("longreq", "3.1.1.7", .valid { (message) throws in
            #expect(message.headers.via.count == 34 && message.headers.via.last?.received == IPAddress("192.0.2.5"))
            #expect(message.headers.from.uri.sip?.host.text == "example.net")
        }),
        TortureCase("dblreq", "3.1.1.8", .valid { (message) throws in
            let request = try request(message)
            #expect(request.method == .register && request.body.isEmpty)
        }),
        TortureCase("semiuri", "3.1.1.9", .valid { (message) throws in
            let uri = try #require(try request(message).uri.sip)
            #expect(uri.user == "user;par=u@example.net" && uri.host.text == "example.com" && uri.parameters.isEmpty)
            #expect(message.headers.tokens(.accept).count == 6)
        }),
        TortureCase("transports", "3.1.1.10", .valid { (message) throws in
            #expect(message.headers.via.map { $0.transport } == ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"])
        }),
        TortureCase("mpart01", "3.1.1.11", .valid { (message) throws in
            let request = try request(message)
            #expect(request.method == .message && request.body.count == 553)
            #expect(request.headers.contentType == "multipart/mixed;boundary=7a9cbec02ceef655")
        }),
        TortureCase("unreason", "3.1.1.12", .valid { (message) throws in
            let response = try response(message)
            #expect(response.status == 200 && response.reason == "= 2**3 * 5**2 но сто девяносто девять - простое")
        }),
        TortureCase("noreason", "3.1.1.13", .valid { (message) throws in
            let response = try response(message)
            #expect(response.status == 100 && response.reason.isEmpty)
        }),
    ]

    static let invalidMessages: [TortureCase] = [
        TortureCase("badinv01", "3.1.2.1", .rejected(400, .syntax(.parameter))),
        TortureCase("clerr", "3.1.2.2", .rejected(400, .bodyTooShort)),
        TortureCase("ncl", "3.1.2.3", .rejected(400, .syntax(.contentLength))),
        TortureCase("scalar02", "3.1.2.4", .rejected(400, .syntax(.cseq))),
        TortureCase("scalarlg", "3.1.2.5", .ignored(.syntax(.cseq))),
        TortureCase("quotbal", "3.1.2.6", .rejected(400, .syntax(.quotedString))),
        TortureCase("ltgtruri", "3.1.2.7", .rejected(400, .syntax(.scheme))),
        TortureCase("lwsruri", "3.1.2.8", .rejected(400, .syntax(.requestURI))),
        TortureCase("lwsstart", "3.1.2.9", .rejected(400, .syntax(.requestURI))),
        TortureCase("trws", "3.1.2.10", .rejected(400, .syntax(.startLine))),
        TortureCase("escruri", "3.1.2.11", .judgedAbove("the policy refuses headers in a Request-URI") { (message) throws in
            #expect(try request(message).uri.sip?.headers == [Parameter("route", "<sip:example.com>")])
        }),
        TortureCase("baddate", "3.1.2.12", .judgedAbove("an edge does not use Date, and passes none on") { (message) throws in
            #expect(message.headers[.date] == "Fri, 01 Jan 2010 16:00:00 EST")
        }),
        TortureCase("regbadct", "3.1.2.13", .rejected(400, .syntax(.nameAddress))),
        TortureCase("badaspec", "3.1.2.14", .rejected(400, .syntax(.scheme))),
        TortureCase("baddn", "3.1.2.15", .rejected(400, .truncated)),
        TortureCase("badvers", "3.1.2.16", .rejected(505, .version)),
        TortureCase("mismatch01", "3.1.2.17", .rejected(400, .methodMismatch)),
        TortureCase("mismatch02", "3.1.2.18", .rejected(400, .methodMismatch)),
        TortureCase("bigcode", "3.1.2.19", .ignored(.syntax(.statusCode))),
        TortureCase("insuf", "3.3.1", .rejected(400, .missing(.from))),
        TortureCase("multi01", "3.3.8", .rejected(400, .repeated(.cseq))),
        TortureCase("mcl01", "3.3.9", .rejected(400, .repeated(.contentLength))),
        TortureCase("test", "not in the text", .ignored(.notSIP)),
    ]

    static let upperLayerMessages: [TortureCase] = [
        TortureCase("badbranch", "3.2.1", .judgedAbove("transactions: a branch of nothing but the cookie is matched as RFC 2543's") {
            #expect($0.headers.via.first?.branch == "z9hG4bK")
        }),
        TortureCase("unkscm", "3.3.2", .judgedAbove("proxy: 416") { (message) throws in
            #expect(try request(message).uri == .other(scheme: "nobodyknowsthisscheme", opaque: "totallyopaquecontent"))
        }),
        TortureCase("novelsc", "3.3.3", .judgedAbove("proxy: 416") { (message) throws in
            #expect(try request(message).uri == .other(scheme: "soap.beep", opaque: "//192.0.2.103:3002"))
        }),
        TortureCase("unksm2", "3.3.4", .judgedAbove("registrar: no device has such an address") { (message) throws in
            #expect(message.headers.to.uri == .other(scheme: "isbn", opaque: "2983792873"))
            #expect(message.headers.from.uri == .other(scheme: "http", opaque: "//www.example.com"))
        }),
        TortureCase("bext01", "3.3.5", .judgedAbove("proxy: 420 for Proxy-Require") { (message) throws in
            #expect(message.headers.tokens(.proxyRequire) == ["noproxiessupportthis", "nordoanyproxiessupportthis"])
            #expect(message.headers.tokens(.require) == ["nothingsupportsthis", "nothingsupportsthiseither"])
        }),
        TortureCase("invut", "3.3.6", .judgedAbove("the called party: 415") {
            #expect($0.headers.contentType == "application/unknownformat")
        }),
        TortureCase("regaut01", "3.3.7", .judgedAbove("registrar: challenges again, no Digest was given") { (message) throws in
            let value = try #require(message.headers[.authorization])
            #expect(throws: SIPSyntaxError(.digestScheme)) { try DigestCredentials(parsing: value) }
        }),
        TortureCase("bcast", "3.3.10", .judgedAbove("transactions: a response with our Via not on top and alone is dropped") { (message) throws in
            #expect(try response(message).headers.via.count == 2)
        }),
        TortureCase("zeromf", "3.3.11", .judgedAbove("proxy: 483, or the answer to the OPTIONS where it is for us") {
            #expect($0.headers.maxForwards == 0)
        }),
        TortureCase("cparam01", "3.3.12", .judgedAbove("registrar: the parameter is the Contact's") { (message) throws in
            let contact = try #require(message.headers.contact?.first)
            #expect(contact.parameter("unknownparam") != nil && contact.uri.sip?.parameters == [])
        }),
        TortureCase("cparam02", "3.3.13", .judgedAbove("registrar: the parameter is the URI's") { (message) throws in
            let contact = try #require(message.headers.contact?.first)
            #expect(contact.parameters.isEmpty && contact.uri.sip?.parameter("unknownparam") != nil)
        }),
        TortureCase("regescrt", "3.3.14", .judgedAbove("registrar: the URI's headers belong to the binding, and are left out") { (message) throws in
            #expect(message.headers.contact?.first?.uri.sip?.headers == [Parameter("route", "<sip:sip.example.com>")])
        }),
        TortureCase("sdp01", "3.3.15", .judgedAbove("the called party: 406") {
            #expect($0.headers[.accept] == "text/nobodyKnowsThis")
        }),
        TortureCase("inv2543", "3.4.1", .judgedAbove("transactions: RFC 2543's matching") { (message) throws in
            let request = try request(message)
            #expect(request.headers.via.first?.branch == nil && request.headers.from.tag == nil)
            #expect(request.headers.maxForwards == nil && !request.body.isEmpty)
            #expect(request.headers.to.uri.sip?.parameters == [] && request.headers.to.parameter("user")?.value == "phone")
            #expect(request.headers.recordRoute.first?.uri.sip?.parameter("maddr")?.value == "ss1.example.com")
        }),
    ]
}
