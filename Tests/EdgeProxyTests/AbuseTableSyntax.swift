/// Cases 13, 14 and 16 to 18: form, methods and bodies.
extension Attack {
    static let syntax: [Attack] = [
        Attack("white space before a colon", RawRequest(headers: [("To", nil)], lines: ["To : <sip:x@pbx.example>"]), .refused(403), seated: .forwarded("101")),
        Attack("a folded header", RawRequest(headers: [("To", nil)], lines: ["To:\r\n <sip:x@pbx.example>"]), .refused(403), seated: .forwarded("101")),
        .with(["X-Bypass-me : value"], .refused(403), seated: .forwarded("101")),
        .with(["X-Fold: a\r\n Route: <sip:evil.example>"], .refused(403), seated: .forwarded("101")),
        .with(["X\u{1}Y: value"], .answered(400)), .with(["X Y: value"], .answered(400)), .with([": value"], .answered(400)),
        .with(["no colon at all"], .answered(400)),
        .with(["f: <sip:x@pbx.example>;tag=other"], .answered(400)), .with(["t: <sip:911@pbx.example>"], .answered(400)),
        .with(["i: other"], .answered(400)), .with(["CSeq: 7 INVITE"], .answered(400)), .with(["l: 0"], .answered(400)),
        .with(["Max-Forwards: 70"], .answered(400)),
        Attack("two tags in From", RawRequest(headers: [("From", "<sip:HD0001@pbx.example>;tag=a;tag=b")]), .answered(400)),
        Attack("two tags in To", RawRequest(headers: [("To", "<sip:x@pbx.example>;tag=a;tag=b")]), .answered(400)),
        Attack("lower-case method", RawRequest(method: "invite"), .refused(501)),
        Attack("unknown method", RawRequest(method: "PLUGH"), .refused(501)),
        Attack("CSeq of another method", RawRequest(headers: [("CSeq", "9 BYE")]), .answered(400)),
        Attack("CSeq out of range", RawRequest(headers: [("CSeq", "4294967296 INVITE")]), .answered(400)),
        Attack("another version", RawRequest(version: " SIP/3.0"), .answered(505)),
        Attack("two spaces in the first line", RawRequest(version: "  SIP/2.0"), .answered(400)),
        Attack("a Request-URI that is too long", RawRequest(uri: "sip:" + String(repeating: "9", count: 600) + "@pbx.example"), .answered(414)),
        Attack("a header that is too long", RawRequest(lines: ["X-Long: " + String(repeating: "x", count: 9000)]), .answered(400)),
        Attack("too many headers", RawRequest(headers: [("X-Many", Array(repeating: "1", count: 200).joined(separator: "\r\nX-Many: "))]), .answered(400)),
        Attack("no From", RawRequest(headers: [("From", nil)]), .answered(400)),
        Attack("no Via", RawRequest(headers: [("Via", nil)]), .silence),
        Attack("the word of HTTP", RawRequest(method: "GET", uri: "/", version: " HTTP/1.1"), .silence),
    ]

    /// Case 17 and its like: everything but INVITE.
    static let methods: [Attack] = ["MESSAGE", "SUBSCRIBE", "PUBLISH", "REFER"].flatMap { method in
        [
            Attack(method, RawRequest(method: method, lines: ["Event: presence"]), .refused(403), seated: .forwarded("101")),
            Attack("\(method) to an emergency number", RawRequest(method: method, uri: "sip:911@pbx.example"), .refused(403), seated: .forwarded("911")),
            Attack("\(method) to the login code", RawRequest(method: method, uri: "sip:*77*100*@pbx.example"), .refused(403)),
        ]
    } + ["INFO", "NOTIFY", "UPDATE", "PRACK", "BYE"].flatMap { method in
        [
            Attack(method, RawRequest(method: method), .refused(403), seated: .refused(481)),
            Attack("\(method) to an emergency number", RawRequest(method: method, uri: "sip:911@pbx.example"), .refused(403), seated: .refused(481)),
        ]
    } + [
        Attack("OPTIONS", RawRequest(method: "OPTIONS", uri: "sip:101@pbx.example"), .answered(200)),
        Attack("ACK without INVITE", RawRequest(method: "ACK"), .silence),
        Attack("CANCEL without INVITE", RawRequest(method: "CANCEL"), .answered(481)),
        Attack("CANCEL to an emergency number", RawRequest(method: "CANCEL", uri: "sip:911@pbx.example"), .answered(481)),
    ] + ["INVITE", "BYE", "INFO", "UPDATE", "REFER", "MESSAGE", "SUBSCRIBE", "NOTIFY", "PRACK", "REGISTER", "OPTIONS", "PUBLISH"].map { method in
        Attack("\(method) with an invented To tag", RawRequest(method: method, headers: [("To", "<sip:101@pbx.example>;tag=invented")]), .refused(481))
    } + [
        Attack(
            "INVITE to an emergency number with an invented To tag",
            RawRequest(uri: "sip:911@pbx.example", headers: [("To", "<sip:911@pbx.example>;tag=invented")]), .refused(481)),
        Attack("a reply to nothing", RawRequest(method: "SIP/2.0", uri: "200", version: " OK"), .silence),
    ]

    static func offer(_ lines: String...) -> [UInt8] { offer(lines) }

    private static func offer(_ lines: [String]) -> [UInt8] {
        Array((["v=0", "o=- 1 1 IN IP4 192.0.2.101", "s=-", "c=IN IP4 192.0.2.101", "t=0 0"] + lines).joined(separator: "\r\n").utf8)
    }

    private static let live = offer("m=audio 30000 RTP/AVP 8", "")
    private static let parts = "multipart/mixed; boundary=\"x y\""

    /// What leads media elsewhere than the connection and the port say: more connections, alternatives (RFC 6947), capabilities
    /// (RFC 5939, RFC 7006), ways past gateways (3GPP TS 29.079), filters by address (RFC 4570), hints to relays.
    private static let elsewhere = [
        "c=IN IP4 203.0.113.66", "c=IN IP4 203.0.113.67/127", "a=altc:1 IP4 203.0.113.66 9", "a=source-filter: incl IN IP4 * 203.0.113.66",
        "a=visited-realm:1 boss IN IP4 203.0.113.66 9", "a=secondary-realm:1 boss IN IP4 203.0.113.66 9", "a=omr-m-att:1 boss", "a=ccap:1 IN IP4 203.0.113.66",
        "a=acap:1 rtcp:9 IN IP4 203.0.113.66", "a=tcap:1 boss", "a=pcfg:1 t=1 a=1 boss", "a=rtcp:9 IN IP4 203.0.113.66", "a=nortpproxy:boss",
        "a=candidate:1 1 udp 1 203.0.113.66 9 typ host", "a=remote-candidates:1 203.0.113.66 9",
    ]

    /// An offer and another's number, in two parts.
    private static func hidden(_ type: String) -> [UInt8] {
        Array("--x y\r\nContent-Type: \(type)\r\n\r\n".utf8) + live
            + Array("\r\n--x y\r\nContent-Type: application/isup\r\n\r\nboss\r\n--x y--\r\n".utf8)
    }

    /// Case 18: session descriptions.
    static let bodies: [Attack] = [
        Attack("no last line end", RawRequest(body: offer("m=audio 30000 RTP/AVP 8")), .refused(403), seated: .forwarded("101")),
        Attack(
            "addresses beside the address", RawRequest(body: offer(["m=audio 30000/2 RTP/AVP 8", "c=IN IP4 192.0.2.101"] + elsewhere + [""])), .refused(403),
            seated: .forwarded("101")),
        Attack(
            "addresses beside the address, for the session",
            RawRequest(body: offer(elsewhere.filter { $0.hasPrefix("a=") } + ["m=audio 30000 RTP/AVP 8", ""])), .refused(403), seated: .forwarded("101")),
        Attack(
            "addresses beside the address in an emergency",
            RawRequest(uri: "sip:911@pbx.example", body: offer(["m=audio 30000 RTP/AVP 8", "c=IN IP4 192.0.2.101"] + elsewhere + [""])), .emergency()),
        Attack("a line without its equals sign", RawRequest(body: offer("m audio", "")), .refused(403), seated: .answered(400)),
        Attack(
            "an emergency with a broken description", RawRequest(uri: "sip:911@pbx.example", body: offer("m audio", "")), .emergency()),
        Attack("a description among parts", RawRequest(headers: [("Content-Type", parts)], body: hidden("application/sdp")), .refused(403), seated: .forwarded("101")),
        Attack("parts without a description", RawRequest(headers: [("Content-Type", parts)], body: hidden("text/plain")), .refused(403), seated: .answered(415)),
        Attack("parts that never end", RawRequest(headers: [("Content-Type", parts)], body: Array(hidden("application/sdp").dropLast(9))), .refused(403), seated: .answered(415)),
        Attack("a type with space in it", RawRequest(headers: [("Content-Type", "application / SDP")], body: live), .refused(403), seated: .forwarded("101")),
        Attack("a type that begins like one", RawRequest(headers: [("Content-Type", "application/sdp2")], body: live), .refused(403), seated: .answered(415)),
        Attack("a type in compact form", RawRequest(lines: ["c: application/isup"], body: live), .refused(403), seated: .answered(415)),
        Attack("no type", RawRequest(headers: [("Content-Type", nil)], body: live), .refused(403), seated: .answered(415)),
        Attack("a description said to be compressed", RawRequest(lines: ["e: gzip"], body: live), .refused(403), seated: .answered(415)),
    ] + [("Content-Type", parts), ("Content-Type", "application/isup"), ("Content-Type", nil), ("Content-Encoding", "gzip")].map { name, value in
        Attack(
            "an emergency with \(name) \(value ?? "missing")",
            RawRequest(uri: "sip:911@pbx.example", headers: [(name, value)], body: hidden("application/sdp")), .emergency())
    } + [
        Attack(
            "headers in the description", RawRequest(body: offer("m=audio 30000 RTP/AVP 8", "", "Route: <sip:evil.example>", "", "")),
            .refused(403), seated: .answered(400)),
        Attack(
            "a bare LF in the head", RawRequest(lines: ["X-A: 1\nRoute: <sip:evil.example>"]), .unread(400)),
        Attack("bare LF everywhere", RawRequest(lineEnd: "\n"), .unread(400)),
    ]
}
