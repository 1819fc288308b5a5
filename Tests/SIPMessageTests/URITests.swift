import CoreTypes
import SIPMessage
import Testing

@Suite("URIs")
struct URITests {
    /// Text, its canonical form, and the user that must come out.
    @Test("are read, and written in one form", arguments: [
        ("sip:100@pbx.example", "sip:100@pbx.example", "100"),
        ("SIP:100@PBX.Example.", "sip:100@pbx.example", "100"),
        ("sips:a@b:5061;transport=TCP;LR", "sips:a@b:5061;transport=TCP;lr", "a"),
        ("sip:%39%31%31@b", "sip:911@b", "911"),
        ("sip:%2A77%2a100%2A@b", "sip:*77*100*@b", "*77*100*"),
        ("sip:*77*5*@b", "sip:*77*5*@b", "*77*5*"),
        ("sip:#31#100@b", "sip:%2331%23100@b", "#31#100"),
        ("sip:911%40evil@b", "sip:911%40evil@b", "911@evil"),
        ("sip:a%3ab@c", "sip:a%3Ab@c", "a:b"),
        ("sip:a;b=c?d/e@f", "sip:a;b=c?d/e@f", "a;b=c?d/e"),
        ("sip:+1(555)0100-9.1;phone-context=x@h;user=phone", "sip:+1(555)0100-9.1;phone-context=x@h;user=phone", "+1(555)0100-9.1;phone-context=x"),
        ("sip:a%20b@c", "sip:a%20b@c", "a b"),
        ("sip:%D0%B9@c", "sip:%D0%B9@c", "й"),
        ("sip:й@c", "sip:%D0%B9@c", "й"),
        ("sip:%2541@c", "sip:%2541@c", "%41"),
        ("sip:a@[2001:DB8:0::1]:5070", "sip:a@[2001:db8::1]:5070", "a"),
        ("sip:a@192.0.2.1", "sip:a@192.0.2.1", "a"),
        ("sip:a@3cx", "sip:a@3cx", "a"),
        ("sip:a@my_host.example", "sip:a@my_host.example", "a"),
        ("sip:a@b;x=%3b;y=1=2", "sip:a@b;x=%3B;y=1=2", "a"),
        ("sip:a@b?Route=%3Csip:c%3E&Subject=", "sip:a@b?route=%3Csip:c%3E&subject=", "a"),
    ])
    func sip(_ text: String, _ canonical: String, _ user: String) throws {
        let uri = try URI(parsing: text)
        #expect(uri.sip?.user == user && uri.description == canonical)
        #expect(try URI(parsing: canonical) == uri)
    }

    @Test("without a user")
    func hostOnly() throws {
        let uri = try #require(URI(parsing: "sip:[::1]:5062;lr").sip)
        #expect(uri.user == nil && uri.host.address == IPAddress("::1") && uri.port == 5062 && uri.parameter("lr") != nil)
    }

    @Test("password")
    func password() throws {
        let uri = try #require(URI(parsing: "sip:a:se%3acret@b").sip)
        #expect(uri.password == "se:cret" && uri.description == "sip:a:se%3Acret@b")
    }

    @Test("other schemes", arguments: [
        ("urn:service:sos", "urn", "service:sos"), ("URN:Service:SOS.police", "urn", "Service:SOS.police"),
        ("http://www.example.com/?a=b", "http", "//www.example.com/?a=b"), ("x-a.b+c:d", "x-a.b+c", "d"),
    ])
    func other(_ text: String, _ scheme: String, _ opaque: String) throws {
        #expect(try URI(parsing: text) == .other(scheme: scheme, opaque: opaque))
    }

    @Test("tel", arguments: [
        ("tel:911", "911", "tel:911"), ("TEL:+1-201-555-0123", "+1-201-555-0123", "tel:+1-201-555-0123"),
        ("tel:911;Phone-Context=+1", "911", "tel:911;phone-context=+1"), ("tel:(9)1.1", "(9)1.1", "tel:(9)1.1"),
        ("tel:*77*100*", "*77*100*", "tel:*77*100*"), ("tel:%39%31%31", "911", "tel:911"), ("tel:%2A77#", "*77#", "tel:*77#"),
        ("tel:7042;phone-context=example.com", "7042", "tel:7042;phone-context=example.com"),
    ])
    func tel(_ text: String, _ number: String, _ canonical: String) throws {
        let uri = try URI(parsing: text)
        guard case .tel(let tel) = uri else {
            Issue.record("no tel URI")
            return
        }
        #expect(tel.number == number && uri.description == canonical)
        #expect(try URI(parsing: canonical) == uri)
    }

    @Test("are refused", arguments: [
        ("", .scheme), ("sip", .scheme), ("sip:", .scheme), (":a", .scheme), ("1sip:a@b", .scheme), ("<sip:a@b>", .scheme), (" sip:a@b", .scheme),
        ("sip:@b", .user), ("sip:a b@c", .user), ("sip:a\"@c", .user), ("sip:a[@c", .user), ("sip:a:b:c@d", .user),
        ("sip:%00@b", .controlCharacter), ("sip:a%0d%0a@b", .controlCharacter), ("sip:a%7F@b", .controlCharacter), ("sip:a%1f@b", .controlCharacter),
        ("sip:%@b", .percentEscape), ("sip:%4@b", .percentEscape), ("sip:%zz@b", .percentEscape), ("sip:%ff@b", .percentEscape),
        ("sip:a@", .host), ("sip:a@b@c", .uri), ("sip:a@-b", .host), ("sip:a@b..c", .host), ("sip:a@1.2.3", .host), ("sip:a@1.2.3.256", .host),
        ("sip:a@1.2.3.4.5", .host), ("sip:a@[::1", .host), ("sip:a@[1.2.3.4]", .host), ("sip:a@[:::1]", .host), ("sip:a@[fe80::1%25eth0]", .host),
        ("sip:a@b:", .port), ("sip:a@b:0", .port), ("sip:a@b:65536", .port), ("sip:a@b:x", .port), ("sip:a@b:99999999999999999999", .port),
        ("sip:a@b c", .uri), ("sip:a@b>", .uri), ("sip:a@b;lr,x", .uri), ("sip:a@b/c", .uri),
        ("sip:a@b;", .uriParameter), ("sip:a@b;;lr", .uriParameter), ("sip:a@b;=c", .uriParameter), ("sip:a@b;c=", .uriParameter),
        ("sip:a@b;c=%0a", .controlCharacter), ("sip:a@b;c;C", .repeatedParameter), ("sip:a@b?", .uriHeader), ("sip:a@b?c", .uriHeader),
        ("sip:a@b?c=d&", .uriHeader), ("sip:a@b?c=%0d%0aEvil:x", .controlCharacter),
        ("tel:", .scheme), ("tel:-", .telephoneNumber), ("tel:call-me", .telephoneNumber), ("tel:911@b", .telephoneNumber), ("tel:9%0011", .controlCharacter),
        ("urn:a b", .uri), ("urn:a\u{e9}", .uri), ("urn:a<b", .uri),
    ] as [(String, GrammarRule)])
    func refused(_ text: String, _ rule: GrammarRule) {
        #expect(throws: SIPSyntaxError(rule)) { try URI(parsing: text) }
    }

    @Test("every byte of a user survives")
    func everyUserByte() throws {
        for value in UInt8(0x20)..<0x7F {
            let user = "a" + String(UnicodeScalar(value)) + "b"
            let uri = URI.sip(SIPURI(user: user, host: try #require(Host("h"))))
            #expect(try URI(parsing: uri.description) == uri, "\(value)")
        }
    }
}

@Suite("Addresses with names")
struct NameAddressTests {
    @Test("are read and written", arguments: [
        ("<sip:a@b>", nil, "<sip:a@b>"), ("sip:a@b;tag=1", nil, "<sip:a@b>;tag=1"), ("\"A \\\"B\\\"\" <sip:a@b>", "A \"B\"", "\"A \\\"B\\\"\" <sip:a@b>"),
        ("A. B <sip:a@b;lr>;tag=x;y", "A. B", "\"A. B\" <sip:a@b;lr>;tag=x;y"), ("\"\" <sip:a@b>", "", "\"\" <sip:a@b>"),
        ("Müller (home)<sip:a@b>", "Müller (home)", "\"Müller (home)\" <sip:a@b>"), ("\"<sip:x@y>\" <sip:a@b>", "<sip:x@y>", "\"<sip:x@y>\" <sip:a@b>"),
        ("<sip:a@b> ; q = \"0.5;6\"", nil, "<sip:a@b>;q=\"0.5;6\""), ("<tel:911>", nil, "<tel:911>"), ("  <sip:a@b?x=y>  ", nil, "<sip:a@b?x=y>"),
    ] as [(String, String?, String)])
    func read(_ text: String, _ name: String?, _ canonical: String) throws {
        let address = try NameAddress(parsing: text)
        #expect(address.displayName == name && address.description == canonical)
        #expect(try NameAddress(parsing: canonical) == address)
    }

    @Test("are refused", arguments: [
        "", "\"a <sip:a@b>", "<sip:a@b", "<sip:a@b>>", "sip:a@b?x=y", "<sip:a@b> x", "<sip:a@b>;", "<sip:a@b>;=1", "<sip:a@b>;tag=1;tag=1", "a>b <sip:a@b>",
        "\"a\" sip:a@b", "<sip:a@b>,<sip:c@d>", "<>", "< sip:a@b>", "\"a\\\u{e9}\" <sip:a@b>", "*",
    ])
    func refused(_ text: String) {
        #expect(throws: SIPSyntaxError.self) { try NameAddress(parsing: text) }
    }

    @Test("a tag is set, replaced and taken off")
    func tag() throws {
        var address = try NameAddress(parsing: "<sip:a@b>;x=1")
        address.tag = "one"
        address.tag = "two"
        #expect(address.description == "<sip:a@b>;x=1;tag=two")
        address.tag = nil
        #expect(address.description == "<sip:a@b>;x=1")
    }

    @Test("Via")
    func via() throws {
        var via = try Via(parsing: "sip / 2.0 / udp [2001:db8::1] : 5070 ; branch = z9hG4bKa ; rport")
        #expect(via.description == "SIP/2.0/UDP [2001:db8::1]:5070;branch=z9hG4bKa;rport")
        via.received = IPAddress("192.0.2.9")
        via.rport = 40_000
        #expect(via.description == "SIP/2.0/UDP [2001:db8::1]:5070;branch=z9hG4bKa;rport=40000;received=192.0.2.9")
        #expect(via.rport == 40_000 && via.received == IPAddress("192.0.2.9"))
    }
}
