import CoreTypes
import SIPMessage

extension TransactionLayer {
    mutating func advanceServer(_ slot: UInt32, _ now: Instant, _ actions: inout [TransactionAction]) {
        guard let scheduled = servers[slot]?.bookkeeping.scheduled, scheduled <= now, let flow = servers[slot]?.flow else {
            return
        }
        servers[slot]?.bookkeeping.scheduled = nil
        let id = ServerTransactionID(rawValue: servers.name(of: slot))
        servers[slot]?.advance(in: ServerContext(id: id, flow: flow, now: now, timers: timers), into: &actions)
        settleServer(slot, now, &actions)
    }

    /// Brings counts and deadline in line with the state the machine is in now.
    mutating func settleServer(_ slot: UInt32, _ now: Instant, _ actions: inout [TransactionAction]) {
        if servers[slot]?.isTerminated == true { return removeServer(slot, &actions) }
        if servers[slot]?.bookkeeping.isCountedOpen == true, servers[slot]?.isOpen == false {
            servers[slot]?.bookkeeping.isCountedOpen = false
            openCount -= 1
            forgetOpenInvite(slot)
            linger(TimerName(server: servers.name(of: slot)), &actions)
        }
        scheduleServer(slot)
    }

    mutating func scheduleServer(_ slot: UInt32) {
        guard let deadline = servers[slot]?.deadline else { return }
        if let scheduled = servers[slot]?.bookkeeping.scheduled, scheduled <= deadline { return }
        servers[slot]?.bookkeeping.scheduled = deadline
        deadlines.schedule(TimerName(server: servers.name(of: slot)), at: deadline)
    }

    mutating func removeServer(_ slot: UInt32, _ actions: inout [TransactionAction]) {
        forgetOpenInvite(slot)
        let name = servers.name(of: slot)
        guard let gone = servers.remove(slot) else { return }
        serverIndex.remove(slot, hash: gone.hash)
        serverConnections.set(0, for: slot)
        if gone.bookkeeping.isCountedOpen { openCount -= 1 }
        actions.append(.ended(ServerTransactionID(rawValue: name)))
        forgetDeadlinesIfIdle()
    }

    private mutating func forgetOpenInvite(_ slot: UInt32) {
        guard let invite = servers[slot]?.openInvite else { return }
        openInviteIndex.remove(slot, hash: invite.hash)
        servers[slot]?.openInvite = nil
    }
}

extension SIPRequest {
    private static let timestamp = HeaderName("Timestamp")

    /// RFC 3261 §8.2.6.1: a 100 brings a Timestamp back.
    func trying() -> SIPResponse {
        var trying = response(100)
        if let timestamp = headers[Self.timestamp] { trying.headers[Self.timestamp] = timestamp }
        return trying
    }
}
