import CoreTypes
import EdgeProxy
import HotDeskPolicy
import SIPMessage
import Testing

/// How an attack's bytes reach the edge.
enum Carriage: String, CaseIterable, Sendable {
    case udp, tcp
    /// One byte a segment.
    case tcpSplit

    var transport: TransportProtocol { self == .udp ? .udp : .tcp }
}

/// What the device is when the attack begins.
enum DeskState: String, CaseIterable, Sendable { case idle, loggedIn, lockedOut }

/// One request as an attacker writes it, byte by byte.
struct RawRequest: Sendable {
    var method = "INVITE"
    var uri = "sip:101@pbx.example"
    /// What follows the Request-URI in the first line.
    var version = " SIP/2.0"
    /// In place of the usual header of that name, or beside them where there is none; nil leaves it out.
    var headers: [(name: String, value: String?)] = []
    /// Whole lines, put in front of the others as they are.
    var lines: [String] = []
    var body: [UInt8] = []
    var lineEnd = "\r\n"

    func bytes(from phone: Phone, number: Int, authorization: String? = nil) -> [UInt8] {
        var usual: [(String, String)] = [
            ("Via", "SIP/2.0/\(phone.flow.transport.viaText) \(phone.flow.remote);branch=z9hG4bKabuse\(phone.user)\(number);rport"),
            ("Max-Forwards", "70"), ("From", "<sip:\(phone.user)@pbx.example>;tag=ft"), ("To", "<sip:somebody@pbx.example>"),
            ("Call-ID", "abuse-\(phone.user)"), ("CSeq", "\(number) \(method)"), ("Contact", "<sip:\(phone.user)@\(phone.flow.remote)>"),
            ("Content-Length", "\(body.count)"),
        ]
        if !body.isEmpty, !lines.contains(where: { $0.hasPrefix("c:") }) { usual.append(("Content-Type", "application/sdp")) }
        // RFC 3515 §2.4.1: exactly one.
        if method == "REFER", !lines.contains(where: { $0.hasPrefix("Refer-To") }) { usual.append(("Refer-To", "<sip:102@pbx.example>")) }
        if let authorization { usual.append((method == "REGISTER" ? "Authorization" : "Proxy-Authorization", authorization)) }
        for (name, value) in headers {
            if let place = usual.firstIndex(where: { $0.0 == name }) {
                if let value { usual[place].1 = value } else { usual.remove(at: place) }
            } else if let value {
                usual.append((name, value))
            }
        }
        let all = ["\(method) \(uri)\(version)"] + lines + usual.map { "\($0.0): \($0.1)" }
        return Array((all.joined(separator: lineEnd) + lineEnd + lineEnd).utf8) + body
    }
}

/// A device at a branch, brought to a state, from which raw bytes are sent.
struct Desk {
    var branch: Branch
    var phone: Phone
    let carriage: Carriage
    var number = 1000

    init(_ state: DeskState, _ carriage: Carriage, plainPhones: Bool = true) {
        branch = Branch(plainPhones: plainPhones)
        self.carriage = carriage
        branch.connectPBX()
        _ = branch.servePBX()
        phone = Phone(device: 1, transport: carriage.transport)
        branch.register(&phone)
        switch state {
        case .idle: break
        case .loggedIn: #expect(branch.logIn(&phone, as: "100"))
        case .lockedOut:
            for pin in ["0001", "0002", "0003"] { branch.logIn(&phone, as: "100", pin: pin) }
            branch.advance(.seconds(10))
            for bye in branch.take(phone.flow).compactMap(\.request) { branch.deliver(bye.response(200), phone.flow) }
            branch.advance(.seconds(40))
        }
        branch.sent = []
        branch.audit = []
    }

    /// Sends bytes as the carriage has it; a stream's bytes go through the framer that the listener uses.
    mutating func deliver(_ bytes: [UInt8], on flow: Flow? = nil) {
        let flow = flow ?? phone.flow
        guard carriage != .udp else { return branch.run(.received(bytes, flow)) }
        var framer = StreamFramer()
        for part in carriage == .tcp ? [bytes] : bytes.map({ [$0] }) {
            framer.append(part)
            while case .message(let message) = framer.next() { branch.run(.received(message, flow)) }
        }
    }

    /// Sends a request and answers the edge's challenge, as an attacker with a real phone can; gives the answers.
    @discardableResult
    mutating func attack(_ request: RawRequest, proving: Bool = true) -> [SIPResponse] {
        number += 1
        deliver(request.bytes(from: phone, number: number))
        let answers = branch.sent.filter { $0.flow == phone.flow }.compactMap(\.response)
        guard proving, let challenge = answers.last, challenge.status == 401 || challenge.status == 407,
            let credentials = phone.credentials(for: challenge, method: request.method, uri: request.uri)
        else {
            branch.advance(.seconds(2))
            return branch.sent.filter { $0.flow == phone.flow }.compactMap(\.response)
        }
        branch.sent.removeAll { $0.flow == phone.flow }
        number += 1
        deliver(request.bytes(from: phone, number: number, authorization: credentials))
        branch.advance(.seconds(2))
        return branch.sent.filter { $0.flow == phone.flow }.compactMap(\.response)
    }

    /// What has left for the PBX since the attack began.
    var atPBX: [Sent] { branch.sent.filter { $0.flow == Branch.pbx } }
}

extension Phone {
    /// An answer to a challenge for a Request-URI that need not be one that can be parsed.
    func credentials(for challenge: SIPResponse, method: String, uri: String) -> String? {
        guard let value = challenge.headers[challenge.status == 407 ? .proxyAuthenticate : .wwwAuthenticate],
            let challenge = try? DigestChallenge(parsing: value)
        else { return nil }
        return DigestCredentials.answering(
            challenge, method: Method(method), uri: uri, username: user, password: password, cnonce: "c0ffee", nonceCount: 1
        ).headerValue
    }
}

extension TransportProtocol {
    var viaText: String {
        switch self {
        case .udp: return "UDP"
        case .tcp: return "TCP"
        case .tls: return "TLS"
        }
    }
}
