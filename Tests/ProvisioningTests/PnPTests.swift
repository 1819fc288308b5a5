import CoreTypes
import HotDeskPolicy
import Provisioning
import SIPMessage
import Testing

/// The responder in virtual time, at 192.0.2.10/24.
private struct PnPBench {
    static let local = Endpoint(address: IPAddress(v4: 0xC000_020A), port: 5060)
    var responder: PnPResponder
    var now = Instant(nanoseconds: 1_000_000_000_000)

    init(mode: PnPResponder.Mode = .provision, limits: PnPResponder.Limits = .init()) {
        responder = PnPResponder(mode: mode, limits: limits, secret: [1, 2, 3], now: now)
    }

    static func phone(_ number: UInt32 = 24, port: UInt16 = 1053) -> Endpoint { Endpoint(address: IPAddress(v4: 0xC000_0200 + number), port: port) }

    /// The captured shape of a Snom's question, with what vendors do otherwise put in.
    static func subscribe(
        user: String = "MAC%3a0004132E08B4", callID: String = "3c2670092c9d", via: String = "Via: SIP/2.0/UDP 192.0.2.24:1053;rport",
        event: String = "ua-profile;profile-type=\"device\";vendor=\"snom\";model=\"snomD785\";version=\"10.1\"",
        contact: String = "Contact: <sip:192.0.2.24:1053>\r\n", names: (from: String, to: String, call: String) = ("From", "To", "Call-ID")
    ) -> [UInt8] {
        Array(
            ("SUBSCRIBE sip:\(user)@lan SIP/2.0\r\n\(via)\r\n\(names.from): <sip:\(user)@lan>;tag=1550321234\r\n\(names.to): <sip:\(user)@lan>\r\n"
                + "\(names.call): \(callID)\r\nCSeq: 1 SUBSCRIBE\r\nEvent: \(event)\r\nExpires: 0\r\nAccept: application/url\r\n\(contact)Content-Length: 0\r\n\r\n").utf8)
    }

    static func target(_ mac: MACAddress) -> PnPTarget? {
        mac == MACAddress("0004132e08b4") ? PnPTarget(vendor: .snom, url: Personal("http://192.0.2.10:8080/p/tok/")) : nil
    }

    mutating func receive(_ bytes: [UInt8], from: Endpoint = phone()) -> [PnPResponder.Action] {
        responder.receive(bytes, from: from, at: Self.local, prefix: 24, now: now, target: Self.target)
    }
}

extension [PnPResponder.Action] {
    /// Everything sent, parsed.
    fileprivate var sent: [(message: SIPMessage, to: Endpoint, from: Endpoint)] {
        compactMap { action in
            guard case .send(let bytes, let to, let from) = action, case .message(let message) = SIPMessage.parse(bytes, framing: .datagram) else { return nil }
            return (message, to, from)
        }
    }
    fileprivate var drops: [PnPResponder.Drop] {
        compactMap { action in
            if case .dropped(let drop) = action { return drop }
            return nil
        }
    }
    fileprivate var notifies: [SIPRequest] {
        sent.compactMap { if case .request(let request) = $0.message { return request } else { return nil } }
    }
    fileprivate var answers: [SIPResponse] {
        sent.compactMap { if case .response(let response) = $0.message { return response } else { return nil } }
    }
}

@Suite struct PnPTests {
    @Test func answersAndNotifies() throws {
        var bench = PnPBench()
        let actions = bench.receive(PnPBench.subscribe())
        #expect(actions.first == .seen(PnPSighting(mac: try #require(MACAddress("0004132e08b4")), vendor: "snom", model: "snomD785", version: "10.1"), answered: true))
        let answer = try #require(actions.answers.first), notify = try #require(actions.notifies.first)
        #expect(answer.status == 200 && answer.headers.callID.value == "3c2670092c9d" && answer.headers.expires == 0)
        #expect(answer.headers.via.first?.rport == 1053)
        let tag = try #require(answer.headers.to.tag)
        #expect(notify.method == .notify && notify.headers.from.tag == tag && notify.headers.to.tag == "1550321234")
        #expect(notify.uri.description == "sip:192.0.2.24:1053")
        #expect(String(decoding: notify.body, as: UTF8.self) == "http://192.0.2.10:8080/p/tok/0004132E08B4.xml")
        #expect(notify.headers.contentType == "application/url")
        #expect(notify.headers[.subscriptionState] == "terminated;reason=timeout")
        #expect(notify.headers[.event]?.hasPrefix("ua-profile;") == true)
    }

    /// Trap 12: to the source of the datagram, whatever Via and Contact say, from the interface it came in by.
    @Test func trap12AnswersGoToTheSource() {
        var bench = PnPBench()
        let wrong = PnPBench.subscribe(via: "Via: SIP/2.0/UDP 10.9.9.9:7777", contact: "Contact: <sip:10.9.9.9:7777>\r\n")
        let sent = bench.receive(wrong, from: PnPBench.phone(31, port: 40_000)).sent
        #expect(sent.count == 2)
        #expect(sent.allSatisfy { $0.to == PnPBench.phone(31, port: 40_000) && $0.from == PnPBench.local })
    }

    /// Trap 24: a repeated SUBSCRIBE gets the same answer and no second NOTIFY.
    @Test func trap24OneNotifyForARepeatedSubscribe() throws {
        var bench = PnPBench()
        let first = bench.receive(PnPBench.subscribe()), second = bench.receive(PnPBench.subscribe())
        #expect(first.notifies.count == 1 && second.notifies.isEmpty)
        #expect(first.answers.first == second.answers.first && second.answers.count == 1)
    }

    @Test(arguments: [
        PnPBench.subscribe(user: "MAC%3A0004132E08B4"), PnPBench.subscribe(user: "MAC:0004132e08b4"), PnPBench.subscribe(user: "0004132E08B4"),
        PnPBench.subscribe(via: "v: SIP/2.0/UDP 192.0.2.24:1053;branch=z9hG4bK-x"), PnPBench.subscribe(names: ("f", "t", "i")),
        PnPBench.subscribe(event: "ua-profile;profile-type=\"application\";vendor=\"Fanvil\";model=\"VOIP PHONE\";version=\"1\""),
        PnPBench.subscribe(event: "ua-profile; profile-type=device; vendor=OEM"), PnPBench.subscribe(event: "ua-profile"), PnPBench.subscribe(contact: ""),
    ])
    func quirks(bytes: [UInt8]) {
        var bench = PnPBench()
        #expect(bench.receive(bytes).notifies.count == 1)
    }

    @Test(arguments: [
        (PnPBench.subscribe(user: "MAC%3a0004132E0000"), nil), (PnPBench.subscribe(user: "alice"), .noProfileRequest),
        (PnPBench.subscribe(event: "presence"), .noProfileRequest), (Array("hello".utf8), .notSIP), ([], .notSIP),
        (Array("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:b>\r\nCall-ID: x\r\nCSeq: 1 NOTIFY\r\n\r\n".utf8), .strayAnswer),
    ] as [([UInt8], PnPResponder.Drop?)])
    func silence(_ bytes: [UInt8], _ drop: PnPResponder.Drop?) {
        var bench = PnPBench()
        let actions = bench.receive(bytes)
        #expect(actions.sent.isEmpty)
        #expect(actions.drops.first == drop)
    }

    @Test func discoverOnlySees() {
        var bench = PnPBench(mode: .discover)
        let actions = bench.receive(PnPBench.subscribe())
        #expect(actions.count == 1 && actions.sent.isEmpty)
        var off = PnPBench(mode: .off)
        #expect(off.receive(PnPBench.subscribe()) == [.dropped(.off)])
    }

    @Test func otherNetworksGetNothing() {
        var bench = PnPBench()
        let far = Endpoint(address: IPAddress(v4: 0xC633_6401), port: 5060)
        #expect(bench.receive(PnPBench.subscribe(), from: far) == [.dropped(.foreignNetwork)])
    }

    /// RFC 3261 §17.1.2: 0.5, 1, 2, 4, 4 … s, until 32 s are over.
    @Test func notifyIsSentAgainUntilItIsAnswered() throws {
        var bench = PnPBench()
        _ = bench.receive(PnPBench.subscribe())
        var waits: [Duration] = []
        var last = bench.now
        while let due = bench.responder.nextDeadline {
            waits.append(due - last)
            last = due
            let actions = bench.responder.advance(now: due)
            if actions == [.unanswered(try #require(MACAddress("0004132e08b4")))] { break }
            #expect(actions.notifies.count == 1)
        }
        #expect(waits.prefix(5) == [.milliseconds(500), .seconds(1), .seconds(2), .seconds(4), .seconds(4)])
        #expect(last - bench.now >= .seconds(32) && bench.responder.nextDeadline == nil)
    }

    @Test func anAnswerEndsIt() throws {
        var bench = PnPBench()
        let notify = try #require(bench.receive(PnPBench.subscribe()).notifies.first)
        let mac = try #require(MACAddress("0004132e08b4"))
        #expect(bench.receive(notify.response(100).serialized()).drops == [.strayAnswer])
        #expect(bench.receive(notify.response(200).serialized()) == [.confirmed(mac)])
        #expect(bench.responder.nextDeadline == nil)
        #expect(bench.receive(notify.response(200).serialized()) == [.dropped(.strayAnswer)])
    }

    @Test func oneSourceHasABudget() {
        var bench = PnPBench()
        let drops = (0..<20).map { bench.receive(PnPBench.subscribe(user: "MAC%3a0004132E0000", callID: "c\($0)")).drops.first }
        #expect(drops.prefix(6).allSatisfy { $0 == nil } && drops.dropFirst(6).allSatisfy { $0 == .sourceBudget })
        bench.now = bench.now + .seconds(2)
        #expect(bench.receive(PnPBench.subscribe(callID: "later")).notifies.count == 1)
    }

    @Test func allSourcesTogetherHaveABudget() {
        var bench = PnPBench()
        let drops = (0..<254).flatMap { host in (0..<2).compactMap { bench.receive(PnPBench.subscribe(callID: "\(host).\($0)"), from: PnPBench.phone(UInt32(host))).drops.first } }
        #expect(drops.contains(.totalBudget))
        #expect(drops.count { $0 == .totalBudget } == 254 * 2 - 300)
    }

    @Test func aPhoneStartsOverNotAtOnce() {
        var bench = PnPBench()
        #expect(bench.receive(PnPBench.subscribe(callID: "1")).notifies.count == 1)
        #expect(bench.receive(PnPBench.subscribe(callID: "2")).drops == [.cooldown])
        bench.now = bench.now + .seconds(4)
        #expect(bench.receive(PnPBench.subscribe(callID: "3")).notifies.count == 1)
    }

    /// A hundred phones that come up at once all get their address, and no more is remembered than is allowed.
    @Test func aBranchPowersUp() {
        var limits = PnPResponder.Limits()
        limits.transactions = 50
        var bench = PnPBench(limits: limits)
        var notified = 0
        for number in 0..<100 {
            let mac = "00041300000" + String(number, radix: 16)
            let bytes = PnPBench.subscribe(user: "MAC%3a" + mac.suffix(12), callID: "boot\(number)")
            notified += bench.responder.receive(bytes, from: PnPBench.phone(UInt32(number)), at: PnPBench.local, prefix: 24, now: bench.now) { _ in
                PnPTarget(vendor: .yealink, url: Personal("http://e/"))
            }.notifies.count
        }
        #expect(notified == 100)
        bench.now = bench.now + .seconds(60)
        #expect(bench.responder.advance(now: bench.now).count <= 50)
    }

    /// Cut or changed at every byte, it never does more than answer.
    @Test func hostileBytes() {
        let good = PnPBench.subscribe()
        for place in good.indices {
            var bench = PnPBench()
            #expect(bench.receive(Array(good.prefix(place))).notifies.isEmpty)
            var changed = good
            changed[place] = changed[place] ^ 0x80
            #expect(bench.receive(changed).sent.count <= 2)
        }
    }

    @Test func aPhonesWordsAreFitForALog() throws {
        var bench = PnPBench()
        let actions = bench.receive(PnPBench.subscribe(event: "ua-profile;vendor=\"a\u{1B}[31m\(String(repeating: "x", count: 90))\""))
        guard case .seen(let sighting, _)? = actions.first else { return #expect(Bool(false), "\(actions)") }
        #expect(sighting.vendor.count == 32 && !sighting.vendor.contains("\u{1B}"))
    }
}

@Suite struct DHCPOptionTests {
    private let options = DHCPOptions(url: "http://192.0.2.10:8080/", catalogue: Phones.catalogue)

    @Test(arguments: DHCPOptions.Server.allCases)
    func everyVendorIsServed(server: DHCPOptions.Server) {
        let text = options.text(for: server)
        for value in ["http://192.0.2.10:8080/$mac.cfg", "http://192.0.2.10:8080/{mac}.xml", "http://192.0.2.10:8080/$MA.xml"] {
            let escaped = server == .mikrotik ? value.replacing("$", with: "\\$") : value
            #expect(text.contains(escaped), "\(server): \(text)")
        }
        #expect(text.contains("160"))
        #expect(!text.contains("/p/"))
    }

    @Test func dnsmasq() {
        let text = options.text(for: .dnsmasq)
        for line in [
            "dhcp-vendorclass=set:yealink,yealink", "dhcp-mac=set:yealink,80:5e:c0:*:*:*", "dhcp-option=tag:yealink,66,\"http://192.0.2.10:8080/\"",
            "dhcp-option=tag:poly,160,\"http://192.0.2.10:8080/\"",
        ] { #expect(text.split(separator: "\n").contains { $0 == line }, "\(line)") }
    }

    @Test func others() {
        #expect(options.text(for: .isc).contains("substring(hardware, 1, 3) = 80:5e:c0"))
        #expect(options.text(for: .kea).contains("substring(pkt4.mac, 0, 3) == 0x805ec0"))
        #expect(options.text(for: .windows).contains("-MacAddress EQ,\"001565*\""))
        #expect(options.text(for: .mikrotik).contains("value=\"'http://192.0.2.10:8080/'\""))
    }
}
