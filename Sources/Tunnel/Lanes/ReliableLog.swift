/// Counted frames that the far end has not acknowledged yet. They are numbered from 1 in the order they were given,
/// and sent in that order on each connection, from the first one the far end lacks.
struct ReliableLog: Sendable {
    private struct Entry: Sendable {
        let frame: [UInt8]
        /// A SIP message; the rest are stream control frames, which can be made again.
        let isSignal: Bool
    }

    private let maximumFrames: Int
    private let maximumBytes: Int
    private var entries: [Entry] = []
    /// The place of the oldest unacknowledged entry, of the next to send.
    private var first = 0
    private var next = 0
    /// How many have been acknowledged in this session: the number of `entries[first]` less one.
    private(set) var acknowledged: UInt64 = 0
    private(set) var bytes = 0

    init(limits: TunnelLimits) {
        maximumFrames = limits.unacknowledgedFrames
        maximumBytes = limits.unacknowledgedBytes
    }

    var count: Int { entries.count - first }
    var hasUnsent: Bool { next < entries.count }

    /// False: it is full, and nothing was taken.
    mutating func append(_ frame: [UInt8], isSignal: Bool) -> Bool {
        guard count < maximumFrames, bytes + frame.count <= maximumBytes else { return false }
        entries.append(Entry(frame: frame, isSignal: isSignal))
        bytes += frame.count
        return true
    }

    /// The next frame for this connection.
    mutating func takeNext() -> [UInt8]? {
        guard next < entries.count else { return nil }
        defer { next += 1 }
        return entries[next].frame
    }

    /// The far end has `total` frames. False where it cannot: more than were sent, or fewer than it had said.
    mutating func acknowledge(_ total: UInt64) -> Bool {
        guard total >= acknowledged, total - acknowledged <= UInt64(next - first) else { return false }
        forget(Int(total - acknowledged))
        return true
    }

    /// A new connection of the same session: what the far end lacks is sent again.
    mutating func resume(received total: UInt64) -> Bool {
        guard acknowledge(total) else { return false }
        next = first
        return true
    }

    /// A new session: numbers begin at 1, stream control is made again by the caller and stands before the messages.
    mutating func restart(with control: [[UInt8]]) {
        let signals = entries[first...].filter(\.isSignal)
        entries = control.map { Entry(frame: $0, isSignal: false) } + signals
        bytes = entries.reduce(0) { $0 + $1.frame.count }
        first = 0
        next = 0
        acknowledged = 0
    }

    /// Unacknowledged messages, for another headend.
    var signals: [[UInt8]] { entries[first...].filter(\.isSignal).map(\.frame) }

    mutating func removeAll() {
        entries = []
        first = 0
        restart(with: [])
    }

    private mutating func forget(_ total: Int) {
        for place in first..<first + total { bytes -= entries[place].frame.count }
        first += total
        acknowledged += UInt64(total)
        guard first > 64, first * 2 >= entries.count else { return }
        entries.removeFirst(first)
        next -= first
        first = 0
    }
}
