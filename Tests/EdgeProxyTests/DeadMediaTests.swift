import CoreTypes
import EdgeProxy
import HotDeskPolicy
import Media
import SIPMessage
import Testing

/// A call without media for as long as the site allows.
@Suite struct DeadMediaTests {
    private static let limit = Duration.seconds(60)

    @Test func itEndsOnBothSides() throws {
        var talk = try Talk(endAfterSilence: Self.limit)
        try talk.answer()
        talk.branch.advance(Self.limit)
        talk.media(.silent(try talk.session, Self.limit))

        let toPBX = try #require(talk.branch.take(Branch.pbx).compactMap(\.request).last)
        #expect(toPBX.method == .bye)
        #expect(toPBX.uri.description == "sip:101@198.51.100.20:5061;transport=tls")
        #expect(toPBX.headers.route.count == 1)
        #expect(toPBX.headers.from.tag == "ft" && toPBX.headers.from.uri.user == "100" && toPBX.headers.to.tag == "pbxtag")
        #expect(toPBX.headers.cseq.number > talk.invite.headers.cseq.number && toPBX.headers.cseq.number < 1 << 31)
        #expect(toPBX.headers[.reason] == "Q.850;cause=102;text=\"No media for 60 s\"")
        let toPhone = try #require(talk.branch.take(talk.phone.flow).compactMap(\.request).last)
        #expect(toPhone.method == .bye)
        #expect(toPhone.uri == talk.phone.contact.uri)
        #expect(toPhone.headers.from.tag == "pbxtag" && toPhone.headers.to.tag == "ft")
        #expect(toPhone.headers.to.uri.user == "HD0001")
        #expect(toPhone.headers[.reason] == toPBX.headers[.reason])

        #expect(talk.branch.records.map(\.reason) == [.silence])
        #expect(talk.branch.media.last == .close(try talk.session))
        #expect(talk.branch.edge.status(now: talk.branch.now).calls == 0)

        // The PBX wants to know who says so; the phone does not care.
        talk.branch.deliver(toPhone.response(200), talk.phone.flow)
        var challenge = toPBX.response(407)
        challenge.headers[.proxyAuthenticate] = "Digest realm=\"pbx.example\", nonce=\"abc\", qop=\"auth\", algorithm=MD5"
        talk.branch.deliver(challenge, Branch.pbx)
        let again = try #require(talk.branch.take(Branch.pbx).compactMap(\.request).last)
        #expect(again.method == .bye && again.headers.cseq.number == toPBX.headers.cseq.number + 1)
        let credentials = try DigestCredentials(parsing: #require(again.headers[.proxyAuthorization]))
        #expect(credentials.matches(method: .bye, password: "pw-100"))
        challenge = again.response(407)
        challenge.headers[.proxyAuthenticate] = "Digest realm=\"pbx.example\", nonce=\"abd\", qop=\"auth\", algorithm=MD5"
        talk.branch.deliver(challenge, Branch.pbx)
        #expect(talk.branch.take(Branch.pbx).isEmpty, "once is enough")
    }

    /// What keeps a silent call alive.
    enum Reason: CaseIterable {
        case off, rings, tooShort, holdByPhone, holdByPBX, inactive, emergency, pinnedDesk
    }

    @Test(arguments: Reason.allCases)
    func itGoesOn(reason: Reason) throws {
        let target = reason == .emergency ? "sip:112@pbx.example" : "sip:101@pbx.example"
        var talk = try Talk(to: target, endAfterSilence: reason == .off ? nil : Self.limit) { branch in
            guard reason == .pinnedDesk else { return }
            var desk = Phone(device: 1)
            desk.cseq = 500
            branch.deliver(desk.request(.invite, to: "sip:112@pbx.example", callID: "help", body: desk.offer()), desk.flow)
            guard let help = branch.servePBX().last(where: { $0.method == .invite }) else { return }
            branch.deliver(help.response(486, toTag: "x"), Branch.pbx)
            _ = branch.take(desk.flow)
        }
        if reason == .rings {
            talk.branch.deliver(talk.invite.response(180, toTag: "pbxtag"), Branch.pbx)
        } else {
            try talk.answer()
        }
        switch reason {
        case .holdByPhone: try talk.reoffer("sendonly", answered: "recvonly")
        case .holdByPBX: try talk.reoffer("sendrecv", answered: "sendonly")
        case .inactive: try talk.reoffer("inactive", answered: "inactive")
        case .off, .rings, .tooShort, .emergency, .pinnedDesk: break
        }
        talk.branch.advance(Self.limit)
        talk.branch.sent = []
        talk.branch.records = []
        talk.media(.silent(try talk.session, reason == .tooShort ? .seconds(30) : Self.limit))
        #expect(!talk.branch.sent.contains { $0.request?.method == .bye })
        #expect(talk.branch.records.isEmpty)
        #expect(talk.branch.edge.status(now: talk.branch.now).calls == 1)
    }

    @Test func afterAHoldSilenceCountsFromTheStart() throws {
        var talk = try Talk(endAfterSilence: Self.limit)
        try talk.answer()
        try talk.reoffer("sendonly", answered: "recvonly")
        talk.media(.silent(try talk.session, Self.limit))
        talk.branch.media = []
        try talk.reoffer("sendrecv", answered: "sendrecv")
        #expect(talk.branch.media.contains { if case .relay = $0 { true } else { false } }, "the relay counts anew")
        talk.media(.silent(try talk.session, Self.limit))
        #expect(talk.branch.records.map(\.reason) == [.silence])
    }

    /// Early media in a 183 tells the relay all it must know: the answer says it once more.
    @Test(arguments: [Self.limit, nil])
    func silenceCountsFromTheAnswer(limit: Duration?) throws {
        var talk = try Talk(endAfterSilence: limit)
        var progress = talk.invite.response(183, toTag: "pbxtag")
        progress.headers.contentType = "application/sdp"
        progress.body = Talk.body()
        talk.branch.deliver(progress, Branch.pbx)
        let before = talk.branch.media.count
        try talk.answer()
        #expect(talk.branch.media.count == before + (limit == nil ? 0 : 1))
    }
}
