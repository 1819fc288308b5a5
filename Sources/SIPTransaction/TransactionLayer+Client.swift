public import CoreTypes
public import SIPMessage

extension TransactionLayer {
    /// Sends a request and repeats it as RFC 3261 §17.1 says. Its top Via has a branch of its own already.
    ///
    /// An ACK is only sent: it has no transaction, and its name names nothing.
    public mutating func send(
        _ request: SIPRequest, on flow: Flow, now: Instant, into actions: inout [TransactionAction]
    ) -> ClientTransactionID {
        guard request.method != .ack else {
            actions.append(.transmit(request.serialized(), flow))
            return ClientTransactionID(rawValue: .max)
        }
        return start(request, on: flow, isOwn: false, now, &actions)
    }

    /// Gives up an INVITE: sends CANCEL at once or when the first provisional response comes (RFC 3261 §9.1).
    /// The answer to the INVITE still comes, or `timedOut` 64*T1 after the CANCEL.
    public mutating func cancel(_ id: ClientTransactionID, now: Instant, into actions: inout [TransactionAction]) {
        guard let slot = clients.index(of: id.rawValue) else { return }
        clients[slot]?.value.cancel()
        settleClient(slot, now, &actions)
    }

    /// Takes in a response.
    public mutating func receive(
        _ response: SIPResponse, on flow: Flow, now: Instant, into actions: inout [TransactionAction]
    ) {
        guard (100..<700).contains(response.status) else { return actions.append(.dropped(.badStatus)) }
        guard let slot = clientSlot(of: response, on: flow) else { return actions.append(.dropped(.strayResponse)) }
        stepClient(slot, now, &actions) { $0.receive(response, in: $1, into: &$2) }
    }

    /// RFC 3261 §17.1.3, and our own condition that the answer comes from the host that was asked.
    private func clientSlot(of response: SIPResponse, on flow: Flow) -> UInt32? {
        guard let branch = response.headers.via.first?.branch else { return nil }
        let key = ClientKey(branch: branch, method: response.headers.cseq.method)
        return clientIndex.first(hash: key.hashValue) { slot in
            guard let client = clients[slot], client.value.matches(key) else { return false }
            return client.value.flow.remote.address == flow.remote.address && client.value.flow.transport == flow.transport
        }
    }

    private mutating func start(
        _ request: SIPRequest, on flow: Flow, isOwn: Bool, _ now: Instant, _ actions: inout [TransactionAction]
    ) -> ClientTransactionID {
        let bytes = request.serialized()
        let unnamed = ClientContext(id: ClientTransactionID(rawValue: 0), flow: flow, now: now, timers: timers)
        let machine: ClientTransaction.Machine =
            request.method == .invite
            ? .invite(InviteClient(request, bytes: bytes, in: unnamed)) : .other(NonInviteClient(bytes: bytes, in: unnamed))
        let key = ClientKey(branch: request.headers.via.first?.branch ?? "", method: request.method)
        let hash = key.hashValue
        let slot = clients.insert(
            Boxed(ClientTransaction(flow: flow, branch: key.branch, method: key.method, hash: hash, isOwn: isOwn, machine: machine)))
        clientIndex.insert(slot, hash: hash)
        clientConnections.set(flow.connection, for: slot)
        openCount += 1
        actions.append(.transmit(bytes, flow))
        scheduleClient(slot)
        return ClientTransactionID(rawValue: clients.name(of: slot))
    }

    mutating func advanceClient(_ slot: UInt32, _ now: Instant, _ actions: inout [TransactionAction]) {
        guard let scheduled = clients[slot]?.value.bookkeeping.scheduled, scheduled <= now else { return }
        clients[slot]?.value.bookkeeping.scheduled = nil
        stepClient(slot, now, &actions) { $0.advance(in: $1, into: &$2) }
    }

    /// One step of one machine, and what follows from it.
    @inline(__always)
    mutating func stepClient(
        _ slot: UInt32, _ now: Instant, _ actions: inout [TransactionAction],
        _ step: (inout ClientTransaction, ClientContext, inout [TransactionAction]) -> Void
    ) {
        guard let context = clientContext(slot, now) else { return }
        if clients[slot]?.value.isOwn == true {
            var unheard: [TransactionAction] = []
            clients[slot]?.value.perform(step, context, &unheard)
            for action in unheard {
                if case .transmit = action { actions.append(action) }
            }
        } else {
            clients[slot]?.value.perform(step, context, &actions)
        }
        settleClient(slot, now, &actions)
    }

    private func clientContext(_ slot: UInt32, _ now: Instant) -> ClientContext? {
        guard let flow = clients[slot]?.value.flow else { return nil }
        return ClientContext(
            id: ClientTransactionID(rawValue: clients.name(of: slot)), flow: flow, now: now, timers: timers)
    }

    /// Brings counts, deadline and CANCEL in line with the state the machine is in now.
    private mutating func settleClient(_ slot: UInt32, _ now: Instant, _ actions: inout [TransactionAction]) {
        if clients[slot]?.value.isTerminated == true { return removeClient(slot, &actions) }
        if clients[slot]?.value.bookkeeping.isCountedOpen == true, clients[slot]?.value.isOpen == false {
            clients[slot]?.value.bookkeeping.isCountedOpen = false
            openCount -= 1
            linger(TimerName(client: clients.name(of: slot)), &actions)
        }
        scheduleClient(slot)
        guard let context = clientContext(slot, now), let cancel = clients[slot]?.value.takeCancellation(in: context) else { return }
        scheduleClient(slot)
        _ = start(cancel, on: context.flow, isOwn: true, now, &actions)
    }

    private mutating func scheduleClient(_ slot: UInt32) {
        guard let deadline = clients[slot]?.value.deadline else { return }
        if let scheduled = clients[slot]?.value.bookkeeping.scheduled, scheduled <= deadline { return }
        clients[slot]?.value.bookkeeping.scheduled = deadline
        deadlines.schedule(TimerName(client: clients.name(of: slot)), at: deadline)
    }

    mutating func removeClient(_ slot: UInt32, _ actions: inout [TransactionAction]) {
        let name = clients.name(of: slot)
        guard let gone = clients.remove(slot)?.value else { return }
        clientIndex.remove(slot, hash: gone.hash)
        clientConnections.set(0, for: slot)
        if gone.bookkeeping.isCountedOpen { openCount -= 1 }
        if !gone.isOwn { actions.append(.endedClient(ClientTransactionID(rawValue: name))) }
        forgetDeadlinesIfIdle()
    }
}
