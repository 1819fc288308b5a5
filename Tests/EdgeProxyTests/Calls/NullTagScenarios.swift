import CoreTypes
import EdgeProxy
import HotDeskPolicy
import SIPMessage
import Testing

/// A phone that writes no tag in From, as RFC 2543 had it, calls for help: the call is a call like any other.
@Suite struct NullTagScenarios {
    private struct Help {
        var branch = Branch()
        var phone = Phone(device: 1)
        let asked: SIPRequest
        let invite: SIPRequest

        init() throws {
            branch.connectPBX()
            _ = branch.servePBX()
            branch.register(&phone)
            asked = Self.withoutTag(phone.request(.invite, to: "sip:112@pbx.example", body: phone.offer()))
            branch.deliver(asked, phone.flow)
            invite = try #require(branch.servePBX().first { $0.method == .invite })
            var ok = invite.response(200, toTag: "pbxtag")
            ok.headers.contact = .list([phone.address("sip:112@198.51.100.20:5061;transport=tls")])
            ok.headers.contentType = "application/sdp"
            ok.body = Talk.body()
            branch.deliver(ok, Branch.pbx)
            let answer = try #require(branch.take(phone.flow).compactMap(\.response).last { $0.status == 200 })
            #expect(answer.headers.from.tag == nil && answer.headers.to.tag == "pbxtag")
            branch.deliver(Branch.ack(asked, answer, newBranch: true), phone.flow)
            let ack = try #require(branch.servePBX().last { $0.method == .ack })
            #expect(ack.headers.from == invite.headers.from)
            // Far beyond the time an INVITE without an end is held (RFC 3261 §17.1.1.2, timer B).
            branch.advance(.seconds(120))
            #expect(branch.servePBX().allSatisfy { $0.method != .bye })
        }

        static func withoutTag(_ request: SIPRequest) -> SIPRequest {
            var request = request
            request.headers.from.tag = nil
            return request
        }

        mutating func fromPhone(_ method: Method) -> SIPRequest {
            Self.withoutTag(phone.request(method, to: "sip:112@pbx.example", callID: asked.headers.callID.value, toTag: "pbxtag"))
        }

        func fromPBX(_ method: Method) -> SIPRequest {
            var request = invite
            request.method = method
            request.body = []
            request.headers.contentType = nil
            request.headers.from = invite.headers.to
            request.headers.from.tag = "pbxtag"
            request.headers.to = invite.headers.from
            request.headers.cseq = CSeq(number: 1, method: method)
            request.headers.via[0].branch = "z9hG4bKpbx\(method.name)"
            return request
        }
    }

    @Test func thePBXSeesATagAndThePhoneEndsTheCall() throws {
        var help = try Help()
        #expect(help.invite.headers.from.tag?.isEmpty == false)
        let bye = help.fromPhone(.bye)
        help.branch.deliver(bye, help.phone.flow)
        let passed = try #require(help.branch.servePBX().last { $0.method == .bye })
        #expect(passed.headers.from == help.invite.headers.from && passed.headers.to.tag == "pbxtag")
        help.branch.deliver(passed.response(200), Branch.pbx)
        let answer = try #require(help.branch.take(help.phone.flow).compactMap(\.response).last)
        #expect(answer.status == 200 && answer.headers.from.tag == nil)
    }

    @Test func thePBXEndsTheCall() throws {
        var help = try Help()
        help.branch.deliver(help.fromPBX(.bye), Branch.pbx)
        let passed = try #require(help.branch.take(help.phone.flow).compactMap(\.request).last { $0.method == .bye })
        #expect(passed.headers.from.tag == "pbxtag" && passed.headers.to.tag == nil)
        help.branch.deliver(passed.response(200), help.phone.flow)
        let answer = try #require(help.branch.take(Branch.pbx).compactMap(\.response).last)
        #expect(answer.status == 200 && answer.headers.to.tag == help.invite.headers.from.tag)
    }

    @Test func whoeverIsNotInTheCallIsNotPartOfIt() throws {
        var help = try Help()
        var stranger = Phone(device: 2)
        help.branch.register(&stranger)
        var bye = help.fromPhone(.bye)
        bye.headers.via[0].branch = "z9hG4bKstranger"
        help.branch.deliver(bye, stranger.flow)
        #expect(help.branch.servePBX().isEmpty)
    }

    /// It is a token like any other: a phone that answers with it has it in its call, on both sides.
    @Test func aPhoneMayHaveThatVeryTag() throws {
        var branch = Branch()
        branch.connectPBX()
        _ = branch.servePBX()
        var phone = Phone(device: 1)
        branch.register(&phone)
        #expect(branch.logIn(&phone, as: "100"))
        var caller = Phone(device: 3)
        caller.user = "102"
        var far = caller.request(.invite, to: "sip:100@192.0.2.10:40001;transport=tls", body: caller.offer())
        far.headers.via[0].transport = "TLS"
        branch.deliver(far, Branch.pbx)
        let invite = try #require(branch.take(phone.flow).compactMap(\.request).first { $0.method == .invite })
        var ok = invite.response(200, toTag: "null-tag")
        ok.headers.contact = .list([phone.contact])
        ok.headers.contentType = "application/sdp"
        ok.body = phone.offer()
        branch.deliver(ok, phone.flow)
        #expect(branch.take(Branch.pbx).compactMap(\.response).last?.headers.to.tag == "null-tag")
        let info = phone.request(.info, to: "sip:102@pbx.example", callID: far.headers.callID.value, tag: "null-tag", toTag: far.headers.from.tag)
        branch.deliver(info, phone.flow)
        #expect(branch.servePBX().last?.headers.from.tag == "null-tag")
        var bye = far
        bye.method = .bye
        bye.body = []
        bye.headers.contentType = nil
        bye.headers.to.tag = "null-tag"
        bye.headers.cseq = CSeq(number: far.headers.cseq.number + 1, method: .bye)
        bye.headers.via[0].branch = "z9hG4bKnullbye"
        branch.deliver(bye, Branch.pbx)
        #expect(branch.take(phone.flow).compactMap(\.request).last?.headers.to.tag == "null-tag")
    }

    /// Where it is no call for help, a tag is asked for.
    @Test func anotherCallNeedsATag() throws {
        var branch = Branch()
        branch.connectPBX()
        _ = branch.servePBX()
        var phone = Phone(device: 1)
        branch.register(&phone)
        #expect(branch.logIn(&phone, as: "100"))
        let answers = branch.exchange(&phone, Help.withoutTag(phone.request(.invite, to: "sip:101@pbx.example", body: phone.offer()))).answers
        #expect(answers.last?.status == 400)
        #expect(branch.servePBX().isEmpty)
    }
}
