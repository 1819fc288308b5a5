public import CoreTypes

/// All transactions of a process (RFC 3261 §17, RFC 6026), for any number of flows.
///
/// Messages, the user's wishes and the time go in; actions come out, in the order in which they are to be done.
/// Work per message is constant. Each message is serialised once, and its bytes kept for repetition.
///
/// Every server transaction ends with `ended` and every client transaction with `endedClient`; until then a client
/// transaction brings exactly one of: a final response, `timedOut`, `unreachable`.
public struct TransactionLayer: Sendable {
    let timers: TimerValues
    let limits: TransactionLimits

    var clients = SlotTable<Boxed<ClientTransaction>>()
    var servers = SlotTable<Boxed<ServerTransaction>>()
    var clientIndex = HashIndex()
    var serverIndex = HashIndex()
    var openInviteIndex = HashIndex()
    var clientConnections = ConnectionIndex()
    var serverConnections = ConnectionIndex()
    var deadlines = DeadlineQueue<TimerName>()
    var lingering = LingeringQueue()
    /// Transactions without a final response.
    var openCount = 0

    public init(timers: TimerTable = .init(), limits: TransactionLimits = .init()) {
        self.timers = TimerValues(timers)
        self.limits = limits
    }

    /// Transactions in being, those that only absorb repetitions among them.
    public var count: Int { clients.count + servers.count }

    /// When `advance` has to be called next; now and then it finds nothing to do.
    public var nextDeadline: Instant? { deadlines.next }

    /// Does what is due.
    public mutating func advance(to now: Instant, into actions: inout [TransactionAction]) {
        while let due = deadlines.popDue(at: now) {
            if due.isServer {
                if let slot = servers.index(of: due.name) { advanceServer(slot, now, &actions) }
            } else if let slot = clients.index(of: due.name) {
                advanceClient(slot, now, &actions)
            }
        }
    }

    /// Ends all transactions of a connection that is gone. Open client transactions bring `unreachable`.
    public mutating func flowClosed(_ flow: Flow, now: Instant, into actions: inout [TransactionAction]) {
        for slot in clientConnections.slots(on: flow.connection) where clients[slot]?.value.flow == flow {
            stepClient(slot, now, &actions) { $0.flowClosed(in: $1, into: &$2) }
        }
        for slot in serverConnections.slots(on: flow.connection) where servers[slot]?.value.flow == flow {
            servers[slot]?.value.flowClosed()
            settleServer(slot, now, &actions)
        }
    }

    /// Keeps a transaction for repetitions, and forgets the oldest such where there are too many.
    mutating func linger(_ name: TimerName, _ actions: inout [TransactionAction]) {
        lingering.append(name)
        while let oldest = lingering.first, !isLive(oldest) { lingering.removeFirst() }
        while count - openCount > limits.maximumLingering, let oldest = lingering.first {
            lingering.removeFirst()
            if oldest.isServer {
                if let slot = servers.index(of: oldest.name) { removeServer(slot, &actions) }
            } else if let slot = clients.index(of: oldest.name) {
                removeClient(slot, &actions)
            }
        }
    }

    private func isLive(_ name: TimerName) -> Bool {
        (name.isServer ? servers.index(of: name.name) : clients.index(of: name.name)) != nil
    }

    /// With nothing left to wait for, forgotten deadlines need wake nobody.
    mutating func forgetDeadlinesIfIdle() {
        guard count == 0 else { return }
        deadlines = DeadlineQueue()
        lingering = LingeringQueue()
    }
}
