import CoreTypes
import SIPMessage

/// Client transaction of every other method: RFC 3261 §17.1.2.
struct NonInviteClient: Sendable {
    enum State: Sendable {
        case trying(Trying)
        case proceeding(Proceeding)
        case completed(Completed)
        case terminated
    }

    /// Nothing has come back.
    struct Trying: Sendable {
        /// Timer E.
        var request: Retransmission
        /// Timer F.
        let giveUp: Instant
    }

    /// A provisional response has come; the request is still repeated, every T2.
    struct Proceeding: Sendable {
        /// Timer E.
        var request: Retransmission
        /// Timer F.
        let giveUp: Instant

        init(_ trying: Trying) {
            request = trying.request
            giveUp = trying.giveUp
        }
    }

    /// The final response has come.
    struct Completed: Sendable {
        /// Timer K.
        let end: Instant
    }

    private(set) var state: State

    init(bytes: [UInt8], in context: ClientContext) {
        state = .trying(
            Trying(
                request: Retransmission(bytes, every: context.timers.t1, from: context.now, on: context.flow.transport),
                giveUp: context.now.after(context.timers.giveUp)))
    }

    var deadline: Instant? {
        switch state {
        case .trying(let trying): return trying.request.earliest(trying.giveUp)
        case .proceeding(let proceeding): return proceeding.request.earliest(proceeding.giveUp)
        case .completed(let completed): return completed.end
        case .terminated: return nil
        }
    }

    /// Waits for a final response.
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

    mutating func receive(_ response: SIPResponse, in context: ClientContext, into actions: inout [TransactionAction]) {
        switch state {
        case .trying(let trying):
            actions.append(.response(response, context.id))
            if response.status < 200 { state = .proceeding(Proceeding(trying)) } else { complete(context) }
        case .proceeding:
            actions.append(.response(response, context.id))
            if response.status >= 200 { complete(context) }
        case .completed, .terminated:
            actions.append(.dropped(.absorbedResponse))
        }
    }

    private mutating func complete(_ context: ClientContext) {
        if context.flow.transport.isReliable {
            state = .terminated
        } else {
            state = .completed(Completed(end: context.now.after(context.timers.t4)))
        }
    }

    mutating func advance(in context: ClientContext, into actions: inout [TransactionAction]) {
        switch state {
        case .trying(var trying):
            if trying.giveUp <= context.now {
                timeOut(context, &actions)
            } else if trying.request.isDue(at: context.now) {
                actions.append(.transmit(trying.request.bytes, context.flow))
                trying.request.restart(interval: context.timers.doubled(trying.request.interval), from: context.now)
                state = .trying(trying)
            }
        case .proceeding(var proceeding):
            if proceeding.giveUp <= context.now {
                timeOut(context, &actions)
            } else if proceeding.request.isDue(at: context.now) {
                actions.append(.transmit(proceeding.request.bytes, context.flow))
                proceeding.request.restart(interval: context.timers.t2, from: context.now)
                state = .proceeding(proceeding)
            }
        case .completed(let completed):
            if completed.end <= context.now { state = .terminated }
        case .terminated:
            return
        }
    }

    private mutating func timeOut(_ context: ClientContext, _ actions: inout [TransactionAction]) {
        actions.append(.timedOut(context.id))
        state = .terminated
    }

    /// Its connection is gone.
    mutating func flowClosed(in context: ClientContext, into actions: inout [TransactionAction]) {
        if isOpen { actions.append(.unreachable(context.id)) }
        state = .terminated
    }
}
