import CoreTypes
import CryptoPrimitives
import EdgeProxy
import HotDeskPolicy
import SIPMessage
import Testing

/// An INVITE and a logout in the same instant: whoever comes first, the person before is never billed for what came after.
@Suite struct AbuseRaceTests {
    private enum Step: CaseIterable { case invite, logout, nextLogin, challenge }

    @Test(arguments: [Carriage.udp, .tcp]) func previousUserIsNeverBilled(carriage: Carriage) throws {
        let seated = Desk(.loggedIn, carriage)
        for seed in 0..<1000 {
            var random = RandomStream(seed: Array("race \(seed)".utf8))
            var desk = seated
            var isSeated = true
            var owner = "100"
            var allowed: Set<String> = []
            for step in Step.allCases.shuffled(using: &random) + Step.allCases.shuffled(using: &random) {
                switch step {
                case .invite:
                    // A retransmission, or an answer to an older challenge, is the same call: each of these is a new one.
                    desk.number += 1
                    let callID = "race-\(desk.number)"
                    if isSeated { allowed.insert("\(callID) \(owner)") }
                    desk.attack(RawRequest(headers: [("Call-ID", callID)], body: desk.phone.offer()))
                case .logout:
                    try logOut(&desk, by: Int(random.next() % 3))
                    isSeated = false
                case .nextLogin:
                    guard desk.branch.logIn(&desk.phone, as: "101") else { continue }
                    (owner, isSeated) = ("101", true)
                case .challenge: challengeEverything(&desk)
                }
                try check(desk, allowed, seed)
            }
        }
    }

    /// A call that is sent elsewhere after its caller has left is not made again, as anybody.
    @Test func redirectionIsNotPaidForByTheNextPerson() throws {
        var desk = Desk(.loggedIn, .tcp)
        desk.attack(RawRequest())
        var moved = try #require(desk.atPBX.compactMap(\.request).first).response(302, toTag: "far")
        moved.headers.contact = .list([desk.phone.address("sip:19005550100@pbx.example")])
        desk.branch.run(.logout(try #require(DeviceName("HD0001"))))
        #expect(desk.branch.logIn(&desk.phone, as: "101"))
        desk.branch.sent = []
        desk.branch.deliver(moved, Branch.pbx)
        #expect(desk.atPBX.compactMap(\.request).map(\.method) == [.ack])
    }

    private func check(_ desk: Desk, _ allowed: Set<String>, _ seed: Int) throws {
        for request in desk.atPBX.compactMap(\.request) where request.method == .invite {
            let billed = "\(request.headers.callID.value) \(request.headers.from.uri.user ?? "")"
            try #require(allowed.contains(billed), "seed \(seed): \(billed)")
        }
    }

    private func logOut(_ desk: inout Desk, by way: Int) throws {
        switch way {
        case 0: desk.branch.run(.logout(try #require(DeviceName("HD0001"))))
        case 1: desk.attack(RawRequest(uri: "sip:*77*5*@pbx.example", headers: [("Call-ID", "out-\(desk.number)")]))
        default: desk.attack(RawRequest(uri: "sip:*77*5@pbx.example", headers: [("Call-ID", "out-\(desk.number)")], body: desk.phone.offer()))
        }
        #expect(desk.branch.edge.status(now: desk.branch.now).devices[0].session == nil)
    }

    private func challengeEverything(_ desk: inout Desk) {
        for request in desk.atPBX.compactMap(\.request) where request.method == .invite {
            var challenge = request.response(407, toTag: "x")
            challenge.headers[.proxyAuthenticate] = "Digest realm=\"pbx.example\", nonce=\"abc\", qop=\"auth\", algorithm=MD5"
            desk.branch.deliver(challenge, Branch.pbx)
        }
    }
}
