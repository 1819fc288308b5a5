import CoreTypes
import SIPMessage

/// A client transaction as the layer keeps it.
struct ClientTransaction: Sendable {
    enum Machine: Sendable {
        case invite(InviteClient)
        case other(NonInviteClient)
    }

    let flow: Flow
    let branch: String
    let method: Method
    let hash: Int
    /// Made by the layer itself (a CANCEL): its user hears nothing of it.
    let isOwn: Bool
    var machine: Machine
    var bookkeeping = Bookkeeping()

    /// Lets the caller change the transaction in place.
    @inline(__always)
    mutating func perform(
        _ step: (inout ClientTransaction, ClientContext, inout [TransactionAction]) -> Void, _ context: ClientContext,
        _ actions: inout [TransactionAction]
    ) {
        step(&self, context, &actions)
    }

    func matches(_ key: ClientKey) -> Bool { branch == key.branch && method == key.method }

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

    mutating func receive(_ response: SIPResponse, in context: ClientContext, into actions: inout [TransactionAction]) {
        switch machine {
        case .invite(var invite):
            invite.receive(response, in: context, into: &actions)
            machine = .invite(invite)
        case .other(var other):
            other.receive(response, in: context, into: &actions)
            machine = .other(other)
        }
    }

    mutating func advance(in context: ClientContext, into actions: inout [TransactionAction]) {
        switch machine {
        case .invite(var invite):
            invite.advance(in: context, into: &actions)
            machine = .invite(invite)
        case .other(var other):
            other.advance(in: context, into: &actions)
            machine = .other(other)
        }
    }

    mutating func flowClosed(in context: ClientContext, into actions: inout [TransactionAction]) {
        switch machine {
        case .invite(var invite):
            invite.flowClosed(in: context, into: &actions)
            machine = .invite(invite)
        case .other(var other):
            other.flowClosed(in: context, into: &actions)
            machine = .other(other)
        }
    }

    mutating func cancel() {
        switch machine {
        case .invite(var invite):
            invite.cancel()
            machine = .invite(invite)
        case .other:
            // RFC 3261 §9.1: a CANCEL of anything but INVITE serves nothing.
            return
        }
    }

    mutating func takeCancellation(in context: ClientContext) -> SIPRequest? {
        switch machine {
        case .invite(var invite):
            let cancel = invite.takeCancellation(in: context)
            machine = .invite(invite)
            return cancel
        case .other:
            return nil
        }
    }
}
