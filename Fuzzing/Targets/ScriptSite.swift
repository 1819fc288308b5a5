import CoreTypes
import CryptoPrimitives
import EdgeProxy
import HotDeskPolicy
import SIPMessage

/// The branch a script plays at.
enum ScriptSite {
    static let pbx = flow(.tls, 0xC633_6414, 5061, localPort: 40_001, connection: 1)
    static let secondPBX = flow(.tls, 0xC633_6415, 5061, localPort: 40_002, connection: 2)
    static let stranger = flow(.udp, 0xC000_0299, 5060, localPort: 5060, connection: 0)
    static let address = IPAddress(v4: 0xC000_020A)
    static let account = "branch-01"
    static let pins: [String: String] = ["100": "4711", "101": "2580", "102": "8524", "103": "9630"]

    static func flow(_ transport: TransportProtocol, _ remote: UInt32, _ port: UInt16, localPort: UInt16, connection: UInt64) -> Flow {
        Flow(
            transport: transport, local: Endpoint(address: address, port: localPort),
            remote: Endpoint(address: IPAddress(v4: remote), port: port), connection: connection)
    }

    static func configuration(nodes: Int) -> EdgeConfiguration {
        let rules = PolicyRules(
            dialCodes: DialCodes(),
            emergency: EmergencyRules(numbers: ["112", "911"], outsidePrefixes: ["0", "9"], callBackWindow: .seconds(3600)),
            pin: PINRules(attempts: 3, within: .seconds(300), lock: .seconds(900)), secondLogin: .move,
            autoLogout: AutoLogout(at: nil, afterIdle: nil))
        let devices = (1...3).compactMap { index in
            device(index).flatMap { name in
                MACAddress("80:5e:c0:aa:bb:0\(index)").map {
                    Device(
                        name: name, mac: $0, model: "generic-sip", location: "desk \(index)", connection: .sbc,
                        secret: Personal("secret-\(index)"), emergencyIdentity: nil)
                }
            }
        }
        let people = pins.keys.sorted().compactMap { number in
            ExtensionNumber(number).map {
                Extension(
                    number: $0, name: "Person \(number)", pinHash: "hash-of-\(number)", authUser: "auth\(number)",
                    secret: Personal("pw-\(number)"), mayHotDesk: number != "103", language: nil, blf: [])
            }
        }
        let listener = Endpoint(address: address, port: 5060)
        return EdgeConfiguration(
            siteName: "test", language: "en", location: "10 High Street",
            listeners: [.init(transport: .udp, endpoint: listener), .init(transport: .tcp, endpoint: listener)], mediaAddresses: [address],
            pbx: .init(
                domain: "pbx.example", nodeCount: nodes,
                account: .init(user: account, authUser: account, secret: Personal("site-secret"))),
            policy: rules, devices: devices, extensions: people, emergencyRoutes: [.pbx], plainPhones: false)
    }

    static func device(_ index: Int) -> DeviceName? { DeviceName("HD000\(index)") }
}

/// A phone of a script, which writes its requests byte by byte.
struct ScriptPhone: Sendable {
    let user: String
    let password: String
    var flow: Flow
    /// What the edge asked for last, and how often it was answered (RFC 7616 §3.4).
    private var challenge: DigestChallenge?
    private var nonceCount: UInt32 = 0

    init(_ index: Int) {
        user = "HD000\(index)"
        password = "secret-\(index)"
        let isStream = index == 2
        flow = ScriptSite.flow(
            isStream ? .tcp : .udp, 0xC000_0264 + UInt32(index), 5060, localPort: 5060, connection: isStream ? 100 + UInt64(index) : 0)
    }

    /// An offer of G.711 with telephone-event at this phone's address.
    var offer: [UInt8] {
        Array(
            "v=0\r\no=- 1 1 IN IP4 \(flow.remote.address)\r\ns=-\r\nc=IN IP4 \(flow.remote.address)\r\nt=0 0\r\nm=audio 30000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
                .utf8)
    }

    /// Keeps the challenge of an answer; false where it is none.
    mutating func notes(_ answer: SIPResponse) -> Bool {
        guard answer.status == 401 || answer.status == 407,
            let value = answer.headers[answer.status == 407 ? .proxyAuthenticate : .wwwAuthenticate],
            let asked = try? DigestChallenge(parsing: value)
        else { return false }
        challenge = asked
        nonceCount = 0
        return true
    }

    /// An answer to the challenge for a Request-URI that need not be one that can be parsed.
    mutating func credentials(method: String, uri: String) -> String? {
        guard let challenge else { return nil }
        nonceCount += 1
        return DigestCredentials.answering(
            challenge, method: Method(method), uri: uri, username: user, password: password, cnonce: "c0ffee", nonceCount: nonceCount
        ).headerValue
    }
}

/// What a phone of a script asks.
struct ScriptRequest {
    var method = "INVITE"
    var uri: String
    var callID: String
    var to = "<sip:somebody@pbx.example>"
    /// Nil: the phone's own.
    var from: String?
    var body: [UInt8] = []

    func bytes(of phone: ScriptPhone, number: Int, authorization: String? = nil) -> [UInt8] {
        let transport = phone.flow.transport == .udp ? "UDP" : "TCP"
        var text = "\(method) \(uri) SIP/2.0\r\nVia: SIP/2.0/\(transport) \(phone.flow.remote);branch=z9hG4bKs\(phone.user)\(number);rport\r\n"
        text += "Max-Forwards: 70\r\nFrom: \(from ?? "<sip:\(phone.user)@pbx.example>;tag=ft")\r\nTo: \(to)\r\nCall-ID: \(callID)\r\n"
        text += "CSeq: \(number) \(method)\r\nContact: <sip:\(phone.user)@\(phone.flow.remote)>\r\nContent-Length: \(body.count)\r\n"
        if !body.isEmpty { text += "Content-Type: application/sdp\r\n" }
        if method == "REFER" { text += "Refer-To: <sip:102@\(phone.flow.remote)?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dft>\r\n" }
        if let authorization { text += "\(method == "REGISTER" ? "Authorization" : "Proxy-Authorization"): \(authorization)\r\n" }
        return Array((text + "\r\n").utf8) + body
    }
}
