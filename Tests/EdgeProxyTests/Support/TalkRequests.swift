import CoreTypes
import EdgeProxy
import SIPMessage
import Testing

/// Requests inside a call, from either end.
extension Talk {
    /// A request of the far end as the PBX sends it.
    func fromPBX(_ method: Method, cseq: UInt32 = 1, tag: String = "pbxtag", body: [UInt8] = [], type: String = "application/sdp") -> SIPRequest {
        var request = invite
        request.method = method
        request.headers.others = []
        request.headers.from = invite.headers.to.with(testTag: tag)
        request.headers.to = invite.headers.from
        request.headers.cseq = CSeq(number: cseq, method: method)
        request.headers.via[0].branch = "z9hG4bKpbx\(method.name)\(cseq)\(tag)"
        request.headers.contact = .list([phone.address("sip:101@198.51.100.20:5061;transport=tls")])
        request.body = body
        request.headers.contentType = body.isEmpty ? nil : type
        return request
    }

    /// A request of the phone.
    mutating func fromPhone(_ method: Method, toTag: String = "pbxtag", body: [UInt8] = [], type: String = "application/sdp") -> SIPRequest {
        var request = phone.request(method, to: "sip:101@pbx.example", callID: asked.headers.callID.value, toTag: toTag, body: body)
        if !body.isEmpty { request.headers.contentType = type }
        return request
    }

    /// Sends a request of the phone and gives what the PBX got of it.
    mutating func passOut(_ request: SIPRequest) throws -> SIPRequest {
        branch.deliver(request, phone.flow)
        return try #require(branch.servePBX().last { $0.method == request.method })
    }

    /// Sends a request of the PBX and gives what the phone got of it.
    mutating func passIn(_ request: SIPRequest) throws -> SIPRequest {
        branch.deliver(request, Branch.pbx)
        return try #require(branch.take(phone.flow).compactMap(\.request).last { $0.method == request.method })
    }

    /// Answers what the PBX got, and gives what the phone sees of the answer.
    mutating func answerAtPBX(_ request: SIPRequest, _ status: Int, tag: String? = nil, with change: (inout SIPResponse) -> Void = { _ in }) throws -> SIPResponse {
        var response = request.response(status, toTag: tag ?? request.headers.to.tag)
        change(&response)
        branch.deliver(response, Branch.pbx)
        return try #require(branch.take(phone.flow).compactMap(\.response).last)
    }

    /// Answers what the phone got, and gives what the PBX sees of the answer.
    mutating func answerAtPhone(_ request: SIPRequest, _ status: Int, tag: String? = nil, with change: (inout SIPResponse) -> Void = { _ in }) throws -> SIPResponse {
        var response = request.response(status, toTag: tag ?? request.headers.to.tag)
        change(&response)
        branch.deliver(response, phone.flow)
        return try #require(branch.take(Branch.pbx).compactMap(\.response).last)
    }
}

extension NameAddress {
    func with(testTag tag: String) -> NameAddress {
        var address = self
        address.tag = tag
        return address
    }
}

extension SIPRequest {
    var text: String { String(decoding: serialized(), as: UTF8.self) }
}

extension SIPResponse {
    var text: String { String(decoding: serialized(), as: UTF8.self) }
    /// A session description as its body.
    mutating func bring(_ body: [UInt8], contact: NameAddress) {
        self.body = body
        headers.contentType = "application/sdp"
        headers.contact = .list([contact])
    }
}
