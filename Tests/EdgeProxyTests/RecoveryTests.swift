import CoreTypes
import HotDeskPolicy
import Media
import SIPMessage
import Testing

@testable import EdgeProxy

/// A whole site comes back after an outage: in order of need, and no faster than the PBX can take it.
@Suite struct RecoveryTests {
    private static let again = Flow(
        transport: .tls, local: Endpoint(address: IPAddress(v4: 0xC000_020A), port: 40_777), remote: Branch.pbx.remote, connection: 9)
    private static let start = Instant(nanoseconds: 1_800_000_000_000_000_000)

    @Test func theQueueGivesByRankThenByAge() {
        let ranks: [RecoveryRank] = [.other, .emergencyCapable, .occupied, .emergencyCall, .inCall]
        var queue = RecoveryQueue<Int>(pace: RecoveryPace(), now: Self.start)
        for item in 0..<100 { queue.add(item, ranks[item % 5]) }
        queue.add(7, .emergencyCall)
        var order: [Int] = []
        var (groups, last) = (0, Self.start)
        while let due = queue.nextDeadline {
            let group = queue.take(now: due)
            #expect(group.count <= (groups == 0 ? 10 : 5) && queue.take(now: due).isEmpty)
            order += group
            (groups, last) = (groups + 1, due)
        }
        let expected = RecoveryRank.allCases.flatMap { rank in (0..<100).filter { ranks[$0 % 5] == rank } }
        #expect(order == expected)
        #expect(groups == 19 && last - Self.start == .milliseconds(1800))
    }

    @Test func aLateTurnIsNoBurst() {
        var queue = RecoveryQueue<Int>(pace: RecoveryPace(), now: Self.start)
        for item in 0..<100 { queue.add(item, .other) }
        #expect(queue.take(now: Self.start).count == 10)
        #expect(queue.take(now: Self.start + .seconds(60)).count == 10)
        #expect(queue.count == 80)
    }

    /// One request at a time, every 100 ms.
    private static func slowBranch() -> Branch {
        var branch = Branch()
        var configuration = Branch.configuration()
        configuration.pbx.recovery.burst = 1
        configuration.pbx.recovery.perInterval = 1
        branch.edge = EdgeProxy(configuration: configuration, seed: Array(repeating: 7, count: 32), restoring: nil, now: branch.now)
        branch.connectPBX()
        branch.advance(.seconds(2))
        _ = branch.servePBX()
        return branch
    }

    private static func call(_ branch: inout Branch, _ phone: inout Phone, _ target: String) throws {
        let (invite, _) = branch.exchange(&phone, phone.request(.invite, to: "sip:\(target)@pbx.example", body: phone.offer()))
        let out = try #require(branch.servePBX().last { $0.method == .invite })
        var ok = out.response(200, toTag: "far-\(target)")
        ok.headers.contact = .list([phone.address("sip:\(target)@198.51.100.20")])
        ok.headers[.allow] = "INVITE, ACK, BYE, UPDATE"
        branch.deliver(ok, Branch.pbx)
        let answer = try #require(branch.take(phone.flow).compactMap(\.response).last)
        branch.deliver(Branch.ack(invite, answer, newBranch: true), phone.flow)
        _ = branch.servePBX()
    }

    private static func plainRegister(_ phone: inout Phone) -> SIPRequest {
        var request = phone.request(.register, to: "sip:\(phone.user)@pbx.example")
        request.headers.expires = 60
        return request
    }

    /// Three desks with people, one of them in a call and one calling for help, and a plain phone.
    private static func busySite() throws -> (branch: Branch, plain: Phone) {
        var branch = slowBranch()
        for (index, number) in [(1, "100"), (2, "101"), (3, "102")] {
            var desk = Phone(device: index)
            branch.register(&desk)
            #expect(branch.logIn(&desk, as: number))
            if index == 1 { try call(&branch, &desk, "200") }
            if index == 2 { try call(&branch, &desk, "112") }
        }
        var plain = Phone(device: 4)
        plain.user = "104"
        branch.deliver(plainRegister(&plain), plain.flow)
        #expect(branch.servePBX().last?.headers.to.uri.user == "104", "in ordinary times nothing waits")
        _ = branch.take(plain.flow)
        return (branch, plain)
    }

    @Test func whoCalledForHelpComesFirst() throws {
        var (branch, plain) = try Self.busySite()
        branch.run(.trunkDown(TrunkNode(index: 0)))
        branch.advance(.seconds(20))
        branch.run(.trunkUp(TrunkNode(index: 0), Self.again))
        branch.deliver(Self.plainRegister(&plain), plain.flow)
        var seen: [String] = []
        for _ in 0..<12 {
            let group = branch.servePBX(Self.again)
            #expect(group.count <= 1)
            seen += group.map { "\($0.method.name) \($0.headers.to.uri.user ?? "")" }
            branch.advance(.milliseconds(100))
        }
        #expect(seen == [
            "UPDATE 112", "REGISTER 101", "REGISTER branch-01", "UPDATE 200", "REGISTER 100", "REGISTER 102", "REGISTER 104",
        ])
        #expect(branch.take(plain.flow).compactMap(\.response).last?.status == 200)
        // All are back: the next REGISTER of a plain phone waits for nobody.
        branch.deliver(Self.plainRegister(&plain), plain.flow)
        branch.advance(.seconds(1))
        var other = Phone(device: 5)
        other.user = "105"
        branch.deliver(Self.plainRegister(&other), other.flow)
        other.user = "106"
        branch.deliver(Self.plainRegister(&other), other.flow)
        #expect(branch.servePBX(Self.again).filter { $0.method == .register && $0.headers.to.uri.user != "104" }.count == 2)
    }

    @Test func whoWaitsIsToldWhenThePBXIsGoneAgain() throws {
        var (branch, plain) = try Self.busySite()
        branch.run(.trunkDown(TrunkNode(index: 0)))
        branch.run(.trunkUp(TrunkNode(index: 0), Self.again))
        branch.deliver(Self.plainRegister(&plain), plain.flow)
        #expect(branch.take(plain.flow).isEmpty)
        branch.run(.trunkDown(TrunkNode(index: 0)))
        #expect(branch.take(plain.flow).compactMap(\.response).last?.status == 503)
        #expect(branch.take(Self.again).compactMap(\.request).count <= 1)
        #expect(branch.edge.nextDeadline.map { $0 > branch.now } ?? true, "nobody is woken for what cannot be done")
        // What the edge has to say itself is said when there is a way again.
        branch.advance(.seconds(20))
        branch.run(.trunkUp(TrunkNode(index: 0), Branch.secondPBX))
        branch.advance(.seconds(2))
        let methods = Set(branch.servePBX(Branch.secondPBX).map { "\($0.method.name) \($0.headers.to.uri.user ?? "")" })
        #expect(methods.isSuperset(of: ["UPDATE 112", "UPDATE 200", "REGISTER branch-01", "REGISTER 100", "REGISTER 101", "REGISTER 102"]))
    }

    @Test func noMoreAreHeldThanThereIsRoomFor() throws {
        var (branch, _) = try Self.busySite()
        branch.run(.trunkDown(TrunkNode(index: 0)))
        branch.run(.trunkUp(TrunkNode(index: 0), Self.again))
        var flood = Phone(device: 6)
        for index in 0..<(Recovery.maximumHeld + 5) {
            flood.user = "\(3000 + index)"
            branch.deliver(Self.plainRegister(&flood), flood.flow)
        }
        let refused = branch.take(flood.flow).compactMap(\.response)
        #expect(refused.count == 5 && refused.allSatisfy { $0.status == 503 && $0.headers[.retryAfter] != nil })
    }
}
