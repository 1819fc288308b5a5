import CoreTypes
import SIPMessage
import SIPTransaction
import Testing

private let reliable: [TransportProtocol] = [.tcp, .tls]
private let all: [TransportProtocol] = [.udp, .tcp, .tls]

/// RFC 3261 §17.2, every transition.
@Suite struct ServerTests {
    @Test(arguments: inviteCases) func invite(_ script: ScriptCase) throws { try script.check() }
    @Test(arguments: nonInviteCases) func nonInvite(_ script: ScriptCase) throws { try script.check() }
    @Test(arguments: cancelCases) func cancel(_ script: ScriptCase) throws { try script.check() }

    @Test(arguments: lateTryingCases) func lateTrying(_ script: ScriptCase) throws {
        var timers = TimerTable()
        timers.tryingDelay = .milliseconds(200)
        try script.check(timers: timers)
    }

    /// RFC 3261 §8.2.6.1.
    @Test func tryingBringsTheTimestampBack() throws {
        var layer = TransactionLayer()
        var actions: [TransactionAction] = []
        var invite = try Sample.request(.invite)
        invite.headers.add(HeaderName("Timestamp"), "54")
        layer.receive(invite, on: Sample.flow(.udp), now: Sample.time(0), into: &actions)
        guard case .transmit(let bytes, _) = actions.first, case .response(let trying) = try parsed(bytes) else {
            Issue.record("no 100")
            return
        }
        #expect(trying.status == 100)
        #expect(trying.headers[HeaderName("Timestamp")] == "54")
        #expect(trying.headers.to.tag == nil)
    }

    /// RFC 3261 §9.2: one To tag for the call and its CANCEL.
    @Test func answerToCancelHasTheTagOfTheCall() throws {
        var layer = TransactionLayer()
        var actions: [TransactionAction] = []
        let flow = Sample.flow(.udp)
        layer.receive(try Sample.request(.invite), on: flow, now: Sample.time(0), into: &actions)
        guard case .request(let invite, let id, _) = actions.last else {
            Issue.record("no request")
            return
        }
        layer.respond(id, invite.response(180, toTag: "ringing"), now: Sample.time(1), into: &actions)
        actions = []
        layer.receive(try Sample.request(.cancel), on: flow, now: Sample.time(2), into: &actions)
        guard case .transmit(let bytes, _) = actions.first, case .response(let answer) = try parsed(bytes) else {
            Issue.record("no answer")
            return
        }
        #expect(answer.status == 200)
        #expect(answer.headers.to.tag == "ringing")
        #expect(answer.headers.cseq.method == .cancel)
    }

    /// The same bytes each time, To tag included, with nothing remembered.
    @Test func unmatchedCancelIsAnsweredTheSameWayEachTime() throws {
        var layer = TransactionLayer()
        var actions: [TransactionAction] = []
        let cancel = try Sample.request(.cancel)
        for _ in 0..<2 { layer.receive(cancel, on: Sample.flow(.udp), now: Sample.time(0), into: &actions) }
        #expect(try actions.map { try name($0) } == ["> 481 CANCEL", "> 481 CANCEL"])
        #expect(actions.first == actions.last)
        #expect(layer.count == 0)
    }

    @Test func requestWithoutViaIsDropped() throws {
        var layer = TransactionLayer()
        var actions: [TransactionAction] = []
        for method in [Method.invite, .ack, .cancel, .options] {
            var request = try Sample.request(method)
            request.headers.via = []
            layer.receive(request, on: Sample.flow(.udp), now: Sample.time(0), into: &actions)
        }
        #expect(actions == Array(repeating: .dropped(.missingVia), count: 4))
    }

    @Test func answerToNothingIsDropped() throws {
        var layer = TransactionLayer()
        var actions: [TransactionAction] = []
        let response = try Sample.request(.options).response(200)
        for name in [UInt64(0), 1, 1 << 32, .max] {
            layer.respond(ServerTransactionID(rawValue: name), response, now: Sample.time(0), into: &actions)
            layer.acknowledged(ServerTransactionID(rawValue: name))
            layer.cancel(ClientTransactionID(rawValue: name), now: Sample.time(0), into: &actions)
        }
        #expect(actions == Array(repeating: .dropped(.unknownTransaction), count: 4))
    }

    @Test func closedDatagramFlowEndsItsTransactions() throws {
        var layer = TransactionLayer()
        var actions: [TransactionAction] = []
        let other = Sample.flow(.udp, remote: Endpoint(address: IPAddress(v4: 1), port: 1))
        layer.receive(try Sample.request(.options), on: Sample.flow(.udp), now: Sample.time(0), into: &actions)
        layer.receive(try Sample.request(.options), on: other, now: Sample.time(0), into: &actions)
        actions = []
        layer.flowClosed(Sample.flow(.udp), now: Sample.time(0), into: &actions)
        #expect(try actions.map { try name($0) } == ["ended"])
        #expect(layer.count == 1)
    }
}

private let inviteCases: [ScriptCase] = [
    ScriptCase(
        title: "100 at once; repetitions get the last provisional",
        transports: all,
        steps: [(0, .receive(.invite)), (500, .receive(.invite)), (600, .respond(180)), (1500, .receive(.invite)), (2000, .respond(200))],
        expected: [
            "0 > 100 INVITE", "0 request INVITE", "500 > 100 INVITE", "500 dropped retransmission", "600 > 180 INVITE",
            "1500 > 180 INVITE", "1500 dropped retransmission", "2000 > 200 INVITE", "34000 ended",
        ]),
    ScriptCase(
        title: "RFC 6026: repetitions absorbed, ACK and further 2xx passed",
        transports: all,
        steps: [
            (0, .receive(.invite)), (10, .respond(200)), (500, .receive(.invite)), (510, .respond(200)),
            (600, .receiveSuccessACK), (700, .receive(.ack)), (800, .respond(486)), (900, .respond(180)),
        ],
        expected: [
            "0 > 100 INVITE", "0 request INVITE", "10 > 200 INVITE", "500 dropped retransmission", "510 > 200 INVITE",
            "600 ack", "700 ack", "800 dropped alreadyAnswered", "900 dropped alreadyAnswered", "32010 ended",
        ]),
    ScriptCase(
        title: "our own 2xx repeated until the ACK",
        transports: all,
        steps: [(0, .receive(.invite)), (0, .respond(200, own: true)), (4000, .receiveSuccessACK), (4000, .acknowledged)],
        expected: [
            "0 > 100 INVITE", "0 request INVITE", "0 > 200 INVITE", "500 > 200 INVITE", "1500 > 200 INVITE",
            "3500 > 200 INVITE", "4000 ack", "32000 ended",
        ]),
    ScriptCase(
        title: "our own 2xx never acknowledged",
        transports: all,
        steps: [(0, .receive(.invite)), (0, .respond(200, own: true))],
        expected: ["0 > 100 INVITE", "0 request INVITE", "0 > 200 INVITE"]
            + [500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500].map { "\($0) > 200 INVITE" }
            + ["32000 ACK missing", "32000 ended"]),
    ScriptCase(
        title: "refusal repeated until the ACK, then timer I",
        steps: [
            (0, .receive(.invite)), (0, .respond(486)), (700, .receive(.invite)), (2000, .receive(.ack)), (2100, .receive(.ack)),
            (2200, .receive(.invite)), (2300, .respond(603)),
        ],
        expected: [
            "0 > 100 INVITE", "0 request INVITE", "0 > 486 INVITE", "500 > 486 INVITE", "700 > 486 INVITE",
            "700 dropped retransmission", "1500 > 486 INVITE", "2000 dropped absorbedACK", "2100 dropped absorbedACK",
            "2200 dropped retransmission", "2300 dropped alreadyAnswered", "7000 ended",
        ]),
    ScriptCase(
        title: "refusal never acknowledged: timers G and H",
        steps: [(0, .receive(.invite)), (0, .respond(486)), (100, .respond(200))],
        expected: ["0 > 100 INVITE", "0 request INVITE", "0 > 486 INVITE", "100 dropped alreadyAnswered"]
            + [500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500].map { "\($0) > 486 INVITE" }
            + ["32000 ended"]),
    ScriptCase(
        title: "refusal over a connection: timer H alone", transports: reliable,
        steps: [(0, .receive(.invite)), (0, .respond(486))],
        expected: ["0 > 100 INVITE", "0 request INVITE", "0 > 486 INVITE", "32000 ended"]),
    ScriptCase(
        title: "refusal over a connection: the ACK ends it", transports: reliable,
        steps: [(0, .receive(.invite)), (0, .respond(486)), (50, .receive(.ack))],
        expected: ["0 > 100 INVITE", "0 request INVITE", "0 > 486 INVITE", "50 dropped absorbedACK", "50 ended"]),
    ScriptCase(
        title: "ACK too early", transports: reliable,
        steps: [(0, .receive(.invite)), (10, .receive(.ack)), (20, .close)],
        expected: ["0 > 100 INVITE", "0 request INVITE", "10 dropped earlyACK", "20 ended"]),
    ScriptCase(
        title: "ACK of nothing we know", transports: all, steps: [(0, .receiveSuccessACK)], expected: ["0 ack"]),
    ScriptCase(
        title: "connection lost after the answer", transports: reliable,
        steps: [(0, .receive(.invite)), (10, .respond(200, own: true)), (20, .close)],
        expected: ["0 > 100 INVITE", "0 request INVITE", "10 > 200 INVITE", "20 ended"]),
    ScriptCase(
        title: "status that is none", transports: reliable,
        steps: [(0, .receive(.invite)), (10, .respond(99)), (10, .respond(700)), (20, .respond(404)), (30, .receive(.ack))],
        expected: [
            "0 > 100 INVITE", "0 request INVITE", "10 dropped badStatus", "10 dropped badStatus", "20 > 404 INVITE",
            "30 dropped absorbedACK", "30 ended",
        ]),
]

private let lateTryingCases: [ScriptCase] = [
    ScriptCase(
        title: "100 after 200 ms", transports: reliable,
        steps: [(0, .receive(.invite)), (1000, .respond(486)), (1001, .receive(.ack))],
        expected: ["0 request INVITE", "200 > 100 INVITE", "1000 > 486 INVITE", "1001 dropped absorbedACK", "1001 ended"]),
    ScriptCase(
        title: "no 100 where the user was faster", transports: reliable,
        steps: [(0, .receive(.invite)), (199, .respond(180)), (1000, .respond(486)), (1001, .receive(.ack))],
        expected: ["0 request INVITE", "199 > 180 INVITE", "1000 > 486 INVITE", "1001 dropped absorbedACK", "1001 ended"]),
    ScriptCase(
        title: "no 100 after a final answer", transports: reliable,
        steps: [(0, .receive(.invite)), (100, .respond(486)), (300, .receive(.ack))],
        expected: ["0 request INVITE", "100 > 486 INVITE", "300 dropped absorbedACK", "300 ended"]),
    ScriptCase(
        title: "a repetition brings the 100 forward", transports: reliable,
        steps: [(0, .receive(.invite)), (100, .receive(.invite)), (1000, .respond(486)), (1001, .receive(.ack))],
        expected: [
            "0 request INVITE", "100 > 100 INVITE", "100 dropped retransmission", "1000 > 486 INVITE",
            "1001 dropped absorbedACK", "1001 ended",
        ]),
]

private let nonInviteCases: [ScriptCase] = [
    ScriptCase(
        title: "trying, proceeding, completed, timer J",
        steps: [
            (0, .receive(.register)), (100, .receive(.register)), (200, .respond(100)), (300, .receive(.register)),
            (400, .respond(200)), (500, .receive(.register)), (600, .respond(500)), (32_399, .receive(.register)),
        ],
        expected: [
            "0 request REGISTER", "100 dropped retransmission", "200 > 100 REGISTER", "300 > 100 REGISTER",
            "300 dropped retransmission", "400 > 200 REGISTER", "500 > 200 REGISTER", "500 dropped retransmission",
            "600 dropped alreadyAnswered", "32399 > 200 REGISTER", "32399 dropped retransmission", "32400 ended",
        ]),
    ScriptCase(
        title: "over a connection the answer ends it", transports: reliable,
        steps: [(0, .receive(.bye)), (100, .respond(200))],
        expected: ["0 request BYE", "100 > 200 BYE", "100 ended"]),
    ScriptCase(
        title: "never answered: ends with the client's timer F", transports: all,
        steps: [(0, .receive(.options))],
        expected: ["0 request OPTIONS", "32000 ended"]),
    ScriptCase(
        title: "only a provisional", transports: all,
        steps: [(0, .receive(.options)), (20_000, .respond(100))],
        expected: ["0 request OPTIONS", "20000 > 100 OPTIONS", "32000 ended"]),
    ScriptCase(
        title: "connection lost", transports: reliable, steps: [(0, .receive(.options)), (20, .close)],
        expected: ["0 request OPTIONS", "20 ended"]),
]

private let cancelCases: [ScriptCase] = [
    ScriptCase(
        title: "CANCEL told once, answered each time",
        steps: [
            (0, .receive(.invite)), (10, .receive(.cancel)), (20, .receive(.cancel)), (30, .respond(487)), (40, .receive(.cancel)),
            (50, .receive(.ack)),
        ],
        expected: [
            "0 > 100 INVITE", "0 request INVITE", "10 > 200 CANCEL", "10 cancelled", "20 > 200 CANCEL", "30 > 487 INVITE",
            "40 > 200 CANCEL", "50 dropped absorbedACK", "5050 ended",
        ]),
    ScriptCase(
        title: "CANCEL after the answer has no effect",
        transports: all,
        steps: [(0, .receive(.invite)), (10, .respond(200)), (20, .receive(.cancel))],
        expected: ["0 > 100 INVITE", "0 request INVITE", "10 > 200 INVITE", "20 > 200 CANCEL", "32010 ended"]),
    ScriptCase(
        title: "CANCEL of nothing we know", transports: all, steps: [(0, .receive(.cancel))], expected: ["0 > 481 CANCEL"]),
    ScriptCase(
        title: "CANCEL of what is no INVITE", transports: reliable,
        steps: [(0, .receive(.register)), (10, .receive(.cancel)), (20, .respond(200))],
        expected: ["0 request REGISTER", "10 > 481 CANCEL", "20 > 200 REGISTER", "20 ended"]),
]
