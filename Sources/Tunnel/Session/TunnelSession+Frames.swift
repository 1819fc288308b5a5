internal import CoreTypes

// What comes by the stream.

extension TunnelSession {
    mutating func receive(_ bytes: [UInt8], _ now: Instant, _ actions: inout [Action]) {
        switch state {
        case .idle, .cut, .ended: return
        case .greeting, .up: break
        }
        guard !bytes.isEmpty else { return }
        noteHeard(now)
        reader.append(bytes)
        process(now, &actions)
    }

    /// Takes whole frames until there is none, the budget is spent, or the connection is over.
    mutating func process(_ now: Instant, _ actions: inout [Action]) {
        while pausedUntil == nil {
            let before = reader.count
            switch reader.next() {
            case .needMore: return
            case .broken(let problem): return fail(.frame(problem), now, &actions)
            case .frame(let frame):
                take(frame, now, &actions)
                if case .media = frame { continue }
                guard isUp else { return }
                if !signalBudget.take(before - reader.count, now: now) { pause(now, &actions) }
            }
        }
    }

    private mutating func pause(_ now: Instant, _ actions: inout [Action]) {
        guard let until = signalBudget.recovers(now: now) else { return }
        counters.overBudget += 1
        pausedUntil = until
        actions.append(.pauseReading)
    }

    private mutating func take(_ frame: TunnelFrame, _ now: Instant, _ actions: inout [Action]) {
        switch state {
        case .idle, .cut, .ended: return
        case .greeting:
            greetedBack(frame, now, &actions)
        case .up:
            if frame.isCounted, receipts.note(now: now, limits: limits, timers: timers) { say(receipts.acknowledge(), now, &actions) }
            perform(frame, now, &actions)
        }
    }

    /// Edge: a hello, or a refusal.
    private mutating func greetedBack(_ frame: TunnelFrame, _ now: Instant, _ actions: inout [Action]) {
        if case .hello(let hello) = frame { return answered(hello, now, &actions) }
        guard case .goAway(let reason, let delay) = frame else { return fail(.noHello, now, &actions) }
        actions.append(.report(.goAway(reason, retryAfter: .milliseconds(Int64(delay)))))
        fail(.goodbye(reason), now, &actions)
    }

    private mutating func perform(_ frame: TunnelFrame, _ now: Instant, _ actions: inout [Action]) {
        switch frame {
        case .hello: fail(.protocolViolation, now, &actions)
        case .ping(let stamp): say(.pong(stamp), now, &actions)
        case .pong(let stamp): pong(stamp, now)
        case .acknowledge(let total): if !outbox.log.acknowledge(total) { fail(.protocolViolation, now, &actions) }
        case .laneReport(let report): laneReported(report, now, &actions)
        case .goAway(let reason, let delay): actions.append(.report(.goAway(reason, retryAfter: .milliseconds(Int64(delay)))))
        case .standing(let new): standingTold(new, now, &actions)
        case .signal(let flow, let message):
            counters.signalsReceived += 1
            actions.append(.deliverSignal(flow, message))
        case .open(let binding): streamAsked(binding, now, &actions)
        case .opened(let id, let endpoint): streamOpened(id, endpoint, now, &actions)
        case .refused(let id, let why): streamOver(id, why, now, &actions)
        case .update(let update): streamTold(update, now, &actions)
        case .close(let id, let why): streamOver(id, why, now, &actions)
        case .way(let way): told(.wayChanged(way), to: .edge, now, &actions)
        case .renew(let request): told(.certificateWanted(request), to: .headend, now, &actions)
        case .certificate(let chain): told(.certificateGiven(chain), to: .edge, now, &actions)
        case .media(let channel, let packet): receiveMedia(channel, packet, by: .stream, now, &actions)
        case .unknown: counters.unknownFrames += 1
        }
    }

    private mutating func pong(_ stamp: PingStamp, _ now: Instant) {
        guard case .up(var life) = state else { return }
        life.pong(stamp, now: now)
        state = .up(life)
    }

    private mutating func standingTold(_ new: Standing, _ now: Instant, _ actions: inout [Action]) {
        guard role == .headend else { return fail(.protocolViolation, now, &actions) }
        standing = new
        actions.append(.report(.standing(new)))
    }

    /// What only one of the two roles may be told.
    private mutating func told(_ action: Action, to wanted: Role, _ now: Instant, _ actions: inout [Action]) {
        guard role == wanted else { return fail(.protocolViolation, now, &actions) }
        actions.append(action)
    }

    mutating func sendControl(_ frame: TunnelFrame, by sender: Role, _ actions: inout [Action]) {
        guard role == sender else { return actions.append(.dropped(.wrongRole)) }
        _ = appendCounted(frame, &actions)
    }

    // MARK: Signalling

    mutating func sendSignal(_ flow: SignalFlow, _ message: [UInt8], _ actions: inout [Action]) {
        let longest = min(limits.maximumSignal, isUp ? Int(peer.maximumSignal) : .max, 65_535) - 4
        guard message.count <= longest else { return actions.append(.dropped(.signalTooLong(message.count))) }
        if appendCounted(.signal(flow, message), &actions) { counters.signalsSent += 1 }
    }

    /// Counted frames wait through a cut; without a session there is nothing to wait for.
    mutating func appendCounted(_ frame: TunnelFrame, _ actions: inout [Action]) -> Bool {
        switch state {
        case .idle, .ended:
            actions.append(.dropped(.notConnected))
            return false
        case .greeting, .up, .cut: break
        }
        let isSignal: Bool
        if case .signal = frame { isSignal = true } else { isSignal = false }
        guard outbox.log.append(frame.encoded, isSignal: isSignal) else {
            actions.append(.dropped(.signallingFull))
            return false
        }
        return true
    }
}
