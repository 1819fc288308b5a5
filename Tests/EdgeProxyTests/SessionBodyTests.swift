import CoreTypes
import EdgeProxy
import HotDeskPolicy
import Media
import SIPMessage
import Testing

/// Bodies of several parts, where they must not be refused or lost.
@Suite struct SessionBodyTests {
    private static let location = "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\"/>"
    private static let parts: [MultipartBody.Part] = [
        .init(contentType: "application/isup", body: Array("boss".utf8)),
        .init(contentType: "application/pidf+xml", contentID: "<here@desk>", body: Array(location.utf8)),
    ]

    private static func request(_ phone: inout Phone, to target: String) -> SIPRequest {
        var request = phone.request(.invite, to: target)
        let all = [MultipartBody.Part(contentType: "application/sdp", body: phone.offer())] + parts
        request.body = MultipartBody.serialized(all, boundary: "b")
        request.headers.contentType = "multipart/mixed;boundary=b"
        request.headers[.geolocation] = "<cid:here@desk>"
        return request
    }

    /// A call for help takes along where the caller says to be, and nothing else of the parts; its media are relayed.
    @Test func aCallForHelpKeepsItsLocation() throws {
        var phone = Phone(device: 1)
        var branch = Branch()
        branch.connectPBX()
        _ = branch.servePBX()
        branch.register(&phone)
        branch.sent = []
        branch.deliver(Self.request(&phone, to: "sip:911@pbx.example"), phone.flow)
        let invite = try #require(branch.servePBX().last { $0.method == .invite })
        let type = try #require(invite.headers.contentType)
        let parts = try #require(MultipartBody.parts(of: invite.body, contentType: type))
        #expect(parts.map(\.contentType) == ["application/sdp", "application/pidf+xml"] && parts.last == Self.parts.last)
        #expect(String(decoding: parts[0].body, as: UTF8.self).contains("c=IN IP4 192.0.2.10"))
        #expect(invite.headers[.geolocation] == "<cid:here@desk>" && !invite.text.contains("192.0.2.101"))
    }

    /// What cannot be read is left out of a call for help with all that was said of it.
    @Test func aCompressedBodyIsLeftOutOfACallForHelp() throws {
        var phone = Phone(device: 1)
        var branch = Branch()
        branch.connectPBX()
        _ = branch.servePBX()
        branch.register(&phone)
        var request = phone.request(.invite, to: "sip:911@pbx.example", body: [0x1F, 0x8B, 0x08])
        request.headers[.contentEncoding] = "gzip"
        branch.deliver(request, phone.flow)
        let invite = try #require(branch.servePBX().last { $0.method == .invite })
        #expect(invite.body.isEmpty && invite.headers.contentType == nil && invite.headers[.contentEncoding] == nil)
    }

    /// The PBX's own parts: the desk is given the session alone, in a call and in an answer.
    @Test func thePhoneSeesTheSessionAlone() throws {
        var talk = try Talk()
        var ok = talk.invite.response(200, toTag: "pbxtag")
        ok.headers.contact = .list([talk.phone.address("sip:101@198.51.100.20:5061;transport=tls")])
        ok.headers.contentType = "multipart/mixed; boundary=b"
        ok.body = MultipartBody.serialized([.init(contentType: "application/sdp", body: Talk.body())] + Self.parts, boundary: "b")
        talk.branch.deliver(ok, Branch.pbx)
        let answer = try #require(talk.branch.take(talk.phone.flow).compactMap(\.response).last)
        #expect(answer.headers.contentType == "application/sdp" && answer.text.contains("c=IN IP4 192.0.2.10") && !answer.text.contains("boss"))
    }

    /// RFC 2046 §5.1, cut at every byte: parts, or nothing.
    @Test func cutAnywhereItIsNoMultipart() throws {
        let whole = MultipartBody.serialized(Self.parts, boundary: "b")
        #expect(MultipartBody.parts(of: whole, contentType: "Multipart/Mixed; Boundary=\"b\"") == Self.parts)
        for end in 0..<(whole.count - 2) {
            let parts = MultipartBody.parts(of: Array(whole[..<end]), contentType: "multipart/mixed;boundary=b")
            #expect(parts == nil || end == whole.count - 3 || end == whole.count - 2, "\(end)")
        }
        for type in ["multipart/mixed", "multipart/mixed;boundary=", "multipart/mixed;boundary=\"", "text/plain;boundary=b", ""] {
            #expect(MultipartBody.parts(of: whole, contentType: type) == nil)
        }
        #expect(MultipartBody.parts(of: Array("pre\n--b\n\nx\n--b--".utf8), contentType: "multipart/x;boundary=b") == [.init(contentType: "", body: [0x78])])
        let many = MultipartBody.serialized(Array(repeating: Self.parts[0], count: 40), boundary: "b")
        #expect(MultipartBody.parts(of: many, contentType: "multipart/mixed;boundary=b") == nil)
    }
}
