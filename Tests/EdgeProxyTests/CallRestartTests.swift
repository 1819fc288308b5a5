import CoreTypes
import EdgeProxy
import FoundationEssentials
import HotDeskPolicy
import Media
import SIPMessage
import Testing

/// Calls that are up when the process dies, in the process that comes after it.
@Suite struct CallRestartTests {
    /// What the store holds, by way of the text it holds it in.
    private static func snapshot(_ changes: [StoreChange]) throws -> EdgeSnapshot {
        var snapshot = EdgeSnapshot()
        for change in changes {
            switch change {
            case .session(let session): snapshot.sessions = [session]
            case .binding(let record): snapshot.bindings = [record]
            case .call(let call):
                let text = try JSONEncoder().encode(call)
                #expect(!String(decoding: [UInt8](text), as: UTF8.self).contains("pw-100"), "no secret is written")
                snapshot.calls.removeAll { $0.key == call.key }
                snapshot.calls.append(try JSONDecoder().decode(StoredCall.self, from: text))
            case .callRemoved(let key): snapshot.calls.removeAll { $0.key == key }
            case .plainBinding(let record): snapshot.plainBindings.append(record)
            case .plainBindingRemoved(let token): snapshot.plainBindings.removeAll { $0.token == token }
            case .sessionEnded, .bindingRemoved, .attempts, .emergencyPin, .emergencyPinRemoved, .phone: break
            }
        }
        return snapshot
    }

    /// The process dies and another begins, with its own connection to the PBX.
    private static func restart(_ talk: inout Talk) throws -> Flow {
        let now = talk.branch.now
        talk.branch = Branch(seed: 9, restoring: try snapshot(talk.branch.stored), now: now)
        var flow = Branch.pbx
        flow.local.port = 40_077
        talk.branch.run(.trunkUp(TrunkNode(index: 0), flow))
        return flow
    }

    @Test(arguments: [TransportProtocol.udp, .tcp])
    func theCallGoesOn(transport: TransportProtocol) throws {
        var talk = try Talk(phone: Phone(device: 1, transport: transport))
        try talk.answer()
        try talk.hear()
        let nat = Endpoint(address: IPAddress(v4: 0xCB00_7163), port: 7000)
        let session = try talk.session
        talk.media(.sourceLocked(session, leg: 1, nat))
        talk.branch.advance(.seconds(4))
        let answered = try #require(talk.branch.edge.status(now: talk.branch.now).inProgress.first?.answered)
        let legs = try #require(talk.branch.media.reversed().lazy.compactMap { command -> [UInt16]? in
            if case .relay(_, let phone, let trunk) = command { [phone.ports.rtp, trunk.ports.rtp] } else { nil }
        }.first)

        let pbx = try Self.restart(&talk)
        // The very ports, before any others are asked for, and where the far ends were.
        guard case .restore(session, let phone, let trunk, let sources)? = talk.branch.media.first else {
            Issue.record("the relay is not taken up first: \(talk.branch.media)")
            return
        }
        #expect([phone.ports.rtp, trunk.ports.rtp] == legs && sources == [talk.phone.flow.remote, nat])
        let call = try #require(talk.branch.edge.status(now: talk.branch.now).inProgress.first)
        #expect(call.answered == answered && call.party == "HD0001" && call.extension == "100")

        if transport == .tcp {
            talk.phone.flow.connection += 50
            talk.branch.register(&talk.phone)
        }
        _ = talk.branch.servePBX(pbx)
        // A re-INVITE of the phone goes the new way, in the dialog of before.
        let again = talk.phone.request(
            .invite, to: "sip:101@pbx.example", callID: talk.asked.headers.callID.value, toTag: "pbxtag",
            body: talk.phone.offer(port: 30_100))
        talk.branch.deliver(again, talk.phone.flow)
        let passed = try #require(talk.branch.servePBX(pbx).last { $0.method == .invite })
        #expect(passed.uri.description == "sip:101@198.51.100.20:5061;transport=tls" && passed.headers.route.count == 1)
        #expect(passed.headers.from.uri.user == "100" && passed.headers.from.tag == "ft" && passed.headers.to.tag == "pbxtag")
        #expect(String(decoding: passed.body, as: UTF8.self).contains("m=audio \(legs[1]) "))
        guard case .relay(session, let moved, _)? = talk.branch.media.last(where: { if case .relay = $0 { true } else { false } }) else {
            Issue.record("the relay was not told")
            return
        }
        #expect(moved.ports.id == phone.ports.id &+ 7 && moved.remote?.port == 30_100)
    }

    @Test(arguments: [true, false])
    func eitherEndHangsUp(byPhone: Bool) throws {
        var talk = try Talk()
        try talk.answer()
        talk.branch.advance(.seconds(4))
        let began = talk.branch.now
        let pbx = try Self.restart(&talk)
        _ = talk.branch.servePBX(pbx)
        talk.branch.advance(.seconds(10))
        try talk.hangUp(byPhone: byPhone, pbx)
        let record = try #require(talk.branch.records.first)
        #expect(record.reason == (byPhone ? .hungUpHere : .hungUpThere))
        #expect(record.talked > .seconds(13) && record.answered.map { $0 < began } == true && record.extension == "100")
        #expect(try Self.snapshot(talk.branch.stored).calls.isEmpty && talk.branch.stored.count { if case .callRemoved = $0 { true } else { false } } == 1)
        #expect(talk.branch.media.contains(.close(MediaSessionID(rawValue: try #require(talk.branch.stored.compactMap { if case .callRemoved(let key) = $0 { key } else { nil } }.first)))))
    }

    @Test func thePBXIsToldTheNewWay() throws {
        var talk = try Talk()
        try talk.answer(allow: "INVITE, UPDATE")
        talk.branch.advance(.seconds(4))
        let pbx = try Self.restart(&talk)
        let update = try #require(talk.branch.servePBX(pbx).last { $0.method == .update })
        #expect(update.headers.contactURI?.description.contains(":40077") == true)
        #expect(update.headers.cseq.number > talk.invite.headers.cseq.number)
    }

    /// Where the far end does not know UPDATE, the session it has is offered again, unchanged.
    @Test func aPBXWithoutUPDATEIsToldByAnOffer() throws {
        var talk = try Talk()
        try talk.answer(allow: "INVITE, ACK, BYE, CANCEL")
        talk.branch.advance(.seconds(4))
        let pbx = try Self.restart(&talk)
        let requests = talk.branch.servePBX(pbx)
        let offer = try #require(requests.last { $0.method == .invite })
        #expect(offer.headers.to.tag != nil && offer.headers.contactURI?.description.contains(":40077") == true)
        #expect(offer.body == talk.invite.body)
        #expect(!requests.contains { $0.method == .update })
    }

    @Test func whatIsShortIsNeverWritten() throws {
        var talk = try Talk()
        talk.branch.advance(.seconds(10))
        try talk.answer()
        talk.branch.advance(.milliseconds(1900))
        try talk.hangUp(byPhone: true)
        talk.branch.advance(.seconds(10))
        #expect(!talk.branch.stored.contains { if case .call = $0 { true } else if case .callRemoved = $0 { true } else { false } })
    }

    /// Both have hung up while the edge was away: nothing is left of the call.
    @Test func aCallInWhichNobodyIsHeardEnds() throws {
        var talk = try Talk()
        try talk.answer()
        talk.branch.advance(.seconds(4))
        let pbx = try Self.restart(&talk)
        talk.branch.advance(.seconds(59))
        #expect(talk.branch.records.isEmpty)
        _ = talk.branch.servePBX(pbx)
        talk.branch.advance(.seconds(2))
        #expect(talk.branch.records.map(\.reason) == [.lost])
        #expect(talk.branch.servePBX(pbx).contains { $0.method == .bye })
    }

    @Test func aHeardCallStays() throws {
        var talk = try Talk()
        try talk.answer()
        talk.branch.advance(.seconds(4))
        let session = try talk.session
        _ = try Self.restart(&talk)
        talk.media(.sourceLocked(session, leg: 0, talk.phone.flow.remote))
        talk.branch.advance(.seconds(100))
        #expect(talk.branch.records.isEmpty)
    }

    /// A stranger on another connection, with the right tags, is nobody to the call.
    @Test func onlyThePhoneGetsItsCallBack() throws {
        var talk = try Talk(phone: Phone(device: 1, transport: .tcp))
        try talk.answer()
        talk.branch.advance(.seconds(4))
        let pbx = try Self.restart(&talk)
        _ = talk.branch.servePBX(pbx)
        var other = Phone(device: 2, transport: .tcp)
        talk.branch.register(&other)
        var bye = talk.phone.request(.bye, to: "sip:101@pbx.example", callID: talk.asked.headers.callID.value, toTag: "pbxtag")
        bye.headers.contact = nil
        talk.branch.deliver(bye, other.flow)
        #expect(talk.branch.take(other.flow).compactMap(\.response).last?.status == 481)
        #expect(talk.branch.edge.status(now: talk.branch.now).calls == 1)
    }

    @Test func aPlainPhoneIsStillThere() throws {
        var branch = Branch()
        branch.connectPBX()
        var phone = Phone(device: 1)
        phone.user = "700"
        branch.deliver(phone.request(.register, to: "sip:700@pbx.example"), phone.flow)
        let contact = try #require(branch.servePBX().last { $0.method == .register }?.headers.contactURI)
        // A refresh soon after is no news to the store.
        branch.deliver(phone.request(.register, to: "sip:700@pbx.example"), phone.flow)
        _ = branch.servePBX()
        let snapshot = try Self.snapshot(branch.stored)
        #expect(snapshot.plainBindings.count == 1)
        var again = Branch(seed: 9, restoring: snapshot, now: branch.now)
        again.connectPBX()
        var caller = Phone(device: 3)
        again.deliver(caller.request(.invite, to: contact.description, body: caller.offer()), Branch.pbx)
        #expect(again.take(phone.flow).compactMap(\.request).last?.method == .invite)
    }
}
