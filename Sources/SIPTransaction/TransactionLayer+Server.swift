public import CoreTypes
public import SIPMessage

extension TransactionLayer {
    /// Takes in a request.
    /// - Parameter beyondLimit: the caller knows the request for one that the common limit may not stop: an emergency call.
    public mutating func receive(
        _ request: SIPRequest, on flow: Flow, now: Instant, beyondLimit: Bool = false,
        into actions: inout [TransactionAction]
    ) {
        guard let via = request.headers.via.first else { return actions.append(.dropped(.missingVia)) }
        if request.method == .ack { return receiveACK(request, via, flow, now, &actions) }
        if request.method == .cancel { return receiveCANCEL(request, via, flow, &actions) }
        let key = ServerKey(request, via: via, flow: flow, method: request.method)
        let hash = key.hashValue
        if let slot = serverSlot(key, hash: hash) {
            guard let context = serverContext(slot, now) else { return }
            servers[slot]?.value.receiveAgain(in: context, into: &actions)
            return settleServer(slot, now, &actions)
        }
        if isMerged(request, flow) {
            let response = stamped(request, flow).response(482, toTag: StatelessTag.make(for: request))
            actions.append(.transmit(response.serialized(), flow))
            return actions.append(.dropped(.merged))
        }
        guard openCount < limits.maximumTransactions + (beyondLimit ? limits.urgentTransactions : 0) else { return actions.append(.dropped(.overLimit)) }
        open(stamped(request, flow), key, hash, flow, now, &actions)
    }

    /// Answers a request. The first final response counts; for an INVITE every 2xx is sent (RFC 6026 §7.1).
    /// - Parameter retransmitSuccess: a 2xx to an INVITE is ours, not one passed on: the layer repeats it until
    ///   `acknowledged`, and reports `ackMissing` after 64*T1 (RFC 3261 §13.3.1.4).
    public mutating func respond(
        _ id: ServerTransactionID, _ response: SIPResponse, retransmitSuccess: Bool = false, now: Instant,
        into actions: inout [TransactionAction]
    ) {
        guard let slot = servers.index(of: id.rawValue), let context = serverContext(slot, now) else {
            return actions.append(.dropped(.unknownTransaction))
        }
        guard (100..<700).contains(response.status) else { return actions.append(.dropped(.badStatus)) }
        servers[slot]?.value.respond(response, retransmitSuccess: retransmitSuccess, in: context, into: &actions)
        settleServer(slot, now, &actions)
    }

    /// The ACK of our own 2xx came: it is repeated no more. The transaction still absorbs repetitions of the INVITE.
    public mutating func acknowledged(_ id: ServerTransactionID) {
        guard let slot = servers.index(of: id.rawValue) else { return }
        servers[slot]?.value.successAcknowledged()
    }

    private func serverSlot(_ key: ServerKey, hash: Int) -> UInt32? {
        serverIndex.first(hash: hash) { servers[$0]?.value.key == key }
    }

    private func serverContext(_ slot: UInt32, _ now: Instant) -> ServerContext? {
        guard let flow = servers[slot]?.value.flow else { return nil }
        return ServerContext(id: ServerTransactionID(rawValue: servers.name(of: slot)), flow: flow, now: now, timers: timers)
    }

    /// The request with `received` and `rport` in its Via, as `TransactionAction.request` brings it: for an answer
    /// that is given without a transaction (RFC 3261 §8.2.7).
    public func stamped(_ request: SIPRequest, _ flow: Flow) -> SIPRequest {
        var request = request
        if !request.headers.via.isEmpty { request.headers.via[0].stamp(flow.remote) }
        return request
    }

    private func isMerged(_ request: SIPRequest, _ flow: Flow) -> Bool {
        guard request.method == .invite, request.headers.to.tag == nil else { return false }
        return openInviteIndex.first(hash: OpenInvite.hash(request)) {
            servers[$0]?.value.openInvite?.matches(request, on: flow) ?? false
        } != nil
    }

    private mutating func open(
        _ request: SIPRequest, _ key: ServerKey, _ hash: Int, _ flow: Flow, _ now: Instant,
        _ actions: inout [TransactionAction]
    ) {
        let isInvite = request.method == .invite
        let unnamed = ServerContext(id: ServerTransactionID(rawValue: 0), flow: flow, now: now, timers: timers)
        let machine: ServerTransaction.Machine =
            isInvite
            ? .invite(InviteServer(trying: request.trying().serialized(), in: unnamed, into: &actions))
            : .other(NonInviteServer(in: unnamed))
        let openInvite = isInvite && request.headers.to.tag == nil ? OpenInvite(request, on: flow) : nil
        let slot = servers.insert(
            Boxed(ServerTransaction(flow: flow, key: key, hash: hash, machine: machine, openInvite: openInvite)))
        serverIndex.insert(slot, hash: hash)
        if let openInvite { openInviteIndex.insert(slot, hash: openInvite.hash) }
        serverConnections.set(flow.connection, for: slot)
        openCount += 1
        scheduleServer(slot)
        actions.append(.request(request, ServerTransactionID(rawValue: servers.name(of: slot)), flow))
    }

    private mutating func receiveACK(
        _ request: SIPRequest, _ via: Via, _ flow: Flow, _ now: Instant, _ actions: inout [TransactionAction]
    ) {
        let key = ServerKey(request, via: via, flow: flow, method: .invite)
        if let slot = serverSlot(key, hash: key.hashValue), isForResponse(request, slot),
            let context = serverContext(slot, now),
            servers[slot]?.value.acknowledge(in: context, into: &actions) == true
        {
            return settleServer(slot, now, &actions)
        }
        actions.append(.ack(stamped(request, flow), flow))
    }

    /// RFC 3261 §17.2.3: without the magic cookie, the To tag of the ACK must be that of the response sent.
    private func isForResponse(_ ack: SIPRequest, _ slot: UInt32) -> Bool {
        switch servers[slot]?.value.key {
        case .legacy: return servers[slot]?.value.toTag == ack.headers.to.tag
        case .branch, nil: return true
        }
    }

    /// RFC 3261 §9.2. Answering is the same each time, so a CANCEL needs no transaction of its own.
    private mutating func receiveCANCEL(
        _ request: SIPRequest, _ via: Via, _ flow: Flow, _ actions: inout [TransactionAction]
    ) {
        let key = ServerKey(request, via: via, flow: flow, method: .invite)
        let cancel = stamped(request, flow)
        guard let slot = serverSlot(key, hash: key.hashValue) else {
            let response = cancel.response(481, toTag: StatelessTag.make(for: request))
            return actions.append(.transmit(response.serialized(), flow))
        }
        let tag = servers[slot]?.value.toTag ?? StatelessTag.make(for: request)
        actions.append(.transmit(cancel.response(200, toTag: tag).serialized(), flow))
        if servers[slot]?.value.cancel() == true {
            actions.append(.cancelled(ServerTransactionID(rawValue: servers.name(of: slot))))
        }
    }
}
