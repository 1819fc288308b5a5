internal import CoreTypes

// The life of a session: greeting, up, cut, up again, ended.

extension TunnelSession {
    /// What we say of ourselves.
    var ownHello: TunnelHello {
        var hello = TunnelHello()
        hello.token = token
        hello.received = receipts.received
        hello.maximumSignal = UInt16(clamping: limits.maximumSignal)
        hello.maximumStreams = UInt16(clamping: limits.maximumStreams)
        hello.datagramPayload = UInt16(clamping: limits.datagramPayload)
        hello.standing = standing
        return hello
    }

    // MARK: Edge

    mutating func connected(_ now: Instant, _ actions: inout [Action]) {
        guard role == .edge else { return actions.append(.dropped(.wrongRole)) }
        if isUp { lose(.disconnected, now, &actions) }
        beginConnection()
        state = .greeting(until: now + timers.greeting)
        actions.append(.writeStream(TunnelFrame.hello(ownHello).encoded))
    }

    /// The headend's answer.
    mutating func answered(_ hello: TunnelHello, _ now: Instant, _ actions: inout [Action]) {
        guard hello.versions.contains(TunnelHello.version) else { return fail(.version(hello.versions), now, &actions) }
        guard let given = hello.token else { return fail(.noHello, now, &actions) }
        peer = hello
        if given == token {
            guard outbox.log.resume(received: hello.received) else { return fail(.protocolViolation, now, &actions) }
            goUp(given, resumed: true, now, &actions)
        } else {
            token = given
            beginAfresh()
            goUp(given, resumed: false, now, &actions)
        }
        if peer.capabilities.contains(.datagramLane) {
            lanes.started(now)
            actions.append(.startLane)
        }
    }

    /// A session the headend does not know of: streams are asked for once more, and messages without an
    /// acknowledgement are sent again behind them.
    private mutating func beginAfresh() {
        receipts = Receipts()
        var control: [[UInt8]] = []
        for stream in streams.values.sorted(by: { $0.binding.id < $1.binding.id }) {
            control.append(TunnelFrame.open(stream.binding).encoded)
            if let update = stream.update { control.append(TunnelFrame.update(update).encoded) }
        }
        outbox.log.restart(with: control)
    }

    // MARK: Headend

    mutating func greeted(_ hello: TunnelHello, rest: [UInt8], _ now: Instant, _ actions: inout [Action]) {
        guard role == .headend, let token else { return actions.append(.dropped(.wrongRole)) }
        if isUp { lose(.disconnected, now, &actions) }
        beginConnection()
        guard hello.versions.contains(TunnelHello.version) else { return fail(.version(hello.versions), now, &actions) }
        let isResumed = hello.token == token
        if isResumed, !outbox.log.resume(received: hello.received) { return fail(.protocolViolation, now, &actions) }
        peer = hello
        standing = hello.standing
        var answer = ownHello
        answer.versions = TunnelHello.version...TunnelHello.version
        actions.append(.writeStream(TunnelFrame.hello(answer).encoded))
        goUp(token, resumed: isResumed, now, &actions)
        receive(rest, now, &actions)
    }

    // MARK: Both

    private mutating func beginConnection() {
        reader = FrameReader(limits: limits)
        outbox.reset()
        pausedUntil = nil
    }

    private mutating func goUp(_ token: SessionToken, resumed: Bool, _ now: Instant, _ actions: inout [Action]) {
        state = .up(KeepAlive(now: now))
        cutBegan = nil
        if resumed { counters.resumed += 1 }
        actions.append(.report(.up(token, resumed: resumed)))
    }

    /// The far end broke the rules or is silent: the connection is closed, and the session waits for another.
    mutating func fail(_ failure: Failure, _ now: Instant, _ actions: inout [Action]) {
        actions.append(.closeStream(failure))
        lose(failure, now, &actions)
    }

    mutating func lose(_ failure: Failure, _ now: Instant, _ actions: inout [Action]) {
        switch state {
        case .idle, .cut, .ended: return
        case .greeting where token == nil: end(failure, &actions)
        case .greeting, .up:
            outbox.reset()
            reader = FrameReader(limits: limits)
            pausedUntil = nil
            let until = cutBegan.map { $0 + timers.resume } ?? now + timers.resume
            cutBegan = cutBegan ?? now
            guard until > now else { return end(failure, &actions) }
            state = .cut(until: until)
            actions.append(.report(.cut(failure, until: until)))
        }
    }

    /// Forgets all. An edge may connect again and gets a new session; a headend's is over for good.
    mutating func end(_ failure: Failure, _ actions: inout [Action]) {
        for id in streams.keys.sorted() { actions.append(.streamEnded(id, .sessionLost)) }
        streams = [:]
        carrying = 0
        recent.removeAll()
        outbox.reset()
        outbox.log.removeAll()
        receipts = Receipts()
        lanes.closed()
        actions.append(.closeLane)
        switch role {
        case .edge:
            token = nil
            state = .idle
        case .headend: state = .ended(failure)
        }
        actions.append(.report(.ended(failure)))
    }

    mutating func stop(_ reason: GoAwayReason, _ delay: Duration, _ now: Instant, _ actions: inout [Action]) {
        let milliseconds = UInt32(clamping: delay.clampedNanoseconds / 1_000_000)
        switch state {
        case .ended: return
        case .up:
            actions.append(.writeStream(TunnelFrame.goAway(reason, retryAfter: milliseconds).encoded))
            actions.append(.closeStream(.stopped))
        case .greeting: actions.append(.closeStream(.stopped))
        case .idle, .cut: break
        }
        end(.stopped, &actions)
    }

    mutating func setStanding(_ new: Standing, _ actions: inout [Action]) {
        guard role == .edge, new != standing else { return }
        standing = new
        if isUp, !outbox.append(.standing(new)) { actions.append(.dropped(.signallingFull)) }
    }

    // MARK: Time

    mutating func tick(_ now: Instant, _ actions: inout [Action]) {
        switch state {
        case .idle, .ended: return
        case .greeting(let until): if until <= now { fail(.helloMissing, now, &actions) }
        case .cut(let until):
            if until <= now { return end(.notResumed, &actions) }
            tickLanes(now, &actions)
        case .up(let life):
            guard now < life.lastHeard + timers.silence else { return fail(.silent, now, &actions) }
            if life.nextPing <= now { ping(now, &actions) }
            if let due = receipts.due, due <= now { say(receipts.acknowledge(), now, &actions) }
            if let until = pausedUntil, until <= now { resumeReading(now, &actions) }
            tickLanes(now, &actions)
        }
    }

    private mutating func ping(_ now: Instant, _ actions: inout [Action]) {
        guard case .up(var life) = state else { return }
        let frame = life.ping(now: now, interval: timers.ping)
        state = .up(life)
        say(frame, now, &actions)
    }

    private mutating func resumeReading(_ now: Instant, _ actions: inout [Action]) {
        pausedUntil = signalBudget.recovers(now: now)
        guard pausedUntil == nil else { return }
        actions.append(.resumeReading)
        // What it could not say while nobody listened is not held against it.
        noteHeard(now)
        process(now, &actions)
    }

    /// Puts a frame of rank "control" into the outbox.
    mutating func say(_ frame: TunnelFrame, _ now: Instant, _ actions: inout [Action]) {
        if !outbox.append(frame) { fail(.doesNotRead, now, &actions) }
    }

    mutating func noteHeard(_ now: Instant) {
        guard case .up(var life) = state else { return }
        life.lastHeard = now
        state = .up(life)
    }
}
