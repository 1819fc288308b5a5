import CoreTypes
import SIPMessage

/// INVITE server transaction: RFC 3261 §17.2.1 with the Accepted state of RFC 6026 §7.1.
struct InviteServer: Sendable {
    enum State: Sendable {
        case proceeding(Proceeding)
        case accepted(Accepted)
        case completed(Completed)
        case confirmed(Confirmed)
        case terminated
    }

    /// No final response yet.
    struct Proceeding: Sendable {
        /// The last provisional response.
        var answer: [UInt8]?
        /// The 100 the layer sends itself, and when.
        var trying: PendingTrying?
        var isCancelled = false
    }

    struct PendingTrying: Sendable {
        let bytes: [UInt8]
        let due: Instant
    }

    /// A 2xx was sent.
    struct Accepted: Sendable {
        /// Our own 2xx, until it is acknowledged.
        var success: Retransmission?
        /// Timer L.
        let end: Instant
    }

    /// A refusal was sent and is repeated until the ACK comes.
    struct Completed: Sendable {
        /// Timer G.
        var refusal: Retransmission
        /// Timer H.
        let giveUp: Instant
    }

    /// The refusal was acknowledged; late repetitions are absorbed.
    struct Confirmed: Sendable {
        /// Timer I.
        let end: Instant
    }

    private(set) var state: State

    /// - Parameter trying: the 100 of this INVITE; sent at once where `tryingDelay` is zero.
    init(trying: [UInt8], in context: ServerContext, into actions: inout [TransactionAction]) {
        if context.timers.tryingDelay == 0 {
            actions.append(.transmit(trying, context.flow))
            state = .proceeding(Proceeding(answer: trying))
        } else {
            let due = context.now.after(context.timers.tryingDelay)
            state = .proceeding(Proceeding(trying: PendingTrying(bytes: trying, due: due)))
        }
    }

    var deadline: Instant? {
        switch state {
        case .proceeding(let proceeding): return proceeding.trying?.due
        case .accepted(let accepted): return accepted.success?.earliest(accepted.end) ?? accepted.end
        case .completed(let completed): return completed.refusal.earliest(completed.giveUp)
        case .confirmed(let confirmed): return confirmed.end
        case .terminated: return nil
        }
    }

    /// Has no final response yet.
    var isOpen: Bool {
        if case .proceeding = state { return true }
        return false
    }

    var isTerminated: Bool {
        if case .terminated = state { return true }
        return false
    }

    /// The INVITE came again.
    mutating func receiveAgain(in context: ServerContext, into actions: inout [TransactionAction]) {
        switch state {
        case .proceeding(var proceeding):
            if let trying = proceeding.trying {
                // It would not have been repeated had an answer arrived: do not make the phone wait on.
                proceeding.trying = nil
                proceeding.answer = trying.bytes
                state = .proceeding(proceeding)
                actions.append(.transmit(trying.bytes, context.flow))
            } else if let answer = proceeding.answer {
                actions.append(.transmit(answer, context.flow))
            }
        case .completed(let completed):
            actions.append(.transmit(completed.refusal.bytes, context.flow))
        case .accepted, .confirmed, .terminated:
            break
        }
        actions.append(.dropped(.retransmission))
    }

    /// - Returns: whether the ACK was this machine's; if not, it is the user's (the ACK of a 2xx).
    mutating func acknowledge(in context: ServerContext, into actions: inout [TransactionAction]) -> Bool {
        switch state {
        case .proceeding:
            actions.append(.dropped(.earlyACK))
            return true
        case .completed:
            actions.append(.dropped(.absorbedACK))
            let wait = context.flow.transport.onDatagrams(context.timers.t4)
            state = wait == 0 ? .terminated : .confirmed(Confirmed(end: context.now.after(wait)))
            return true
        case .confirmed:
            actions.append(.dropped(.absorbedACK))
            return true
        case .accepted, .terminated:
            return false
        }
    }

    /// A CANCEL came. Returns whether this is the first, and the call is still open (RFC 3261 §9.2).
    mutating func cancel() -> Bool {
        guard case .proceeding(var proceeding) = state, !proceeding.isCancelled else { return false }
        proceeding.isCancelled = true
        state = .proceeding(proceeding)
        return true
    }

    mutating func respond(
        _ response: SIPResponse, retransmitSuccess: Bool, in context: ServerContext, into actions: inout [TransactionAction]
    ) {
        switch state {
        case .proceeding(var proceeding):
            let bytes = response.serialized()
            actions.append(.transmit(bytes, context.flow))
            if response.status < 200 {
                proceeding.answer = bytes
                proceeding.trying = nil
                state = .proceeding(proceeding)
            } else if response.status < 300 {
                accept(bytes, retransmitSuccess, context)
            } else {
                refuse(bytes, context)
            }
        case .accepted:
            // RFC 6026 §7.1: every 2xx the user hands down is sent.
            let isSuccess = (200..<300).contains(response.status)
            actions.append(isSuccess ? .transmit(response.serialized(), context.flow) : .dropped(.alreadyAnswered))
        case .completed, .confirmed, .terminated:
            actions.append(.dropped(.alreadyAnswered))
        }
    }

    private mutating func accept(_ bytes: [UInt8], _ retransmit: Bool, _ context: ServerContext) {
        var success: Retransmission?
        if retransmit {
            success = Retransmission(bytes, every: context.timers.t1, from: context.now, on: context.flow.transport)
            // RFC 3261 §13.3.1.4: also where the first hop is reliable, as a later one may not be.
            success?.restart(interval: context.timers.t1, from: context.now)
        }
        state = .accepted(Accepted(success: success, end: context.now.after(context.timers.giveUp)))
    }

    private mutating func refuse(_ bytes: [UInt8], _ context: ServerContext) {
        let refusal = Retransmission(bytes, every: context.timers.t1, from: context.now, on: context.flow.transport)
        state = .completed(Completed(refusal: refusal, giveUp: context.now.after(context.timers.giveUp)))
    }

    /// The ACK of our 2xx came.
    mutating func successAcknowledged() {
        guard case .accepted(var accepted) = state else { return }
        accepted.success = nil
        state = .accepted(accepted)
    }

    mutating func advance(in context: ServerContext, into actions: inout [TransactionAction]) {
        switch state {
        case .proceeding(var proceeding):
            guard let trying = proceeding.trying, trying.due <= context.now else { return }
            actions.append(.transmit(trying.bytes, context.flow))
            proceeding.answer = trying.bytes
            proceeding.trying = nil
            state = .proceeding(proceeding)
        case .accepted(let accepted):
            advance(accepted, context, &actions)
        case .completed(var completed):
            if completed.giveUp <= context.now {
                state = .terminated
            } else if completed.refusal.isDue(at: context.now) {
                actions.append(.transmit(completed.refusal.bytes, context.flow))
                completed.refusal.restart(interval: context.timers.doubled(completed.refusal.interval), from: context.now)
                state = .completed(completed)
            }
        case .confirmed(let confirmed):
            if confirmed.end <= context.now { state = .terminated }
        case .terminated:
            return
        }
    }

    private mutating func advance(_ accepted: Accepted, _ context: ServerContext, _ actions: inout [TransactionAction]) {
        if accepted.end <= context.now {
            if accepted.success != nil { actions.append(.ackMissing(context.id)) }
            state = .terminated
        } else if var success = accepted.success, success.isDue(at: context.now) {
            actions.append(.transmit(success.bytes, context.flow))
            success.restart(interval: context.timers.doubled(success.interval), from: context.now)
            state = .accepted(Accepted(success: success, end: accepted.end))
        }
    }

    mutating func flowClosed() { state = .terminated }
}
