import CoreTypes
import SIPMessage

/// A server transaction as the layer keeps it.
struct ServerTransaction: Sendable {
    enum Machine: Sendable {
        case invite(InviteServer)
        case other(NonInviteServer)
    }

    let flow: Flow
    let key: ServerKey
    let hash: Int
    var machine: Machine
    /// Tag of the last response: the answer to a CANCEL has it too (RFC 3261 §9.2), an RFC 2543 ACK is known by it.
    var toTag: String?
    /// Until the final response.
    var openInvite: OpenInvite?
    var bookkeeping = Bookkeeping()

    var deadline: Instant? {
        switch machine {
        case .invite(let machine): return machine.deadline
        case .other(let machine): return machine.deadline
        }
    }

    var isOpen: Bool {
        switch machine {
        case .invite(let machine): return machine.isOpen
        case .other(let machine): return machine.isOpen
        }
    }

    var isTerminated: Bool {
        switch machine {
        case .invite(let machine): return machine.isTerminated
        case .other(let machine): return machine.isTerminated
        }
    }

    mutating func receiveAgain(in context: ServerContext, into actions: inout [TransactionAction]) {
        switch machine {
        case .invite(var invite):
            invite.receiveAgain(in: context, into: &actions)
            machine = .invite(invite)
        case .other(var other):
            other.receiveAgain(in: context, into: &actions)
            machine = .other(other)
        }
    }

    mutating func respond(
        _ response: SIPResponse, retransmitSuccess: Bool, in context: ServerContext, into actions: inout [TransactionAction]
    ) {
        if let tag = response.headers.to.tag { toTag = tag }
        switch machine {
        case .invite(var invite):
            invite.respond(response, retransmitSuccess: retransmitSuccess, in: context, into: &actions)
            machine = .invite(invite)
        case .other(var other):
            other.respond(response, in: context, into: &actions)
            machine = .other(other)
        }
    }

    /// - Returns: whether the ACK was this transaction's.
    mutating func acknowledge(in context: ServerContext, into actions: inout [TransactionAction]) -> Bool {
        guard case .invite(var invite) = machine else { return false }
        let isOwn = invite.acknowledge(in: context, into: &actions)
        machine = .invite(invite)
        return isOwn
    }

    /// - Returns: whether the user is to be told.
    mutating func cancel() -> Bool {
        guard case .invite(var invite) = machine else { return false }
        let isFirst = invite.cancel()
        machine = .invite(invite)
        return isFirst
    }

    mutating func successAcknowledged() {
        guard case .invite(var invite) = machine else { return }
        invite.successAcknowledged()
        machine = .invite(invite)
    }

    mutating func advance(in context: ServerContext, into actions: inout [TransactionAction]) {
        switch machine {
        case .invite(var invite):
            invite.advance(in: context, into: &actions)
            machine = .invite(invite)
        case .other(var other):
            other.advance(in: context)
            machine = .other(other)
        }
    }

    mutating func flowClosed() {
        switch machine {
        case .invite(var invite):
            invite.flowClosed()
            machine = .invite(invite)
        case .other(var other):
            other.flowClosed()
            machine = .other(other)
        }
    }
}
