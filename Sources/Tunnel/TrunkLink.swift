public import CoreTypes

/// The life of the connection to one PBX node: looked up, connected, kept alive, and made again when it is lost.
///
/// A pure machine: it performs nothing itself. It runs until `stop`.
public struct TrunkLink: Sendable {
    public let settings: Settings
    /// Goes up with each lookup and connection. A shell that keeps the number it began with can tell a late
    /// event of an earlier one, and must not deliver it.
    public private(set) var attempt: UInt64 = 0

    private var state: State = .stopped
    /// Addresses not tried yet since the last lookup.
    private var untried: [Endpoint] = []
    /// Failures in a row since a connection was last stable.
    private var failures = 0
    private var random: SplitMix64

    public init(settings: Settings = .init(), seed: UInt64) {
        self.settings = settings
        random = SplitMix64(state: seed)
    }

    /// When `tick` must come at the latest.
    public var nextDeadline: Instant? {
        switch state {
        case .stopped: return nil
        case .resolving(let resolving): return resolving.deadline
        case .connecting(let connecting): return connecting.deadline
        case .handshaking(let handshaking): return handshaking.deadline
        case .up(let up): return up.nextDeadline
        case .waiting(let waiting): return waiting.until
        }
    }

    public var phase: Phase {
        switch state {
        case .stopped: return .stopped
        case .resolving: return .resolving
        case .connecting(let connecting): return .connecting(connecting.endpoint)
        case .handshaking(let handshaking): return .handshaking(handshaking.endpoint)
        case .up(let up): return .up(up.endpoint, since: up.since)
        case .waiting(let waiting): return .waiting(until: waiting.until, after: waiting.failure)
        }
    }

    /// Events that make no sense in the present state are late ones, and change nothing.
    public mutating func handle(_ event: Event, now: Instant) -> [Action] {
        switch event {
        case .start: return start(now: now)
        case .resolved(let endpoints): return resolved(endpoints, now: now)
        case .resolutionFailed(let why): return resolutionFailed(why, now: now)
        case .connected: return connected(now: now)
        case .handshakeCompleted: return handshakeCompleted(now: now)
        case .disconnected(let failure): return disconnected(failure, now: now)
        case .pongReceived: return received(isPong: true)
        case .bytesReceived: return received(isPong: false)
        case .tick: return tick(now: now)
        case .stop: return stop()
        }
    }
}

// MARK: - States

extension TrunkLink {
    private enum State: Sendable {
        case stopped
        case resolving(Resolving)
        case connecting(Connecting)
        case handshaking(Handshaking)
        case up(Up)
        case waiting(Waiting)
    }

    private struct Resolving: Sendable {
        let deadline: Instant
    }

    private struct Connecting: Sendable {
        let endpoint: Endpoint
        let deadline: Instant
    }

    private struct Handshaking: Sendable {
        let endpoint: Endpoint
        let deadline: Instant

        init(_ connecting: Connecting, deadline: Instant) {
            endpoint = connecting.endpoint
            self.deadline = deadline
        }
    }

    private struct Up: Sendable {
        let endpoint: Endpoint
        let since: Instant
        var nextPing: Instant
        /// Until when something must come; only for a peer known to answer.
        var pongDeadline: Instant?
        var answersPings = false

        init(_ handshaking: Handshaking, since: Instant, nextPing: Instant) {
            endpoint = handshaking.endpoint
            self.since = since
            self.nextPing = nextPing
        }

        var nextDeadline: Instant { pongDeadline.map { min($0, nextPing) } ?? nextPing }
    }

    private struct Waiting: Sendable {
        let until: Instant
        let failure: Failure
    }
}

// MARK: - Transitions

extension TrunkLink {
    private mutating func start(now: Instant) -> [Action] {
        guard case .stopped = state else { return [] }
        failures = 0
        untried = []
        return resolve(now: now)
    }

    private mutating func resolve(now: Instant) -> [Action] {
        attempt &+= 1
        state = .resolving(Resolving(deadline: now + settings.resolveTimeout))
        return [.resolve]
    }

    private mutating func resolved(_ endpoints: [Endpoint], now: Instant) -> [Action] {
        guard case .resolving = state else { return [] }
        guard !endpoints.isEmpty else { return fail(.noAddress, now: now) }
        untried = endpoints
        return connectNext(after: .noAddress, now: now)
    }

    private mutating func resolutionFailed(_ why: String, now: Instant) -> [Action] {
        guard case .resolving = state else { return [] }
        return fail(.resolutionFailed(why), now: now)
    }

    /// Tries the next address at once; where none is left, waits.
    private mutating func connectNext(after failure: Failure, now: Instant) -> [Action] {
        guard !untried.isEmpty else {
            wait(after: failure, now: now)
            return []
        }
        let endpoint = untried.removeFirst()
        attempt &+= 1
        state = .connecting(Connecting(endpoint: endpoint, deadline: now + settings.connectTimeout))
        return [.connect(endpoint)]
    }

    private mutating func connected(now: Instant) -> [Action] {
        guard case .connecting(let connecting) = state else { return [] }
        state = .handshaking(Handshaking(connecting, deadline: now + settings.handshakeTimeout))
        return [.startHandshake]
    }

    private mutating func handshakeCompleted(now: Instant) -> [Action] {
        guard case .handshaking(let handshaking) = state else { return [] }
        state = .up(Up(handshaking, since: now, nextPing: now + nextPingDelay()))
        return [.report(.up(handshaking.endpoint))]
    }

    private mutating func disconnected(_ failure: Failure, now: Instant) -> [Action] {
        switch state {
        case .stopped, .resolving, .waiting: return []
        case .connecting, .handshaking: return [.report(.down(failure))] + connectNext(after: failure, now: now)
        case .up(let up): return lost(up, failure, now: now)
        }
    }

    /// A connection that did not last counts as a failure of its address: the next one is tried after it.
    private mutating func lost(_ up: Up, _ failure: Failure, now: Instant) -> [Action] {
        if now - up.since >= settings.stableAfter {
            failures = 0
            untried = []
        }
        return fail(failure, now: now)
    }

    /// Anything that comes shows that the peer lives; a pong also that it answers pings.
    private mutating func received(isPong: Bool) -> [Action] {
        guard case .up(var up) = state, isPong || up.pongDeadline != nil else { return [] }
        up.pongDeadline = nil
        up.answersPings = up.answersPings || isPong
        state = .up(up)
        return []
    }

    private mutating func tick(now: Instant) -> [Action] {
        guard let deadline = nextDeadline, deadline <= now else { return [] }
        switch state {
        case .stopped: return []
        case .resolving: return fail(.resolutionTimedOut, now: now)
        case .connecting(let connecting): return abandon(.connectTimedOut(connecting.endpoint), now: now)
        case .handshaking(let handshaking): return abandon(.handshakeTimedOut(handshaking.endpoint), now: now)
        case .up(let up): return keepAlive(up, now: now)
        case .waiting: return untried.isEmpty ? resolve(now: now) : connectNext(after: .noAddress, now: now)
        }
    }

    private mutating func abandon(_ failure: Failure, now: Instant) -> [Action] {
        [.close(failure), .report(.down(failure))] + connectNext(after: failure, now: now)
    }

    private mutating func keepAlive(_ current: Up, now: Instant) -> [Action] {
        var up = current
        if let deadline = up.pongDeadline, deadline <= now {
            let failure = Failure.pongMissing(up.endpoint)
            return [.close(failure)] + lost(up, failure, now: now)
        }
        up.nextPing = now + nextPingDelay()
        if up.answersPings, up.pongDeadline == nil { up.pongDeadline = now + settings.pongTimeout }
        state = .up(up)
        return [.sendPing]
    }

    private mutating func stop() -> [Action] {
        defer {
            state = .stopped
            attempt &+= 1
        }
        switch state {
        case .stopped: return []
        case .resolving, .waiting: return [.report(.down(.stopped))]
        case .connecting, .handshaking, .up: return [.close(.stopped), .report(.down(.stopped))]
        }
    }

    // MARK: Delays

    private mutating func fail(_ failure: Failure, now: Instant) -> [Action] {
        wait(after: failure, now: now)
        return [.report(.down(failure))]
    }

    private mutating func wait(after failure: Failure, now: Instant) {
        failures += 1
        state = .waiting(Waiting(until: now + jittered(delay(afterFailures: failures), from: 50), failure: failure))
    }

    /// The upper bound of the wait: a short one first, then the base, doubled each time.
    func delay(afterFailures count: Int) -> Duration {
        guard count > 1 else { return settings.firstRetry }
        return min(settings.maximumDelay, settings.baseDelay * (1 << min(count - 2, 20)))
    }

    private mutating func nextPingDelay() -> Duration { jittered(settings.pingInterval, from: 80) }

    /// Uniformly between `percent` per cent of the duration and all of it.
    private mutating func jittered(_ duration: Duration, from percent: Int64) -> Duration {
        let longest = max(0, duration.clampedNanoseconds)
        return .nanoseconds(Int64.random(in: longest / 100 * percent...longest, using: &random))
    }
}

/// A small generator for jitter, where guessing does no harm (Steele, Lea, Flood: "Fast splittable pseudorandom
/// number generators", 2014).
struct SplitMix64: RandomNumberGenerator, Sendable {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
