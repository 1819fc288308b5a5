import Capture
import CoreTypes
import EdgeProxy
import HotDeskPolicy
import Media
import SIPMessage

/// Writes a capture as a real edge with other tags and nonces than the replay's would have left it.
struct CaptureBuilder {
    static let siteEdge = Endpoint(address: IPAddress(v4: 0xC000_020A), port: 5060)
    static let foreignEdge = Endpoint(address: IPAddress(v4: 0x0A09_0807), port: 5060)
    static let pbx = Endpoint(address: IPAddress(v4: 0xC633_6414), port: 5061)

    var edge = siteEdge
    /// Whether the PBX's side is written too.
    var holdsPBX = true
    var transport = "UDP"
    var packets: [CapturedPacket] = []
    var now = Instant(nanoseconds: 1_800_000_000_000_000_000)
    private var serial = 0

    init(edge: Endpoint = siteEdge, holdsPBX: Bool = true, transport: String = "UDP") {
        self.edge = edge
        self.holdsPBX = holdsPBX
        self.transport = transport
    }

    var trunk: Endpoint { Endpoint(address: edge.address, port: 45_000) }
    var media: Endpoint { Endpoint(address: edge.address, port: 20_100) }

    mutating func unique(_ stem: String) -> String {
        serial += 1
        return "\(stem)\(serial)"
    }

    // MARK: Packets

    mutating func add(_ bytes: [UInt8], from: Endpoint, to: Endpoint, after: Duration = .milliseconds(5)) {
        now = now + after
        packets.append(CapturedPacket(at: now, transport: .udp, source: from, destination: to, payload: bytes))
    }

    mutating func send(_ request: SIPRequest, _ desk: Desk, after: Duration = .milliseconds(5)) {
        add(request.serialized(), from: desk.endpoint, to: edge, after: after)
    }

    mutating func answer(_ response: SIPResponse, _ desk: Desk, after: Duration = .milliseconds(5)) {
        add(response.serialized(), from: edge, to: desk.endpoint, after: after)
    }

    mutating func atPBX(_ request: SIPRequest, fromPBX: Bool) {
        guard holdsPBX else { return }
        add(request.serialized(), from: fromPBX ? Self.pbx : trunk, to: fromPBX ? trunk : Self.pbx)
    }

    // MARK: Steps

    /// A request, the edge's challenge, and the request again with an answer to it.
    mutating func challenged(_ request: SIPRequest, _ desk: inout Desk) -> SIPRequest {
        send(request, desk, after: .milliseconds(200))
        let isRegister = request.method == .register
        var challenge = request.response(isRegister ? 401 : 407, toTag: unique("edge"))
        let header = DigestChallenge(
            realm: "pbx.example", nonce: unique("nonce"), opaque: nil, algorithm: .md5, offersAuth: true, stale: false)
        challenge.headers.add(isRegister ? .wwwAuthenticate : .proxyAuthenticate, header.headerValue)
        answer(challenge, desk)
        if request.method == .invite { send(desk.acknowledge(request, challenge, own: false), desk) }
        desk.sequence += 1
        var again = request
        again.headers.cseq.number = desk.sequence
        again.headers.via[0].branch = unique("z9hG4bKagain")
        let credentials = DigestCredentials.answering(
            header, method: request.method, uri: request.uri.description, username: desk.name, password: "secret", cnonce: "c0ffee",
            nonceCount: 1)
        again.headers.add(isRegister ? .authorization : .proxyAuthorization, credentials.headerValue)
        send(again, desk)
        return again
    }

    mutating func register(_ desk: inout Desk, status: Int = 200) {
        let request = challenged(desk.request(.register, to: "sip:pbx.example", transport, &serial), &desk)
        answer(request.response(status, toTag: unique("edge")), desk)
    }

    mutating func invite(_ desk: inout Desk, _ target: String, challenge: Bool = true) -> SIPRequest {
        let request = desk.request(.invite, to: "sip:\(target)@pbx.example", transport, &serial, body: desk.offer)
        guard challenge else {
            send(request, desk, after: .milliseconds(200))
            return request
        }
        return challenged(request, &desk)
    }

    /// The INVITE is refused by the edge.
    mutating func refused(_ desk: inout Desk, _ target: String, _ status: Int = 403) {
        let request = invite(&desk, target)
        let response = request.response(status, toTag: unique("edge"))
        answer(response, desk)
        send(desk.acknowledge(request, response, own: false), desk)
    }

    /// 180 and 200 with audio at the edge; the phone acknowledges.
    mutating func established(_ desk: inout Desk, _ invite: SIPRequest, ringing: Bool = true) -> SIPResponse {
        let tag = unique("far")
        if ringing { answer(invite.response(180, toTag: tag), desk, after: .milliseconds(300)) }
        var ok = invite.response(200, toTag: tag)
        ok.headers.contact = .list([desk.address("sip:edge@\(edge)")])
        ok.headers.contentType = "application/sdp"
        ok.body = Desk.sdp(media)
        answer(ok, desk, after: .seconds(1))
        send(desk.acknowledge(invite, ok, own: true), desk)
        return ok
    }

    mutating func hangUp(_ desk: inout Desk, _ invite: SIPRequest, _ ok: SIPResponse, after: Duration = .seconds(3)) {
        let bye = desk.inside(.bye, invite, ok, transport, &serial)
        send(bye, desk, after: after)
        answer(bye.response(200), desk)
    }

    /// A login call up to the BYE of the edge. `keys`: masked key presses in RTP; `info`: by SIP INFO; nil: no digits at all.
    mutating func login(
        _ desk: inout Desk, _ code: String = "*77*100*", keys: [UInt8] = Array("00000".utf8), info: Bool = false, success: Bool = true
    ) {
        let request = invite(&desk, code)
        let ok = established(&desk, request, ringing: false)
        type(keys, &desk, request, ok, info: info)
        if success { registerAtPBX("100", expires: 600) }
        endedByEdge(desk, request, ok)
    }

    mutating func type(_ keys: [UInt8], _ desk: inout Desk, _ invite: SIPRequest, _ ok: SIPResponse, info: Bool) {
        now = now + .seconds(3)
        for (place, key) in keys.enumerated() {
            if info {
                var request = desk.inside(.info, invite, ok, transport, &serial)
                request.headers.contentType = "application/dtmf-relay"
                request.body = Array("Signal=\(Character(Unicode.Scalar(key)))\r\nDuration=160\r\n".utf8)
                send(request, desk, after: .milliseconds(300))
                answer(request.response(200), desk)
            } else {
                press(key, UInt32(place) * 2_400, desk)
            }
        }
    }

    /// One key press: three packets with one timestamp (RFC 4733 §2.5.1).
    mutating func press(_ key: UInt8, _ timestamp: UInt32, _ desk: Desk) {
        let code: UInt8 = key == UInt8(ascii: "#") ? 11 : key == UInt8(ascii: "*") ? 10 : key - UInt8(ascii: "0")
        for (step, isEnd) in [false, false, true].enumerated() {
            serial += 1
            let header: [UInt8] = [0x80, 101, UInt8(serial >> 8 & 255), UInt8(serial & 255)]
            let stamp = (0..<4).map { UInt8(truncatingIfNeeded: timestamp >> (24 - 8 * UInt32($0))) }
            let event = TelephoneEvent(event: code, isEnd: isEnd, duration: UInt16(step + 1) * 400).bytes
            add(header + stamp + [0, 0, 0, 9] + event, from: desk.media, to: media, after: .milliseconds(100))
        }
    }

    mutating func registerAtPBX(_ user: String, expires: Int) {
        guard holdsPBX else { return }
        var desk = Desk(name: user, host: 1)
        desk.endpoint = trunk
        var request = desk.request(.register, to: "sip:pbx.example", "TLS", &serial)
        request.headers.to = desk.address("sip:\(user)@pbx.example")
        request.headers[.expires] = String(expires)
        atPBX(request, fromPBX: false)
        add(request.response(200, toTag: unique("pbx")).serialized(), from: Self.pbx, to: trunk)
    }

    mutating func endedByEdge(_ desk: Desk, _ invite: SIPRequest, _ ok: SIPResponse) {
        var bye = invite
        bye.method = .bye
        bye.body = []
        bye.headers.contentType = nil
        bye.headers.from = ok.headers.to
        bye.headers.to = invite.headers.from
        bye.headers.cseq = CSeq(number: 1, method: .bye)
        bye.headers.via[0].branch = unique("z9hG4bKedge")
        add(bye.serialized(), from: edge, to: desk.endpoint, after: .seconds(2))
        add(bye.response(200).serialized(), from: desk.endpoint, to: edge)
    }

    /// A call of the PBX for `number`, put through to the desk, answered and ended by the far end.
    mutating func callIn(_ desk: inout Desk, _ number: String) {
        var far = Desk(name: "101", host: 99)
        let callID = unique("in")
        var atPBX = far.request(.invite, to: "sip:\(number)@\(trunk)", "TLS", &serial, body: Desk.sdp(Self.pbx))
        atPBX.headers.to = far.address("sip:\(number)@pbx.example")
        atPBX.headers.callID = CallID(value: callID)
        self.atPBX(atPBX, fromPBX: true)
        var toPhone = atPBX
        toPhone.uri = desk.contact.uri
        toPhone.headers.via[0].branch = unique("z9hG4bKold")
        add(toPhone.serialized(), from: edge, to: desk.endpoint)
        let tag = unique("desk")
        add(toPhone.response(180, toTag: tag).serialized(), from: desk.endpoint, to: edge, after: .milliseconds(200))
        var ok = toPhone.response(200, toTag: tag)
        ok.headers.contact = .list([desk.contact])
        ok.headers.contentType = "application/sdp"
        ok.body = Desk.sdp(desk.media)
        add(ok.serialized(), from: desk.endpoint, to: edge, after: .seconds(1))
        for (step, method) in [Method.ack, .bye].enumerated() {
            var inside = atPBX
            inside.method = method
            inside.body = []
            inside.headers.contentType = nil
            inside.headers.to.tag = tag
            inside.headers.cseq = CSeq(number: atPBX.headers.cseq.number + UInt32(step), method: method)
            inside.headers.via[0].branch = unique("z9hG4bKinside")
            now = now + .seconds(Int64(step) * 2)
            self.atPBX(inside, fromPBX: true)
            inside.headers.via[0].branch = unique("z9hG4bKold")
            add(inside.serialized(), from: edge, to: desk.endpoint)
            if method == .bye { add(inside.response(200).serialized(), from: desk.endpoint, to: edge) }
        }
    }

    /// The same capture with the phones' side over TCP, every message cut in two.
    var overTCP: [CapturedPacket] {
        packets.flatMap { packet -> [CapturedPacket] in
            guard packet.source == edge || packet.destination == edge, packet.payload.count > 20 else { return [packet] }
            var first = packet
            first.transport = .tcp
            var second = first
            first.payload = Array(packet.payload.prefix(17))
            second.payload = Array(packet.payload.dropFirst(17))
            return [first, second]
        }
    }
}

/// A phone of the capture.
struct Desk {
    var name: String
    var endpoint: Endpoint
    var sequence: UInt32 = 0

    init(name: String, host: UInt32) {
        self.name = name
        endpoint = Endpoint(address: IPAddress(v4: 0xC000_0264 + host), port: 5060)
    }

    var media: Endpoint { Endpoint(address: endpoint.address, port: 30_000) }
    var contact: NameAddress { address("sip:\(name)@\(endpoint)") }
    var offer: [UInt8] { Self.sdp(media) }

    static func sdp(_ media: Endpoint) -> [UInt8] {
        Array(
            ("v=0\r\no=- 1 1 IN IP4 \(media.address)\r\ns=-\r\nc=IN IP4 \(media.address)\r\nt=0 0\r\n"
                + "m=audio \(media.port) RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n").utf8)
    }

    func address(_ text: String) -> NameAddress {
        guard let uri = try? URI(parsing: text) else { fatalError("a constant of the test is wrong: \(text)") }
        return NameAddress(uri: uri)
    }

    mutating func request(_ method: Method, to target: String, _ transport: String, _ serial: inout Int, body: [UInt8] = []) -> SIPRequest {
        sequence += 1
        serial += 1
        var from = address("sip:\(name)@pbx.example")
        from.tag = "tag\(serial)"
        let via = Via(
            transport: transport, host: Host(endpoint.address), port: endpoint.port,
            parameters: [Parameter(name: "branch", value: "z9hG4bK\(name)\(serial)"), Parameter(name: "rport", value: nil)])
        var request = SIPRequest(
            method: method, uri: address(target).uri,
            headers: Headers(
                via: [via], from: from, to: address(method == .register ? "sip:\(name)@pbx.example" : target),
                callID: CallID(value: "\(name)-\(serial)"), cseq: CSeq(number: sequence, method: method)),
            body: body)
        request.headers.maxForwards = 70
        request.headers.contact = .list([contact])
        if !body.isEmpty { request.headers.contentType = "application/sdp" }
        return request
    }

    /// An ACK: of a refusal in the INVITE's own transaction, of a 2xx in one of its own.
    func acknowledge(_ invite: SIPRequest, _ response: SIPResponse, own: Bool) -> SIPRequest {
        var ack = invite
        ack.method = .ack
        ack.body = []
        ack.headers.contentType = nil
        ack.headers.contact = nil
        ack.headers.to = response.headers.to
        ack.headers.cseq.method = .ack
        if own, let branch = ack.headers.via[0].branch { ack.headers.via[0].branch = branch + "ack" }
        return ack
    }

    mutating func inside(
        _ method: Method, _ invite: SIPRequest, _ ok: SIPResponse, _ transport: String, _ serial: inout Int
    ) -> SIPRequest {
        var request = request(method, to: "sip:edge@pbx.example", transport, &serial)
        request.headers.callID = invite.headers.callID
        request.headers.from = invite.headers.from
        request.headers.to = ok.headers.to
        return request
    }
}
