import CoreTypes
import SIPMessage
import SIPTransaction
import Testing

private let reliable: [TransportProtocol] = [.tcp, .tls]

/// RFC 3261 §17.1, every transition.
@Suite struct ClientTests {
    @Test(arguments: inviteCases) func invite(_ script: ScriptCase) throws { try script.check() }
    @Test(arguments: nonInviteCases) func nonInvite(_ script: ScriptCase) throws { try script.check() }
    @Test(arguments: cancelCases) func cancel(_ script: ScriptCase) throws { try script.check() }

    /// RFC 3261 §17.1.1.3.
    @Test func acknowledgesRefusalByTheRule() throws {
        var layer = TransactionLayer()
        var actions: [TransactionAction] = []
        var invite = try Sample.request(.invite)
        invite.headers.route = [NameAddress(uri: try URI(parsing: "sip:proxy.example;lr"))]
        invite.headers.via.append(Via(transport: "UDP", host: try #require(Host("192.0.2.99"))))
        invite.body = [1, 2, 3]
        _ = layer.send(invite, on: Sample.flow(.udp), now: Sample.time(0), into: &actions)
        actions = []
        layer.receive(invite.response(486, toTag: "busy"), on: Sample.flow(.udp), now: Sample.time(1), into: &actions)
        guard case .transmit(let bytes, Sample.flow(.udp)) = actions.first, case .request(let ack) = try parsed(bytes) else {
            Issue.record("no ACK")
            return
        }
        #expect(ack.method == .ack)
        #expect(ack.uri == invite.uri)
        #expect(ack.headers.via == Array(invite.headers.via.prefix(1)))
        #expect(ack.headers.from == invite.headers.from)
        #expect(ack.headers.to.tag == "busy")
        #expect(ack.headers.callID == invite.headers.callID)
        #expect(ack.headers.cseq == CSeq(number: 1, method: .ack))
        #expect(ack.headers.route == invite.headers.route)
        #expect(ack.body.isEmpty)
    }

    @Test func strayAndBrokenResponsesAreDropped() throws {
        var layer = TransactionLayer()
        var actions: [TransactionAction] = []
        let flow = Sample.flow(.udp)
        let invite = try Sample.request(.invite)
        layer.receive(invite.response(200), on: flow, now: Sample.time(0), into: &actions)
        #expect(actions == [.dropped(.strayResponse)])
        _ = layer.send(invite, on: flow, now: Sample.time(0), into: &actions)
        actions = []
        layer.receive(try Sample.request(.bye).response(200), on: flow, now: Sample.time(0), into: &actions)
        var nameless = invite.response(200)
        nameless.headers.via = []
        layer.receive(nameless, on: flow, now: Sample.time(0), into: &actions)
        #expect(actions == [.dropped(.strayResponse), .dropped(.strayResponse)])
        actions = []
        for status in [-1, 0, 99, 700] {
            var response = invite.response(200)
            response.status = status
            layer.receive(response, on: flow, now: Sample.time(0), into: &actions)
        }
        #expect(actions == Array(repeating: .dropped(.badStatus), count: 4))
    }

    @Test func closedFlowTakesOnlyItsOwn() throws {
        var layer = TransactionLayer()
        var actions: [TransactionAction] = []
        let first = Sample.flow(.tls, connection: 1), second = Sample.flow(.tls, connection: 2)
        let one = layer.send(try Sample.request(.invite, branch: "z9hG4bK-a"), on: first, now: Sample.time(0), into: &actions)
        _ = layer.send(try Sample.request(.invite, branch: "z9hG4bK-b"), on: second, now: Sample.time(0), into: &actions)
        actions = []
        layer.flowClosed(first, now: Sample.time(1), into: &actions)
        #expect(actions == [.unreachable(one), .endedClient(one)])
        #expect(layer.count == 1)
        layer.flowClosed(first, now: Sample.time(1), into: &actions)
        #expect(layer.count == 1)
        layer.flowClosed(second, now: Sample.time(1), into: &actions)
        #expect(layer.count == 0)
    }

    @Test func aSuccessfulAnswerLetsGoOfTheRequest() throws {
        var layer = TransactionLayer()
        var actions: [TransactionAction] = []
        let invite = try Sample.request(.invite)
        let id = layer.send(invite, on: Sample.flow(.udp), now: Sample.time(0), into: &actions)
        layer.receive(invite.response(200, toTag: "a"), on: Sample.flow(.udp), now: Sample.time(0), into: &actions)
        actions = []
        layer.cancel(id, now: Sample.time(1), into: &actions)
        layer.advance(to: Sample.time(31_999), into: &actions)
        #expect(actions.isEmpty)
        layer.advance(to: Sample.time(32_000), into: &actions)
        #expect(actions == [.endedClient(id)])
    }
}

private let inviteCases: [ScriptCase] = [
    ScriptCase(
        title: "timers A and B",
        steps: [(0, .send(.invite))],
        expected: [
            "0 > INVITE", "500 > INVITE", "1500 > INVITE", "3500 > INVITE", "7500 > INVITE", "15500 > INVITE",
            "31500 > INVITE", "32000 timed out", "32000 ended",
        ]),
    ScriptCase(
        title: "timer B alone", transports: reliable, steps: [(0, .send(.invite))],
        expected: ["0 > INVITE", "32000 timed out", "32000 ended"]),
    ScriptCase(
        title: "provisional stops timers A and B",
        transports: [.udp, .tcp, .tls],
        steps: [(0, .send(.invite)), (400, .response(100)), (900, .response(180)), (120_000, .response(200))],
        expected: ["0 > INVITE", "400 < 100", "900 < 180", "120000 < 200", "152000 ended"]),
    ScriptCase(
        title: "RFC 6026: every 2xx is passed on, nothing else",
        transports: [.udp, .tcp, .tls],
        steps: [
            (0, .send(.invite)), (10, .response(200)), (510, .response(200)), (600, .response(180)), (700, .response(486)),
            (32_009, .response(200)), (32_011, .response(200)),
        ],
        expected: [
            "0 > INVITE", "10 < 200", "510 < 200", "600 dropped absorbedResponse", "700 dropped absorbedResponse",
            "32009 < 200", "32010 ended", "32011 dropped strayResponse",
        ]),
    ScriptCase(
        title: "refusal over datagrams: ACK each time, timer D",
        steps: [
            (0, .send(.invite)), (10, .response(180)), (20, .response(486)), (520, .response(486)), (600, .response(180)),
            (700, .response(200)),
        ],
        expected: [
            "0 > INVITE", "10 < 180", "20 > ACK", "20 < 486", "520 > ACK", "520 dropped absorbedResponse",
            "600 dropped absorbedResponse", "700 dropped absorbedResponse", "32020 ended",
        ]),
    ScriptCase(
        title: "refusal at once, over a connection", transports: reliable,
        steps: [(0, .send(.invite)), (20, .response(302)), (30, .response(302))],
        expected: ["0 > INVITE", "20 > ACK", "20 < 302", "20 ended", "30 dropped strayResponse"]),
    ScriptCase(
        title: "connection lost while calling", transports: reliable, steps: [(0, .send(.invite)), (20, .close)],
        expected: ["0 > INVITE", "20 unreachable", "20 ended"]),
    ScriptCase(
        title: "connection lost while ringing", transports: reliable,
        steps: [(0, .send(.invite)), (10, .response(180)), (20, .close)],
        expected: ["0 > INVITE", "10 < 180", "20 unreachable", "20 ended"]),
    ScriptCase(
        title: "connection lost after the answer", transports: reliable,
        steps: [(0, .send(.invite)), (10, .response(200)), (20, .close)],
        expected: ["0 > INVITE", "10 < 200", "20 ended"]),
]

private let nonInviteCases: [ScriptCase] = [
    ScriptCase(
        title: "timers E and F",
        steps: [(0, .send(.register))],
        expected: ["0 > REGISTER"]
            + [500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500].map { "\($0) > REGISTER" }
            + ["32000 timed out", "32000 ended"]),
    ScriptCase(
        title: "timer F alone", transports: reliable, steps: [(0, .send(.bye))],
        expected: ["0 > BYE", "32000 timed out", "32000 ended"]),
    ScriptCase(
        title: "after a provisional every T2",
        steps: [(0, .send(.options)), (600, .response(100)), (700, .response(183))],
        expected: ["0 > OPTIONS", "500 > OPTIONS", "600 < 100", "700 < 183"]
            + [1500, 5500, 9500, 13500, 17500, 21500, 25500, 29500].map { "\($0) > OPTIONS" }
            + ["32000 timed out", "32000 ended"]),
    ScriptCase(
        title: "timer F runs on after a provisional", transports: reliable,
        steps: [(0, .send(.info)), (600, .response(100))],
        expected: ["0 > INFO", "600 < 100", "32000 timed out", "32000 ended"]),
    ScriptCase(
        title: "final response, timer K absorbs",
        steps: [(0, .send(.register)), (100, .response(401)), (200, .response(401)), (5099, .response(100)), (5200, .response(401))],
        expected: [
            "0 > REGISTER", "100 < 401", "200 dropped absorbedResponse", "5099 dropped absorbedResponse", "5100 ended",
            "5200 dropped strayResponse",
        ]),
    ScriptCase(
        title: "final response after a provisional",
        steps: [(0, .send(.bye)), (100, .response(100)), (200, .response(200))],
        expected: ["0 > BYE", "100 < 100", "200 < 200", "5200 ended"]),
    ScriptCase(
        title: "final response over a connection", transports: reliable,
        steps: [(0, .send(.bye)), (100, .response(200)), (200, .response(200))],
        expected: ["0 > BYE", "100 < 200", "100 ended", "200 dropped strayResponse"]),
    ScriptCase(
        title: "connection lost", transports: reliable, steps: [(0, .send(.bye)), (10, .response(100)), (20, .close)],
        expected: ["0 > BYE", "10 < 100", "20 unreachable", "20 ended"]),
    ScriptCase(
        title: "a method nobody knows", steps: [(0, .send(.other("NEWMETHOD"))), (20, .response(501))],
        expected: ["0 > NEWMETHOD", "20 < 501", "5020 ended"]),
    ScriptCase(
        title: "an ACK of the user has no transaction", transports: [.udp, .tls], steps: [(0, .send(.ack))], expected: ["0 > ACK"]),
]

private let cancelCases: [ScriptCase] = [
    ScriptCase(
        title: "CANCEL waits for a provisional",
        steps: [
            (0, .send(.invite)), (100, .cancel), (600, .response(100)), (700, .cancelResponse(200)), (800, .response(487)),
        ],
        expected: [
            "0 > INVITE", "500 > INVITE", "600 < 100", "600 > CANCEL", "800 > ACK", "800 < 487", "32800 ended",
        ]),
    ScriptCase(
        title: "CANCEL at once while ringing, and only once",
        steps: [
            (0, .send(.invite)), (100, .response(180)), (200, .cancel), (300, .cancel), (400, .cancelResponse(200)),
            (500, .response(487)),
        ],
        expected: ["0 > INVITE", "100 < 180", "200 > CANCEL", "500 > ACK", "500 < 487", "32500 ended"]),
    ScriptCase(
        title: "CANCEL crosses the answer",
        transports: [.tcp, .tls],
        steps: [
            (0, .send(.invite)), (100, .response(180)), (200, .cancel), (210, .response(200)), (300, .cancelResponse(200)),
        ],
        expected: ["0 > INVITE", "100 < 180", "200 > CANCEL", "210 < 200", "32210 ended"]),
    ScriptCase(
        title: "answered before any provisional: no CANCEL",
        steps: [(0, .send(.invite)), (100, .cancel), (200, .response(200))],
        expected: ["0 > INVITE", "200 < 200", "32200 ended"]),
    ScriptCase(
        title: "refused before any provisional: no CANCEL", transports: reliable,
        steps: [(0, .send(.invite)), (100, .cancel), (200, .response(486))],
        expected: ["0 > INVITE", "200 > ACK", "200 < 486", "200 ended"]),
    ScriptCase(
        title: "no final response within 64*T1 after CANCEL", transports: reliable,
        steps: [(0, .send(.invite)), (100, .response(180)), (200, .cancel), (250, .cancelResponse(481))],
        expected: ["0 > INVITE", "100 < 180", "200 > CANCEL", "32200 timed out", "32200 ended"]),
    ScriptCase(
        title: "CANCEL itself is repeated",
        steps: [(0, .send(.invite)), (100, .response(180)), (200, .cancel), (2000, .cancelResponse(200)), (2100, .response(487))],
        expected: [
            "0 > INVITE", "100 < 180", "200 > CANCEL", "700 > CANCEL", "1700 > CANCEL", "2100 > ACK", "2100 < 487",
            "34100 ended",
        ]),
    ScriptCase(
        title: "connection lost after CANCEL", transports: reliable,
        steps: [(0, .send(.invite)), (100, .response(180)), (200, .cancel), (300, .close)],
        expected: ["0 > INVITE", "100 < 180", "200 > CANCEL", "300 unreachable", "300 ended"]),
    ScriptCase(
        title: "CANCEL of anything else does nothing", transports: reliable,
        steps: [(0, .send(.register)), (100, .response(100)), (200, .cancel), (300, .response(200))],
        expected: ["0 > REGISTER", "100 < 100", "300 < 200", "300 ended"]),
]
