import CoreTypes
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

    /// A phone's request, proved most of the time: with the nonce the phone was given last, and with a new one where
    /// the edge asks for it.
    mutating func request(_ request: ScriptRequest, _ index: Int, proving: Bool = true) {
        number += 1
        let known = proving ? phones[index].credentials(method: request.method, uri: request.uri) : nil
        deliver(request.bytes(of: phones[index], number: number, authorization: known), index)
        guard proving, let last = recent.last, last.flow == phones[index].flow, case .response(let answer) = last.message,
            phones[index].notes(answer), let credentials = phones[index].credentials(method: request.method, uri: request.uri)
        else { return }
        number += 1
        deliver(request.bytes(of: phones[index], number: number, authorization: credentials), index)
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
        let tag = choices.below(3) == 0 ? "t\(choices.below(50))" : "far"
        answer(request, seen.flow, status, tag: tag, user: choices.below(2) == 0 ? "19005550100" : "far")
    }

    private mutating func answer(_ request: SIPRequest, _ flow: Flow, _ status: Int, tag: String, user: String) {
        var response = request.response(status, toTag: tag)
        if let contact = try? NameAddress(parsing: "<sip:\(user)@198.51.100.20:5061>") { response.headers.contact = .list([contact]) }
        if request.method == .register { response.headers.contact = request.headers.contact }
        if status == 401 || status == 407 {
            let stale = choices.below(2) == 0 ? ", stale=true" : ""
            let challenge = "Digest realm=\"pbx.example\", nonce=\"n\(choices.below(9))\", qop=\"auth\", algorithm=MD5" + stale
            response.headers[status == 401 ? .wwwAuthenticate : .proxyAuthenticate] = challenge
        }
        if status < 300, request.method == .invite, choices.below(2) == 0 {
            response.headers.contentType = "application/sdp"
            response.body = phones[0].offer
        }
        recentBytes.append(response.serialized())
        handle(.received(response.serialized(), flow), .elsewhere)
    }

    /// Answers the last request that went to anybody.
    mutating func answerLast(_ status: Int) {
        let last = recent.last { if case .request(let request) = $0.message { request.method != .ack } else { false } }
        guard let last, case .request(let request) = last.message else { return }
        answer(request, last.flow, status, tag: "far", user: "far")
    }

    /// A call of a phone that the far end takes, and the phone's ACK.
    mutating func talk(_ index: Int, _ target: String) {
        number += 1
        let callID = "call-\(number)"
        request(ScriptRequest(uri: "sip:\(target)@pbx.example", callID: callID, body: phones[index].offer), index)
        answerLast(200)
        request(ScriptRequest(method: "ACK", uri: "sip:far@pbx.example", callID: callID, to: "<sip:far@pbx.example>;tag=far"), index, proving: false)
    }

    mutating func pbxRequest() {
        let method = choices.pick(["INVITE", "INVITE", "MESSAGE", "OPTIONS", "NOTIFY", "REFER", "SUBSCRIBE"]) ?? "INVITE"
        pbxAsks(method, choices.pick(["100", "101", "102", "branch-01", "HD0001"]) ?? "100")
    }

    mutating func pbxInvites(_ user: String) { pbxAsks("INVITE", user) }

    private mutating func pbxAsks(_ method: String, _ user: String) {
        number += 1
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
        beginLogin(index, digits)
        type((choices.below(4) > 0 ? ScriptSite.pins[digits] ?? "" : "0000") + "#", choices.below(4) > 0 ? announced.last : choices.pick(announced))
    }

    /// A whole login; without a PIN of its own with the right one.
    mutating func logIn(_ index: Int, _ digits: String, pin: String? = nil) {
        beginLogin(index, digits)
        type((pin ?? ScriptSite.pins[digits] ?? "") + "#", announced.last)
        // The PIN, then what the PBX says, then what is on disk.
        settlePINs(isStored: true)
        answerLast(200)
        settlePINs(isStored: true)
    }

    private mutating func beginLogin(_ index: Int, _ digits: String) {
        number += 1
        request(ScriptRequest(uri: "sip:*77*\(digits)*@pbx.example", callID: "call-\(number)", body: phones[index].offer), index)
        guard let last = recent.last(where: { $0.flow == phones[index].flow }), case .response(let ok) = last.message, ok.status == 200 else { return }
        let ack = ScriptRequest(
            method: "ACK", uri: "sip:x@pbx.example", callID: ok.headers.callID.value, to: ok.headers.to.description)
        request(ack, index, proving: false)
    }

    mutating func type(_ digits: String, _ session: MediaSessionID?) {
        guard let session else { return }
        for digit in digits.utf8 { handle(.media(.digit(session, digit)), .elsewhere) }
    }

    mutating func settlePINs() { settlePINs(isStored: choices.below(10) > 0) }

    private mutating func settlePINs(isStored: Bool) {
        let waiting = waitingPINs
        waitingPINs = []
        for (check, isRight, hash) in waiting {
            if isRight { model.pinWasRight(hash: hash) }
            handle(.pinVerified(check, isRight), .elsewhere)
        }
        let tokens = waitingStores
        waitingStores = []
        for token in tokens { handle(.stored(token, isStored), .elsewhere) }
    }
}
