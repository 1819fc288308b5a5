/// What was tried when the table was there: other forms of the target, several values where one belongs, words of other
/// specifications that would name another caller, another payer or another target.
extension Attack {
    static let tricks: [Attack] = forms + claims + transfers + oddities

    private static let forms: [Attack] = [
        .to("sip:911;@pbx.example", .emergency()), .to("sip:911@pbx.example;;user=phone", .answered(400)),
        .to("sip:911@", .answered(400)), .to("sip:@pbx.example", .answered(400)), .to("<sip:911@pbx.example>", .answered(400)),
        .to("sip:911@pbx.example,sip:19005550100@x", .answered(400)), .to("sip:911@101@pbx.example", .answered(400)),
        .to("sip:911\t@pbx.example", .answered(400)), .to("sip:911@pbx.example#sos", .answered(400)),
        .to("sip:911@[::1", .answered(400)), .to("sip:911@pbx.example:99999", .answered(400)), .to("sip:911@pbx.example:5060x", .answered(400)),
        .to("sip:911@pbx.example:", .answered(400)),
        .to("sip:sip:911@pbx.example", .refused(403), seated: .forwarded("sip")),
        .to("sip:%73ip%3A911@pbx.example", .refused(403), seated: .forwarded("sip%3A911")),
        .to("sip:91%31%2D@pbx.example", .emergency()), .to("sip:911%2C19005550100@pbx.example", .refused(403), seated: .forwarded("911,19005550100")),
        .to("sip:911%3Bpostd=19005550100@pbx.example", .emergency()), .to("sip:911%23@pbx.example", .refused(403), seated: .forwarded("911%23")),
        .to("sip:%EF%BC%99%EF%BC%91%EF%BC%91@pbx.example", .refused(403), seated: .forwarded("%EF%BC%99%EF%BC%91%EF%BC%91")),
        .to("sip:sos@pbx.example", .refused(403), seated: .forwarded("sos")),
        .to("urn:service:sos@pbx.example", .refused(403), seated: .refused(416)), .to("urn:nena:service:sos", .refused(403), seated: .refused(416)),
        .to("urn:service:sos?Route=%3Csip:evil.example%3E", .emergency("112")), .to("urn:service:sos.", .emergency("112")),
        .to("im:911@pbx.example", .refused(403), seated: .refused(416)), .to("pres:101@pbx.example", .refused(403), seated: .refused(416)),
        .to("tel:", .answered(400)), .to("tel:%39%31%31", .emergency()), .to("tel:+1-911", .refused(403), seated: .forwarded("+1911")),
        .to("tel:911;phone-context=%2B1;rn=19005550100;npdi", .emergency()),
        .to("tel:19005550100;rn=911;npdi", .refused(403), seated: .forwarded("19005550100")),
        .to("sip:101;tgrp=boss;trunk-context=evil.example@pbx.example;gr=boss", .refused(403), seated: .forwarded("101")),
        .to("sip:101@pbx.example;ob;cpc=operator;oli=00;phone-context=boss", .refused(403), seated: .forwarded("101")),
        .to("sip:911@pbx.example;cause=302;target=sip:19005550100@x", .answered(400)),
        .to("sip:911@pbx.example;cause=302;target=sip%3A19005550100%40x", .emergency()),
    ]

    private static func from(_ value: String, uri: String = "sip:101@pbx.example", _ idle: Outcome, seated: Outcome? = nil) -> Attack {
        Attack("From: \(value)", RawRequest(uri: uri, headers: [("From", value)]), idle, seated: seated)
    }

    /// Who pays: RFC 5503 (P-DCS), RFC 7315, RFC 7316, RFC 5502, RFC 8498, RFC 8224, and what vendors made of them.
    private static let otherPayers = [
        "P-DCS-Billing-Info: boss/1@boss", "P-DCS-LAES: boss", "P-DCS-OSPS: boss", "P-DCS-Redirect: boss", "P-DCS-Trace-Party-ID: <sip:boss@x>",
        "P-Private-Network-Indication: boss", "P-Served-User: <sip:boss@x>;sescase=orig", "P-Visited-Network-ID: boss", "P-User-Database: <aaa://boss>",
        "P-Profile-Key: <sip:boss@x>", "P-Called-Party-ID: <sip:boss@x>", "P-Access-Network-Info: boss", "P-Charging-Vector: icid-value=boss",
        "P-Charging-Function-Addresses: ccf=boss", "P-Preferred-Service: boss", "p-something-new: boss",
        "Identity-Info: <http://boss>", "Service-Interact-Info: boss", "Cellular-Network-Info: boss",
        "Attestation-Info: boss", "Origination-Id: boss", "Additional-Identity: <sip:boss@x>", "Relayed-Charge: boss",
        "Resource-Share: boss", "Restoration-Info: boss", "Response-Source: boss", "Priority-Share: boss", "Priority-Verstat: boss",
    ]

    private static let claims: [Attack] = [
        from("\"911\" <sip:HD0001@pbx.example>;tag=ft", .refused(403), seated: .forwarded("101")),
        from("\"boss\\\" <sip:boss@pbx.example>\" <sip:HD0001@pbx.example>;tag=ft", .refused(403), seated: .forwarded("101")),
        from("<sip:HD0001:boss@pbx.example;cpc=boss>;tag=ft;cpc=boss", .refused(403), seated: .forwarded("101")),
        from("<sip:HD0001@pbx.example?P-Asserted-Identity=boss>;tag=ft", .refused(403), seated: .forwarded("101")),
        from("sip:HD0001@pbx.example;tag=ft", .refused(403), seated: .forwarded("101")),
        from("<sip:HD0001@pbx.example>;tag=ft, <sip:boss@pbx.example>;tag=x", .answered(400)),
        from("<sip:HD0001@pbx.example>", .refused(403), seated: .answered(400)), from("<sip:HD0001@pbx.example>", uri: "sip:911@pbx.example", .emergency()),
        from("<sip:boss@pbx.example>;tag=ft", .refused(403), seated: .forwarded("101")), from("<sip:HD0001@pbx.example>;tag=", .answered(400)),
        // Kamailio reads nothing of such a From, so nobody is named by it.
        from("<sip:HD0001@pbx.example>;tag=f=t", .answered(400)), from("<sip:HD0001@pbx.example>;tag=f@t", uri: "sip:911@pbx.example", .answered(400)),
        from("<sip:HD0001@pbx.example>;tag=f=t", uri: "sip:911@pbx.example", .answered(400)), from("<sip:HD0001@pbx.example>;tag=\"f=t\"", .answered(400)),
        from("<sip:HD0001@pbx.example>;tag=\"ft\"", .refused(403), seated: .forwarded("101")),
        Attack("others that pay", RawRequest(lines: otherPayers), .refused(403), seated: .forwarded("101")),
        Attack("others that pay, in an emergency", RawRequest(uri: "sip:911@pbx.example", lines: otherPayers), .emergency()),
        Attack(
            "two addresses in To", RawRequest(headers: [("To", "<sip:101@pbx.example>, <sip:19005550100@pbx.example>")]), .answered(400)),
        Attack(
            "two Contacts", RawRequest(headers: [("Contact", "<sip:HD0001@192.0.2.101>, <sip:boss@203.0.113.66>")]), .refused(403),
            seated: .forwarded("101")),
        Attack("Contact: *", RawRequest(headers: [("Contact", "*")]), .refused(403), seated: .answered(400)),
        Attack("no Contact", RawRequest(headers: [("Contact", nil)]), .refused(403), seated: .answered(400)),
        Attack("no Contact in an emergency", RawRequest(uri: "sip:911@pbx.example", headers: [("Contact", nil)]), .emergency()),
        Attack(
            "Vias of others",
            RawRequest(headers: [("Via", "SIP/2.0/UDP 203.0.113.66;branch=z9hG4bKevil, SIP/2.0/TLS 192.0.2.10:40001;branch=z9hG4bKown")]),
            .refused(403), seated: .forwarded("101")),
    ]

    private static func refer(_ target: String..., lines: [String] = [], idle: Outcome = .refused(403), seated: Outcome) -> Attack {
        Attack(
            "REFER to " + target.joined(separator: " | "),
            RawRequest(method: "REFER", lines: target.map { "Refer-To: \($0)" } + lines), idle, seated: seated)
    }

    private static let transfers: [Attack] = [
        refer("<sip:*77*5*@pbx.example>", seated: .refused(403)), refer("<sip:%2A77%2A101@pbx.example>", seated: .refused(403)),
        refer("<urn:service:sos>", seated: .forwarded("101")), refer("<cid:list@desk>", lines: ["Require: multiple-refer"], seated: .refused(416)),
        refer("<sip:102@x>", "<sip:boss@x>", idle: .answered(400), seated: .answered(400)), refer("<sip:102@x>, <sip:boss@x>", seated: .refused(400)),
        refer("*", seated: .refused(400)), refer("", seated: .refused(400)), refer("<sip:102%00@x>", seated: .refused(416)),
        refer("<sip:102@203.0.113.66;maddr=203.0.113.66;method=BYE?From=boss&Route=%3Csip:evil.example%3E&P-Asserted-Identity=boss>", seated: .forwarded("101")),
        refer("<sip:102@x?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc&Replaces=boss>", seated: .refused(400)),
        Attack("a second Refer-To in compact form", RawRequest(method: "REFER", lines: ["r: <sip:19005550100@x>", "Refer-To: <sip:102@x>"]), .answered(400)),
        Attack(
            "REFER for whoever is named", RawRequest(method: "REFER", lines: ["b: <sip:boss@pbx.example>;cid=\"boss\""]),
            .refused(403), seated: .forwarded("101")),
        Attack(
            "INVITE that says it replaces", RawRequest(lines: ["Replaces: x;to-tag=a;from-tag=b", "Referred-By: <sip:boss@x>"]), .refused(403),
            seated: .forwarded("101")),
    ]

    private static let oddities: [Attack] = [
        Attack("CANCEL with Proxy-Require", RawRequest(method: "CANCEL", lines: ["Proxy-Require: x"]), .answered(481)),
        Attack("CANCEL with a To tag", RawRequest(method: "CANCEL", headers: [("To", "<sip:x@pbx.example>;tag=z")]), .answered(481)),
        Attack("ACK to an emergency number", RawRequest(method: "ACK", uri: "sip:911@pbx.example"), .silence),
        Attack("ACK with an invented To tag", RawRequest(method: "ACK", headers: [("To", "<sip:x@pbx.example>;tag=z")]), .silence),
        Attack(
            "PRACK with RAck", RawRequest(method: "PRACK", headers: [("To", "<sip:x@pbx.example>;tag=z")], lines: ["RAck: 1 1 INVITE"]), .refused(481)),
        Attack("MESSAGE with a list of others", RawRequest(method: "MESSAGE", lines: ["Require: recipient-list-message"]), .refused(403), seated: .forwarded("101")),
        Attack("SUBSCRIBE to registrations", RawRequest(method: "SUBSCRIBE", lines: ["Event: reg"]), .refused(403), seated: .forwarded("101")),
        Attack("SUBSCRIBE with another's Contact", RawRequest(method: "SUBSCRIBE", headers: [("Contact", "<sip:boss@203.0.113.66>")], lines: ["Event: dialog"]), .refused(403), seated: .forwarded("101")),
        Attack("SUBSCRIBE to a login", RawRequest(method: "SUBSCRIBE", uri: "sip:*77*101*@pbx.example", lines: ["Event: dialog"]), .refused(403)),
        Attack("PUBLISH for another", RawRequest(method: "PUBLISH", uri: "sip:102@pbx.example", lines: ["Event: presence"]), .refused(403), seated: .forwarded("102")),
        Attack("INVITE with Join", RawRequest(uri: "sip:911@pbx.example", lines: ["Join: a;to-tag=b;from-tag=c", "Require: join"]), .emergency()),
        Attack("an answer as a request", RawRequest(method: "SIP/2.0", uri: "200", version: " OK", headers: [("CSeq", "1 INVITE")]), .silence),
        Attack("no space behind the method", RawRequest(method: "INVITEsip:101@pbx.example", uri: "SIP/2.0", version: ""), .answered(400)),
        Attack("Max-Forwards of letters", RawRequest(headers: [("Max-Forwards", "x")]), .answered(400)),
        Attack("Max-Forwards of 300", RawRequest(headers: [("Max-Forwards", "300")]), .answered(400)),
        Attack("Via without branch", RawRequest(headers: [("Via", "SIP/2.0/UDP 192.0.2.101:5060")]), .refused(403), seated: .forwarded("101")),
        Attack("Via of the edge itself", RawRequest(headers: [("Via", "SIP/2.0/TLS 192.0.2.10:40001;branch=z9hG4bKown")]), .refused(403), seated: .forwarded("101")),
        Attack("Via with a port of another", RawRequest(headers: [("Via", "SIP/2.0/UDP 192.0.2.101:1;rport=9;received=203.0.113.66;branch=z9hG4bKr9")]), .refused(403), seated: .forwarded("101")),
    ]
}
