import CoreTypes
import EdgeProxy
import HotDeskPolicy
import Media
import SIPMessage
import Testing

@Suite struct CallRecordTests {
    private static let legs = [
        LegQuality(received: 500, expected: 505, lost: 5, codec: .g711), LegQuality(received: 500, expected: 500, lost: 0, codec: .g711),
    ]

    @Test(arguments: [true, false])
    func aCallLeavesItsRecord(byPhone: Bool) throws {
        var talk = try Talk()
        let began = talk.branch.now
        talk.branch.advance(.seconds(3))
        try talk.answer()
        let answered = talk.branch.now
        try talk.hear()
        talk.branch.advance(.seconds(60))
        try talk.hangUp(byPhone: byPhone)
        #expect(talk.branch.records.isEmpty, "the quality is not here yet")
        #expect(talk.branch.media.last == .close(try talk.session))
        talk.media(.quality(try talk.session, Self.legs))

        let record = try #require(talk.branch.records.first)
        #expect(record.party == "HD0001" && record.extension == "100" && record.direction == .outbound && !record.isEmergency)
        #expect(record.from.description == "sip:100@pbx.example" && record.to.description == "sip:101@pbx.example")
        #expect(record.began == began && record.answered == answered && record.ended == talk.branch.now)
        #expect(record.talked == .seconds(60))
        #expect(record.reason == (byPhone ? .hungUpHere : .hungUpThere))
        #expect(record.quality == Self.legs)
        talk.branch.advance(.seconds(60))
        talk.media(.quality(try talk.session, Self.legs))
        #expect(talk.branch.records.count == 1, "one call, one record")
    }

    @Test func aRecordWaitsASecondForTheQuality() throws {
        var talk = try Talk()
        try talk.answer()
        try talk.hear()
        try talk.hangUp(byPhone: true)
        talk.branch.advance(.milliseconds(990))
        #expect(talk.branch.records.isEmpty)
        talk.branch.advance(.milliseconds(20))
        #expect(talk.branch.records.map(\.quality) == [[]])
    }

    @Test func withoutMediaItWaitsForNothing() throws {
        var talk = try Talk()
        try talk.answer()
        try talk.hangUp(byPhone: true)
        #expect(talk.branch.records.map(\.reason) == [.hungUpHere])
    }

    enum Ending: CaseIterable { case busy, cancelled, ringsForEver, phoneLost }

    @Test(arguments: Ending.allCases)
    func callsThatAreNotAnsweredLeaveOneToo(ending: Ending) throws {
        var talk = try Talk()
        let expected: CallEnd
        switch ending {
        case .busy:
            talk.refuse(486)
            expected = .refused(486)
        case .cancelled:
            talk.cancel()
            expected = .cancelled
        case .ringsForEver:
            talk.branch.deliver(talk.invite.response(180, toTag: "pbxtag"), Branch.pbx)
            talk.branch.advance(.seconds(190))
            talk.refuse(487)
            expected = .unanswered
        case .phoneLost:
            talk.branch.run(.trunkDown(TrunkNode(index: 0)))
            expected = .refused(503)
        }
        #expect(talk.branch.records.map(\.reason) == [expected])
        #expect(talk.branch.records.first?.answered == nil)
    }

    @Test func plainPhonesHaveRecords() throws {
        var talk = try Talk(as: nil, plain: "555")
        try talk.answer()
        try talk.hangUp(byPhone: false)
        let record = try #require(talk.branch.records.first)
        #expect(record.party == "555" && record.extension == "" && record.reason == .hungUpThere)
    }

    @Test func callsInHaveRecords() throws {
        var branch = Branch()
        branch.connectPBX()
        var phone = Phone(device: 2)
        branch.register(&phone)
        #expect(branch.logIn(&phone, as: "101"))
        var caller = Phone(device: 3)
        caller.user = "102"
        branch.deliver(caller.request(.invite, to: "sip:101@192.0.2.10:40001", body: caller.offer()), Branch.pbx)
        let ringing = try #require(branch.take(phone.flow).compactMap(\.request).last)
        let listed = try #require(branch.edge.status(now: branch.now).inProgress.first)
        #expect(listed.party == "HD0002" && listed.other == "102" && listed.direction == .inbound && listed.answered == nil)
        branch.deliver(ringing.response(603, toTag: "t"), phone.flow)
        let record = try #require(branch.records.first)
        #expect(record.party == "HD0002" && record.extension == "101" && record.direction == .inbound)
        #expect(record.from.user == "102" && record.to.user == "101" && record.reason == .refused(603))
    }

    @Test func loginsAndSubscriptionsAreNoCalls() throws {
        var branch = Branch()
        branch.connectPBX()
        var phone = Phone(device: 1)
        branch.register(&phone)
        #expect(branch.logIn(&phone, as: "100"))
        branch.exchange(&phone, phone.request(.subscribe, to: "sip:101@pbx.example"))
        let subscribe = try #require(branch.servePBX().last { $0.method == .subscribe })
        #expect(branch.edge.status(now: branch.now).inProgress.isEmpty)
        branch.deliver(subscribe.response(489, toTag: "t"), Branch.pbx)
        branch.advance(.seconds(400))
        #expect(branch.records.isEmpty)
    }

    @Test func theQualityOfCallsThatGoOnIsAskedFor() throws {
        var talk = try Talk()
        try talk.answer()
        talk.branch.media = talk.branch.media.filter { if case .relay = $0 { true } else { false } }
        talk.branch.run(.measure)
        #expect(!talk.branch.media.contains(.measure(try talk.session)), "there is nothing to measure yet")
        try talk.hear()
        talk.branch.run(.measure)
        #expect(talk.branch.media.last == .measure(try talk.session))
        talk.media(.quality(try talk.session, Self.legs))
        #expect(talk.branch.edge.status(now: talk.branch.now).inProgress.map(\.quality) == [Self.legs])
        #expect(talk.branch.records.isEmpty)
    }
}
