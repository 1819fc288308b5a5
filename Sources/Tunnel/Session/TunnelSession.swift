public import CoreTypes

/// One site's session with one headend, at either end: it outlives the connections that carry it.
///
/// A pure machine. The edge calls `handle(.connected)` when a TLS connection stands, the headend `handle(.greeted)`;
/// everything else is the same at both ends. After each call the shell performs the actions, and calls
/// `handle(.tick)` at `nextDeadline`.
public struct TunnelSession: Sendable {
    public let role: Role
    public let limits: TunnelLimits
    public let timers: TunnelTimers

    var state: State = .idle
    /// Nil at the edge until a headend has given one.
    public internal(set) var token: SessionToken?
    public internal(set) var standing: Standing
    public internal(set) var counters = TunnelCounters()
    /// What the far end said of itself on this connection.
    var peer = TunnelHello()
    var peerReport: LaneReport?
    var reader: FrameReader
    var outbox: Outbox
    var receipts = Receipts()
    var streams: [StreamID: TunnelStream] = [:]
    /// Streams that carry a call: those that have been told where to send.
    var carrying = 0
    var lanes: LaneControl
    /// Datagrams' worth of packets that leave together, and what has come and is to be handed on.
    var bundler = MediaBundler()
    var delivered = PacketBatch()
    var recent: RecentPackets
    var mediaBudget: TrafficBudget
    var signalBudget: TrafficBudget
    /// Since when there has been no connection, while that is so.
    var cutBegan: Instant?
    /// Ids whose last packets may still be on their way.
    var restingIDs: [StreamID: Instant] = [:]
    /// When reading goes on; nil: it has not been paused.
    var pausedUntil: Instant?

    /// A headend gives the token of a new session: 16 random bytes.
    public init(
        role: Role, token: SessionToken? = nil, standing: Standing = .active, limits: TunnelLimits = .init(), timers: TunnelTimers = .init()
    ) {
        self.role = role
        self.token = token
        self.standing = standing
        self.limits = limits
        self.timers = timers
        reader = FrameReader(limits: limits)
        outbox = Outbox(limits: limits, timers: timers)
        lanes = LaneControl(timers: timers)
        recent = RecentPackets(maximumAge: timers.mediaAge)
        mediaBudget = TrafficBudget(perSecond: limits.mediaPerSecond)
        signalBudget = TrafficBudget(perSecond: limits.signallingBytesPerSecond)
    }

    enum State: Sendable {
        case idle
        case greeting(until: Instant)
        case up(KeepAlive)
        case cut(until: Instant)
        case ended(Failure)
    }

    public mutating func handle(_ event: Event, now: Instant) -> [Action] {
        var actions: [Action] = []
        handle(event, now: now, into: &actions)
        return actions
    }

    public mutating func handle(_ event: Event, now: Instant, into actions: inout [Action]) {
        switch event {
        case .connected: connected(now, &actions)
        case .greeted(let hello, let rest): greeted(hello, rest: rest, now, &actions)
        case .disconnected: lose(.disconnected, now, &actions)
        case .streamBytes(let bytes): receive(bytes, now, &actions)
        case .streamUnsent(let count): outbox.noteUnsent(count, now: now)
        case .laneOpened(let payload): laneOpened(payload, now, &actions)
        case .laneClosed: laneClosed(now, &actions)
        case .laneFailed: laneFailed(now)
        case .datagram(let bytes): receiveDatagram(bytes[...], now, &actions)
        case .sendSignal(let flow, let message): sendSignal(flow, message, &actions)
        case .sendMedia(let packets): sendMedia(packets, now, &actions)
        case .openStream(let binding): openStream(binding, now, &actions)
        case .updateStream(let update): updateStream(update, now, &actions)
        case .closeStream(let id, let why): closeStream(id, why, now, &actions)
        case .bindStream(let id, let endpoint): bindStream(id, endpoint, &actions)
        case .refuseStream(let id, let why): refuseStream(id, why, now, &actions)
        case .setStanding(let new): setStanding(new, &actions)
        case .announceWay(let way): sendControl(.way(way), by: .headend, &actions)
        case .requestCertificate(let request): sendControl(.renew(request), by: .edge, &actions)
        case .giveCertificate(let chain): sendControl(.certificate(chain), by: .headend, &actions)
        case .stop(let reason, let delay): stop(reason, delay, now, &actions)
        case .tick: tick(now, &actions)
        }
        flush(now, &actions)
    }

    /// When `tick` must come at the latest.
    public var nextDeadline: Instant? {
        switch state {
        case .idle, .ended: return nil
        case .greeting(let until): return until
        case .cut(let until): return [until, lanes.nextDeadline].compactMap { $0 }.min()
        case .up(let life):
            return [life.nextPing, life.lastHeard + timers.silence, receipts.due, pausedUntil, lanes.nextDeadline].compactMap { $0 }.min()
        }
    }

    var isUp: Bool {
        switch state {
        case .up: return true
        case .idle, .greeting, .cut, .ended: return false
        }
    }

    /// Hands on what has gathered: media that came, datagrams, and to the stream as far as there is room.
    mutating func flush(_ now: Instant, _ actions: inout [Action]) {
        flushMedia(&actions)
        guard isUp else { return }
        let batch = outbox.take(now: now)
        if !batch.isEmpty { actions.append(.writeStream(batch)) }
    }

    public var status: TunnelStatus {
        let life: KeepAlive?
        if case .up(let up) = state { life = up } else { life = nil }
        return TunnelStatus(
            phase: phase, standing: standing, isLaneOpen: lanes.isOpen,
            streams: streams.values.sorted { $0.binding.id < $1.binding.id }.map {
                .init(id: $0.binding.id, bound: $0.bound, sending: lanes.sending, receiving: $0.receiving)
            },
            streamRoundTrip: life?.roundTrip, datagramRoundTrip: lanes.meter.roundTrip, datagramLoss: lanes.meter.loss, isRepeating: lanes.repeats.isOn,
            lateBeforeSending: outbox.media.dropped, unacknowledged: outbox.log.count, counters: counters, peerReport: peerReport)
    }

    private var phase: TunnelStatus.Phase {
        switch state {
        case .idle: return .idle
        case .greeting: return .greeting
        case .up(let life): return .up(since: life.since)
        case .cut(let until): return .cut(until: until)
        case .ended(let failure): return .ended(failure)
        }
    }
}
