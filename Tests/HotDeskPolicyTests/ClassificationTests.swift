import HotDeskPolicy
import SIPMessage
import Testing

@Suite struct ClassificationTests {
    @Test(arguments: [
        "sip:911@pbx.example", "sips:911@pbx.example", "sip:911@pbx.example;user=phone", "sip:112@pbx.example", "sip:999@pbx.example",
        "tel:911", "tel:911;phone-context=+1", "tel:911;phone-context=evil.example", "tel:9-1-1", "tel:(911)", "sip:9-1-1@pbx.example",
        "sip:(911)@pbx.example", "sip:9.1.1@pbx.example", "sip:%39%31%31@pbx.example", "sip:9%201%201@pbx.example",
        "sip:911@evil.example:9", "sip:911@192.0.2.66", "sip:911@[2001:db8::1]:5062", "sip:911;phone-context=+1@pbx.example",
        "sip:911%3bphone-context=+1@pbx.example", "sip:911:secret@pbx.example", "SIP:911@PBX.EXAMPLE",
        "sip:911@pbx.example;maddr=192.0.2.66;transport=tls", "sip:9911@pbx.example", "sip:0112@pbx.example", "sip:9-911@pbx.example",
        "tel:9112", "sip:9999@pbx.example", "urn:service:sos", "URN:Service:SOS", "urn:service:sos.police", "urn:service:SOS.Fire",
        "urn:service:sos?x=y", "sip:911@pbx.example?Route=%3Csip:evil.example%3E", "sip:911@pbx.example?Replaces=a",
    ])
    func emergency(text: String) throws {
        guard case .emergency(let called) = site.classify(try URI(parsing: text)) else {
            Issue.record("\(text) is no emergency number")
            return
        }
        #expect(site.emergency.numbers.contains(called))
    }

    @Test(arguments: [
        ("sip:9911@pbx.example", "911"), ("sip:0112@pbx.example", "112"), ("sip:9-99-9@pbx.example", "999"),
        ("urn:service:sos.ambulance", "112"), ("tel:9999", "999"),
    ])
    func emergencyIsCanonical(text: String, expected: String) throws {
        #expect(site.classify(try URI(parsing: text)) == .emergency(expected))
    }

    @Test(arguments: [
        ("sip:9110@pbx.example", "9110"), ("sip:91@pbx.example", "91"), ("sip:1911@pbx.example", "1911"), ("sip:99911@pbx.example", "99911"),
        ("sip:+911@pbx.example", "+911"), ("sip:911a@pbx.example", "911a"), ("sip:911,1@pbx.example", "911,1"),
        ("sip:alice.smith@pbx.example", "alice.smith"), ("sip:555-1234@pbx.example", "5551234"),
        ("tel:+1-555-123;phone-context=x", "+1555123"), ("sip:100;postd=pp22@pbx.example", "100"), ("sip:*62@pbx.example", "*62"),
        ("sip:*771@pbx.example", "*771"), ("sip:*7@pbx.example", "*7"), ("sip:77@pbx.example", "77"),
        ("sip:%D9%A9%D9%A1%D9%A1@pbx.example", "٩١١"), ("sip:service:sos@pbx.example", "service"),
    ])
    func numbers(text: String, expected: String) throws {
        #expect(site.classify(try URI(parsing: text)) == .number(expected))
    }

    @Test(arguments: [
        ("*77*100*", "100"), ("*77*100", "100"), ("%2A77%2A100%2A", "100"), ("%2a77*100", "100"), ("*77*100*;user=phone", "100"),
        ("*77*100%23", "100"), ("*77*0100*", "0100"), ("*77*50", "50"), ("*77*55*", "55"), ("*77", nil), ("*77*", nil), ("%2A77", nil),
        ("*77**", nil), ("*77*1-0-0*", "100"),
    ] as [(String, String?)])
    func login(user: String, expected: String?) throws {
        let number = expected.flatMap { ExtensionNumber($0) }
        #expect(site.classify(try URI(parsing: "sip:\(user)@pbx.example")) == .login(number))
        #expect(site.classify(try URI(parsing: "sips:\(user)@192.0.2.1;transport=tcp")) == .login(number))
    }

    @Test(arguments: ["*77*5*", "*77*5", "%2A77%2A5%2A", "*77*5%23", "*77*5;user=phone"])
    func logout(user: String) throws {
        #expect(site.classify(try URI(parsing: "sip:\(user)@pbx.example")) == .logout)
        #expect(site.classify(.tel(TelURI(number: "*77*5*"))) == .logout)
    }

    @Test(arguments: [
        "911%40evil.example", "*77*1a*", "*77*1*2*", "*77*12345678901234567*", "*77*100*evil", "*77*+100*",
    ])
    func malformedUser(user: String) throws {
        guard case .malformed = site.classify(try URI(parsing: "sip:\(user)@pbx.example")) else {
            Issue.record("\(user) was taken")
            return
        }
    }

    /// What the parser itself refuses, should it reach the policy all the same.
    @Test(arguments: ["911\0", "911\r\n", "911\u{7F}", "100@evil.example", "\t911"])
    func malformedBytes(user: String) throws {
        let host = try #require(Host("pbx.example"))
        for uri in [URI.sip(SIPURI(user: user, host: host)), .tel(TelURI(number: user))] {
            guard case .malformed = site.classify(uri) else {
                Issue.record("a hidden byte was taken")
                continue
            }
        }
    }

    @Test(arguments: ["sip:911%00@pbx", "sip:911%0d%0a@pbx", "sip:911%@pbx", "sip:911%4@pbx"])
    func brokenEscapesAreNoURI(text: String) {
        #expect(throws: SIPSyntaxError.self) { try URI(parsing: text) }
    }

    @Test(arguments: ["sip:100@pbx.example?Route=%3Csip:evil%3E", "sip:*77*100*@pbx.example?Replaces=x", "sips:5551234@pbx?Subject=x"])
    func headersInATarget(text: String) throws {
        guard case .malformed = site.classify(try URI(parsing: text)) else {
            Issue.record("\(text) was taken")
            return
        }
    }

    @Test(arguments: [
        ("sip:pbx.example", ""), ("mailto:911@pbx.example", "mailto"), ("http://911/", "http"), ("urn:service:counseling", "urn"),
        ("urn:service:sosx", "urn"), ("urn:service:test.sos", "urn"), ("im:911", "im"),
    ])
    func foreign(text: String, scheme: String) throws {
        #expect(site.classify(try URI(parsing: text)) == .foreign(scheme))
    }

    @Test func aUserOfParametersOrSeparatorsNamesNobody() throws {
        let host = try #require(Host("pbx.example"))
        for user in ["", ";x=y", "-.()", " "] {
            #expect(site.classify(.sip(SIPURI(user: user, host: host))) == .foreign(""))
        }
    }

    @Test func withoutConfiguredNumbersTheServiceIsStillReached() throws {
        var rules = site
        rules.emergency.numbers = []
        #expect(rules.classify(try URI(parsing: "urn:service:sos")) == .emergency("112"))
        #expect(rules.classify(try URI(parsing: "sip:911@pbx")) == .number("911"))
    }

    /// (login code, logout code, dialled, what it is)
    @Test(arguments: [
        ("*99", "*98", "*99", "login"), ("*99", "*98", "*99*", "login"), ("*99", "*98", "*99100", "login 100"),
        ("*99", "*98", "*99*100*", "login 100"), ("*99", "*98", "*98", "logout"), ("*99", "*98", "*98*", "logout"),
        ("*99", "*98", "*77*100*", "number"), ("#1#", "#0#", "#1#100#", "login 100"), ("#1#", "#0#", "#0#", "logout"),
        ("", "", "*77*", "number"), ("*", "*", "*", "number"), ("*77*", "", "*77*5*", "login 5"), ("*7*", "*7*0*", "*7*0", "logout"),
    ])
    func otherCodes(login: String, logout: String, dialled: String, expected: String) throws {
        var rules = site
        rules.dialCodes = DialCodes(login: login, logout: logout)
        let host = try #require(Host("pbx"))
        let outcome =
            switch rules.classify(.sip(SIPURI(user: dialled, host: host))) {
            case .login(let number): number.map { "login \($0)" } ?? "login"
            case .logout: "logout"
            case .number: "number"
            case .emergency: "emergency"
            case .malformed: "malformed"
            case .foreign: "foreign"
            }
        #expect(outcome == expected)
    }
}

@Suite struct NumberPatternTests {
    @Test(arguments: [
        ("2xx", "205", true), ("2xx", "2055", false), ("2xx", "20", false), ("2XX", "2a5", false), ("8.", "8", true), ("8.", "812345", true),
        ("8.", "9", false), ("*62", "*62", true), ("+49.", "+4930", true), ("x.", "5", true), ("x.", "*5", false),
    ]) func shapes(pattern: String, number: String, matches: Bool) throws {
        #expect(try #require(NumberPattern(pattern)).matches(number) == matches)
    }

    @Test(arguments: ["", ".", "1.2", "2-3", "abc", "2 x"]) func whatIsNoShape(text: String) { #expect(NumberPattern(text) == nil) }
}
