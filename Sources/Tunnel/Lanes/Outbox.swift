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
    /// How fast the network takes what lies there, in bytes a second, while something does; nil: not known.
    private var drain: Int?
    private var drained: (bytes: Int, since: Instant?) = (0, nil)

    /// What lies in the socket is to be gone after so long; on a fast line `fastMediaWindow` is far less.
    private static let socketTime = (numerator: 3, denominator: 100)
    /// Room for one packet of any usual codec, however slow the line.
    private static let leastWindow = 500
    /// Fewer bytes, taken at once, tell nothing of a line.
    private static let leastMeasured = 1500

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

    mutating func noteUnsent(_ count: Int, now: Instant) {
        let count = max(0, count)
        drained.bytes += max(0, unsent - count)
        unsent = count
        guard let since = drained.since else { return }
        let passed = (now - since).clampedNanoseconds
        // A measurement takes 20 ms of a socket that is never empty, or ends where it runs empty.
        guard passed >= 20_000_000 || count == 0, passed > 0 else { return }
        let rate = Int(clamping: Int64(min(drained.bytes, 1 << 24)) * 1_000_000_000 / passed)
        if count > 0 {
            // A line that has become slow is believed at once.
            drain = drain.map { rate < $0 ? rate : $0 + (rate - $0) / 4 } ?? rate
        } else if let known = drain {
            // All was taken: the line does as much, and perhaps far more.
            drain = max(known, known + (rate - known) / 4)
        } else if drained.bytes >= Self.leastMeasured {
            drain = rate
        }
        drained = (0, count == 0 ? nil : now)
    }

    /// Media waits here, where it can be dropped or overtaken, not in a socket behind a slow line.
    private var mediaWindow: Int {
        guard let drain else { return limits.mediaWindow }
        let wanted = min(drain, 1 << 30) * Self.socketTime.numerator / Self.socketTime.denominator
        return min(limits.fastMediaWindow, max(Self.leastWindow, wanted))
    }

    /// A new connection: nothing of the old one lies in it.
    mutating func reset() {
        control.removeAll()
        media.removeAll()
        unsent = 0
        drain = nil
        drained = (0, nil)
    }

    /// What may be handed over now.
    mutating func take(now: Instant) -> [UInt8] {
        var batch: [UInt8] = []
        if !control.isEmpty, unsent < limits.streamWindow {
            for frame in control { batch += frame }
            control.removeAll(keepingCapacity: true)
        }
        while unsent + batch.count < limits.streamWindow, let frame = log.takeNext() { batch += frame }
        while !log.hasUnsent, unsent + batch.count < mediaWindow, media.appendNext(to: &batch, now: now) {}
        if unsent == 0, !batch.isEmpty { drained = (0, now) }
        unsent += batch.count
        return batch
    }
}
