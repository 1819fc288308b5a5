import Testing

/// What must become of a request, judged at the PBX.
enum Outcome: Equatable, Sendable {
    /// One INVITE to this number on the emergency route, and one entry of an emergency.
    case emergency(String = "911")
    /// One request to this user of the PBX's domain, under the identity of the session.
    case forwarded(String)
    /// Nothing at the PBX; one entry of a refusal.
    case refused(Int)
    /// Nothing at the PBX; answered before the policy looked at it.
    case answered(Int)
    /// As `answered` for a datagram; a stream waits for the end of the message, and the connection's limits end that.
    case unread(Int)
    /// Nothing anywhere.
    case silence
}

struct Attack: Sendable, CustomTestStringConvertible {
    var name: String
    var request: RawRequest
    var idle: Outcome
    var seated: Outcome

    init(_ name: String, _ request: RawRequest, _ idle: Outcome, seated: Outcome? = nil) {
        self.name = name
        self.request = request
        self.idle = idle
        self.seated = seated ?? idle
    }

    /// An INVITE that differs in its Request-URI alone.
    static func to(_ uri: String, _ idle: Outcome, seated: Outcome? = nil) -> Attack {
        Attack(uri, RawRequest(uri: uri), idle, seated: seated)
    }

    static func with(_ lines: [String], uri: String = "sip:101@pbx.example", _ idle: Outcome, seated: Outcome? = nil) -> Attack {
        Attack(lines.joined(separator: " | "), RawRequest(uri: uri, lines: lines), idle, seated: seated)
    }

    static var all: [Attack] { targets + routing + methods + bodies + syntax + tricks }

    var testDescription: String { name }
}

extension Attack {
    /// Cases 1 to 10: the spelling of the target.
    static let targets: [Attack] = [
        .to("sip:911@pbx.example", .emergency()), .to("sip:112@pbx.example", .emergency("112")),
        .to("sips:911@pbx.example", .emergency()), .to("SIP:911@PBX.example", .emergency()),
        .to("sip:911@pbx.example;user=phone", .emergency()), .to("sip:911;phone-context=+1@pbx.example;user=phone", .emergency()),
        .to("sip:911:password@pbx.example", .emergency()),
        .to("tel:911", .emergency()), .to("tel:911;phone-context=+1", .emergency()),
        .to("tel:911;phone-context=evil.example", .emergency()), .to("tel:9-1-1", .emergency()),
        .to("sip:9-1-1@pbx.example", .emergency()), .to("sip:(911)@pbx.example", .emergency()),
        .to("sip:9.1.1@pbx.example", .emergency()), .to("sip:%39%31%31@pbx.example", .emergency()),
        .to("sip:%20911@pbx.example", .emergency()), .to("sip:%2811%29%32@pbx.example", .emergency("112")),
        .to("sip:911%40evil@pbx.example", .refused(400)), .to("sip:911%00@pbx.example", .answered(400)),
        .to("sip:911%0d%0aRoute:x@pbx.example", .answered(400)), .to("sip:911%@pbx.example", .answered(400)),
        .to("sip:911%4@pbx.example", .answered(400)), .to("sip:%ff911@pbx.example", .answered(400)),
        .to("sip:911@evil.example", .emergency()), .to("sip:911@203.0.113.66:9999", .emergency()),
        .to("sip:911@[2001:db8::66]:9999;transport=tls", .emergency()), .to("sip:911@203.0.113.66;maddr=203.0.113.67", .emergency()),
        .to("sip:9112@pbx.example", .emergency("112")), .to("sip:1129@pbx.example", .refused(403), seated: .forwarded("1129")),
        .to("sip:911911@pbx.example", .refused(403), seated: .forwarded("911911")),
        .to("sip:91@pbx.example", .refused(403), seated: .forwarded("91")),
        .to("sip:911x@pbx.example", .refused(403), seated: .forwarded("911x")),
        .to("sip:911,19005550100@pbx.example", .refused(403), seated: .forwarded("911,19005550100")),
        .to("sip:911#19005550100@pbx.example", .refused(403), seated: .forwarded("911%2319005550100")),
        .to("sip:19005550100;911@pbx.example", .refused(403), seated: .forwarded("19005550100")),
        .to("sip:19005550100@911.example", .refused(403), seated: .forwarded("19005550100")),
        .to("sip:911.example", .refused(403), seated: .refused(404)), .to("sip:911", .answered(400)),
        .to("sip:911@pbx.example?Route=%3Csip:evil.example%3E", .emergency()),
        .to("sip:911@pbx.example?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc", .emergency()),
        .to("sip:101@pbx.example?Route=%3Csip:evil.example%3E&Replaces=x", .refused(400)),
        .to("urn:service:sos", .emergency("112")), .to("urn:service:sos.police", .emergency("112")),
        .to("URN:Service:SOS.Fire", .emergency("112")), .to("urn:service:sosx", .refused(403), seated: .refused(416)),
        .to("urn:service:counseling", .refused(403), seated: .refused(416)),
        .to("sip:9911@pbx.example", .emergency()), .to("sip:0112@pbx.example", .emergency("112")),
        .to("sip:0-911@pbx.example", .emergency()), .to("sip:00911@pbx.example", .refused(403), seated: .forwarded("00911")),
        .to("mailto:911@pbx.example", .refused(403), seated: .refused(416)),
        .to("sip:%D9%A9%D9%A1%D9%A1@pbx.example", .refused(403), seated: .forwarded("%D9%A9%D9%A1%D9%A1")),
        .to("sip:101%3B911@pbx.example", .refused(403), seated: .forwarded("101")),
        .to("sip:*62101@pbx.example", .refused(403), seated: .forwarded("*62101")),
        .to("tel:911;isub=19005550100", .emergency()), .to("tel:911;ext=5;postd=pp22", .emergency()),
        .to("sip:911;isub=19005550100;postd=1@pbx.example;user=phone", .emergency()),
        .to("tel:+19005550100;postd=911;phone-context=+1", .refused(403), seated: .forwarded("+19005550100")),
        .to("tel:19005550100;phone-context=911", .refused(403), seated: .forwarded("19005550100")),
        .to("sip:+911@pbx.example", .refused(403), seated: .forwarded("+911")),
        .to("sip:*911@pbx.example", .refused(403), seated: .forwarded("*911")),
        .to("sip:911*@pbx.example", .refused(403), seated: .forwarded("911*")),
        .to("sip:911p19005550100@pbx.example", .refused(403), seated: .forwarded("911p19005550100")),
        .to("sip:911@pbx.example;method=REFER;ttl=9", .emergency()),
        .with(["Priority: emergency", "Resource-Priority: esnet.0", "X-Emergency: 911"], .refused(403), seated: .forwarded("101")),
        Attack(
            "To names an emergency number", RawRequest(headers: [("To", "<sip:911@pbx.example>")]), .refused(403),
            seated: .forwarded("101")),
        Attack(
            "To names another number than the Request-URI", RawRequest(uri: "sip:911@pbx.example", headers: [("To", "<sip:19005550100@x>")]),
            .emergency()),
    ]

    /// Cases 11 to 15: routing and identity.
    static let routing: [Attack] = [
        .with(["Route: <sip:evil.example;lr>"], .refused(403), seated: .forwarded("101")),
        .with(["Route: <sip:evil.example;lr>"], uri: "sip:911@pbx.example", .emergency()),
        .with(["Route: <sip:911@pbx.example>", "Route: <sip:evil.example>"], .refused(403), seated: .forwarded("101")),
        .with(["Record-Route: <sip:evil.example;lr>"], .refused(403), seated: .forwarded("101")),
        .with(["Path: <sip:evil.example;lr>"], .refused(403), seated: .forwarded("101")),
        .with(["Service-Route: <sip:evil.example;lr>"], .refused(403), seated: .forwarded("101")),
        .to("sip:101@pbx.example;maddr=203.0.113.66;transport=udp;lr", .refused(403), seated: .forwarded("101")),
        Attack(
            "Via claims another source",
            RawRequest(headers: [("Via", "SIP/2.0/UDP 203.0.113.66:9;received=203.0.113.67;rport=9;maddr=203.0.113.68;branch=z9hG4bKforged")]),
            .refused(403), seated: .forwarded("101")),
        Attack(
            "Contact of a third party", RawRequest(headers: [("Contact", "<sip:evil@203.0.113.66>")]), .refused(403),
            seated: .forwarded("101")),
        Attack(
            "identity headers",
            RawRequest(lines: identityLines), .refused(403), seated: .forwarded("101")),
        Attack("identity headers in an emergency", RawRequest(uri: "sip:911@pbx.example", lines: identityLines), .emergency()),
        Attack(
            "headers that lead an emergency elsewhere",
            RawRequest(
                uri: "sip:911@pbx.example",
                lines: [
                    "Replaces: victim;to-tag=a;from-tag=b", "Join: victim;to-tag=a;from-tag=b", "Require: replaces",
                    "Target-Dialog: victim", "Refer-To: <sip:19005550100@pbx.example>", "X-Bypass : 1", "Alert-Info: <http://evil.example>",
                    "Request-Disposition: fork", "Referred-By: <sip:boss@pbx.example>", "Call-Info: <http://evil.example>",
                ]), .emergency()),
        Attack("identity headers, folded and in other spellings", RawRequest(lines: oddIdentityLines), .refused(403), seated: .forwarded("101")),
        Attack(
            "identity headers, folded, in an emergency", RawRequest(uri: "sip:911@pbx.example", lines: oddIdentityLines), .emergency()),
        Attack("no hop is left", RawRequest(headers: [("Max-Forwards", "0")]), .answered(483)),
        Attack("no hop is left for an emergency", RawRequest(uri: "sip:911@pbx.example", headers: [("Max-Forwards", "0")]), .emergency()),
        .with(["Proxy-Require: nothing-known"], .answered(420)),
        .with(["Proxy-Require: nothing-known"], uri: "sip:911@pbx.example", .emergency()),
    ]

    static let oddIdentityLines = [
        "P-Asserted-Identity:\r\n <sip:boss@pbx.example>", "DIVERSION\t :\r\n\t<sip:boss@x>;reason=\r\n deflection", "b: <sip:boss@pbx.example>",
        "P-aSSERTED-iDENTITY: \"boss\" <tel:+19005550100>,\r\n <sip:boss@x>", "P-Charge-Info : <sip:boss@x>;noa=3",
    ]

    static let identityLines = [
        "P-Asserted-Identity: <sip:boss@pbx.example>", "p-asserted-identity : <sip:boss@pbx.example>", "P-Preferred-Identity: <sip:boss@x>",
        "Remote-Party-ID: <sip:boss@pbx.example>;privacy=off", "REMOTE-PARTY-ID:\t<sip:boss@x>", "Diversion: <sip:boss@pbx.example>",
        "History-Info: <sip:boss@x>;index=1", "P-Served-User: <sip:boss@x>", "P-Charge-Info: <sip:boss@x>", "Identity: boss",
        "P-Associated-URI: <sip:boss@x>", "P-Asserted-Service: boss", "Proxy-Authorization: Digest username=\"boss\"",
        "Authorization: Digest username=\"boss\", realm=\"other\", nonce=\"1\", uri=\"sip:x\", response=\"0\"",
    ]
}
