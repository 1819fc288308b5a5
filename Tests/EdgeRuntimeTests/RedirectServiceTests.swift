import CoreTypes
import CryptoPrimitives
@testable import EdgeRuntime
import PhoneDelivery
import Testing

/// Answers from a list, and keeps what it was asked.
final class ScriptedExchange: ServiceExchange {
    private(set) var asked: [ServiceRequest] = []
    private var answers: [ServiceAnswer]

    init(_ answers: [ServiceAnswer]) { self.answers = answers }

    func answer(to request: ServiceRequest) throws(ServiceFailure) -> ServiceAnswer {
        asked.append(request)
        guard !answers.isEmpty else { throw .unavailable("the script is over") }
        return answers.removeFirst()
    }
}

extension ServiceAnswer {
    static func rpc(_ isDone: Bool, _ text: String = "ok") -> ServiceAnswer {
        let value = "<array><data><value><boolean>\(isDone ? 1 : 0)</boolean></value><value>\(text)</value></data></array>"
        return ServiceAnswer(
            status: 200, headers: [:],
            body: Array("<?xml version='1.0'?>\n<methodResponse>\n <params><param><value>\(value)</value></param></params></methodResponse>".utf8))
    }

    static func json(_ text: String, status: Int = 200) -> ServiceAnswer { ServiceAnswer(status: status, headers: [:], body: Array(text.utf8)) }
}

@Suite struct RedirectServiceTests {
    static let mac = "0c383e112233"
    static let url = ServiceURL("https://service.example/api/").unsafelyUnwrapped

    static func client(_ exchange: any ServiceExchange) -> XMLRPCClient {
        XMLRPCClient(exchange: exchange, url: url, user: "u", password: Personal("p"))
    }

    static func failure(_ body: () throws(ServiceFailure) -> Void) -> ServiceFailure? {
        do throws(ServiceFailure) {
            try body()
            return nil
        } catch { return error }
    }

    @Test(arguments: [
        (401, false), (403, false), (500, false), (503, false), (429, false), (302, false), (400, true), (404, true), (409, true),
    ])
    func aStatusIsAboutThePhoneOrAboutTheService(status: Int, isAboutThePhone: Bool) {
        switch ServiceFailure(status: status) {
        case .refused: #expect(isAboutThePhone)
        case .unavailable: #expect(!isAboutThePhone)
        }
    }

    @Test func yealinkMakesTheServerWhereItIsMissing() throws {
        let exchange = ScriptedExchange([.rpc(false, "Error:server_not_exist"), .rpc(true), .rpc(true)])
        try YealinkXMLRPC(client: Self.client(exchange), server: "edge-1").register(Self.mac, url: "http://e/prov/")
        let methods = exchange.asked.map { String(decoding: $0.body, as: UTF8.self).contains("addServer") }
        #expect(methods == [false, true, false])
        #expect(exchange.asked[0].headers.contains { $0 == ("Authorization", "Basic dTpw") })
    }

    @Test func fanvilSendsNoPasswordButItsDigest() throws {
        let exchange = ScriptedExchange([.rpc(false), .rpc(false), .rpc(true), .rpc(true)])
        let service = FanvilFDPS(exchange: exchange, url: Self.url, user: "u", password: Personal("secret"))
        try service.register(Self.mac, url: "http://192.0.2.1:8080/prov/$mac.cfg")
        // The MD5 of the MD5 of "secret", by md5sum.
        let expected = "Basic " + Base64.encode(Array("u:7022cd14c42ff272619d6beacdc9ffde".utf8))
        #expect(exchange.asked.allSatisfy { request in request.headers.contains { $0 == ("Authorization", expected) } })
        let group = String(decoding: exchange.asked[2].body, as: UTF8.self)
        for part in ["cfgName=\(Self.mac)", "cfgPfSrv=192.0.2.1:8080", "cfgPfName=/prov/$mac.cfg", "cfgPfProt=4"] {
            #expect(group.contains("<value><string>\(part)</string></value>"), "\(group)")
        }
    }

    /// The signed texts, written out by hand from the services' descriptions.
    @Test func signaturesAreThoseOfTheDescriptions() throws {
        let now = Instant(nanoseconds: 1_800_000_000_123_456_789)
        let rps = ScriptedExchange([.json(#"{"ret":1,"data":{"data":[]}}"#)])
        try YealinkRPS(
            exchange: rps, url: ServiceURL("https://r.example:8443/").unsafelyUnwrapped, key: "AK", secret: Personal("SK"), server: "s", now: { now },
            nonce: { "n1" }
        ).check()
        let asked = rps.asked[0]
        func header(_ request: ServiceRequest, _ name: String) -> String { request.headers.first { $0.name == name }?.value ?? "" }
        let time = header(asked, "X-Ca-Timestamp")
        #expect(time == "1800000000123")
        let text = "POST\nContent-MD5:\(header(asked, "Content-MD5"))\nX-Ca-Key:AK\nX-Ca-Nonce:n1\nX-Ca-Timestamp:\(time)\napi/open/v1/server/list"
        #expect(header(asked, "X-Ca-Signature") == Base64.encode(Hash.hmacSHA256(key: Array("SK".utf8), Array(text.utf8))))

        let sraps = ScriptedExchange([
            .json(#"{"links":{"company":"https://s.example/api/v1/companies/1"}}"#),
            .json(#"{"links":{"endpoints":"https://s.example/api/v1/companies/1/endpoints/"}}"#),
        ])
        try SnomSRAPS(
            exchange: sraps, url: ServiceURL("https://s.example/api/v1/").unsafelyUnwrapped, key: "ID", secret: Personal("K"), now: { now }, nonce: { "w" }
        ).check()
        let hawk = header(sraps.asked[0], "Authorization")
        // Of an empty payload: sha256("hawk.1.payload\n\n\n").
        #expect(hawk.hasPrefix("Hawk id=\"ID\", ts=\"1800000000\"") && hawk.contains("nonce=\"w\""))
        #expect(hawk.contains("hash=\"B0weSUXsMcb5UhL41FZbrUJCAotzSI3HawE1NPLRUz8=\""), "\(hawk)")
    }

    @Test func aServiceThatPointsElsewhereGetsNoSignedRequestThere() {
        let exchange = ScriptedExchange([.json(#"{"links":{"company":"https://evil.example/api/v1/companies/1"}}"#)])
        let service = SnomSRAPS(
            exchange: exchange, url: Self.url, key: "ID", secret: Personal("K"), now: { EdgeClock().now }, nonce: { "w" })
        #expect(Self.failure { () throws(ServiceFailure) in try service.check() } == .unavailable("it points to another host"))
        #expect(exchange.asked.count == 1)
    }

    @Test func whatAServiceWritesIsFitForALog() {
        let exchange = ScriptedExchange([.rpc(false, "bad&#27;[31m\nphone" + String(repeating: "x", count: 500))])
        let failure = Self.failure { () throws(ServiceFailure) in
            try SnomXMLRPC(client: Self.client(exchange)).register(Self.mac, url: "http://e/")
        }
        guard case .refused(let why)? = failure else {
            Issue.record("\(String(describing: failure))")
            return
        }
        #expect(why.hasPrefix("bad [31m phone") && why.utf8.count <= 160)
    }

    // MARK: Reading

    @Test(arguments: [
        ("<methodResponse><params><param><value><string>a &lt;b&gt; &#65;&amp;</string></value></param></params></methodResponse>", XMLRPCReader.Answer.value(.text("a <b> A&"))),
        ("<methodResponse><params><param><value>bare</value></param></params></methodResponse>", .value(.text("bare"))),
        ("<methodResponse><params><param><value><array><data/></array></value></param></params></methodResponse>", .value(.list([]))),
        ("<?xml version=\"1.0\"?><!-- c --><methodResponse><fault><value><struct><member><name>faultCode</name><value><int>4</int></value></member><member><name>faultString</name><value><string>no</string></value></member></struct></value></fault></methodResponse>", .fault("no")),
        ("<methodResponse><params><param><value><array><data><value><boolean>1</boolean></value><value><string/></value></data></array></value></param></params></methodResponse>", .value(.list([.truth(true), .text("")]))),
    ])
    func xmlRPCIsRead(text: String, expected: XMLRPCReader.Answer) {
        #expect(XMLRPCReader.read(Array(text.utf8)) == expected)
        // Cut anywhere, it is nothing, and nothing worse.
        for end in 0..<(text.utf8.count - "</value></param></params></methodResponse>".utf8.count) {
            #expect(XMLRPCReader.read(Array(text.utf8.prefix(end))) == nil)
        }
    }

    @Test(arguments: [
        "", "<html>503</html>", "<!DOCTYPE a [<!ENTITY b \"c\">]><methodResponse/>", "<methodResponse><params><param><value><string>&b;</string></value></param></params></methodResponse>",
        "<methodResponse><params><param><value>" + String(repeating: "<array><data><value>", count: 5000),
        "<methodResponse><params><param><value><string>&#x110000;</string></value></param></params></methodResponse>",
        "<methodResponse><params><param><value><string>&#99999999999;</string></value></param></params></methodResponse>",
    ])
    func whatIsNoXMLRPCIsRefused(text: String) { #expect(XMLRPCReader.read(Array(text.utf8)) == nil) }

    @Test func answersOfHTTPAreReadByteByByte() throws {
        let plain = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello"
        let chunked = "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
        let closed = "HTTP/1.0 200 OK\r\nServer: old\r\n\r\nhello"
        for (text, isEnd) in [(plain, false), (chunked, false), (closed, true)] {
            var reader = ServiceAnswerReader()
            var answer: ServiceAnswer?
            for byte in text.utf8 {
                #expect(answer == nil || text == chunked)
                let isShort = reader.take([byte])
                #expect(isShort)
                answer = try reader.answer(isEnd: false) ?? answer
            }
            if isEnd { answer = try reader.answer(isEnd: true) }
            #expect(answer?.body == Array("hello".utf8), "\(text)")
        }
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "SIP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", "HTTP/1.1 abc OK\r\n\r\n", "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", "", "HTTP/1.1 200",
    ])
    func brokenAnswersAreTheServicesFault(text: String) {
        var reader = ServiceAnswerReader()
        _ = reader.take(Array(text.utf8))
        let failure = Self.failure { () throws(ServiceFailure) in _ = try reader.answer(isEnd: true) }
        guard case .unavailable? = failure else {
            Issue.record("\(text): \(String(describing: failure))")
            return
        }
    }

    @Test func addresses() {
        #expect(ServiceURL("https://a.example")?.target == "/")
        #expect(ServiceURL("https://[2001:db8::1]:8443/x?y=z").map { "\($0.host) \($0.port) \($0.target)" } == "2001:db8::1 8443 /x?y=z")
        #expect(ServiceURL("https://[2001:db8::1]/")?.authority == "[2001:db8::1]")
        for bad in ["http://a.example/", "https://", "https:///x", "https://a:0/", "https://a:99999/", "https://user@a/", "https://a/ b", "https://a/\r\nX: y"] {
            #expect(ServiceURL(bad) == nil, "\(bad)")
        }
    }
}
