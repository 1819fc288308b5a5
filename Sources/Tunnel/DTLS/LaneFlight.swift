internal import CoreTypes

/// The last flight of a handshake and when it is sent again (RFC 6347 §4.2.4).
///
/// The same records are sent once more: the far end drops those it has had, and its own timer sends what was lost
/// the other way.
struct LaneFlight: Sendable {
    private let settings: DTLSSession.Settings
    private var datagrams: [[UInt8]] = []
    private var wait: Duration
    private var repeats = 0
    private(set) var nextDeadline: Instant
    let giveUp: Instant
    private var lastAnswer: Instant?

    /// How often the last flight is given to a far end that goes on asking.
    private static let maximumAnswers = 8

    init(_ settings: DTLSSession.Settings, now: Instant) {
        self.settings = settings
        wait = settings.firstRetransmission
        giveUp = now + settings.handshake
        nextDeadline = min(now + wait, giveUp)
    }

    mutating func note(_ flight: [[UInt8]], now: Instant) {
        datagrams = flight
        wait = settings.firstRetransmission
        nextDeadline = min(now + wait, giveUp)
    }

    mutating func repeated(now: Instant) -> [[UInt8]] {
        wait = min(wait * 2, settings.maximumRetransmission)
        nextDeadline = min(now + wait, giveUp)
        return datagrams
    }

    /// For a far end that has not had our last flight: not more often than it would ask itself.
    mutating func answered(now: Instant) -> [[UInt8]] {
        guard repeats < Self.maximumAnswers, lastAnswer.map({ now - $0 >= settings.firstRetransmission / 2 }) ?? true else { return [] }
        repeats += 1
        lastAnswer = now
        return datagrams
    }
}
