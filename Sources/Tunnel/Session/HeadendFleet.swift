public import CoreTypes

/// The edge's headends: one carries the site, one stands by, and the calls move when they must.
///
/// A pure machine over places in a list, the best first. The shell keeps a `TunnelEndpoint` for each place.
public struct HeadendFleet: Sendable {
    public struct Settings: Hashable, Sendable {
        /// To look a headend up, connect, and open TLS and the session.
        public var dial: Duration = .seconds(5)
        public var firstRetry: Duration = .milliseconds(250)
        /// Before the second retry; doubled for each further one.
        public var baseDelay: Duration = .milliseconds(500)
        public var maximumDelay: Duration = .seconds(15)
        /// For so long after a session was lost it can be resumed, and pauses are no longer than this.
        public var urgent: Duration = .seconds(20)
        public var urgentDelay: Duration = .seconds(1)
        /// After this long, earlier failures are forgotten.
        public var stableAfter: Duration = .seconds(10)
        /// The active headend is silent for so long while the standby is not: it is the headend, not the line.
        public var takeover: Duration = .milliseconds(1500)
        /// What counts as "not silent" of the standby.
        public var fresh: Duration = .milliseconds(800)
        /// How long a headend that has just come up leaves the former active one to resume.
        public var grace: Duration = .seconds(2)
        public init() {}
    }

    public enum Event: Hashable, Sendable {
        case start
        /// The session is up. `resumed`: it goes on where it was.
        case up(Int, resumed: Bool)
        /// The connection is lost, or a try to make one failed.
        case down(Int)
        /// Something came by the stream.
        case heard(Int)
        /// The headend will close; it wants nobody before the delay.
        case goAway(Int, retryAfter: Duration)
        case tick
        case stop
    }

    public enum Action: Hashable, Sendable {
        /// Give up a dial to this place that is running, and begin one; `up` or `down` follows.
        case dial(Int)
        case hangUp(Int)
        /// Tell the session there (`setStanding`).
        case setStanding(Int, Standing)
        /// Take the calls from one session (`handOver`) and give them to the other (`adopt`).
        case move(from: Int, to: Int)
    }

    enum Link: Sendable {
        case idle
        case dialling(until: Instant)
        case up(since: Instant, heard: Instant)
        case waiting(until: Instant)
    }

    public let settings: Settings
    /// Who carries the site, or did until it was lost.
    public private(set) var active: Int?
    private var links: [Link]
    private var failures: [Int]
    /// When a session there was lost.
    private var lostAt: [Instant?]
    private var random: SplitMix64
    private var isRunning = false
    /// Until when a newcomer waits for the lost active headend.
    private var graceUntil: Instant?

    /// `count`: how many headends there are; at least one.
    public init(count: Int, settings: Settings = .init(), seed: UInt64) {
        self.settings = settings
        links = Array(repeating: .idle, count: max(1, count))
        failures = Array(repeating: 0, count: max(1, count))
        lostAt = Array(repeating: nil, count: max(1, count))
        random = SplitMix64(state: seed)
    }

    public func isUp(_ place: Int) -> Bool { upSince(place) != nil }

    public var nextDeadline: Instant? {
        var deadlines = [graceUntil]
        for (place, link) in links.enumerated() {
            switch link {
            case .idle: break
            case .dialling(let until), .waiting(let until): deadlines.append(until)
            case .up(_, let heard): if place == active, standby != nil { deadlines.append(heard + settings.takeover) }
            }
        }
        return deadlines.compactMap { $0 }.min()
    }

    public mutating func handle(_ event: Event, now: Instant) -> [Action] {
        var actions: [Action] = []
        switch event {
        case .start: isRunning = true
        case .stop: stop(&actions)
        case .up(let place, let resumed): cameUp(place, resumed: resumed, now, &actions)
        case .down(let place): wentDown(place, after: nil, now, &actions)
        case .heard(let place): heard(place, now)
        case .goAway(let place, let delay): goAway(place, delay, now, &actions)
        case .tick: tick(now, &actions)
        }
        if isRunning { fillSlots(now, &actions) }
        return actions
    }
}

extension HeadendFleet {
    private func upSince(_ place: Int) -> Instant? {
        guard links.indices.contains(place), case .up(let since, _) = links[place] else { return nil }
        return since
    }

    private func lastHeard(_ place: Int) -> Instant? {
        guard links.indices.contains(place), case .up(_, let heard) = links[place] else { return nil }
        return heard
    }

    /// The best of those that are up and not active.
    private var standby: Int? { links.indices.first { $0 != active && isUp($0) } }

    private var used: Int {
        links.reduce(0) {
            switch $1 {
            case .dialling, .up: return $0 + 1
            case .idle, .waiting: return $0
            }
        }
    }

    /// Two connections are wanted: the active one and a standby. The lost active one is dialled first.
    private mutating func fillSlots(_ now: Instant, _ actions: inout [Action]) {
        let order = (active.map { [$0] } ?? []) + links.indices.filter { $0 != active }
        for place in order where used < min(2, links.count) {
            guard case .idle = links[place] else { continue }
            links[place] = .dialling(until: now + settings.dial)
            actions.append(.dial(place))
        }
    }

    private mutating func cameUp(_ place: Int, resumed: Bool, _ now: Instant, _ actions: inout [Action]) {
        guard isRunning, links.indices.contains(place) else { return }
        links[place] = .up(since: now, heard: now)
        guard let current = active, current != place else {
            active = place
            graceUntil = nil
            return actions.append(.setStanding(place, .active))
        }
        actions.append(.setStanding(place, .standby))
        guard !isUp(current) else { return }
        graceUntil = graceUntil ?? now + settings.grace
    }

    private mutating func wentDown(_ place: Int, after delay: Duration?, _ now: Instant, _ actions: inout [Action]) {
        guard isRunning, links.indices.contains(place) else { return }
        if let since = upSince(place) {
            lostAt[place] = now
            if now - since >= settings.stableAfter { failures[place] = 0 }
        }
        failures[place] += 1
        let isUrgent = lostAt[place].map { now - $0 < settings.urgent } ?? false
        let longest = pause(afterFailures: failures[place])
        links[place] = .waiting(until: now + (delay ?? jittered(isUrgent ? min(longest, settings.urgentDelay) : longest)))
        if place == active, let next = standby { take(over: next, from: place, &actions) }
    }

    private mutating func heard(_ place: Int, _ now: Instant) {
        guard let since = upSince(place) else { return }
        links[place] = .up(since: since, heard: now)
    }

    private mutating func goAway(_ place: Int, _ delay: Duration, _ now: Instant, _ actions: inout [Action]) {
        guard isUp(place) else { return }
        if place == active, let next = standby { take(over: next, from: place, &actions) }
        actions.append(.hangUp(place))
        let bounded = max(settings.firstRetry, min(delay, settings.maximumDelay * 4))
        wentDown(place, after: jittered(bounded), now, &actions)
    }

    private mutating func take(over place: Int, from former: Int, _ actions: inout [Action]) {
        active = place
        graceUntil = nil
        actions.append(.setStanding(former, .standby))
        actions.append(.setStanding(place, .active))
        actions.append(.move(from: former, to: place))
    }

    private mutating func tick(_ now: Instant, _ actions: inout [Action]) {
        for place in links.indices {
            switch links[place] {
            case .waiting(let until) where until <= now: links[place] = .idle
            case .dialling(let until) where until <= now:
                actions.append(.hangUp(place))
                wentDown(place, after: nil, now, &actions)
            case .idle, .up, .waiting, .dialling: break
            }
        }
        if let until = graceUntil, until <= now {
            graceUntil = nil
            if let former = active, !isUp(former), let next = standby { take(over: next, from: former, &actions) }
        }
        watchActive(now, &actions)
    }

    private mutating func watchActive(_ now: Instant, _ actions: inout [Action]) {
        guard let current = active, let heard = lastHeard(current), heard + settings.takeover <= now, let next = standby,
            let other = lastHeard(next)
        else { return }
        guard now - other <= settings.fresh else {
            // Both are silent: the line is cut, and the session waits. Looked at again after another while.
            links[current] = .up(since: upSince(current) ?? now, heard: now)
            return
        }
        take(over: next, from: current, &actions)
    }

    private mutating func stop(_ actions: inout [Action]) {
        for place in links.indices {
            switch links[place] {
            case .dialling, .up: actions.append(.hangUp(place))
            case .idle, .waiting: break
            }
            links[place] = .idle
            failures[place] = 0
        }
        active = nil
        graceUntil = nil
        isRunning = false
    }

    func pause(afterFailures count: Int) -> Duration {
        guard count > 1 else { return settings.firstRetry }
        return min(settings.maximumDelay, settings.baseDelay * (1 << min(count - 2, 16)))
    }

    /// Between half of the pause and all of it.
    private mutating func jittered(_ pause: Duration) -> Duration {
        let longest = max(0, pause.clampedNanoseconds)
        return .nanoseconds(Int64.random(in: longest / 2...longest, using: &random))
    }
}
