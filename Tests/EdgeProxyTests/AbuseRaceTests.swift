import CoreTypes
import CryptoPrimitives
import EdgeProxy
import HotDeskPolicy
import Media
import SIPMessage
import Testing

/// An INVITE and a logout in the same instant: whoever comes first, the person before is never billed for what came after.
@Suite struct AbuseRaceTests {
    /// Two of each in any order.
    enum Step: CaseIterable { case invite, proof, logout, move, nextLogin, challenge, ports }

    /// With ports that come late, a call waits between the policy's word and its way out.
    @Test(arguments: [Carriage.udp, .tcp], [false, true]) func previousUserIsNeverBilled(carriage: Carriage, portsAreLate: Bool) throws {
        let seated = Race(carriage, portsAreLate: portsAreLate)
        var calls = 0
        var challenged = 0
        for seed in 0..<500 {
            var random = RandomStream(seed: Array("race \(seed)".utf8))
            var race = seated
            for step in Step.allCases.shuffled(using: &random) + Step.allCases.shuffled(using: &random) {
                try race.take(step, way: Int(random.next() % 3))
                try #require(race.wrong == [], "seed \(seed), after \(step)")
            }
            // Whoever sat there at that instant has had the call: none is lost on the way, but for want of ports.
            if !portsAreLate { try #require(Set(race.billed.keys) == Set(race.due.keys), "seed \(seed)") }
            calls += race.billed.count
            challenged += race.signed.count
        }
        let enough = portsAreLate ? 50 : 300
        #expect(calls > enough && challenged > enough / 3, "\(calls) calls, \(challenged) challenges: too few to judge")
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
}

/// One desk, and a record of who sat there when a call of it was let out.
private struct Race {
    private var desk: Desk
    private var other = Phone(device: 2)
    /// Who sits there.
    private var owner: String? = "100"
    /// By Call-ID, who is to pay.
    private(set) var due: [String: String] = [:]
    private(set) var billed: [String: String] = [:]
    /// What is not as it should be.
    private(set) var wrong: [String] = []
    /// INVITEs that have been answered 407, and wait for credentials.
    private var asked: [(RawRequest, SIPResponse)] = []
    private var challenged: Set<String> = []
    private(set) var signed: Set<String> = []

    init(_ carriage: Carriage, portsAreLate: Bool) {
        desk = Desk(.loggedIn, carriage)
        desk.branch.register(&other)
        guard portsAreLate else { return }
        desk.branch.portsAreSlow = true
        var busy = Phone(device: 3)
        busy.user = "700"
        while desk.branch.edge.status(now: desk.branch.now).freeMediaPorts > 6 {
            desk.branch.deliver(busy.request(.invite, to: "sip:1000@pbx.example", body: busy.offer()), busy.flow)
        }
        desk.branch.sent = []
        desk.branch.served = []
    }

    mutating func take(_ step: AbuseRaceTests.Step, way: Int) throws {
        switch step {
        case .invite: invite()
        case .proof: prove()
        case .logout: try logOut(by: way)
        case .move: if desk.branch.logIn(&other, as: "100"), owner == "100" { owner = nil }
        case .nextLogin: if desk.branch.logIn(&desk.phone, as: "101") { owner = "101" }
        case .challenge: challengeAll()
        case .ports:
            let first = 40_000 + 64 * desk.number % 16_000
            desk.branch.run(.media(.portsReady((0..<8).map {
                MediaPorts(id: UInt32(first + $0), address: Branch.udp.address, rtp: UInt16(first + 2 * $0))
            })))
        }
        desk.branch.advance(.milliseconds(1))
        look()
    }

    /// A retransmission, or an answer to an older challenge, is the same call: each of these is a new one.
    private mutating func invite() {
        desk.number += 1
        let callID = "race-\(desk.number)"
        let request = RawRequest(headers: [("Call-ID", callID)], body: desk.phone.offer())
        _ = desk.branch.take(desk.phone.flow)
        desk.deliver(request.bytes(from: desk.phone, number: desk.number))
        if let challenge = desk.branch.take(desk.phone.flow).compactMap(\.response).last, challenge.status == 407 {
            return asked.append((request, challenge))
        }
        // By its connection it is known: this was the instant.
        due[callID] = owner
    }

    private mutating func prove() {
        for (request, challenge) in asked {
            desk.number += 1
            let credentials = desk.phone.credentials(for: challenge, method: request.method, uri: request.uri)
            desk.deliver(request.bytes(from: desk.phone, number: desk.number, authorization: credentials))
            due[challenge.headers.callID.value] = owner
        }
        asked = []
    }

    private mutating func logOut(by way: Int) throws {
        switch way {
        case 0: desk.branch.run(.logout(try #require(DeviceName("HD0001"))))
        case 1: desk.attack(RawRequest(uri: "sip:*77*5*@pbx.example", headers: [("Call-ID", "out-\(desk.number)")]))
        default: desk.attack(RawRequest(uri: "sip:*77*5@pbx.example", headers: [("Call-ID", "out-\(desk.number)")], body: desk.phone.offer()))
        }
        owner = nil
        #expect(desk.branch.edge.status(now: desk.branch.now).devices[0].session == nil)
    }

    private var invites: [SIPRequest] {
        (desk.branch.served + desk.atPBX.compactMap(\.request)).filter { $0.method == .invite && $0.headers.callID.value.hasPrefix("race-") }
    }

    /// The PBX asks for credentials, whenever it comes to that.
    private mutating func challengeAll() {
        for request in invites where request.headers[.proxyAuthorization] == nil && challenged.insert(request.headers.callID.value).inserted {
            var challenge = request.response(407, toTag: "x")
            challenge.headers[.proxyAuthenticate] = "Digest realm=\"pbx.example\", nonce=\"abc\", qop=\"auth\", algorithm=MD5"
            desk.branch.deliver(challenge, Branch.pbx)
        }
    }

    /// Each call at the PBX is in the name, and signed with the name, of who sat there at that instant.
    private mutating func look() {
        for request in invites {
            let callID = request.headers.callID.value
            let credentials = request.headers[.proxyAuthorization].flatMap { try? DigestCredentials(parsing: $0) }
            let asserted = request.headers[.pAssertedIdentity].flatMap { try? NameAddress(parsing: $0) }
            let names = [request.headers.from.uri.user, asserted?.uri.user, credentials.map { String($0.username.dropFirst("auth".count)) } ?? due[callID]]
            if due[callID] == nil || names != [due[callID], due[callID], due[callID]] { wrong.append("\(callID): \(names), not \(due[callID] ?? "nobody")") }
            if credentials != nil { signed.insert(callID) }
            billed[callID] = request.headers.from.uri.user
        }
    }
}
