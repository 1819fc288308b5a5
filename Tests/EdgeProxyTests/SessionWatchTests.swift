import CoreTypes
import CryptoPrimitives
import HotDeskPolicy
import SIPMessage
import Testing

@testable import EdgeProxy

/// The lamp of the Logout key.
@Suite struct SessionWatchTests {
    private static func subscribe(_ phone: inout Phone, _ code: String = "*77*5*", event: String = "dialog", expires: String = "600") -> SIPRequest {
        var request = phone.request(.subscribe, to: "sip:\(code)@pbx.example", callID: "lamp", tag: "lt")
        request.headers[.event] = event
        request.headers[.expires] = expires
        request.headers[.accept] = "application/dialog-info+xml"
        return request
    }

    /// Subscribes, answers the challenge, and gives the 200 and the first NOTIFY.
    private static func watch(_ branch: inout Branch, _ phone: inout Phone, _ request: SIPRequest) throws -> (SIPResponse, SIPRequest) {
        branch.deliver(request, phone.flow)
        let challenge = try #require(branch.take(phone.flow).compactMap(\.response).last)
        #expect(challenge.status == 407)
        branch.deliver(phone.answering(challenge, request), phone.flow)
        let sent = branch.take(phone.flow)
        let place = try #require(sent.firstIndex { $0.response?.status == 200 })
        let notify = try #require(sent[(place + 1)...].compactMap(\.request).first)
        branch.deliver(notify.response(200), phone.flow)
        return (try #require(sent[place].response), notify)
    }

    private static func lamps(_ branch: inout Branch, _ phone: Phone) -> [SIPRequest] {
        let notifies = branch.take(phone.flow).compactMap(\.request).filter { $0.method == .notify && $0.headers.callID.value == "lamp" }
        for notify in notifies { branch.deliver(notify.response(200), phone.flow) }
        return notifies
    }

    private static func isOn(_ notify: SIPRequest) -> Bool { String(decoding: notify.body, as: UTF8.self).contains("<state>confirmed</state>") }

    @Test(arguments: [TransportProtocol.udp, .tcp])
    func theLampFollowsTheSession(transport: TransportProtocol) throws {
        var branch = Branch()
        branch.connectPBX()
        var phone = Phone(device: 1, transport: transport)
        branch.register(&phone)
        let request = Self.subscribe(&phone, "*77*")
        let ok: SIPResponse, first: SIPRequest
        if transport == .udp {
            (ok, first) = try Self.watch(&branch, &phone, request)
        } else {
            branch.deliver(request, phone.flow)
            let sent = branch.take(phone.flow)
            ok = try #require(sent.first?.response)
            first = try #require(sent.last?.request)
            branch.deliver(first.response(200), phone.flow)
        }
        #expect(ok.headers[.expires] == "600" && ok.headers.to.tag != nil)
        #expect(first.headers[.subscriptionState] == "active;expires=600" && first.headers[.event] == "dialog")
        #expect(first.headers.from.tag == ok.headers.to.tag && first.headers.to.tag == "lt")
        #expect(first.uri == phone.contact.uri && !Self.isOn(first))
        #expect(branch.logIn(&phone, as: "100"))
        let on = Self.lamps(&branch, phone)
        #expect(branch.servePBX().allSatisfy { $0.method != .subscribe }, "nothing of it reaches the PBX")
        branch.run(.logout(DeviceName("HD0001")!))
        let off = Self.lamps(&branch, phone)
        // `logIn` has taken what was sent while it went on; the log-out is what must come now.
        #expect(on.allSatisfy(Self.isOn))
        let last = try #require(off.last)
        #expect(!Self.isOn(last) && last.headers.cseq.number > first.headers.cseq.number)
        #expect(String(decoding: last.body, as: UTF8.self).contains("version=\"2\""))
    }

    @Test func itCanBeRefreshedAndEnded() throws {
        var branch = Branch()
        var phone = Phone(device: 1)
        branch.register(&phone)
        let (ok, _) = try Self.watch(&branch, &phone, Self.subscribe(&phone))
        for (expires, state) in [("3000", "active;expires=3000"), ("0", "terminated;reason=timeout")] {
            var refresh = Self.subscribe(&phone, expires: expires)
            refresh.headers.to.tag = ok.headers.to.tag
            branch.deliver(refresh, phone.flow)
            let sent = branch.take(phone.flow)
            #expect(sent.first?.response?.status == 200)
            let notify = try #require(sent.last?.request)
            #expect(notify.headers[.subscriptionState] == state)
            branch.deliver(notify.response(200), phone.flow)
        }
        var late = Self.subscribe(&phone)
        late.headers.to.tag = ok.headers.to.tag
        branch.deliver(late, phone.flow)
        #expect(branch.take(phone.flow).first?.response?.status == 481)
    }

    @Test func otherEventsAndDeadPhonesEndIt() throws {
        var branch = Branch()
        var phone = Phone(device: 1)
        branch.register(&phone)
        let presence = Self.subscribe(&phone, event: "presence")
        branch.deliver(presence, phone.flow)
        let challenge = try #require(branch.take(phone.flow).compactMap(\.response).last)
        branch.deliver(phone.answering(challenge, presence), phone.flow)
        #expect(branch.take(phone.flow).compactMap(\.response).last?.status == 489)
        _ = try Self.watch(&branch, &phone, Self.subscribe(&phone))
        branch.run(.logout(DeviceName("HD0001")!))
        #expect(branch.logIn(&phone, as: "100"))
        branch.sent = []
        branch.run(.logout(DeviceName("HD0001")!))
        let notify = try #require(branch.take(phone.flow).compactMap(\.request).last { $0.method == .notify })
        branch.deliver(notify.response(481), phone.flow)
        #expect(branch.logIn(&phone, as: "100"))
        #expect(Self.lamps(&branch, phone).isEmpty)
    }

    /// An idle desk's one subscription reaches nobody: whatever names another place in it, its NOTIFY goes back where it
    /// came from and says nothing but whether somebody sits there; and nothing can be asked in its dialog.
    @Test func itReachesNobodyAndNothingElse() throws {
        var branch = Branch()
        branch.connectPBX()
        _ = branch.servePBX()
        var phone = Phone(device: 1), other = Phone(device: 2)
        branch.register(&phone)
        branch.register(&other)
        #expect(branch.logIn(&other, as: "101"))
        branch.sent = []
        var request = Self.subscribe(&phone)
        request.headers.contact = .list([phone.address("sip:101@203.0.113.66:9")])
        request.headers.recordRoute = [phone.address("sip:203.0.113.67;lr")]
        request.headers.route = [phone.address("sip:203.0.113.68;lr")]
        request.headers[.event] = "dialog;include-session-description"
        request.body = other.offer()
        request.headers.contentType = "application/sdp"
        let (ok, notify) = try Self.watch(&branch, &phone, request)
        #expect(branch.sent.isEmpty, "somebody else was sent something")
        #expect(!String(decoding: notify.body, as: UTF8.self).contains("101"))
        for method in [Method.invite, .refer, .message, .notify, .publish, .info, .update, .bye, .options, .prack, .register] {
            phone.cseq += 1
            var inside = phone.request(method, to: "sip:101@pbx.example", callID: "lamp", tag: "lt", toTag: ok.headers.to.tag, body: phone.offer())
            inside.headers[.referTo] = "<sip:101@pbx.example>"
            branch.deliver(inside, phone.flow)
            #expect(branch.take(phone.flow).compactMap(\.response).last.map { $0.status >= 400 } ?? false, "\(method)")
        }
        var ack = phone.request(.ack, to: "sip:101@pbx.example", callID: "lamp", tag: "lt", toTag: ok.headers.to.tag)
        ack.headers.via[0].branch = "z9hG4bKlampack"
        branch.deliver(ack, phone.flow)
        #expect(branch.sent.isEmpty)
        branch.advance(.seconds(40))
        #expect(branch.sent.allSatisfy { $0.flow == phone.flow || $0.request?.method == .register }, "nothing later either")
    }

    @Test func aDeviceHasFourAtMost() throws {
        var branch = Branch()
        var phone = Phone(device: 1, transport: .tcp)
        branch.register(&phone)
        for number in 0..<50 {
            var request = Self.subscribe(&phone)
            request.headers.callID = CallID(value: "lamp-\(number)")
            branch.deliver(request, phone.flow)
        }
        branch.sent = []
        branch.logIn(&phone, as: "100")
        branch.sent = []
        branch.run(.logout(DeviceName("HD0001")!))
        #expect(branch.take(phone.flow).compactMap(\.request).count { $0.method == .notify } == SessionWatchTable.perDevice)
    }
}
