public import CoreTypes
import CryptoPrimitives
public import HotDeskPolicy
import SIPMessage

/// Answers phones that look for their provisioning server by multicast. There is no authentication in this protocol, so
/// only enrolled MACs are answered, all others by silence, and a flood costs a bounded number of bytes and records.
public struct PnPResponder: Sendable {
    public enum Mode: String, Sendable, CaseIterable {
        case off
        /// Says who was seen, answers nobody.
        case discover
        case provision
    }

    /// Our own bounds.
    public struct Limits: Sendable, Equatable {
        /// Requests of one source at once, and the time in which it gets one more.
        public var sourceBurst = 6
        public var sourceInterval: Duration = .seconds(2)
        /// The same for all sources together: a branch that powers up at once passes.
        public var totalBurst = 300
        public var totalInterval: Duration = .milliseconds(20)
        /// Sources and transactions that are remembered; the oldest go first.
        public var sources = 1024
        public var transactions = 512
        /// How soon one phone may start over with a new transaction.
        public var cooldown: Duration = .seconds(3)

        public init() {}
    }

    /// RFC 3261 §17.1.2.2: a NOTIFY is sent again at these times until it is answered.
    public struct Timers: Sendable, Equatable {
        public var t1: Duration = .milliseconds(500)
        public var t2: Duration = .seconds(4)
        public var timeout: Duration { t1 * 64 }

        public init() {}
    }

    public enum Action: Sendable, Equatable {
        /// A datagram to where the request came from, by the interface it came to.
        case send([UInt8], to: Endpoint, from: Endpoint)
        /// A phone was seen; `answered` says whether it was sent an address.
        case seen(PnPSighting, answered: Bool)
        case dropped(Drop)
        /// The phone has the address.
        case confirmed(MACAddress)
        /// The phone never answered the NOTIFY, or refused it.
        case unanswered(MACAddress)
    }

    public enum Drop: Sendable, Equatable {
        case notSIP
        case noProfileRequest
        /// An answer to nothing we sent.
        case strayAnswer
        case sourceBudget
        case totalBudget
        /// From another network than the interface is in.
        case foreignNetwork
        case cooldown
        case off
    }

    private struct Transaction: Sendable {
        var mac: MACAddress
        var to, from: Endpoint
        var answer: [UInt8]
        var notify: [UInt8]
        var notifyCallID: CallID
        var began: Instant
        /// Nil once it is over.
        var resend: Instant?
        var wait: Duration
        var isOver: Bool { resend == nil }
    }

    private struct Key: Hashable, Sendable {
        var callID: CallID
        var tag: String
        var number: UInt32
        var source: Endpoint
    }

    public var mode: Mode
    private let limits: Limits
    private let timers: Timers
    private let secret: [UInt8]
    private var total: TokenBucket
    private var sources: [IPAddress: TokenBucket] = [:]
    private var sourceOrder: [IPAddress] = []
    private var transactions: [Key: Transaction] = [:]
    private var order: [Key] = []
    private var lastSeen: [MACAddress: Instant] = [:]

    /// - Parameter secret: random bytes our tags and branches are made from.
    public init(mode: Mode, limits: Limits = Limits(), timers: Timers = Timers(), secret: [UInt8], now: Instant) {
        self.mode = mode
        self.limits = limits
        self.timers = timers
        self.secret = secret
        total = TokenBucket(now: now)
    }

    /// When `advance` has something to do; nil: never.
    public var nextDeadline: Instant? { transactions.values.compactMap(\.resend).min() }

    /// One datagram that came to the group or to us.
    ///
    /// - Parameters:
    ///   - local: our address on the interface it came in by: what we send from and write into Via and Contact.
    ///   - prefix: length of that interface's network prefix in bits.
    ///   - target: where the phone with this MAC is sent; nil: it is not enrolled.
    public mutating func receive(
        _ bytes: [UInt8], from source: Endpoint, at local: Endpoint, prefix: Int, now: Instant, target: (MACAddress) -> PnPTarget?
    ) -> [Action] {
        guard mode != .off else { return [.dropped(.off)] }
        guard Self.sameNetwork(source.address, local.address, prefix: prefix) else { return [.dropped(.foreignNetwork)] }
        if let drop = spend(source.address, now) { return [.dropped(drop)] }
        switch SIPMessage.parse(bytes, framing: .datagram) {
        case .message(.request(let request)):
            guard let sighting = PnPSighting(request) else { return [.dropped(.noProfileRequest)] }
            return receive(request, sighting, from: source, at: local, now: now, target: target)
        case .message(.response(let response)):
            return receive(response)
        case .reject, .ignore:
            return [.dropped(.notSIP)]
        }
    }

    /// Sends again what was not answered.
    public mutating func advance(now: Instant) -> [Action] {
        var actions: [Action] = []
        for key in order {
            guard var transaction = transactions[key], let due = transaction.resend, due <= now else { continue }
            if now - transaction.began >= timers.timeout {
                transaction.resend = nil
                actions.append(.unanswered(transaction.mac))
            } else {
                transaction.wait = min(transaction.wait * 2, timers.t2)
                transaction.resend = now + transaction.wait
                actions.append(.send(transaction.notify, to: transaction.to, from: transaction.from))
            }
            transactions[key] = transaction
        }
        return actions
    }

    // MARK: Messages

    private mutating func receive(
        _ request: SIPRequest, _ sighting: PnPSighting, from source: Endpoint, at local: Endpoint, now: Instant,
        target: (MACAddress) -> PnPTarget?
    ) -> [Action] {
        let headers = request.headers
        let key = Key(callID: headers.callID, tag: headers.from.tag ?? "", number: headers.cseq.number, source: source)
        // Sent again: the same answer, and no second NOTIFY.
        if let known = transactions[key] { return [.send(known.answer, to: source, from: known.from)] }
        guard mode == .provision, let target = target(sighting.mac) else { return [.seen(sighting, answered: false)] }
        if let last = lastSeen[sighting.mac], now - last < limits.cooldown { return [.dropped(.cooldown)] }
        let writer = PnPWriter(secret: secret, local: local, source: source)
        let notify = writer.notify(for: request, body: target.body(for: sighting.mac))
        let transaction = Transaction(
            mac: sighting.mac, to: source, from: local, answer: writer.answer(to: request), notify: notify, notifyCallID: headers.callID,
            began: now, resend: now + timers.t1, wait: timers.t1)
        remember(key, transaction, now)
        return [
            .seen(sighting, answered: true), .send(transaction.answer, to: source, from: local), .send(notify, to: source, from: local),
        ]
    }

    /// Any final answer to the NOTIFY ends it.
    private mutating func receive(_ response: SIPResponse) -> [Action] {
        guard response.headers.cseq.method == .notify, response.status >= 200,
            let key = order.first(where: { transactions[$0].map { !$0.isOver && $0.notifyCallID == response.headers.callID } ?? false })
        else { return [.dropped(.strayAnswer)] }
        guard let mac = transactions[key]?.mac else { return [.dropped(.strayAnswer)] }
        transactions[key]?.resend = nil
        return response.isSuccess ? [.confirmed(mac)] : [.unanswered(mac)]
    }

    // MARK: Bounds

    private mutating func remember(_ key: Key, _ transaction: Transaction, _ now: Instant) {
        if order.count >= limits.transactions {
            let oldest = order.removeFirst()
            transactions[oldest] = nil
        }
        order.append(key)
        transactions[key] = transaction
        lastSeen = lastSeen.count < limits.transactions ? lastSeen : lastSeen.filter { now - $0.value < limits.cooldown }
        lastSeen[transaction.mac] = now
    }

    private mutating func spend(_ source: IPAddress, _ now: Instant) -> Drop? {
        if sources[source] == nil {
            if sourceOrder.count >= limits.sources { sources[sourceOrder.removeFirst()] = nil }
            sourceOrder.append(source)
        }
        var bucket = sources[source] ?? TokenBucket(now: now)
        let isInBudget = bucket.take(now: now, burst: limits.sourceBurst, interval: limits.sourceInterval)
        sources[source] = bucket
        guard isInBudget else { return .sourceBudget }
        return total.take(now: now, burst: limits.totalBurst, interval: limits.totalInterval) ? nil : .totalBudget
    }

    static func sameNetwork(_ a: IPAddress, _ b: IPAddress, prefix: Int) -> Bool {
        guard a.family == b.family else { return false }
        let (left, right) = (a.bytes, b.bytes)
        for index in left.indices {
            let bits = max(0, min(8, prefix - index * 8))
            let mask = bits == 0 ? 0 : UInt8(truncatingIfNeeded: 0xFF << (8 - bits))
            if left[index] & mask != right[index] & mask { return false }
        }
        return true
    }
}
