import CoreTypes
import Media

extension RelayWorker {
    func perform(_ command: MediaCommand) {
        switch command {
        case .reserve(let count, let family): reserve(count, family)
        case .reserveStreams: break
        case .relay(let id, let first, let second):
            guard let session = attach(id, [first, second]) else { return }
            session.lastHeard = now
            session.isSilent = false
        case .restore(let id, let first, let second, let sources): restore(id, [first, second], sources)
        case .announce(let id, let leg, let format): announce(id, leg, format)
        case .play(let id, let phrases, let language, let bargeIn, let token):
            play(id, phrases, language: language, bargeIn: bargeIn, token: token)
        case .sensitive(let id, let isSensitive):
            guard let session = sessions[id] else { return logUnknown("sensitive", id) }
            session.isSensitive = isSensitive
        case .press(let id, let leg, let key, let duration):
            guard let session = sessions[id], session.legs.indices.contains(leg) else { return logUnknown("press", id) }
            session.legs[leg].keys.press(key, for: duration, now: Instant(nanoseconds: now))
        case .measure(let id):
            if let quality = sessions[id]?.quality { onEvent(.quality(id, quality)) }
        case .close(let id): close(id)
        }
    }

    /// Binds pairs and announces them; an empty announcement says that there are no more.
    private func reserve(_ count: Int, _ family: IPAddress.Family) {
        var ready: [MediaPorts] = []
        var isExhausted = false
        while ready.count < count, !isExhausted {
            guard let index = pool.bindNext(family, log: configuration.log), watch(index) else {
                isExhausted = true
                break
            }
            ready.append(pool.pairs[index].ports)
        }
        if !ready.isEmpty { onEvent(.portsReady(ready)) }
        if isExhausted { onEvent(.portsReady([])) }
    }

    /// Takes up a relay of the process before, on the ports that both far ends send to.
    private func restore(_ id: MediaSessionID, _ legs: [MediaLeg], _ sources: [Endpoint?]) {
        var bound: [MediaLeg] = []
        for leg in legs {
            guard let index = pool.bind(leg.ports, log: configuration.log), watch(index) else { break }
            var leg = leg
            leg.ports = pool.pairs[index].ports
            bound.append(leg)
        }
        guard bound.count == legs.count, let session = attach(id, bound) else {
            // What was bound is a pair like any other.
            released += bound.map(\.ports)
            return onEvent(.restored(id, []))
        }
        for (leg, source) in zip(session.legs.indices, sources) {
            if let source { session.legs[leg].lock.resume(at: source) }
        }
        onEvent(.restored(id, bound.map(\.ports)))
    }

    private func announce(_ id: MediaSessionID, _ leg: MediaLeg, _ format: AudioFormat) {
        guard leg.ports.tunnelStream == nil, let session = attach(id, [leg]) else { return }
        guard session.speaker?.announcement.format != format else { return }
        let numbers = random.next()
        session.speaker = Speaker(
            announcement: Announcement(
                format: format,
                source: UInt32(truncatingIfNeeded: numbers),
                sequenceNumber: UInt16(truncatingIfNeeded: numbers >> 32),
                timestamp: UInt32(truncatingIfNeeded: random.next())))
    }

    /// Gives a session these legs. What is known of a leg that keeps its ports stays, as far as its far end did not move.
    private func attach(_ id: MediaSessionID, _ legs: [MediaLeg]) -> MediaSession? {
        let known = sessions[id]
        var pairs: [Int] = []
        for leg in legs {
            guard let pair = pool.index(of: leg.ports), !pairs.contains(pair) else {
                configuration.log(.error, "media: session \(id.rawValue) names ports \(leg.ports.rtp), which are not its own")
                return nil
            }
            let user = pair < 0 ? tunnelLegs[pair]?.session : pool.pairs[pair].session
            guard user == nil || user === known else {
                configuration.log(.error, "media: session \(id.rawValue) names ports \(leg.ports.rtp), which serve another")
                return nil
            }
            pairs.append(pair)
        }
        let states = zip(pairs, legs).map { pair, leg -> LegState in
            guard let state = known?.legs.first(where: { $0.pair == pair }) else { return LegState(pair: pair, leg: leg) }
            if state.isTunnel { tunnelPlaces[state.local] = nil }
            state.update(leg)
            return state
        }
        let session = known ?? MediaSession(id: id, legs: [], now: now)
        adopt(states, by: session)
        return session
    }

    private func adopt(_ states: [LegState], by session: MediaSession) {
        let left = session.legs.filter { old in !states.contains { $0.pair == old.pair } }
        session.legs = states
        if states.count > 1 { silence(session) }
        for (leg, state) in states.enumerated() {
            guard state.isTunnel else {
                pool.assign(state.pair, to: session, leg: leg)
                continue
            }
            tunnelLegs[state.pair] = (session, leg)
            tunnelPlaces[state.local] = state.pair
        }
        sessions[session.id] = session
        release(left)
    }

    /// Ends what an endpoint of our own is saying; it becomes a relay, or nothing.
    private func silence(_ session: MediaSession) {
        session.speaker = nil
        speaking.removeAll { $0 === session }
        runTimer(!speaking.isEmpty)
    }

    private func close(_ id: MediaSessionID) {
        guard let session = sessions.removeValue(forKey: id) else { return logUnknown("close", id) }
        if session.speaker != nil { silence(session) }
        if let quality = session.quality { onEvent(.quality(id, quality)) }
        let legs = session.legs
        session.legs = []
        release(legs)
    }

    /// Pairs go back in the order they came free, still bound: the next call that takes them pays for no socket.
    private func release(_ legs: [LegState]) {
        guard !legs.isEmpty else { return }
        for leg in legs {
            guard leg.isTunnel else {
                pool.assign(leg.pair, to: nil, leg: 0)
                continue
            }
            tunnelLegs[leg.pair] = nil
            tunnelPlaces[leg.local] = nil
        }
        // A stream of the tunnel serves one call; the shell closes it with that call.
        released += legs.lazy.map(\.ports).filter { $0.tunnelStream == nil }
    }

    private func logUnknown(_ command: String, _ id: MediaSessionID) {
        configuration.log(.warning, "media: \(command) for session \(id.rawValue), which is not known")
    }
}
