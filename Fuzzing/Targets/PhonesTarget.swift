import CoreTypes
import CryptoPrimitives
import HotDeskPolicy
import PhoneDelivery
import Provisioning
import SIPMessage

extension FuzzTarget {
    /// What strangers say to come by a phone's configuration, and what a redirect service may answer. The first byte says
    /// which: datagrams to the PnP group, the names of a fetch, the credentials of one, an answer of XML-RPC.
    public static let phones = FuzzTarget("phones", maximumLength: 2048) { bytes in
        let rest = Array(bytes.dropFirst())
        switch (bytes.first ?? 0) & 3 {
        case 0: return PnPScript.run(rest)
        case 1: return FetchScript.run(rest)
        case 2: return FetchScript.prove(rest)
        default:
            _ = XMLRPCReader.read(rest)
            return nil
        }
    }
}

/// Pieces, a byte of kind and two of length each: the one enrolled phone is answered, and to nobody but who asked.
private enum PnPScript {
    private static let local = Endpoint(address: IPAddress(v4: 0xC000_020A), port: 5060)
    private static let enrolled = MACAddress("0004132e08b4")

    static func run(_ bytes: [UInt8]) -> String? {
        var now = Instant(nanoseconds: 1_000_000_000_000)
        var responder = PnPResponder(mode: .provision, secret: [1, 2, 3], now: now)
        var choices = Choices(bytes)
        while !choices.isOver {
            let kind = choices.byte()
            let source = Endpoint(address: IPAddress(v4: 0xC000_0200 + UInt32(kind & 3) * 40), port: 1024 + UInt16(kind))
            let datagram = choices.take(choices.below(2048))
            now = now + .milliseconds(Int64(kind >> 4) * 400)
            let actions = responder.receive(datagram, from: source, at: local, prefix: 24, now: now) {
                $0 == enrolled ? PnPTarget(vendor: .snom, url: Personal("http://192.0.2.10:8080/p/tok/")) : nil
            }
            if let problem = problem(actions, source) { return problem }
            _ = responder.advance(now: now)
        }
        return nil
    }

    private static func problem(_ actions: [PnPResponder.Action], _ source: Endpoint) -> String? {
        var sent = 0
        for action in actions {
            switch action {
            case .send(_, let to, let from):
                sent += 1
                if to != source || from != local { return "an answer went to \(to)" }
            case .seen(let sighting, let answered):
                if answered, sighting.mac != enrolled { return "a phone that is not enrolled was answered" }
            case .dropped, .confirmed, .unanswered: break
            }
        }
        return sent > 2 ? "\(sent) datagrams for one" : nil
    }
}

/// Texts with a zero byte between them.
private enum FetchScript {
    private static let own = MACAddress("805ec0aabb01")
    private static let now = Instant(nanoseconds: 1_800_000_000_000_000_000)
    private static let phone = IPAddress(v4: 0xC0A8_0A18)

    private static let catalogue = Catalogue(vendors: [
        VendorTable(
            vendor: .yealink, ouis: [], userAgents: patterns("Yealink {model} {version} {mac}", "Yealink {any}"),
            files: [.device: patterns("{mac}.cfg"), .index: patterns("{mac}.boot"), .optional: patterns("{mac}-{any}.cfg"), .log: patterns("{mac}-{any}.log")]),
        VendorTable(
            vendor: .snom, ouis: [],
            userAgents: patterns("Mozilla/4.0 (compatible; snom{model}-SIP {version} {any} {mac}{any})", "Mozilla/4.0 (compatible; snom{model}-SIP {version}{any})"),
            files: [.device: patterns("{MAC}.xml", "snom{model}-{MAC}.htm"), .common: patterns("snom{model}.htm")]),
    ])

    private static func patterns(_ texts: String...) -> [TextPattern] { texts.compactMap { TextPattern($0) } }

    private static func texts(_ bytes: [UInt8]) -> [String] {
        bytes.split(separator: 0, omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
    }

    /// File name, User-Agent, subject of the certificate, the secret of the path: nobody gets anything but a first URL for
    /// the MAC of the one device, however it was named.
    static func run(_ bytes: [UInt8]) -> String? {
        let said = texts(bytes)
        let request = FetchRequest(
            fileName: said[0], userAgent: said.count > 1 ? said[1] : nil, certificateSubject: said.count > 2 ? said[2] : nil)
        guard let fetch = try? catalogue.recognise(request) else { return nil }
        if let mac = fetch.agent?.mac, mac != fetch.mac { return "the User-Agent's MAC was passed over" }
        guard let device = DeviceName("HD0001"), let own, let block = AddressBlock("192.168.10.0/24") else { return nil }
        let rules = DeliveryRules(enrolment: [block], networks: [block])
        var desk = DeliveryDesk(rules: rules, seed: Array(repeating: 1, count: 32))
        _ = desk.setDevices([Device(name: device, mac: own, model: "yealink-t54w", location: "", connection: .lan, secret: Personal("s"))], rules: rules, now: now)
        let token = said.count > 3 ? DeliveryToken(said[3]) : nil
        let (verdict, _) = desk.request(
            DeliveryRequest(source: phone, token: token, claims: [fetch.mac].compactMap { $0 }, model: fetch.agent?.model), now: now)
        switch verdict {
        case .configuration: return "a URL that was never given out was served"
        case .bootstrap: return fetch.mac == own && token == nil ? nil : "a first URL for somebody else"
        case .missing: return nil
        }
    }

    /// Authorization, method, path: without the password nothing is proved.
    static func prove(_ bytes: [UInt8]) -> String? {
        let said = texts(bytes)
        var authenticator = FetchAuthenticator(algorithms: [.sha256, .md5], seed: Array(repeating: 1, count: 32))
        let outcome = authenticator.check(
            said[0], method: said.count > 1 ? said[1] : "GET", target: said.count > 2 ? said[2] : "/", user: "HD0001", password: "never said", now: now)
        return outcome == .proven ? "proved without the password" : nil
    }
}
