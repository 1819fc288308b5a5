import CoreTypes
import EdgeProxy
import HotDeskPolicy
import SIPMessage
import Testing

/// PBX nodes reached by datagrams, of whose end no connection tells: they are asked (RFC 3261 §11).
@Suite struct SilentNodeTests {
    private static let first = node(Branch.pbx)
    private static let second = node(Branch.secondPBX)

    private static func node(_ flow: Flow) -> Flow {
        var flow = flow
        flow.transport = .udp
        return flow
    }

    private func branch() -> Branch {
        var branch = Branch(nodes: 2)
        branch.run(.trunkUp(TrunkNode(index: 0), Self.first))
        branch.run(.trunkUp(TrunkNode(index: 1), Self.second))
        return branch
    }

    /// Time goes by; the nodes that are alive answer what they are asked. What each was asked besides.
    private func pass(_ seconds: Int, in branch: inout Branch, alive: [Flow], status: Int = 200) -> [Flow: [SIPRequest]] {
        var asked: [Flow: [SIPRequest]] = [:]
        for _ in 0..<seconds {
            branch.advance(.seconds(1))
            for flow in [Self.first, Self.second] {
                let requests = alive.contains(flow) ? branch.servePBX(flow) : branch.take(flow).compactMap(\.request)
                asked[flow, default: []] += requests.filter { $0.method != .options }
                for request in requests where request.method == .options && alive.contains(flow) {
                    branch.deliver(request.response(status, toTag: "node"), flow)
                }
            }
        }
        return asked
    }

    private func up(_ branch: Branch) -> [Bool] { branch.edge.status(now: branch.now).nodes.map(\.isUp) }

    /// Where a call for help goes.
    private func called(_ branch: inout Branch) throws -> Flow? {
        var phone = Phone(device: 1)
        branch.register(&phone)
        branch.deliver(phone.request(.invite, to: "sip:112@pbx.example", body: phone.offer()), phone.flow)
        return [Self.first, Self.second].first { flow in branch.take(flow).contains { $0.request?.method == .invite } }
    }

    @Test func aNodeThatAnswersIsKept() throws {
        var branch = branch()
        _ = pass(120, in: &branch, alive: [Self.first, Self.second])
        #expect(up(branch) == [true, true])
        #expect(try called(&branch) == Self.first)
    }

    @Test func aSilentNodeIsTheLastToBeTried() throws {
        var branch = branch()
        _ = pass(30, in: &branch, alive: [Self.first, Self.second])
        let asked = pass(25, in: &branch, alive: [Self.second])
        #expect(up(branch) == [false, true])
        #expect(asked[Self.second]?.contains { $0.method == .register } == true, "the site registers at the other node")
        #expect(try called(&branch) == Self.second)
        #expect(branch.logs.contains("PBX node 1 answers nothing"))
    }

    /// Whatever it answers: that it answers is enough.
    @Test(arguments: [200, 404, 405, 501]) func aNodeThatAnswersAgainIsTheFirstAgain(_ status: Int) throws {
        var branch = branch()
        _ = pass(30, in: &branch, alive: [Self.second])
        #expect(up(branch) == [false, true])
        let asked = pass(30, in: &branch, alive: [Self.first, Self.second], status: status)
        #expect(up(branch) == [true, true])
        #expect(asked[Self.first]?.contains { $0.method == .register } == true)
        #expect(try called(&branch) == Self.first)
    }

    /// A PBX that registers and calls, and never answers such a question, is no silent one.
    @Test func whoAnswersOtherThingsIsThere() throws {
        var branch = branch()
        for _ in 0..<120 {
            branch.advance(.seconds(1))
            _ = branch.servePBX(Self.first)
            _ = branch.servePBX(Self.second)
            #expect(up(branch)[0])
        }
        #expect(try called(&branch) == Self.first)
        #expect(!branch.logs.contains("PBX node 1 answers nothing"))
    }

    /// Where nobody answers, calls are tried all the same.
    @Test func silenceOfAllStopsNobody() throws {
        var branch = branch()
        _ = pass(60, in: &branch, alive: [])
        #expect(up(branch) == [false, false])
        #expect(try called(&branch) == Self.first)
    }

    @Test func aConnectionIsNotAsked() {
        var branch = Branch(nodes: 1)
        branch.connectPBX()
        branch.advance(.seconds(60))
        #expect(!branch.take(Branch.pbx).contains { $0.request?.method == .options })
    }

    @Test func aNodeThatIsGoneIsNotAskedAnyMore() {
        var branch = branch()
        branch.run(.trunkDown(TrunkNode(index: 0)))
        _ = branch.take(Self.first)
        branch.advance(.seconds(60))
        #expect(branch.take(Self.first).isEmpty)
    }
}
