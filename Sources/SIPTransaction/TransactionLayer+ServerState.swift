import CoreTypes
import SIPMessage

extension TransactionLayer {
    mutating func advanceServer(_ slot: UInt32, _ now: Instant, _ actions: inout [TransactionAction]) {
        guard let scheduled = servers[slot]?.value.bookkeeping.scheduled, scheduled <= now, let flow = servers[slot]?.value.flow else {
            return
        }
        servers[slot]?.value.bookkeeping.scheduled = nil
        let id = ServerTransactionID(rawValue: servers.name(of: slot))
        servers[slot]?.value.advance(in: ServerContext(id: id, flow: flow, now: now, timers: timers), into: &actions)
        settleServer(slot, now, &actions)
    }

    /// Brings counts and deadline in line with the state the machine is in now.
    mutating func settleServer(_ slot: UInt32, _ now: Instant, _ actions: inout [TransactionAction]) {
        if servers[slot]?.value.isTerminated == true { return removeServer(slot, &actions) }
        if servers[slot]?.value.bookkeeping.isCountedOpen == true, servers[slot]?.value.isOpen == false {
            servers[slot]?.value.bookkeeping.isCountedOpen = false
            openCount -= 1
            forgetOpenInvite(slot)
            linger(TimerName(server: servers.name(of: slot)), &actions)
        }
        scheduleServer(slot)
    }

    mutating func scheduleServer(_ slot: UInt32) {
        guard let deadline = servers[slot]?.value.deadline else { return }
        if let scheduled = servers[slot]?.value.bookkeeping.scheduled, scheduled <= deadline { return }
        servers[slot]?.value.bookkeeping.scheduled = deadline
        deadlines.schedule(TimerName(server: servers.name(of: slot)), at: deadline)
    }

    mutating func removeServer(_ slot: UInt32, _ actions: inout [TransactionAction]) {
        forgetOpenInvite(slot)
        let name = servers.name(of: slot)
        guard let gone = servers.remove(slot)?.value else { return }
        serverIndex.remove(slot, hash: gone.hash)
        serverConnections.set(0, for: slot)
        if gone.bookkeeping.isCountedOpen { openCount -= 1 }
        actions.append(.ended(ServerTransactionID(rawValue: name)))
        forgetDeadlinesIfIdle()
    }

    private mutating func forgetOpenInvite(_ slot: UInt32) {
        guard let invite = servers[slot]?.value.openInvite else { return }
        openInviteIndex.remove(slot, hash: invite.hash)
        servers[slot]?.value.openInvite = nil
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
