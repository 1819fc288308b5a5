public import CoreTypes

// Media streams: asked for by the edge, bound by the headend, closed by either.

extension TunnelSession {
    /// How long an id rests after its stream, so that no late packet reaches the next one.
    private static let idRest = Duration.seconds(5)

    /// The smallest id free for a new stream; those below 64 cost one byte less in each packet. Nil: all are taken.
    /// `reserved`: ids that somebody holds without a stream of this session.
    public func unusedStream(now: Instant, except reserved: (StreamID) -> Bool = { _ in false }) -> StreamID? {
        stride(from: StreamID.range.lowerBound, through: StreamID.range.upperBound, by: 2).lazy
            .compactMap(StreamID.init(rawValue:))
            .first { id in streams[id] == nil && !reserved(id) && (restingIDs[id].map { now - $0 >= Self.idRest } ?? true) }
    }

    private var streamLimit: Int {
        peer.maximumStreams == 0 ? limits.maximumStreams : min(limits.maximumStreams, Int(peer.maximumStreams))
    }

    // MARK: Edge

    mutating func openStream(_ binding: StreamBinding, _ now: Instant, _ actions: inout [Action]) {
        guard role == .edge else { return actions.append(.dropped(.wrongRole)) }
        guard streams[binding.id] == nil else { return actions.append(.dropped(.streamInUse(binding.id))) }
        guard streams.count < streamLimit else { return actions.append(.dropped(.tooManyStreams(binding.id))) }
        guard appendCounted(.open(binding), &actions) else { return }
        add(binding, now)
    }

    mutating func updateStream(_ update: StreamUpdate, _ now: Instant, _ actions: inout [Action]) {
        guard role == .edge else { return actions.append(.dropped(.wrongRole)) }
        guard streams[update.id] != nil else { return actions.append(.dropped(.unknownStream(update.id))) }
        guard appendCounted(.update(update), &actions) else { return }
        streams[update.id]?.update = update
        watchLanes(now)
    }

    mutating func streamOpened(_ id: StreamID, _ endpoint: Endpoint, _ now: Instant, _ actions: inout [Action]) {
        guard role == .edge else { return fail(.protocolViolation, now, &actions) }
        // Closed in the meantime: the answer crossed the question.
        guard streams[id] != nil else { return }
        streams[id]?.bound = endpoint
        actions.append(.streamBound(id, endpoint))
    }

    // MARK: Headend

    mutating func streamAsked(_ binding: StreamBinding, _ now: Instant, _ actions: inout [Action]) {
        guard role == .headend else { return fail(.protocolViolation, now, &actions) }
        let refusal: StreamEnd? = streams[binding.id] != nil ? .badID : streams.count >= limits.maximumStreams ? .tooMany : nil
        if let refusal {
            _ = appendCounted(.refused(binding.id, refusal), &actions)
            return
        }
        add(binding, now)
        actions.append(.streamWanted(binding))
    }

    mutating func streamTold(_ update: StreamUpdate, _ now: Instant, _ actions: inout [Action]) {
        guard role == .headend else { return fail(.protocolViolation, now, &actions) }
        guard streams[update.id] != nil else { return }
        streams[update.id]?.update = update
        watchLanes(now)
        actions.append(.streamUpdated(update))
    }

    mutating func bindStream(_ id: StreamID, _ endpoint: Endpoint, _ actions: inout [Action]) {
        guard role == .headend else { return actions.append(.dropped(.wrongRole)) }
        guard streams[id] != nil else { return actions.append(.dropped(.unknownStream(id))) }
        guard appendCounted(.opened(id, endpoint), &actions) else { return }
        streams[id]?.bound = endpoint
    }

    mutating func refuseStream(_ id: StreamID, _ why: StreamEnd, _ now: Instant, _ actions: inout [Action]) {
        guard role == .headend else { return actions.append(.dropped(.wrongRole)) }
        guard streams[id] != nil else { return actions.append(.dropped(.unknownStream(id))) }
        guard appendCounted(.refused(id, why), &actions) else { return }
        remove(id, now)
    }

    // MARK: Both

    mutating func closeStream(_ id: StreamID, _ why: StreamEnd, _ now: Instant, _ actions: inout [Action]) {
        guard streams[id] != nil else { return actions.append(.dropped(.unknownStream(id))) }
        _ = appendCounted(.close(id, why), &actions)
        remove(id, now)
    }

    mutating func streamOver(_ id: StreamID, _ why: StreamEnd, _ now: Instant, _ actions: inout [Action]) {
        guard streams[id] != nil else { return }
        remove(id, now)
        actions.append(.streamEnded(id, why))
    }

    private mutating func add(_ binding: StreamBinding, _ now: Instant) {
        streams[binding.id] = TunnelStream(binding)
    }

    /// The lanes matter while a stream carries a call: one that waits for its call has not been told where to send.
    private mutating func watchLanes(_ now: Instant) {
        carrying = streams.values.count { $0.update != nil }
        lanes.setActive(carrying > 0, now)
    }

    private mutating func remove(_ id: StreamID, _ now: Instant) {
        streams[id] = nil
        if restingIDs.count >= 256 { restingIDs = restingIDs.filter { now - $0.value < Self.idRest } }
        restingIDs[id] = now
        watchLanes(now)
    }

    // MARK: A change of headend

    /// What another headend must be told to go on with this site's calls.
    public struct Handover: Hashable, Sendable {
        public var streams: [StreamBinding]
        public var updates: [StreamUpdate]
        /// Messages that this headend has not acknowledged; it may have had some of them.
        public var signals: [[UInt8]]
    }

    /// Takes the streams and unacknowledged messages out of this session; what it still hears is not of them.
    public mutating func handOver(now: Instant) -> Handover {
        let ordered = streams.values.sorted { $0.binding.id < $1.binding.id }
        let handover = Handover(streams: ordered.map(\.binding), updates: ordered.compactMap(\.update), signals: outbox.log.signals)
        var ignored: [Action] = []
        for stream in ordered { closeStream(stream.binding.id, .sessionLost, now, &ignored) }
        return handover
    }

    /// Goes on with another session's calls: each stream is asked for here, under its old id where that is free.
    public mutating func adopt(_ handover: Handover, now: Instant) -> [Action] {
        var actions: [Action] = []
        for binding in handover.streams { openStream(binding, now, &actions) }
        for update in handover.updates where streams[update.id] != nil { updateStream(update, now, &actions) }
        for frame in handover.signals where !outbox.log.append(frame, isSignal: true) { actions.append(.dropped(.signallingFull)) }
        flush(now, &actions)
        return actions
    }
}
