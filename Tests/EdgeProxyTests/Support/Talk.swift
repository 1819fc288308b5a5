import CoreTypes
import EdgeProxy
import HotDeskPolicy
import Media
import SIPMessage
import Testing

/// A call of desk 1 to somebody beyond the PBX, which the test plays, too.
struct Talk {
    var branch = Branch()
    var phone: Phone
    /// As it reached the PBX.
    private(set) var invite: SIPRequest
    /// As the phone sent it.
    let asked: SIPRequest

    var session: MediaSessionID {
        get throws {
            try #require(branch.media.reversed().lazy.compactMap { if case .relay(let id, _, _) = $0 { id } else { nil } }.first)
        }
    }

    /// Rings. `prepare` is called before the call.
    init(
        phone: Phone = Phone(device: 1), to target: String = "sip:101@pbx.example", as person: String? = "100", plain: String? = nil, endAfterSilence: Duration? = nil,
        prepare: (inout Branch) -> Void = { _ in }
    ) throws {
        self.phone = phone
        var configuration = Branch.configuration()
        configuration.endAfterSilence = endAfterSilence
        branch.run(.reload(configuration))
        branch.connectPBX()
        _ = branch.servePBX()
        if let plain { self.phone.user = plain } else { branch.register(&self.phone) }
        if let person { #expect(branch.logIn(&self.phone, as: person)) }
        branch.media = []
        prepare(&branch)
        asked = branch.exchange(&self.phone, self.phone.request(.invite, to: target, body: phone.offer())).request
        invite = try #require(branch.servePBX().last { $0.method == .invite })
    }

    static func body(_ direction: String = "sendrecv", port: UInt16 = 6000) -> [UInt8] {
        Array(
            "v=0\r\no=- 9 9 IN IP4 203.0.113.9\r\ns=-\r\nc=IN IP4 203.0.113.9\r\nt=0 0\r\nm=audio \(port) RTP/AVP 8\r\na=\(direction)\r\n"
                .utf8)
    }

    /// The PBX answers, and the phone acknowledges.
    mutating func answer(_ direction: String = "sendrecv", allow: String? = nil) throws {
        var ok = invite.response(200, toTag: "pbxtag")
        ok.headers.contact = .list([phone.address("sip:101@198.51.100.20:5061;transport=tls")])
        ok.headers.recordRoute = [phone.address("sip:198.51.100.20:5061;transport=tls;lr")]
        ok.headers[.allow] = allow
        ok.headers.contentType = "application/sdp"
        ok.body = Self.body(direction)
        branch.deliver(ok, Branch.pbx)
        let answer = try #require(branch.take(phone.flow).compactMap(\.response).last { $0.status == 200 })
        branch.deliver(Branch.ack(asked, answer, newBranch: true), phone.flow)
        #expect(branch.servePBX().last?.method == .ack)
    }

    mutating func refuse(_ status: Int) { branch.deliver(invite.response(status, toTag: "pbxtag"), Branch.pbx) }

    mutating func cancel() {
        var cancel = asked
        cancel.method = .cancel
        cancel.body = []
        cancel.headers.contentType = nil
        cancel.headers.cseq = CSeq(number: asked.headers.cseq.number, method: .cancel)
        branch.deliver(invite.response(180, toTag: "pbxtag"), Branch.pbx)
        branch.deliver(cancel, phone.flow)
        branch.deliver(invite.response(487, toTag: "pbxtag"), Branch.pbx)
    }

    /// A re-INVITE of the phone, answered by the PBX.
    mutating func reoffer(_ direction: String, answered: String) throws {
        let offer = String(decoding: phone.offer(), as: UTF8.self).replacing("sendrecv", with: direction)
        let again = phone.request(
            .invite, to: "sip:101@pbx.example", callID: asked.headers.callID.value, toTag: "pbxtag", body: Array(offer.utf8))
        branch.deliver(again, phone.flow)
        let passed = try #require(branch.servePBX().last { $0.method == .invite })
        var ok = passed.response(200)
        ok.headers.contact = .list([phone.address("sip:101@198.51.100.20:5061;transport=tls")])
        ok.headers.contentType = "application/sdp"
        ok.body = Self.body(answered)
        branch.deliver(ok, Branch.pbx)
        let answer = try #require(branch.take(phone.flow).compactMap(\.response).last { $0.status == 200 })
        branch.deliver(Branch.ack(again, answer, newBranch: true), phone.flow)
        _ = branch.servePBX()
    }

    /// One end hangs up, and the other agrees.
    mutating func hangUp(byPhone: Bool, _ pbx: Flow = Branch.pbx) throws {
        if byPhone {
            var bye = phone.request(.bye, to: "sip:101@pbx.example", callID: asked.headers.callID.value, toTag: "pbxtag")
            bye.headers.contact = nil
            branch.deliver(bye, phone.flow)
            let passed = try #require(branch.servePBX(pbx).last { $0.method == .bye })
            branch.deliver(passed.response(200), pbx)
        } else {
            var bye = invite
            bye.method = .bye
            bye.body = []
            bye.headers.contentType = nil
            bye.headers.from = invite.headers.to
            bye.headers.from.tag = "pbxtag"
            bye.headers.to = invite.headers.from
            bye.headers.cseq = CSeq(number: 1, method: .bye)
            bye.headers.via[0].branch = "z9hG4bKpbxbye"
            branch.deliver(bye, pbx)
            let passed = try #require(branch.take(phone.flow).compactMap(\.request).last { $0.method == .bye })
            branch.deliver(passed.response(200), phone.flow)
        }
    }

    mutating func media(_ event: MediaEvent) { branch.run(.media(event)) }

    /// The first packet of the phone came.
    mutating func hear() throws { media(.sourceLocked(try session, leg: 0, phone.flow.remote)) }
}
