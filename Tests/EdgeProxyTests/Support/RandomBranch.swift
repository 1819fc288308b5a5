import CoreTypes
import CryptoPrimitives
import EdgeProxy
import HotDeskPolicy
import Media
import SIPMessage
import Testing

/// A branch to which anything happens: phones that behave and phones that do not, a PBX that says what it likes, lost
/// connections, wrong PINs, and bytes that are no message at all. Every action is judged by the reference model.
struct RandomBranch {
    var edge: EdgeProxy
    var model = ReferenceModel()
    var random: RandomStream
    var now = Instant(nanoseconds: 1_800_000_000_000_000_000)
    var phones: [Phone]
    /// What was sent lately, on either side: what answers, repetitions and mutations are made of.
    var recent: [(message: SIPMessage, flow: Flow)] = []
    var recentBytes: [[UInt8]] = []
    var announced: [MediaSessionID] = []
    var waitingPINs: [(PINCheckID, Bool, String?)] = []
    var waitingStores: [StoreToken] = []
    var problems: [String] = []
    var number = 0
    var nextPort: UInt16 = 20_000

    static let stranger = Flow(
        transport: .udp, local: Branch.udp, remote: Endpoint(address: IPAddress(v4: 0xC000_0299), port: 5060))
    private static let targets = [
        "911", "112", "101", "100", "*77*100*", "*77*101*", "*77*5*", "*77*", "9911", "19005550100", "911x", "9-1-1", "*77*999*",
    ]
    private static let methods = [
        "INVITE", "INVITE", "INVITE", "INVITE", "MESSAGE", "SUBSCRIBE", "REFER", "PUBLISH", "OPTIONS", "INFO", "UPDATE", "NOTIFY", "BYE",
    ]

    init(seed: Int) {
        random = RandomStream(seed: Array("branch \(seed)".utf8))
        edge = EdgeProxy(
            configuration: Branch.configuration(nodes: 2, plainPhones: false), seed: Array(repeating: UInt8(truncatingIfNeeded: seed), count: 32),
            restoring: nil, now: now)
        phones = (1...3).map { Phone(device: $0, transport: $0 == 2 ? .tcp : .udp) }
        handle(.trunkUp(TrunkNode(index: 0), Branch.pbx), .elsewhere)
        for index in phones.indices { register(index) }
    }

    mutating func below(_ count: Int) -> Int { Int(random.next() % UInt64(max(1, count))) }
    mutating func pick<T>(_ values: [T]) -> T? { values.isEmpty ? nil : values[below(values.count)] }

    // MARK: The shell

    mutating func handle(_ event: EdgeEvent, _ origin: ReferenceModel.Origin) {
        var actions: [EdgeAction] = []
        let before = model
        edge.handle(event, now: now, into: &actions)
        for action in actions { perform(action, origin, before) }
        recent = recent.suffix(48)
        recentBytes = recentBytes.suffix(48)
    }

    private mutating func perform(_ action: EdgeAction, _ origin: ReferenceModel.Origin, _ before: ReferenceModel) {
        switch action {
        case .transmit(let bytes, let flow): transmitted(bytes, flow, origin, before)
        case .media(let command): perform(command)
        case .verifyPIN(let check, let pin, let hash):
            let isRight = Branch.pins.contains { hash == "hash-of-\($0.key)" && pin.exposed == $0.value }
            waitingPINs.append((check, isRight, hash))
        case .store(let change, let token):
            if let token { waitingStores.append(token) }
            if let problem = model.stored(change, isAsked: token != nil) { problems.append(problem) }
        case .close, .audit, .callEnded, .log: break
        }
    }

    private mutating func transmitted(_ bytes: [UInt8], _ flow: Flow, _ origin: ReferenceModel.Origin, _ before: ReferenceModel) {
        recentBytes.append(bytes)
        guard case .message(let message) = SIPMessage.parse(bytes, framing: .stream) else {
            return problems.append("not to be parsed: \(String(decoding: bytes, as: UTF8.self))")
        }
        recent.append((message, flow))
        guard case .request(let request) = message, flow == Branch.pbx || flow == Branch.secondPBX else { return }
        if let problem = model.leaves(request, from: origin, before: before) { problems.append(problem) }
    }

    private mutating func perform(_ command: MediaCommand) {
        switch command {
        case .reserve(let count, let family):
            guard family == .v4 else { return }
            let pairs = (0..<count).map { _ in
                nextPort = nextPort < 60_000 ? nextPort + 2 : 20_000
                return MediaPorts(id: UInt32(nextPort), address: Branch.udp.address, rtp: nextPort)
            }
            handle(.media(.portsReady(pairs)), .elsewhere)
        case .announce(let session, _, _): announced = announced.suffix(5) + [session]
        case .relay, .play, .sensitive, .measure, .close, .reserveStreams: break
        }
    }

    // MARK: Phones

    mutating func register(_ index: Int) {
        request(RawRequest(method: "REGISTER", uri: "sip:pbx.example", headers: [("To", "<sip:\(phones[index].user)@pbx.example>")]), index)
    }

    /// A phone's request, with the edge's challenge answered most of the time.
    mutating func request(_ raw: RawRequest, _ index: Int, proving: Bool = true) {
        number += 1
        let origin = ReferenceModel.Origin.device(index + 1)
        let phone = phones[index]
        var raw = raw
        if !raw.headers.contains(where: { $0.name == "Call-ID" }) { raw.headers.append(("Call-ID", "call-\(number)")) }
        let bytes = raw.bytes(from: phone, number: number)
        recentBytes.append(bytes)
        handle(.received(bytes, phone.flow), origin)
        guard proving, let last = recent.last, last.flow == phone.flow, case .response(let challenge) = last.message,
            challenge.status == 401 || challenge.status == 407,
            let credentials = phone.credentials(for: challenge, method: raw.method, uri: raw.uri)
        else { return }
        number += 1
        let again = raw.bytes(from: phone, number: number, authorization: credentials)
        recentBytes.append(again)
        handle(.received(again, phone.flow), origin)
    }

    mutating func freshRequest() {
        let index = below(phones.count)
        let method = pick(Self.methods) ?? "INVITE"
        let raw = RawRequest(
            method: method, uri: "sip:\(pick(Self.targets) ?? "")@pbx.example", body: below(3) > 0 ? phones[index].offer() : [])
        request(raw, index, proving: below(8) > 0)
    }

    /// Something inside a dialog that was seen, by a phone that may have no part in it.
    mutating func insideRequest() {
        guard let seen = pick(recent), case .response(let response) = seen.message, let tag = response.headers.to.tag else { return }
        let index = below(phones.count)
        let method = pick(["BYE", "INVITE", "UPDATE", "REFER", "MESSAGE", "SUBSCRIBE", "INFO", "ACK", "CANCEL", "NOTIFY", "PRACK"]) ?? "BYE"
        let headers = [
            ("Call-ID", response.headers.callID.value), ("To", "<sip:x@pbx.example>;tag=\(tag)"),
            ("From", "<sip:\(below(4) == 0 ? "bob" : phones[index].user)@pbx.example>;tag=\(response.headers.from.tag ?? "ft")"),
        ]
        request(RawRequest(method: method, uri: "sip:101@pbx.example", headers: headers), index, proving: false)
    }

    mutating func mutated() {
        guard var bytes = pick(recentBytes), !bytes.isEmpty else { return }
        for _ in 0...below(4) {
            guard !bytes.isEmpty else { break }
            let place = below(bytes.count)
            switch below(5) {
            case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
            case 1: bytes.remove(at: place)
            case 2: bytes.insert(pick(Array("\r\n:;,<>\"%@= *0".utf8)) ?? 0, at: place)
            case 3: bytes = Array(bytes[..<place]) + (pick(recentBytes) ?? []).suffix(below(400))
            default: bytes[place] ^= 1 << UInt8(below(8))
            }
        }
        switch below(5) {
        case 0: handle(.received(bytes, Self.stranger), .stranger)
        case 1:
            // What the PBX began by this is its own.
            if case .message(.request(let request)) = SIPMessage.parse(bytes, framing: .stream) { model.pbxBegan(request) }
            handle(.received(bytes, Branch.pbx), .elsewhere)
        default:
            let index = below(phones.count)
            handle(.received(bytes, phones[index].flow), .device(index + 1))
        }
    }

    // MARK: The other end

    /// Answers something that was sent, from the side it went to.
    mutating func answer() {
        guard let seen = pick(recent), case .request(let request) = seen.message, request.method != .ack else { return }
        let status = pick([100, 180, 183, 200, 200, 200, 302, 401, 407, 408, 423, 481, 486, 487, 503, 600]) ?? 200
        var response = request.response(status, toTag: below(3) == 0 ? "t\(below(50))" : "far")
        let user = below(2) == 0 ? "19005550100" : "far"
        response.headers.contact = .list([phones[0].address("sip:\(user)@198.51.100.20:5061")])
        if request.method == .register { response.headers.contact = request.headers.contact }
        let challenge = "Digest realm=\"pbx.example\", nonce=\"n\(below(9))\", qop=\"auth\", algorithm=MD5" + (below(2) == 0 ? ", stale=true" : "")
        if status == 401 { response.headers[.wwwAuthenticate] = challenge }
        if status == 407 { response.headers[.proxyAuthenticate] = challenge }
        if below(2) == 0, status < 300, request.method == .invite {
            response.headers.contentType = "application/sdp"
            response.body = phones[0].offer()
        }
        recentBytes.append(response.serialized())
        handle(.received(response.serialized(), seen.flow), .elsewhere)
    }

    mutating func pbxRequest() {
        var caller = Phone(device: 3)
        number += 1
        caller.cseq = UInt32(truncatingIfNeeded: number)
        let method: Method = pick([.invite, .invite, .message, .options, .notify, .refer, .subscribe]) ?? .invite
        let user = pick(["100", "101", "102", "branch-01", "HD0001"]) ?? "100"
        let request = caller.request(method, to: "sip:\(user)@192.0.2.10:40001", callID: "pbx-\(number)", tag: "pt", body: caller.offer())
        model.pbxBegan(request)
        handle(.received(request.serialized(), Branch.pbx), .elsewhere)
    }

    // MARK: Everything else

    mutating func logIn() {
        let index = below(phones.count)
        let extensionNumber = pick(["100", "101", "102", "103"]) ?? "100"
        request(RawRequest(uri: "sip:*77*\(extensionNumber)*@pbx.example", body: phones[index].offer()), index)
        guard let last = recent.last(where: { $0.flow == phones[index].flow }), case .response(let ok) = last.message, ok.status == 200 else { return }
        let ack = RawRequest(
            method: "ACK", uri: "sip:x@pbx.example",
            headers: [("Call-ID", ok.headers.callID.value), ("To", ok.headers.to.description)])
        request(ack, index, proving: false)
        type((below(3) > 0 ? Branch.pins[extensionNumber] ?? "" : "0000") + "#")
    }

    mutating func type(_ digits: String) {
        guard let session = below(4) > 0 ? announced.last : pick(announced) else { return }
        for digit in digits.utf8 { handle(.media(.digit(session, digit)), .elsewhere) }
    }

    mutating func settlePINs() {
        let waiting = waitingPINs
        waitingPINs = []
        for (check, isRight, hash) in waiting {
            if isRight { model.pinWasRight(hash: hash) }
            handle(.pinVerified(check, isRight), .elsewhere)
        }
        let tokens = waitingStores
        waitingStores = []
        for token in tokens { handle(.stored(token, below(10) > 0), .elsewhere) }
    }

    mutating func disturb() {
        switch below(7) {
        case 0: handle(.logout(DeviceName("HD000\(below(3) + 1)") ?? edge.status(now: now).devices[0].name), .elsewhere)
        case 1:
            let index = below(phones.count)
            if phones[index].flow.transport.isReliable {
                handle(.flowClosed(phones[index].flow), .elsewhere)
                phones[index].flow.connection += 10
            } else {
                phones[index].flow.remote.port = UInt16(5060 + below(3))
            }
            register(index)
        case 2: handle(.trunkDown(TrunkNode(index: below(2))), .elsewhere)
        case 3: handle(.trunkUp(TrunkNode(index: 1), Branch.secondPBX), .elsewhere)
        case 4: handle(.closingTime, .elsewhere)
        case 5: handle(.reload(Branch.configuration(nodes: 1 + below(2), plainPhones: false)), .elsewhere)
        default: handle(.trunkUp(TrunkNode(index: 0), Branch.pbx), .elsewhere)
        }
    }

    mutating func wait() {
        let end = now + .milliseconds(Int64(pick([1, 20, 200, 600, 4_000, 40_000]) ?? 1))
        var steps = 0
        while let due = edge.nextDeadline, due <= end, steps < 400 {
            now = max(now, due)
            handle(.tick, .elsewhere)
            steps += 1
        }
        now = max(now, end)
        handle(.tick, .elsewhere)
    }
}
