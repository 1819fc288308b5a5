import SIPMessage
import Testing

@Suite("Digest authentication")
struct DigestTests {
    /// RFC 7616 §3.9.1, both algorithms. The method there is GET.
    @Test("the examples of RFC 7616", arguments: [
        (DigestAlgorithm.md5, "8ca523f5e9506fed4657c9700eebdbec"),
        (.sha256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ])
    func rfc7616(_ algorithm: DigestAlgorithm, _ response: String) throws {
        let challenge = try DigestChallenge(parsing: """
            Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=\(algorithm.name), \
            nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"
            """)
        #expect(challenge.algorithm == algorithm && challenge.offersAuth && !challenge.stale)
        let credentials = DigestCredentials.answering(
            challenge, method: .other("GET"), uri: "/dir/index.html", username: "Mufasa", password: "Circle of Life",
            cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", nonceCount: 1)
        #expect(credentials.response == response)
        let read = try DigestCredentials(parsing: credentials.headerValue)
        #expect(read == credentials && read.matches(method: .other("GET"), password: "Circle of Life"))
        #expect(!read.matches(method: .other("GET"), password: "Circle of life") && !read.matches(method: .invite, password: "Circle of Life"))
    }

    @Test("the example of RFC 2617, with qop and with the older form")
    func rfc2617() throws {
        let text = """
            Digest username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", uri="/dir/index.html", \
            qop=auth, nc=00000001, cnonce="0a4f113b", response="6629fae49393a05397450978507c4ef1", opaque="5ccc069c403ebaf9f0171e9517f40e41"
            """
        let credentials = try DigestCredentials(parsing: text)
        #expect(credentials.matches(method: .other("GET"), password: "Circle Of Life") && credentials.nonceCount == 1)
        let old = DigestChallenge(realm: "testrealm@host.com", nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093", offersAuth: false)
        let answer = DigestCredentials.answering(
            old, method: .other("GET"), uri: "/dir/index.html", username: "Mufasa", password: "Circle Of Life", cnonce: "unused", nonceCount: 1)
        #expect(answer.response == "670fd8c2df070c60b045671b8b24ff02" && answer.qop == nil && answer.cnonce == nil)
        #expect(try DigestCredentials(parsing: answer.headerValue).matches(method: .other("GET"), password: "Circle Of Life"))
    }

    @Test("challenges are written and read again", arguments: [
        DigestChallenge(realm: "pbx.example", nonce: "n1"), DigestChallenge(realm: "a \"b\" \\c, d=e", nonce: "n", opaque: "o", algorithm: .sha256, stale: true),
        DigestChallenge(realm: "", nonce: "n", offersAuth: false),
    ])
    func challenge(_ challenge: DigestChallenge) throws {
        #expect(try DigestChallenge(parsing: challenge.headerValue) == challenge)
    }

    @Test("odd spacing, commas and case are read", arguments: [
        "digest REALM=\"r\",NONCE=\"n\"", "Digest  ,, realm = \"r\" ,\tnonce=\"n\" , ", "DIGEST nonce=n, realm=r, algorithm=md5, x-unknown=\"a,b=\\\"c\\\"\"",
        "Digest realm=\"r\",nonce=\"n\",algorithm=\"MD5\"",
    ])
    func spacing(_ text: String) throws {
        let challenge = try DigestChallenge(parsing: text)
        #expect(challenge.realm == "r" && challenge.nonce == "n" && challenge.algorithm == .md5 && !challenge.offersAuth)
    }

    @Test("challenges that are refused", arguments: [
        ("", .digestScheme), ("Basic realm=\"r\"", .digestScheme), ("Digest", .digestScheme), ("Digestrealm=\"r\"", .digestScheme),
        ("Digest realm=\"r\"", .digestParameter), ("Digest realm=\"r\", nonce=\"n", .quotedString), ("Digest realm=\"r\" nonce=\"n\"", .digestParameter),
        ("Digest realm=\"r\", nonce=\"n\", realm=\"s\"", .repeatedParameter), ("Digest realm=\"r\", nonce=\"n\", Nonce=\"m\"", .repeatedParameter),
        ("Digest realm=\"r\", nonce=\"n\", algorithm=SHA-512-256", .digestAlgorithm), ("Digest realm=\"r\", nonce=\"n\", algorithm=MD5-sess", .digestAlgorithm),
        ("Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\"", .digestQuality), ("Digest realm, nonce=\"n\"", .digestParameter), ("Digest realm=\"r\", nonce=", .parameter),
        ("Digest realm=\"r\", =\"n\"", .parameter),
    ] as [(String, GrammarRule)])
    func refusedChallenge(_ text: String, _ rule: GrammarRule) {
        #expect(throws: SIPSyntaxError(rule)) { try DigestChallenge(parsing: text) }
    }

    @Test("credentials that are refused", arguments: [
        ("", GrammarRule.digestParameter, "username=\"u\""), (", qop=auth", .digestParameter, ""), (", qop=auth-int, cnonce=\"c\", nc=00000001", .digestQuality, ""),
        (", qop=auth, cnonce=\"c\", nc=1", .digestParameter, ""), (", qop=auth, cnonce=\"c\", nc=0000000g", .digestParameter, ""),
        (", qop=auth, cnonce=\"c\", nc=-0000001", .digestParameter, ""), (", qop=auth, nc=00000001", .digestParameter, ""),
        ((0..<30).map { ", p\($0)=1" }.joined(), .digestParameter, ""), (", nonce=\"again\"", .repeatedParameter, ""),
    ] as [(String, GrammarRule, String)])
    func refusedCredentials(_ more: String, _ rule: GrammarRule, _ leaveOut: String) {
        let parts = ["username=\"u\"", "realm=\"r\"", "nonce=\"n\"", "uri=\"sip:a\"", "response=\"00\""].filter { $0 != leaveOut }
        #expect(throws: SIPSyntaxError(rule)) { try DigestCredentials(parsing: "Digest " + parts.joined(separator: ", ") + more) }
    }

    @Test("a response in capitals or of another length")
    func responseText() throws {
        let challenge = DigestChallenge(realm: "r", nonce: "n")
        var credentials = DigestCredentials.answering(challenge, method: .register, uri: "sip:r", username: "u", password: "p", cnonce: "c", nonceCount: 0xFFFF_FFFF)
        let loud = credentials.headerValue.replacing(credentials.response, with: credentials.response.uppercased())
        #expect(try DigestCredentials(parsing: loud).matches(method: .register, password: "p"))
        credentials.response = ""
        #expect(!credentials.matches(method: .register, password: "p"))
    }
}
