import CoreTypes
import SIPMessage

/// INVITE client transaction: RFC 3261 §17.1.1 with the Accepted state of RFC 6026 §7.2, and the part of
/// CANCEL that belongs to it (§9.1).
struct InviteClient: Sendable {
    enum State: Sendable {
        case calling(Calling)
        case proceeding(Proceeding)
        case accepted(Accepted)
        case completed(Completed)
        case terminated
    }

    /// Nothing has come back.
    struct Calling: Sendable {
        let skeleton: InviteSkeleton
        /// Timer A.
        var request: Retransmission
        /// Timer B.
        let giveUp: Instant
        /// CANCEL must wait for a provisional response.
        var isCancelWanted = false
    }

    /// A provisional response has come.
    struct Proceeding: Sendable {
        let skeleton: InviteSkeleton
        var cancel: CancelStage

        init(_ calling: Calling) {
            skeleton = calling.skeleton
            cancel = calling.isCancelWanted ? .due : .none
        }
    }

    enum CancelStage: Equatable, Sendable {
        case none
        case due
        /// Sent; without a final response the INVITE counts as cancelled then.
        case sent(giveUp: Instant)
    }

    /// A 2xx has come; more of them are passed on.
    struct Accepted: Sendable {
        /// Timer M.
        let end: Instant
    }

    /// A refusal has come and is acknowledged each time it is repeated.
    struct Completed: Sendable {
        let ack: [UInt8]
        /// Timer D.
        let end: Instant
    }

    private(set) var state: State

    init(_ request: SIPRequest, bytes: [UInt8], in context: ClientContext) {
        state = .calling(
            Calling(
                skeleton: InviteSkeleton(request),
                request: Retransmission(bytes, every: context.timers.t1, from: context.now, on: context.flow.transport),
                giveUp: context.now.after(context.timers.giveUp)))
    }

    var deadline: Instant? {
        switch state {
        case .calling(let calling): return calling.request.earliest(calling.giveUp)
        case .proceeding(let proceeding):
            guard case .sent(let giveUp) = proceeding.cancel else { return nil }
            return giveUp
        case .accepted(let accepted): return accepted.end
        case .completed(let completed): return completed.end
        case .terminated: return nil
        }
    }

    /// Waits for a final response.
    var isOpen: Bool {
        switch state {
        case .calling, .proceeding: return true
        case .accepted, .completed, .terminated: return false
        }
    }

    var isTerminated: Bool {
        if case .terminated = state { return true }
        return false
    }

    mutating func receive(_ response: SIPResponse, in context: ClientContext, into actions: inout [TransactionAction]) {
        switch state {
        case .calling(let calling):
            if response.status < 200 {
                state = .proceeding(Proceeding(calling))
                actions.append(.response(response, context.id))
            } else {
                finish(response, calling.skeleton, context, &actions)
            }
        case .proceeding(let proceeding):
            if response.status < 200 {
                actions.append(.response(response, context.id))
            } else {
                finish(response, proceeding.skeleton, context, &actions)
            }
        case .accepted:
            let isSuccess = (200..<300).contains(response.status)
            actions.append(isSuccess ? .response(response, context.id) : .dropped(.absorbedResponse))
        case .completed(let completed):
            if response.status >= 300 { actions.append(.transmit(completed.ack, context.flow)) }
            actions.append(.dropped(.absorbedResponse))
        case .terminated:
            actions.append(.dropped(.absorbedResponse))
        }
    }

    private mutating func finish(
        _ response: SIPResponse, _ skeleton: InviteSkeleton, _ context: ClientContext, _ actions: inout [TransactionAction]
    ) {
        if response.status < 300 {
            state = .accepted(Accepted(end: context.now.after(context.timers.giveUp)))
            actions.append(.response(response, context.id))
            return
        }
        let ack = skeleton.acknowledgement(of: response)
        actions.append(.transmit(ack, context.flow))
        actions.append(.response(response, context.id))
        if context.flow.transport.isReliable {
            state = .terminated
        } else {
            state = .completed(Completed(ack: ack, end: context.now.after(context.timers.d)))
        }
    }

    /// The user no longer wants the call. Without effect once a final response has come.
    mutating func cancel() {
        switch state {
        case .calling(var calling):
            calling.isCancelWanted = true
            state = .calling(calling)
        case .proceeding(var proceeding):
            guard proceeding.cancel == .none else { return }
            proceeding.cancel = .due
            state = .proceeding(proceeding)
        case .accepted, .completed, .terminated:
            return
        }
    }

    /// The CANCEL to send now, once.
    mutating func takeCancellation(in context: ClientContext) -> SIPRequest? {
        guard case .proceeding(var proceeding) = state, proceeding.cancel == .due else { return nil }
        proceeding.cancel = .sent(giveUp: context.now.after(context.timers.giveUp))
        state = .proceeding(proceeding)
        return proceeding.skeleton.cancellation()
    }

    mutating func advance(in context: ClientContext, into actions: inout [TransactionAction]) {
        switch state {
        case .calling(var calling):
            if calling.giveUp <= context.now {
                actions.append(.timedOut(context.id))
                state = .terminated
            } else if calling.request.isDue(at: context.now) {
                actions.append(.transmit(calling.request.bytes, context.flow))
                calling.request.restart(interval: calling.request.interval.doubledClamped, from: context.now)
                state = .calling(calling)
            }
        case .proceeding(let proceeding):
            guard case .sent(let giveUp) = proceeding.cancel, giveUp <= context.now else { return }
            actions.append(.timedOut(context.id))
            state = .terminated
        case .accepted(let accepted):
            if accepted.end <= context.now { state = .terminated }
        case .completed(let completed):
            if completed.end <= context.now { state = .terminated }
        case .terminated:
            return
        }
    }

    /// Its connection is gone.
    mutating func flowClosed(in context: ClientContext, into actions: inout [TransactionAction]) {
        if isOpen { actions.append(.unreachable(context.id)) }
        state = .terminated
    }
}
