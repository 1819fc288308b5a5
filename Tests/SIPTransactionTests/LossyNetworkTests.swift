import CoreTypes
import SIPMessage
import SIPTransaction
import Testing

/// Two layers over a network that loses, delays and reorders, the same way for the same seed.
@Suite struct LossyNetworkTests {
    @Test(arguments: 0..<200) func everyRequestEndsOnce(_ seed: UInt64) throws {
        var world = World(seed: seed)
        try world.run(requests: 24)
        for (id, outcome) in world.outcomes {
            #expect(outcome.finals + outcome.timeouts == 1, "\(id) seed \(seed)")
            #expect(outcome.ends == 1, "\(id) seed \(seed)")
        }
        #expect(world.outcomes.count == 24)
        #expect(world.requestsDelivered.values.allSatisfy { $0 == 1 })
        #expect(world.serversEnded == world.requestsDelivered.count)
        #expect(world.caller.count == 0)
        #expect(world.callee.count == 0)
        #expect(world.caller.nextDeadline == nil)
        #expect(world.callee.nextDeadline == nil)
    }
}

/// SplitMix64.
private struct Dice: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}

private struct World {
    enum Event: Sendable {
        case arrives([UInt8], atCallee: Bool)
        case start(Int)
        case giveUp(ClientTransactionID)
        case answer(ServerTransactionID, SIPResponse)
    }

    struct Outcome {
        var finals = 0
        var successes = 0
        var timeouts = 0
        var ends = 0
    }

    var caller = TransactionLayer()
    var callee = TransactionLayer()
    var outcomes: [ClientTransactionID: Outcome] = [:]
    /// By Call-ID.
    var requestsDelivered: [String: Int] = [:]
    var serversEnded = 0

    private var dice: Dice
    private var events = DeadlineQueue<Event>()
    private var now = Sample.time(0)
    private let loss: Int
    private let isReliable: Bool
    private var accepted: [CallID: ServerTransactionID] = [:]
    private var cancelled: Set<ServerTransactionID> = []
    private var asked: [ServerTransactionID: SIPRequest] = [:]

    init(seed: UInt64) {
        dice = Dice(state: seed)
        loss = Int(seed % 5) * 10
        isReliable = seed % 7 == 6
    }

    private var callerFlow: Flow {
        Flow(transport: isReliable ? .tcp : .udp, local: Sample.phone, remote: Sample.edge, connection: isReliable ? 1 : 0)
    }
    private var calleeFlow: Flow {
        Flow(transport: isReliable ? .tcp : .udp, local: Sample.edge, remote: Sample.phone, connection: isReliable ? 1 : 0)
    }

    mutating func run(requests: Int) throws {
        for number in 0..<requests { later(Int.random(in: 0..<3000, using: &dice), .start(number)) }
        while let next = [events.next, caller.nextDeadline, callee.nextDeadline].compactMap({ $0 }).min() {
            now = max(now, next)
            while let event = events.popDue(at: now) { try perform(event) }
            var actions: [TransactionAction] = []
            caller.advance(to: now, into: &actions)
            try perform(callerActions: actions)
            actions = []
            callee.advance(to: now, into: &actions)
            try perform(calleeActions: actions)
        }
    }

    private mutating func later(_ milliseconds: Int, _ event: Event) {
        events.schedule(event, at: now + .milliseconds(milliseconds))
    }

    private mutating func carry(_ bytes: [UInt8], toCallee: Bool) {
        if isReliable { return later(20, .arrives(bytes, atCallee: toCallee)) }
        guard Int.random(in: 0..<100, using: &dice) >= loss else { return }
        later(Int.random(in: 1..<400, using: &dice), .arrives(bytes, atCallee: toCallee))
        if Int.random(in: 0..<20, using: &dice) == 0 { later(Int.random(in: 1..<2000, using: &dice), .arrives(bytes, atCallee: toCallee)) }
    }

    private mutating func perform(_ event: Event) throws {
        var actions: [TransactionAction] = []
        switch event {
        case .start(let number):
            let method: Method = [.invite, .invite, .register, .options][number % 4]
            let request = try Sample.request(method, branch: "z9hG4bK-\(number)", callID: "call-\(number)")
            let id = caller.send(request, on: callerFlow, now: now, into: &actions)
            outcomes[id] = Outcome()
            if method == .invite, number % 8 < 4 { later(Int.random(in: 0..<4000, using: &dice), .giveUp(id)) }
            try perform(callerActions: actions)
        case .giveUp(let id):
            caller.cancel(id, now: now, into: &actions)
            try perform(callerActions: actions)
        case .answer(let id, let response):
            if response.headers.cseq.method == .invite, response.status == 200 { accepted[response.headers.callID] = id }
            callee.respond(id, response, retransmitSuccess: true, now: now, into: &actions)
            try perform(calleeActions: actions)
        case .arrives(let bytes, let atCallee):
            switch try parsed(bytes) {
            case .request(let request):
                #expect(atCallee)
                callee.receive(request, on: calleeFlow, now: now, into: &actions)
                try perform(calleeActions: actions)
            case .response(let response):
                #expect(!atCallee)
                caller.receive(response, on: callerFlow, now: now, into: &actions)
                try perform(callerActions: actions)
            }
        }
    }

    private mutating func perform(callerActions actions: [TransactionAction]) throws {
        for action in actions {
            switch action {
            case .transmit(let bytes, _): carry(bytes, toCallee: true)
            case .response(let response, let id): try hear(response, id)
            case .timedOut(let id): outcomes[id]?.timeouts += 1
            case .endedClient(let id): outcomes[id]?.ends += 1
            case .dropped: break
            case .request, .ack, .cancelled, .unreachable, .ackMissing, .ended: Issue.record("not the caller's: \(action)")
            }
        }
    }

    /// A caller acknowledges each 2xx (RFC 3261 §13.2.2.4).
    private mutating func hear(_ response: SIPResponse, _ id: ClientTransactionID) throws {
        guard response.status >= 200, var outcome = outcomes[id] else { return }
        let isRepeatedSuccess = response.status < 300 && outcome.successes > 0
        if !isRepeatedSuccess { outcome.finals += 1 }
        if response.status < 300 { outcome.successes += 1 }
        outcomes[id] = outcome
        guard response.status < 300, response.headers.cseq.method == .invite else { return }
        let ack = try Sample.request(.ack, branch: "z9hG4bK-ack", callID: response.headers.callID.value, toTag: response.headers.to.tag)
        var actions: [TransactionAction] = []
        _ = caller.send(ack, on: callerFlow, now: now, into: &actions)
        for case .transmit(let bytes, _) in actions { carry(bytes, toCallee: true) }
    }

    private mutating func perform(calleeActions actions: [TransactionAction]) throws {
        for action in actions {
            switch action {
            case .transmit(let bytes, _): carry(bytes, toCallee: false)
            case .request(let request, let id, _): answer(request, id)
            case .ack(let request, _):
                if let id = accepted[request.headers.callID] { callee.acknowledged(id) }
            case .cancelled(let id):
                #expect(cancelled.insert(id).inserted)
                if let request = asked[id] { later(0, .answer(id, request.response(487, toTag: "b"))) }
            case .ended: serversEnded += 1
            case .ackMissing, .dropped: break
            case .response, .timedOut, .unreachable, .endedClient: Issue.record("not the callee's: \(action)")
            }
        }
    }

    private mutating func answer(_ request: SIPRequest, _ id: ServerTransactionID) {
        requestsDelivered[request.headers.callID.value, default: 0] += 1
        asked[id] = request
        let delay = Int.random(in: 0..<3000, using: &dice)
        if request.method == .invite { later(delay / 2, .answer(id, request.response(180, toTag: "b"))) }
        let status = [200, 404, 200, 486][Int.random(in: 0..<4, using: &dice)]
        later(delay, .answer(id, request.response(status, toTag: "b")))
    }
}
