internal import CoreTypes

/// By which lane this end sends media, and when that changes. Each end judges its own direction.
///
/// Datagrams are better wherever they arrive: a lost one delays nothing behind it. So media leaves the datagram lane
/// only where it is closed, blocked, silent all of a sudden, or loses what the stream over the same path does not.
struct LaneControl: Sendable {
    typealias Reason = TunnelSession.LaneReason

    private let timers: TunnelTimers
    var meter = LaneMeter()
    private(set) var isOpen = false
    private(set) var maximumPayload = 0
    private(set) var sending: Lane = .stream
    /// Until then, both lanes carry the same RTP packets.
    private(set) var overlapUntil: Instant?
    private(set) var suspicion: Suspicion?
    /// Whether packets go twice by the datagram lane.
    private(set) var repeats = RepeatControl()
    private var suspicionRest: Instant?
    /// Both lanes are used because nobody has looked at the datagram lane for a while.
    private var isUnproved = false
    /// Streams are open, so the lanes matter.
    private(set) var isActive = false
    private var trustedSince = Instant(nanoseconds: 0)
    private var nextProbe: Instant?
    private(set) var nextReport: Instant?
    private var falls = 0
    private var lastFall = Instant(nanoseconds: 0)
    private(set) var retryAt: Instant?
    private var retries = 0

    struct Suspicion: Sendable {
        let since: Instant
        let until: Instant
        /// What shows that all is well: an echo, or any datagram.
        let needsEcho: Bool
        /// Media has left the lane for it.
        var hasFallen = false
    }

    /// Loss in thousandths above which media leaves the lane, and below which it returns.
    private static let badLoss = 150
    /// Where packets go twice, both copies are rarely lost.
    private static let badLossOfCopies = 250
    private static let goodLoss = 100

    init(timers: TunnelTimers) { self.timers = timers }

    var nextDeadline: Instant? {
        [nextProbe, nextReport, overlapUntil, suspicionDeadline, retryAt].compactMap { $0 }.min()
    }

    func isOverlapping(_ now: Instant) -> Bool { overlapUntil.map { now < $0 } ?? false }

    /// Suspicion is due where steady datagrams have stopped.
    private var suspicionDeadline: Instant? {
        if let suspicion, !suspicion.hasFallen { return suspicion.until }
        guard suspicion == nil, isOpen, isActive, sending == .datagram, let due = meter.suspicious(after: timers.suspicion) else {
            return nil
        }
        return max(due, suspicionRest ?? due)
    }

    // MARK: The lane itself

    /// A handshake was begun: if nothing comes of it, another one follows.
    mutating func started(_ now: Instant) {
        retries = min(retries + 1, 16)
        retryAt = nil
    }

    mutating func opened(_ payload: Int, _ now: Instant) {
        meter.reset()
        isOpen = true
        maximumPayload = payload
        trustedSince = now
        nextProbe = now
        nextReport = now + timers.report
        retryAt = nil
    }

    /// The lane is gone; true where media was on it.
    @discardableResult
    mutating func closed() -> Bool {
        defer { sending = .stream }
        isOpen = false
        repeats.stop()
        overlapUntil = nil
        isUnproved = false
        suspicion = nil
        nextProbe = nil
        nextReport = nil
        return sending == .datagram
    }

    /// Only the edge opens lanes, so only it plans another try.
    mutating func planRetry(_ now: Instant) {
        retryAt = now + min(timers.laneRetryMaximum, timers.laneRetry * (1 << min(max(retries - 1, 0), 16)))
    }

    mutating func stopRetrying() { retryAt = nil }

    /// The first stream was opened, or the last closed.
    mutating func setActive(_ active: Bool, _ now: Instant) {
        guard active != isActive else { return }
        isActive = active
        guard isOpen else { return }
        repeats.stop()
        trustedSince = now
        meter.forgetRhythm()
        nextProbe = now
        nextReport = now + timers.report
        isUnproved = active && sending == .datagram
        // Until an echo comes, or their lack has shown, at a probe, that the lane is blocked.
        if isUnproved { overlapUntil = now + timers.blocked + timers.probe }
    }

    /// An echo came: what goes by the datagram lane arrives.
    mutating func proved() {
        guard isUnproved else { return }
        isUnproved = false
        overlapUntil = nil
    }

    // MARK: Time

    /// - Parameter width: how long a datagram of several packets would be; 0: there are none.
    mutating func takeProbe(_ now: Instant, width: Int) -> DatagramFrame? {
        guard isOpen, let due = nextProbe, due <= now else { return nil }
        let isLongDead = isActive && now - lastGood >= .seconds(10)
        let settling = meter.goodSince == nil && now - trustedSince < .seconds(2)
        nextProbe = now + (isLongDead ? .seconds(1) : isActive || settling ? timers.probe : timers.idleProbe)
        return meter.probe(now: now, width: width)
    }

    /// A probe out of turn.
    mutating func probeNow(_ now: Instant) -> DatagramFrame { meter.probe(now: now) }

    mutating func takeReport(_ now: Instant) -> Bool {
        guard let due = nextReport, due <= now else { return false }
        nextReport = now + (isActive ? timers.report : timers.idleProbe)
        return true
    }

    mutating func takeRetry(_ now: Instant) -> Bool {
        guard let due = retryAt, due <= now else { return false }
        started(now)
        return true
    }

    mutating func endOverlap(_ now: Instant) {
        if let until = overlapUntil, until <= now { overlapUntil = nil }
    }

    // MARK: Judgement

    private var lastGood: Instant { max(meter.lastEcho ?? trustedSince, trustedSince) }

    /// Looks at what was measured. Nil: media stays where it is.
    /// `streamIsHeard`: a fall while the whole line is cut is not the lane's fault, and does not slow its return.
    mutating func judge(_ now: Instant, streamIsBetter: Bool, streamIsHeard: Bool) -> (Lane, Reason)? {
        guard isOpen else { return nil }
        let patience = isActive ? timers.blocked : timers.idleProbe * 2 + timers.blocked
        let isBlocked = now - lastGood >= patience
        if isBlocked { meter.noteSilence() }
        switch sending {
        case .datagram:
            if isBlocked { return fall(.blocked, now, counts: streamIsHeard) }
            let limit = repeats.isMeasured ? Self.badLossOfCopies : Self.badLoss
            if let loss = meter.loss, loss > limit, streamIsBetter { return fall(.loss(loss), now, counts: true) }
            if now - lastFall > timers.returnMaximum { falls = 0 }
            if isActive, let loss = meter.soundLoss { repeats.judge(loss: loss, now: now) }
            return nil
        case .stream:
            guard !isBlocked, suspicion == nil, mayReturn(now) else { return nil }
            sending = .datagram
            retries = 0
            if isActive { overlapUntil = now + timers.overlap }
            return (.datagram, .good)
        }
    }

    private func mayReturn(_ now: Instant) -> Bool {
        guard let since = meter.goodSince else { return false }
        if falls == 0 { return meter.echoes >= 3 }
        let wait = min(timers.returnMaximum, timers.returnAfter * (1 << min(falls - 1, 16)))
        return now - max(since, lastFall) >= wait && meter.loss.map { $0 <= Self.goodLoss } ?? false
    }

    private mutating func fall(_ reason: Reason, _ now: Instant, counts: Bool) -> (Lane, Reason) {
        sending = .stream
        if case .loss = reason { repeats.laneFell(now) } else { repeats.stop() }
        isUnproved = false
        noteFall(now, counts: counts)
        suspicion = nil
        meter.noteSilence()
        if isActive { overlapUntil = now + timers.overlap }
        return (.stream, reason)
    }

    private mutating func noteFall(_ now: Instant, counts: Bool) {
        guard counts else { return }
        falls += 1
        lastFall = now
    }

    // MARK: Suspicion

    /// Whether silence has become suspicious just now; both lanes are then used for a while.
    mutating func becomesSuspicious(_ now: Instant, toldByPeer: Bool) -> Bool {
        guard suspicion == nil, isOpen, isActive, sending == .datagram else { return false }
        if toldByPeer {
            guard suspicionRest.map({ $0 <= now }) ?? true else { return false }
        } else {
            guard let due = suspicionDeadline, due <= now else { return false }
        }
        suspicion = Suspicion(since: now, until: now + timers.overlap, needsEcho: toldByPeer)
        suspicionRest = now + timers.blocked
        isUnproved = false
        overlapUntil = now + timers.overlap
        meter.forgetRhythm()
        meter.forgetWidth()
        return true
    }

    /// The time both lanes were used is over, and nothing has come: the stream goes on alone.
    mutating func suspicionHolds(_ now: Instant, streamIsHeard: Bool) -> (Lane, Reason)? {
        guard var current = suspicion else { return nil }
        if current.hasFallen {
            // Nothing came at all: an ordinary fall, with its slow return.
            guard now - current.since >= timers.blocked else { return nil }
            suspicion = nil
            repeats.stop()
            noteFall(now, counts: streamIsHeard)
            meter.noteSilence()
            return nil
        }
        guard current.until <= now else { return nil }
        current.hasFallen = true
        suspicion = current
        sending = .stream
        return (.stream, .silence)
    }

    /// A datagram came. True where media goes back at once: it was a false alarm.
    mutating func clearSuspicion(isEcho: Bool) -> Bool {
        guard let current = suspicion, isEcho || !current.needsEcho else { return false }
        suspicion = nil
        guard current.hasFallen else { return false }
        sending = .datagram
        return true
    }
}
