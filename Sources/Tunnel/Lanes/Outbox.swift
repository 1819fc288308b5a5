internal import CoreTypes

/// What waits for the stream lane, in strict order of rank: answers and reports, then signalling, then media, and
/// media only while hardly anything lies in the socket.
struct Outbox: Sendable {
    private let limits: TunnelLimits
    private var control: [[UInt8]] = []
    var log: ReliableLog
    var media: MediaQueue
    /// Bytes handed over that the network has not taken yet.
    private(set) var unsent = 0

    init(limits: TunnelLimits, timers: TunnelTimers) {
        self.limits = limits
        log = ReliableLog(limits: limits)
        media = MediaQueue(capacity: limits.waitingMedia, maximumAge: timers.mediaAge)
    }

    /// False: too many wait already; the peer does not read.
    mutating func append(_ frame: TunnelFrame) -> Bool {
        guard control.count < limits.waitingControl else { return false }
        control.append(frame.encoded)
        return true
    }

    mutating func noteUnsent(_ count: Int) { unsent = max(0, count) }

    /// A new connection: nothing of the old one lies in it.
    mutating func reset() {
        control.removeAll()
        media.removeAll()
        unsent = 0
    }

    /// What may be handed over now.
    mutating func take(now: Instant) -> [UInt8] {
        var batch: [UInt8] = []
        if !control.isEmpty, unsent < limits.streamWindow {
            for frame in control { batch += frame }
            control.removeAll(keepingCapacity: true)
        }
        while unsent + batch.count < limits.streamWindow, let frame = log.takeNext() { batch += frame }
        while !log.hasUnsent, unsent + batch.count < limits.mediaWindow, media.appendNext(to: &batch, now: now) {}
        unsent += batch.count
        return batch
    }
}
