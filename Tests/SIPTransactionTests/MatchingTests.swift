import CoreTypes
import SIPMessage
import SIPTransaction
import Testing

/// RFC 3261 §17.2.3, RFC 3581, and who is kept apart from whom.
@Suite struct MatchingTests {
    private let udp = Sample.flow(.udp)

    private func receive(
        _ request: SIPRequest, on flow: Flow, at time: Int = 0, _ layer: inout TransactionLayer
    ) throws -> [String] {
        var actions: [TransactionAction] = []
        layer.receive(request, on: flow, now: Sample.time(time), into: &actions)
        return try actions.map { try name($0) }
    }

    @Test func phonesWithOneBranchDoNotMeet() throws {
        var layer = TransactionLayer()
        let flows = [
            Sample.flow(.udp),
            Sample.flow(.udp, remote: Endpoint(address: Sample.phone.address, port: 5063)),
            Sample.flow(.udp, remote: Endpoint(address: IPAddress(v4: 0xC000_0215), port: 5062)),
            Sample.flow(.tcp, connection: 8),
        ]
        var ids: [ServerTransactionID] = []
        for flow in flows {
            var actions: [TransactionAction] = []
            layer.receive(try Sample.request(.invite), on: flow, now: Sample.time(0), into: &actions)
            for case .request(_, let id, let from) in actions {
                ids.append(id)
                #expect(from == flow)
            }
            for case .transmit(_, let to) in actions { #expect(to == flow) }
        }
        #expect(Set(ids).count == flows.count)
        var actions: [TransactionAction] = []
        layer.receive(try Sample.request(.cancel), on: flows[1], now: Sample.time(1), into: &actions)
        #expect(actions.contains(.cancelled(ids[1])))
        #expect(actions.count == 2)
        actions = []
        layer.respond(ids[2], try Sample.request(.invite).response(486), now: Sample.time(2), into: &actions)
        guard case .transmit(_, flows[2])? = actions.first else {
            Issue.record("answered another phone")
            return
        }
    }

    @Test func sentByBelongsToTheKey() throws {
        var layer = TransactionLayer()
        #expect(try receive(Sample.request(.options), on: udp, &layer) == ["request OPTIONS"])
        var other = try Sample.request(.options)
        other.headers.via[0].port = 5099
        #expect(try receive(other, on: udp, &layer) == ["request OPTIONS"])
        other.headers.via[0].host = try #require(Host("phone.example"))
        #expect(try receive(other, on: udp, &layer) == ["request OPTIONS"])
        #expect(try receive(other, on: udp, &layer) == ["dropped retransmission"])
        #expect(try receive(Sample.request(.info), on: udp, &layer) == ["request INFO"])
    }

    static let legacyBranches: [String?] = [nil, "1", "z9hG4bK", "z9hG4b-1", ""]

    @Test(arguments: legacyBranches) func matchesRFC2543(_ branch: String?) throws {
        var layer = TransactionLayer()
        func sample(_ method: Method, callID: String = "call-1", number: UInt32 = 1, toTag: String? = nil) throws -> SIPRequest {
            try Sample.request(method, branch: branch, callID: callID, number: number, toTag: toTag)
        }
        var actions: [TransactionAction] = []
        layer.receive(try sample(.invite), on: udp, now: Sample.time(0), into: &actions)
        guard case .request(let invite, let id, _) = actions.last else {
            Issue.record("no request")
            return
        }
        #expect(try receive(sample(.invite), on: udp, &layer) == ["> 100 INVITE", "dropped retransmission"])
        #expect(try receive(sample(.invite, number: 2), on: udp, &layer) == ["> 100 INVITE", "request INVITE"])
        #expect(try receive(sample(.invite, callID: "call-2"), on: udp, &layer) == ["> 100 INVITE", "request INVITE"])
        #expect(try receive(sample(.cancel), on: udp, &layer) == ["> 200 CANCEL", "cancelled"])
        layer.respond(id, invite.response(487, toTag: "ours"), now: Sample.time(1), into: &actions)
        #expect(try receive(sample(.ack, toTag: "another"), on: udp, &layer) == ["ack"])
        #expect(try receive(sample(.ack, toTag: "ours"), on: udp, &layer) == ["dropped absorbedACK"])
    }

    @Test func cookieInAnyCaseIsRFC3261() throws {
        var layer = TransactionLayer()
        #expect(try receive(Sample.request(.options, branch: "Z9HG4BK-5", callID: "a"), on: udp, &layer) == ["request OPTIONS"])
        // The Call-ID is no part of the key where the branch names the transaction.
        #expect(
            try receive(Sample.request(.options, branch: "Z9HG4BK-5", callID: "b"), on: udp, &layer) == ["dropped retransmission"])
    }

    struct StampCase: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var host = "192.0.2.20"
        var sent: [Parameter] = []
        var source = Sample.phone
        let received: String?
        let rport: String?
    }

    static let stampCases: [StampCase] = [
        StampCase(testDescription: "as it says", received: nil, rport: nil),
        StampCase(testDescription: "a name", host: "phone.example", received: "192.0.2.20", rport: nil),
        StampCase(testDescription: "another address", host: "10.0.0.1", received: "192.0.2.20", rport: nil),
        StampCase(
            testDescription: "rport asked for", sent: [Parameter(name: "rport", value: nil)], received: "192.0.2.20", rport: "5062"),
        StampCase(
            testDescription: "forged", sent: [Parameter(name: "rport", value: "1"), Parameter(name: "received", value: "9.9.9.9")],
            received: "192.0.2.20", rport: "5062"),
        StampCase(testDescription: "forged received alone", sent: [Parameter(name: "received", value: "9.9.9.9")], received: nil, rport: nil),
        StampCase(
            testDescription: "IPv6 without brackets", host: "[2001:db8::9]",
            source: Endpoint(address: IPAddress(v6High: 0x2001_0db8_0000_0000, low: 1), port: 40_000), received: "2001:db8::1",
            rport: nil),
        StampCase(
            testDescription: "IPv6 as it says", host: "[2001:DB8::1]",
            source: Endpoint(address: IPAddress(v6High: 0x2001_0db8_0000_0000, low: 1), port: 40_000), received: nil, rport: nil),
    ]

    @Test(arguments: stampCases) func stampsVia(_ sample: StampCase) throws {
        for method in [Method.options, .ack] {
            var layer = TransactionLayer()
            var actions: [TransactionAction] = []
            var request = try Sample.request(method, viaParameters: sample.sent)
            request.headers.via[0].host = try #require(Host(sample.host))
            layer.receive(request, on: Sample.flow(.udp, remote: sample.source), now: Sample.time(0), into: &actions)
            let delivered: SIPRequest? = actions.lazy.compactMap {
                switch $0 {
                case .request(let request, _, _), .ack(let request, _): return request
                case .transmit, .cancelled, .response, .timedOut, .unreachable, .ackMissing, .ended, .endedClient, .dropped: return nil
                }
            }.first
            let via = try #require(delivered?.headers.via.first)
            #expect(via.parameters.first { $0.name == "received" }?.value == sample.received)
            #expect(via.parameters.first { $0.name == "rport" }?.value == sample.rport)
            #expect(via.parameters.filter { $0.name == "received" || $0.name == "rport" }.count <= 2)
        }
    }

    /// RFC 3261 §8.2.2.2.
    @Test func mergedInviteIsRefused() throws {
        var layer = TransactionLayer()
        #expect(try receive(Sample.request(.invite), on: udp, &layer) == ["> 100 INVITE", "request INVITE"])
        let again = try Sample.request(.invite, branch: "z9hG4bK-2")
        #expect(try receive(again, on: udp, &layer) == ["> 482 INVITE", "dropped merged"])
        #expect(layer.count == 1)
    }

    struct Unmerged: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let change: @Sendable (inout SIPRequest, inout Flow) throws -> Void
    }

    static let unmerged: [Unmerged] = [
        Unmerged(testDescription: "a PBX rings another extension of ours") { request, _ in
            request.uri = try URI(parsing: "sip:101@192.0.2.10")
        },
        Unmerged(testDescription: "another phone") { _, flow in flow.remote.port += 1 },
        Unmerged(testDescription: "the next try, with credentials") { request, _ in request.headers.cseq.number += 1 },
        Unmerged(testDescription: "within a dialog") { request, _ in request.headers.to.tag = "a" },
        Unmerged(testDescription: "another caller") { request, _ in request.headers.from.tag = "b" },
    ]

    @Test(arguments: unmerged) func isNotMerged(_ sample: Unmerged) throws {
        var layer = TransactionLayer()
        #expect(try receive(Sample.request(.invite), on: udp, &layer) == ["> 100 INVITE", "request INVITE"])
        var request = try Sample.request(.invite, branch: "z9hG4bK-2")
        var flow = udp
        try sample.change(&request, &flow)
        #expect(try receive(request, on: flow, &layer) == ["> 100 INVITE", "request INVITE"])
    }

    @Test func anAnsweredInviteMergesNothing() throws {
        var layer = TransactionLayer()
        var actions: [TransactionAction] = []
        layer.receive(try Sample.request(.invite), on: udp, now: Sample.time(0), into: &actions)
        guard case .request(let invite, let id, _) = actions.last else { return }
        layer.respond(id, invite.response(401, toTag: "x"), now: Sample.time(1), into: &actions)
        #expect(try receive(Sample.request(.invite, branch: "z9hG4bK-2"), on: udp, &layer) == ["> 100 INVITE", "request INVITE"])
    }
}

/// `TransactionLimits`.
@Suite struct LimitTests {
    private let udp = Sample.flow(.udp)

    @Test func openTransactionsAreBounded() throws {
        var limits = TransactionLimits()
        limits.maximumTransactions = 3
        var layer = TransactionLayer(limits: limits)
        var actions: [TransactionAction] = []
        for number in 0..<5 {
            let request = try Sample.request(.options, branch: "z9hG4bK-\(number)")
            layer.receive(request, on: udp, now: Sample.time(0), into: &actions)
        }
        #expect(layer.count == 3)
        #expect(actions.filter { $0 == .dropped(.overLimit) }.count == 2)
        actions = []
        let emergency = try Sample.request(.invite, branch: "z9hG4bK-sos")
        layer.receive(emergency, on: udp, now: Sample.time(0), beyondLimit: true, into: &actions)
        #expect(try actions.map { try name($0) } == ["> 100 INVITE", "request INVITE"])
        actions = []
        _ = layer.send(emergency, on: Sample.flow(.tls), now: Sample.time(0), into: &actions)
        #expect(try actions.map { try name($0) } == ["> INVITE"])
        // What belongs to a transaction that is there is never over the limit.
        actions = []
        layer.receive(try Sample.request(.cancel, branch: "z9hG4bK-sos"), on: udp, now: Sample.time(0), into: &actions)
        #expect(try actions.map { try name($0) } == ["> 200 CANCEL", "cancelled"])
    }

    @Test func answeringMakesRoom() throws {
        var limits = TransactionLimits()
        limits.maximumTransactions = 1
        var layer = TransactionLayer(limits: limits)
        for number in 0..<100 {
            var actions: [TransactionAction] = []
            let request = try Sample.request(.options, branch: "z9hG4bK-\(number)")
            layer.receive(request, on: udp, now: Sample.time(number), into: &actions)
            guard case .request(let asked, let id, _) = actions.last else {
                Issue.record("dropped")
                return
            }
            layer.respond(id, asked.response(200), now: Sample.time(number), into: &actions)
        }
        #expect(layer.count == 100)
    }

    @Test func theOldestAnsweredIsForgottenFirst() throws {
        var limits = TransactionLimits()
        limits.maximumLingering = 10
        var layer = TransactionLayer(limits: limits)
        var ended: [ServerTransactionID] = [], ids: [ServerTransactionID] = []
        for number in 0..<50 {
            var actions: [TransactionAction] = []
            let request = try Sample.request(.options, branch: "z9hG4bK-\(number)")
            layer.receive(request, on: udp, now: Sample.time(number), into: &actions)
            for case .request(let asked, let id, _) in actions {
                ids.append(id)
                layer.respond(id, asked.response(200), now: Sample.time(number), into: &actions)
            }
            for case .ended(let id) in actions { ended.append(id) }
            #expect(layer.count <= 10)
        }
        #expect(ended == Array(ids.prefix(40)))
        #expect(Set(ids).count == 50)
        var actions: [TransactionAction] = []
        layer.advance(to: Sample.time(100_000), into: &actions)
        #expect(layer.count == 0)
        #expect(layer.nextDeadline == nil)
    }

    @Test func clientsLingerWithinTheLimitToo() throws {
        var limits = TransactionLimits()
        limits.maximumLingering = 0
        var layer = TransactionLayer(limits: limits)
        var actions: [TransactionAction] = []
        let request = try Sample.request(.invite)
        let id = layer.send(request, on: udp, now: Sample.time(0), into: &actions)
        actions = []
        layer.receive(request.response(200, toTag: "a"), on: udp, now: Sample.time(1), into: &actions)
        #expect(actions.last == .endedClient(id))
        #expect(layer.count == 0)
    }

    /// Timers of zero, as a mistake may set them, do not stop time.
    @Test func timersOfNothingEnd() throws {
        var timers = TimerTable()
        (timers.t1, timers.t2, timers.t4) = (.zero, .zero, .zero)
        for method in [Method.invite, .options] {
            var layer = TransactionLayer(timers: timers)
            var actions: [TransactionAction] = []
            let id = layer.send(try Sample.request(method), on: udp, now: Sample.time(0), into: &actions)
            while let next = layer.nextDeadline { layer.advance(to: next, into: &actions) }
            #expect(actions.suffix(2) == [.timedOut(id), .endedClient(id)])
        }
    }

    /// Names are not used twice although slots are.
    @Test func namesAreUnique() throws {
        var layer = TransactionLayer()
        var seen: Set<ServerTransactionID> = []
        let flow = Sample.flow(.tcp)
        for number in 0..<200 {
            var actions: [TransactionAction] = []
            layer.receive(
                try Sample.request(.options, branch: "z9hG4bK-\(number)"), on: flow, now: Sample.time(number), into: &actions)
            guard case .request(let asked, let id, _) = actions.last else { return }
            #expect(seen.insert(id).inserted)
            layer.respond(id, asked.response(200), now: Sample.time(number), into: &actions)
            actions = []
            layer.respond(id, asked.response(200), now: Sample.time(number), into: &actions)
            #expect(actions == [.dropped(.unknownTransaction)])
        }
    }
}
