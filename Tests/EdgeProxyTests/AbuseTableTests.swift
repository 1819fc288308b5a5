import CoreTypes
import EdgeProxy
import SIPMessage
import Testing

/// What reaches the PBX of each attack, from each state, over each carriage.
@Suite struct AbuseTableTests {
    @Test(arguments: Attack.targets) func target(attack: Attack) { Self.judge(attack) }
    @Test(arguments: Attack.routing) func routing(attack: Attack) { Self.judge(attack) }
    @Test(arguments: Attack.methods) func method(attack: Attack) { Self.judge(attack) }
    @Test(arguments: Attack.tricks) func trick(attack: Attack) { Self.judge(attack) }
    @Test(arguments: Attack.bodies + Attack.syntax) func form(attack: Attack) { Self.judge(attack) }

    static func judge(_ attack: Attack) {
        for carriage in Carriage.allCases {
            for state in DeskState.allCases {
                judge(attack, state, carriage)
            }
        }
    }

    private static func judge(_ attack: Attack, _ state: DeskState, _ carriage: Carriage) {
        var desk = Desk(state, carriage)
        let answers = desk.attack(attack.request)
        let place: Comment = "\(attack.name): \(state), \(carriage)"
        let requests = desk.atPBX.compactMap(\.request)
        let refusals = desk.branch.audit.filter { $0.kind == .refused }.count
        #expect(desk.branch.sent.allSatisfy { $0.flow == Branch.pbx || $0.flow == desk.phone.flow }, place)
        #expect(requests.allSatisfy { isClean($0, as: state == .loggedIn ? "100" : "branch-01") }, place)
        switch state == .loggedIn ? attack.seated : attack.idle {
        case .emergency(let number):
            #expect(requests.map(\.uri.description) == ["sip:\(number)@pbx.example"], place)
            #expect(desk.branch.audit.map(\.kind) == [.emergency], place)
        case .forwarded(let user):
            #expect(requests.map(\.uri.description) == ["sip:\(user)@pbx.example"], place)
            #expect(refusals == 0, place)
        case .refused(let status):
            #expect(desk.atPBX.isEmpty && refusals == 1, place)
            #expect(answers.last?.status == status, place)
        case .answered(let status):
            #expect(desk.atPBX.isEmpty && desk.branch.audit.isEmpty, place)
            #expect(answers.last?.status == status, place)
        case .unread(let status):
            #expect(desk.atPBX.isEmpty && desk.branch.audit.isEmpty, place)
            #expect(answers.last?.status == (carriage == .udp ? status : nil), place)
        case .silence:
            #expect(desk.branch.sent.isEmpty && desk.branch.audit.isEmpty, place)
        }
    }

    /// Nothing in it names anybody but the identity it goes out under, or a way of the attacker's.
    private static func isClean(_ request: SIPRequest, as user: String) -> Bool {
        let text = String(decoding: request.serialized(), as: UTF8.self)
        guard request.headers.from.uri.user == user, request.headers.via.count == 1, request.headers.route.isEmpty else { return false }
        guard request.headers.recordRoute.isEmpty, !text.contains("boss"), !text.contains("192.0.2.101"), !text.contains("203.0.113"), !text.contains("/2 RTP") else { return false }
        let contact = request.headers.contactURI?.sip
        guard contact?.host.address == Branch.pbx.local.address, contact?.port == Branch.pbx.local.port else { return false }
        let isEmergency = request.uri.user == "911" && request.method == .invite
        let lost = ["X-Bypass", "Replaces", "Require", "Join", "evil", "Referred-By", "Request-Disposition", "Refer-To"]
        return !isEmergency || !lost.contains { text.contains($0) }
    }
}
