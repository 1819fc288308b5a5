import CoreTypes
import CryptoPrimitives
import SIPMessage

/// The two messages a phone gets: the answer to its SUBSCRIBE and the NOTIFY with the address. Tags and branches come
/// from the request, so a repeated request has the same ones.
struct PnPWriter {
    let secret: [UInt8]
    let local: Endpoint
    let source: Endpoint

    func answer(to request: SIPRequest) -> [UInt8] {
        var response = request.response(200, toTag: tag(request))
        response.headers.via = response.headers.via.enumerated().map { index, via in index == 0 ? marked(via) : via }
        response.headers.contact = .list([NameAddress(uri: contact)])
        response.headers[.expires] = "0"
        return response.serialized()
    }

    /// The subscription ends with this: what it was for has been said.
    func notify(for request: SIPRequest, body: String) -> [UInt8] {
        var from = request.headers.to
        from.tag = tag(request)
        var via = Via(transport: "UDP", host: Host(local.address), port: local.port)
        via.branch = "z9hG4bK" + token(request, "notify")
        var headers = Headers(
            via: [via], from: from, to: request.headers.from, callID: request.headers.callID, cseq: CSeq(1, .notify), maxForwards: 20,
            contact: .list([NameAddress(uri: contact)]), contentType: "application/url")
        headers[.event] = request.headers[.event] ?? "ua-profile"
        headers[.subscriptionState] = "terminated;reason=timeout"
        return SIPRequest(method: .notify, uri: target(request), headers: headers, body: Array(body.utf8)).serialized()
    }

    /// The phone's Contact names it; where there is none, its address does.
    private func target(_ request: SIPRequest) -> URI {
        if let contact = request.headers.contact?.first?.uri, contact.sip != nil { return contact }
        return .sip(SIPURI(host: Host(source.address), port: source.port))
    }

    private var contact: URI { .sip(SIPURI(host: Host(local.address), port: local.port)) }

    /// RFC 3581 §4, for phones that read their Via again.
    private func marked(_ via: Via) -> Via {
        var via = via
        if via.wantsRport { via.rport = source.port }
        via.received = source.address
        return via
    }

    private func tag(_ request: SIPRequest) -> String { token(request, "tag") }

    private func token(_ request: SIPRequest, _ purpose: String) -> String {
        let words = "\(purpose)\n\(request.headers.callID)\n\(request.headers.from.tag ?? "")\n\(request.headers.cseq.number)\n\(source)"
        return String(hexadecimal(Hash.hmacSHA256(key: secret, Array(words.utf8))).prefix(24))
    }
}
