import CoreTypes
import SIPMessage

/// Server transaction of every other method: RFC 3261 §17.2.2.
///
/// One the user never answers ends after 64*T1: the client gave up then (timer F), and RFC 4320 §4.2 forbids a
/// late answer.
struct NonInviteServer: Sendable {
    enum State: Sendable {
        case trying(Trying)
        case proceeding(Proceeding)
        case completed(Completed)
        case terminated
    }

    /// No response yet.
    struct Trying: Sendable {
        let giveUp: Instant
    }

    /// A provisional response was sent.
    struct Proceeding: Sendable {
        var answer: [UInt8]
        let giveUp: Instant
    }

    /// The final response was sent, and is sent again for each repetition.
    struct Completed: Sendable {
        let answer: [UInt8]
        /// Timer J.
        let end: Instant
    }

    private(set) var state: State

    init(in context: ServerContext) {
        state = .trying(Trying(giveUp: context.now.after(context.timers.giveUp)))
    }

    var deadline: Instant? {
        switch state {
        case .trying(let trying): return trying.giveUp
        case .proceeding(let proceeding): return proceeding.giveUp
        case .completed(let completed): return completed.end
        case .terminated: return nil
        }
    }

    /// Has no final response yet.
    var isOpen: Bool {
        switch state {
        case .trying, .proceeding: return true
        case .completed, .terminated: return false
        }
    }

    var isTerminated: Bool {
        if case .terminated = state { return true }
        return false
    }

    /// The request came again.
    mutating func receiveAgain(in context: ServerContext, into actions: inout [TransactionAction]) {
        switch state {
        case .proceeding(let proceeding): actions.append(.transmit(proceeding.answer, context.flow))
        case .completed(let completed): actions.append(.transmit(completed.answer, context.flow))
        case .trying, .terminated: break
        }
        actions.append(.dropped(.retransmission))
    }

    mutating func respond(_ response: SIPResponse, in context: ServerContext, into actions: inout [TransactionAction]) {
        switch state {
        case .trying(let trying): respond(response, giveUp: trying.giveUp, context, &actions)
        case .proceeding(let proceeding): respond(response, giveUp: proceeding.giveUp, context, &actions)
        case .completed, .terminated: actions.append(.dropped(.alreadyAnswered))
        }
    }

    private mutating func respond(
        _ response: SIPResponse, giveUp: Instant, _ context: ServerContext, _ actions: inout [TransactionAction]
    ) {
        let bytes = response.serialized()
        actions.append(.transmit(bytes, context.flow))
        if response.status < 200 {
            state = .proceeding(Proceeding(answer: bytes, giveUp: giveUp))
        } else if context.flow.transport.isReliable {
            state = .terminated
        } else {
            state = .completed(Completed(answer: bytes.fitted, end: context.now.after(context.timers.giveUp)))
        }
    }

    mutating func advance(in context: ServerContext) {
        if let deadline, deadline <= context.now { state = .terminated }
    }

    mutating func flowClosed() { state = .terminated }
}
