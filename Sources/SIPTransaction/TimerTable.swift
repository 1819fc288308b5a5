import CoreTypes

/// Values of RFC 3261 §17 (table 4) and RFC 6026 §8.
public struct TimerTable: Sendable, Equatable {
    /// Round-trip estimate (§17.1.1.1).
    public var t1: Duration = .milliseconds(500)
    /// Longest interval between retransmissions of a non-INVITE request or an INVITE response (§17.1.2.1).
    public var t2: Duration = .seconds(4)
    /// How long a message stays in the network (§17.1.2.1).
    public var t4: Duration = .seconds(5)
    /// How long an INVITE may stand without an answer before the layer itself sends 100 (§17.2.1 says 200 ms).
    /// Zero: at once, which spares a phone behind a slow trunk its retransmissions.
    public var tryingDelay: Duration = .zero

    public init() {}

    /// Timers B, F, H, J, L, M: when a side gives up, or the other side is sure to have done so.
    public var giveUp: Duration { t1 * 64 }
    /// Timer D over datagrams: "at least 32 seconds" (§17.1.1.2).
    public var d: Duration { max(t1 * 64, .seconds(32)) }
}

/// Bounds what the layer may cost.
public struct TransactionLimits: Sendable, Equatable {
    /// Transactions without a final response; over it new requests from the network are dropped.
    public var maximumTransactions = 20_000
    /// What is kept free above that for requests let in beyond the limit.
    public var urgentTransactions = 4_000
    /// Answered transactions that only wait to absorb retransmissions; over it the oldest is forgotten early.
    public var maximumLingering = 32_768

    public init() {}
}

/// `TimerTable` in nanoseconds, worked out once instead of per message. T1 is at least a millisecond and T2 at
/// least T1: an interval of nothing would never let time pass.
struct TimerValues: Sendable {
    let t1: Int64
    let t2: Int64
    let t4: Int64
    let giveUp: Int64
    let d: Int64
    let tryingDelay: Int64

    init(_ table: TimerTable) {
        t1 = max(1_000_000, table.t1.clampedNanoseconds)
        t2 = max(t1, table.t2.clampedNanoseconds)
        t4 = max(0, table.t4.clampedNanoseconds)
        giveUp = max(64_000_000, table.giveUp.clampedNanoseconds)
        d = table.d.clampedNanoseconds
        tryingDelay = max(0, table.tryingDelay.clampedNanoseconds)
    }

    /// The next interval of a timer that doubles up to T2 (timers E and G).
    func doubled(_ interval: Int64) -> Int64 { min(interval.doubledClamped, t2) }
}

extension Int64 {
    /// Twice the value, or the largest there is.
    var doubledClamped: Int64 {
        let (value, overflow) = multipliedReportingOverflow(by: 2)
        return overflow ? .max : value
    }
}

extension Instant {
    /// Later by so many nanoseconds; saturates.
    func after(_ nanoseconds: Int64) -> Instant {
        let (sum, overflow) = self.nanoseconds.addingReportingOverflow(nanoseconds)
        return Instant(nanoseconds: overflow ? (nanoseconds > 0 ? .max : .min) : sum)
    }
}

extension TransportProtocol {
    /// The value on datagrams, zero where the transport itself retransmits (timers D, I, J, K).
    func onDatagrams(_ interval: Int64) -> Int64 { isReliable ? 0 : interval }
}
