import SIPMessage
import SIPTransaction

/// What stands in the body of a request or an answer that agrees on a session: a session description, and nothing else.
///
/// What was not read cannot have been judged: a description in a form that the edge does not read would lead the media
/// past the relay. So of several parts (RFC 5621) the session description goes on alone, and a body that is none is
/// refused with 415 (RFC 3261 §8.2.3). A call for help keeps its location (RFC 6442), and is never refused for its body.
extension Method {
    /// RFC 3264 with RFC 3261 §13, RFC 3262 §5, RFC 3311: methods that carry offers and answers.
    var bringsSession: Bool {
        switch self {
        case .invite, .ack, .update, .prack: return true
        case .bye, .cancel, .register, .options, .info, .subscribe, .notify, .refer, .message, .publish, .other: return false
        }
    }
}

extension SIPRequest {
    /// A body where only a session description may be, and none that can be read as it is.
    var hasForeignBody: Bool { method.bringsSession && !body.isEmpty && !headers.isPlainSDP }

    /// The request with the session description of its parts as its body, where there is one.
    var withSession: SIPRequest {
        guard hasForeignBody, let description = headers.session(in: body) else { return self }
        var request = self
        request.body = description
        request.headers.becomeSDP()
        return request
    }

    /// The request with a session description that can be read, or none: nothing here is a reason to stop it.
    var readable: SIPRequest {
        var request = withSession
        let isUnread = request.headers.isSDP && ((try? SessionDescription(parsing: request.body)) == nil || request.lacksAudio)
        if request.hasForeignBody || isUnread {
            request.body = []
            request.headers.becomeSDP()
            request.headers.contentType = nil
        }
        return request
    }

    /// Where the caller is, as parts of the body say it (RFC 6442 §3.2, RFC 4119).
    var locations: [MultipartBody.Part] {
        guard hasForeignBody, let type = headers.contentType else { return [] }
        return (MultipartBody.parts(of: body, contentType: type) ?? []).filter { $0.contentType.isMediaType("application/pidf+xml") }
    }

    /// Puts the locations beside what is in the body.
    mutating func attach(_ locations: [MultipartBody.Part], boundary: String) {
        guard !locations.isEmpty else { return }
        let description = body.isEmpty ? [] : [MultipartBody.Part(contentType: "application/sdp", body: body)]
        body = MultipartBody.serialized(description + locations, boundary: boundary)
        headers.contentType = "multipart/mixed;boundary=\(boundary)"
    }
}

extension SIPResponse {
    /// The response with nothing in its body but a session description.
    var withSessionOnly: SIPResponse {
        guard !body.isEmpty, !headers.isPlainSDP else { return self }
        var response = self
        response.body = headers.session(in: body) ?? []
        response.headers.becomeSDP()
        if response.body.isEmpty { response.headers.contentType = nil }
        return response
    }
}

extension Headers {
    var isSDP: Bool { contentType?.isMediaType("application/sdp") ?? false }

    /// SDP as it is, not compressed or encoded (RFC 3261 §20.12).
    fileprivate var isPlainSDP: Bool { isSDP && (self[.contentEncoding].map { $0.lowercased() == "identity" } ?? true) }

    fileprivate func session(in body: [UInt8]) -> [UInt8]? {
        guard let contentType, self[.contentEncoding] == nil else { return nil }
        return MultipartBody.parts(of: body, contentType: contentType)?.first { $0.contentType.isMediaType("application/sdp") }?.body
    }

    /// What was said of the whole body is not true of the part.
    fileprivate mutating func becomeSDP() {
        contentType = "application/sdp"
        for name in [HeaderName.contentDisposition, .contentEncoding, .contentLanguage, .mimeVersion] { remove(name) }
    }
}

extension String {
    /// Whether the value of a Content-Type is of this type, whatever its case and parameters.
    func isMediaType(_ type: String) -> Bool {
        let count = type.utf8.count
        guard utf8.prefix(count).elementsEqual(type.utf8, by: { $0 == $1 || ($0 | 0x20) == $1 && (0x41...0x5A).contains($0) }) else { return false }
        guard let next = utf8.dropFirst(count).first else { return true }
        return next == UInt8(ascii: ";") || next == 0x20 || next == 0x09
    }
}

extension EdgeProxy {
    /// RFC 3261 §8.2.3, §21.4.13.
    mutating func refuseForeignBody(_ server: ServerTransactionID, _ request: SIPRequest) {
        var response = request.response(415, toTag: request.headers.to.tag ?? newTag())
        response.headers[.accept] = "application/sdp"
        respond(server, response)
    }
}
