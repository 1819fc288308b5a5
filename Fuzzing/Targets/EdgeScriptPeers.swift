import EdgeProxy
import HotDeskPolicy
import Media
import SIPMessage

/// What phones and PBX say in a script.
extension EdgeScript {
    private static let targets = [
        "911", "112", "101", "100", "*77*100*", "*77*101*", "*77*5*", "*77*", "9911", "19005550100", "911x", "9-1-1", "*77*999*",
    ]
    private static let methods = [
        "INVITE", "INVITE", "INVITE", "INVITE", "MESSAGE", "SUBSCRIBE", "REFER", "PUBLISH", "OPTIONS", "INFO", "UPDATE", "NOTIFY", "BYE",
    ]

    mutating func register(_ index: Int) {
        number += 1
        let to = "<sip:\(phones[index].user)@pbx.example>"
        request(ScriptRequest(method: "REGISTER", uri: "sip:pbx.example", callID: "call-\(number)", to: to), index)
    }

    /// A phone's request, with the edge's challenge answered most of the time.
    mutating func request(_ request: ScriptRequest, _ index: Int, proving: Bool = true) {
        number += 1
        let phone = phones[index]
        deliver(request.bytes(of: phone, number: number), index)
        guard proving, let last = recent.last, last.flow == phone.flow, case .response(let challenge) = last.message,
            challenge.status == 401 || challenge.status == 407,
            let credentials = phone.credentials(for: challenge, method: request.method, uri: request.uri)
        else { return }
        number += 1
        deliver(request.bytes(of: phone, number: number, authorization: credentials), index)
    }

    private mutating func deliver(_ bytes: [UInt8], _ index: Int) {
        recentBytes.append(bytes)
        handle(.received(bytes, phones[index].flow), .device(index + 1))
    }

    mutating func freshRequest() {
        let index = choices.below(phones.count)
        let method = choices.pick(Self.methods) ?? "INVITE"
        let uri = "sip:\(choices.pick(Self.targets) ?? "")@pbx.example"
        number += 1
        let body = choices.below(3) > 0 ? phones[index].offer : []
        request(
            ScriptRequest(method: method, uri: uri, callID: "call-\(number)", body: body), index, proving: choices.below(8) > 0)
    }

    /// Something inside a dialog that was seen, by a phone that may have no part in it.
    mutating func insideRequest() {
        guard let seen = choices.pick(recent), case .response(let response) = seen.message, let tag = response.headers.to.tag else { return }
        let index = choices.below(phones.count)
        let methods = ["BYE", "INVITE", "UPDATE", "REFER", "MESSAGE", "SUBSCRIBE", "INFO", "ACK", "CANCEL", "NOTIFY", "PRACK"]
        let user = choices.below(4) == 0 ? "bob" : phones[index].user
        request(
            ScriptRequest(
                method: choices.pick(methods) ?? "BYE", uri: "sip:101@pbx.example", callID: response.headers.callID.value,
                to: "<sip:x@pbx.example>;tag=\(tag)", from: "<sip:\(user)@pbx.example>;tag=\(response.headers.from.tag ?? "ft")"),
            index, proving: false)
    }

    /// Bytes that were seen, changed, on any flow.
    mutating func mutated() {
        guard var bytes = choices.pick(recentBytes), !bytes.isEmpty else { return }
        for _ in 0...choices.below(4) {
            guard !bytes.isEmpty else { break }
            let place = choices.below(bytes.count)
            switch choices.below(6) {
            case 0: bytes[place] = choices.byte()
            case 1: bytes.remove(at: place)
            case 2: bytes.insert(choices.pick(Array("\r\n:;,<>\"%@= *0".utf8)) ?? 0, at: place)
            case 3: bytes = Array(bytes[..<place]) + (choices.pick(recentBytes) ?? []).suffix(choices.below(400))
            case 4: bytes.insert(contentsOf: choices.take(choices.below(24)), at: place)
            default: bytes[place] ^= 1 << UInt8(choices.below(8))
            }
        }
        send(bytes)
    }

    /// Bytes of the script's own.
    mutating func written() { send(choices.take(choices.below(128))) }

    private mutating func send(_ bytes: [UInt8]) {
        switch choices.below(5) {
        case 0: handle(.received(bytes, ScriptSite.stranger), .stranger)
        case 1:
            // What the PBX began by this is its own.
            if case .message(.request(let request)) = SIPMessage.parse(bytes, framing: .stream) { model.pbxBegan(request) }
            handle(.received(bytes, ScriptSite.pbx), .elsewhere)
        default:
            let index = choices.below(phones.count)
            handle(.received(bytes, phones[index].flow), .device(index + 1))
        }
    }

    // MARK: The other end

    /// Answers something that was sent, from the side it went to.
    mutating func answer() {
        guard let seen = choices.pick(recent), case .request(let request) = seen.message, request.method != .ack else { return }
        let status = choices.pick([100, 180, 183, 200, 200, 200, 302, 401, 407, 408, 423, 481, 486, 487, 503, 600]) ?? 200
        var response = request.response(status, toTag: choices.below(3) == 0 ? "t\(choices.below(50))" : "far")
        let user = choices.below(2) == 0 ? "19005550100" : "far"
        if let contact = try? NameAddress(parsing: "<sip:\(user)@198.51.100.20:5061>") { response.headers.contact = .list([contact]) }
        if request.method == .register { response.headers.contact = request.headers.contact }
        let stale = choices.below(2) == 0 ? ", stale=true" : ""
        let challenge = "Digest realm=\"pbx.example\", nonce=\"n\(choices.below(9))\", qop=\"auth\", algorithm=MD5" + stale
        if status == 401 { response.headers[.wwwAuthenticate] = challenge }
        if status == 407 { response.headers[.proxyAuthenticate] = challenge }
        if choices.below(2) == 0, status < 300, request.method == .invite {
            response.headers.contentType = "application/sdp"
            response.body = phones[0].offer
        }
        recentBytes.append(response.serialized())
        handle(.received(response.serialized(), seen.flow), .elsewhere)
    }

    mutating func pbxRequest() {
        number += 1
        let method = choices.pick(["INVITE", "INVITE", "MESSAGE", "OPTIONS", "NOTIFY", "REFER", "SUBSCRIBE"]) ?? "INVITE"
        let user = choices.pick(["100", "101", "102", "branch-01", "HD0001"]) ?? "100"
        let bytes = ScriptRequest(
            method: method, uri: "sip:\(user)@192.0.2.10:40001", callID: "pbx-\(number)", to: "<sip:\(user)@pbx.example>",
            from: "<sip:102@pbx.example>;tag=pt", body: phones[2].offer
        ).bytes(of: phones[2], number: number)
        if case .message(.request(let request)) = SIPMessage.parse(bytes, framing: .stream) { model.pbxBegan(request) }
        recentBytes.append(bytes)
        handle(.received(bytes, ScriptSite.pbx), .elsewhere)
    }

    // MARK: Logging in

    mutating func logIn() {
        let index = choices.below(phones.count)
        let digits = choices.pick(["100", "101", "102", "103"]) ?? "100"
        number += 1
        request(ScriptRequest(uri: "sip:*77*\(digits)*@pbx.example", callID: "call-\(number)", body: phones[index].offer), index)
        guard let last = recent.last(where: { $0.flow == phones[index].flow }), case .response(let ok) = last.message, ok.status == 200 else { return }
        let ack = ScriptRequest(
            method: "ACK", uri: "sip:x@pbx.example", callID: ok.headers.callID.value, to: ok.headers.to.description)
        request(ack, index, proving: false)
        type((choices.below(4) > 0 ? ScriptSite.pins[digits] ?? "" : "0000") + "#")
    }

    mutating func type(_ digits: String) {
        guard let session = choices.below(4) > 0 ? announced.last : choices.pick(announced) else { return }
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
        for token in tokens { handle(.stored(token, choices.below(10) > 0), .elsewhere) }
    }
}
