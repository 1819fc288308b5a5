import CoreTypes
import SIPMessage
import SIPTransaction
import Testing

/// Messages and flows of the tests.
enum Sample {
    static let phone = Endpoint(address: IPAddress(v4: 0xC000_0214), port: 5062)
    static let edge = Endpoint(address: IPAddress(v4: 0xC000_020A), port: 5060)

    static func flow(_ transport: TransportProtocol, remote: Endpoint = phone, connection: UInt64 = 7) -> Flow {
        Flow(transport: transport, local: edge, remote: remote, connection: transport.isReliable ? connection : 0)
    }

    static func request(
        _ method: Method, branch: String? = "z9hG4bK-1", callID: String = "call-1", number: UInt32 = 1, toTag: String? = nil,
        user: String = "112", viaParameters: [Parameter] = []
    ) throws -> SIPRequest {
        var to = NameAddress(uri: try URI(parsing: "sip:\(user)@pbx.example"))
        to.tag = toTag
        var from = NameAddress(uri: try URI(parsing: "sip:HD0001@pbx.example"))
        from.tag = "from-1"
        let host = try #require(Host("192.0.2.20"))
        let branchParameter = branch.map { [Parameter(name: "branch", value: $0)] } ?? []
        let via = Via(transport: "UDP", host: host, port: 5062, parameters: branchParameter + viaParameters)
        let headers = Headers(
            via: [via], from: from, to: to, callID: CallID(callID), cseq: CSeq(number: number, method: method), maxForwards: 70)
        return SIPRequest(method: method, uri: try URI(parsing: "sip:\(user)@pbx.example"), headers: headers)
    }

    static func time(_ milliseconds: Int) -> Instant {
        Instant(nanoseconds: 1_000_000_000_000 + Int64(milliseconds) * 1_000_000)
    }
}

/// Parses what a layer sent.
func parsed(_ bytes: [UInt8]) throws -> SIPMessage {
    switch SIPMessage.parse(bytes, framing: .datagram) {
    case .message(let message): return message
    case .reject(_, let problem), .ignore(let problem):
        Issue.record("sent what cannot be read: \(problem)")
        throw Unreadable()
    }
}

struct Unreadable: Error {}

/// What can happen in a script.
enum Step: Sendable {
    /// A request comes, and comes again if it came before.
    case receive(Method)
    /// An ACK comes with a branch of its own.
    case receiveSuccessACK
    /// The user answers; `own`: with a 2xx the layer is to repeat.
    case respond(Int, own: Bool = false)
    case acknowledged
    /// The user sends a request.
    case send(Method)
    /// A response to it comes.
    case response(Int)
    /// The response to a CANCEL comes.
    case cancelResponse(Int)
    case cancel
    case close
    /// Only time passes.
    case wait
}

/// One transaction run in virtual time, writing down what the layer does as "<milliseconds> <action>".
struct Script {
    var layer: TransactionLayer
    let flow: Flow
    private(set) var log: [String] = []
    private var server: ServerTransactionID?
    private var client: ClientTransactionID?
    private var sent: SIPRequest?
    private var received: SIPRequest?
    private var clock = 0

    init(_ transport: TransportProtocol, timers: TimerTable = TimerTable(), limits: TransactionLimits = TransactionLimits()) {
        layer = TransactionLayer(timers: timers, limits: limits)
        flow = Sample.flow(transport)
    }

    /// Runs the steps at their times, then on until nothing is left to wait for.
    mutating func run(_ steps: [(Int, Step)], until end: Int = 200_000) throws {
        for (time, step) in steps {
            try pass(to: time)
            var actions: [TransactionAction] = []
            try perform(step, &actions)
            try write(actions)
        }
        try pass(to: end)
    }

    private mutating func pass(to time: Int) throws {
        let target = Sample.time(time)
        while let next = layer.nextDeadline, next <= target {
            clock = max(clock, Int((next.nanoseconds - Sample.time(0).nanoseconds) / 1_000_000))
            var actions: [TransactionAction] = []
            layer.advance(to: max(next, Sample.time(clock)), into: &actions)
            try write(actions)
        }
        clock = time
    }

    private mutating func perform(_ step: Step, _ actions: inout [TransactionAction]) throws {
        let now = Sample.time(clock)
        switch step {
        case .receive(let method):
            let toTag = method == .ack ? "to-1" : nil
            layer.receive(try Sample.request(method, toTag: toTag), on: flow, now: now, into: &actions)
        case .receiveSuccessACK:
            layer.receive(
                try Sample.request(.ack, branch: "z9hG4bK-ack", toTag: "to-1"), on: flow, now: now, into: &actions)
        case .respond(let status, let own):
            let id = try #require(server), request = try #require(received)
            layer.respond(id, request.response(status, toTag: "to-1"), retransmitSuccess: own, now: now, into: &actions)
        case .acknowledged:
            layer.acknowledged(try #require(server))
        case .send(let method):
            let request = try Sample.request(method)
            sent = request
            client = layer.send(request, on: flow, now: now, into: &actions)
        case .response(let status):
            let request = try #require(sent)
            layer.receive(request.response(status, toTag: "to-1"), on: flow, now: now, into: &actions)
        case .cancelResponse(let status):
            layer.receive(try Sample.request(.cancel).response(status, toTag: "to-1"), on: flow, now: now, into: &actions)
        case .cancel:
            layer.cancel(try #require(client), now: now, into: &actions)
        case .close:
            layer.flowClosed(flow, now: now, into: &actions)
        case .wait:
            break
        }
    }

    private mutating func write(_ actions: [TransactionAction]) throws {
        for action in actions {
            log.append("\(clock) \(try name(action))")
            if case .request(let request, let id, _) = action { (received, server) = (request, id) }
        }
    }
}

/// An action as a word or two.
func name(_ action: TransactionAction) throws -> String {
    switch action {
    case .transmit(let bytes, _):
        switch try parsed(bytes) {
        case .request(let request): return "> \(request.method.name)"
        case .response(let response): return "> \(response.status) \(response.headers.cseq.method.name)"
        }
    case .request(let request, _, _): return "request \(request.method.name)"
    case .ack: return "ack"
    case .cancelled: return "cancelled"
    case .response(let response, _): return "< \(response.status)"
    case .timedOut: return "timed out"
    case .unreachable: return "unreachable"
    case .ackMissing: return "ACK missing"
    case .ended, .endedClient: return "ended"
    case .dropped(let reason): return "dropped \(reason.rawValue)"
    }
}

/// A script and what must come of it.
struct ScriptCase: Sendable, CustomTestStringConvertible {
    let title: String
    var transports: [TransportProtocol] = [.udp]
    let steps: [(Int, Step)]
    let expected: [String]

    var testDescription: String { title }

    func check(timers: TimerTable = TimerTable()) throws {
        for transport in transports {
            var script = Script(transport, timers: timers)
            try script.run(steps)
            #expect(script.log == expected, "\(title) over \(transport)")
            #expect(script.layer.count == 0, "\(title) over \(transport)")
            #expect(script.layer.nextDeadline == nil, "\(title) over \(transport)")
        }
    }
}
