public import CoreTypes

// Media by either lane, and what the datagram lane tells of itself.

extension TunnelSession {
    /// Several packets at once: one write to the stream for all that go by it, and as few datagrams as will do. The hot path.
    mutating func sendMedia(_ packets: PacketBatch, _ now: Instant, _ actions: inout [Action]) {
        if lanes.isOpen, lanes.sending == .datagram { recent.note(packets, now: now) }
        for entry in packets.entries {
            guard let id = StreamID(inBatch: entry.stream) else { continue }
            sendMedia(MediaPacket(entry.isControl ? id.rtcp : id.rtp, packets.packet(entry)), now, &actions)
        }
    }

    private mutating func sendMedia(_ media: MediaPacket, _ now: Instant, _ actions: inout [Action]) {
        let (channel, packet) = (media.channel, media.bytes)
        // By its place, or the whole stream would be taken out and put back for each packet.
        guard let place = streams.index(forKey: channel.stream) else { return actions.append(.dropped(.unknownStream(channel.stream))) }
        guard packet.count <= limits.maximumMedia, !packet.isEmpty else { return actions.append(.dropped(.mediaTooLong(packet.count))) }
        let overlap = !channel.isControl && lanes.isOverlapping(now)
        let fits = lanes.isOpen && packet.count + 2 <= datagramLimit
        // Without a stream the datagram lane carries on by itself.
        let byDatagram = fits && (lanes.sending == .datagram || overlap || !isUp)
        if byDatagram {
            counters.mediaSentByDatagram += 1
            let limit = bundleLimit(now)
            if !channel.isControl, lanes.repeats.isOn, peer.capabilities.contains(.bundles) { sendLast(of: place, then: media, limit, now, &actions) }
            bundle(media, limit, &actions)
        }
        guard isUp, !byDatagram || overlap else {
            if !byDatagram { actions.append(.dropped(.notConnected)) }
            return
        }
        counters.mediaSentByStream += 1
        outbox.media.append(channel, packet, now: now)
    }

    private var datagramLimit: Int {
        let told = Int(peer.datagramPayload)
        return min(lanes.maximumPayload, limits.datagramPayload, told == 0 ? .max : told)
    }

    private mutating func bundle(_ media: MediaPacket, _ limit: Int, _ actions: inout [Action]) {
        if let full = bundler.append(media, limit: limit) { writeDatagram(full, &actions) }
    }

    /// The packet before once more, in front of the one that follows it: where the first copy got lost, nothing is out of order.
    private mutating func sendLast(
        of place: Dictionary<StreamID, TunnelStream>.Index, then next: MediaPacket, _ limit: Int, _ now: Instant, _ actions: inout [Action]
    ) {
        let last = streams.values[place].last
        streams.values[place].last = (Array(next.bytes), now)
        // An older one is of no use, and may be one the far end has forgotten it has.
        guard let last, now - last.sent <= timers.repeatAge else { return }
        counters.mediaRepeated += 1
        bundle(MediaPacket(next.channel, last.packet[...]), limit, &actions)
    }

    /// The longest bundle the far end and the path take; 0: none. What every path takes needs no proof.
    private func bundleLimit(_ now: Instant) -> Int {
        guard peer.capabilities.contains(.bundles) else { return 0 }
        let unproved = lanes.repeats.isOn ? min(datagramLimit, limits.unprovedPayload) : 0
        return lanes.meter.isWide(now) ? max(bundleSize, unproved) : unproved
    }

    /// How long bundles would be; 0 where the far end knows none, or there are not two calls to bundle.
    private var bundleSize: Int {
        peer.capabilities.contains(.bundles) && carrying > 1 ? min(datagramLimit, limits.bundlePayload) : 0
    }

    /// Hands on what has gathered in a turn.
    mutating func flushMedia(_ actions: inout [Action]) {
        if let frame = bundler.take() { writeDatagram(frame, &actions) }
        guard !delivered.isEmpty else { return }
        actions.append(.deliverMedia(delivered))
        delivered = PacketBatch()
    }

    private mutating func writeDatagram(_ frame: DatagramFrame, _ actions: inout [Action]) {
        lanes.meter.noteSent()
        actions.append(.writeDatagram(frame))
    }

    /// What a burst of datagrams brought, in the order it came. The hot path.
    mutating func receive(_ payloads: DatagramBatch, now: Instant, into actions: inout [Action]) {
        var place = 0
        for length in payloads.lengths {
            receiveDatagram(payloads.bytes[place..<place + length], now, &actions)
            place += length
        }
        flush(now, &actions)
    }

    mutating func receiveDatagram(_ bytes: ArraySlice<UInt8>, _ now: Instant, _ actions: inout [Action]) {
        guard lanes.isOpen else { return actions.append(.dropped(.notConnected)) }
        guard let frame = DatagramFrame(bytes) else {
            counters.badDatagrams += 1
            return actions.append(.dropped(.badDatagram))
        }
        lanes.meter.noteReceived(now: now)
        var isEcho = false
        switch frame {
        case .media(let packet): receiveMedia(packet.channel, packet.bytes, by: .datagram, now, &actions)
        case .bundle(let packets):
            guard hasBudget(packets.count, now, &actions) else { break }
            for packet in packets { take(packet.channel, packet.bytes, by: .datagram, now, &actions) }
        case .probe(let stamp, sent: _, padding: _): answerProbe(stamp, now, &actions)
        case .echo(let stamp, let received): isEcho = lanes.meter.echo(stamp, received: received, now: now)
        case .unknown: counters.unknownFrames += 1
        }
        if lanes.clearSuspicion(isEcho: isEcho) { changed(.datagram, .good, &actions) }
        if isEcho {
            lanes.proved()
            judge(now, &actions)
        }
    }

    private mutating func answerProbe(_ stamp: PingStamp, _ now: Instant, _ actions: inout [Action]) {
        guard mediaBudget.take(1, now: now) else { return }
        writeDatagram(.echo(stamp, received: lanes.meter.received), &actions)
    }

    mutating func receiveMedia(_ channel: MediaChannel, _ packet: ArraySlice<UInt8>, by lane: Lane, _ now: Instant, _ actions: inout [Action]) {
        if hasBudget(1, now, &actions) { take(channel, packet, by: lane, now, &actions) }
    }

    /// Takes so many packets of the peer's budget, or says once that it is spent.
    private mutating func hasBudget(_ count: Int, _ now: Instant, _ actions: inout [Action]) -> Bool {
        if mediaBudget.take(count, now: now) { return true }
        counters.overBudget += UInt64(count)
        actions.append(.dropped(.overBudget))
        return false
    }

    private mutating func take(_ channel: MediaChannel, _ packet: ArraySlice<UInt8>, by lane: Lane, _ now: Instant, _ actions: inout [Action]) {
        switch lane {
        case .stream: counters.mediaReceivedByStream += 1
        case .datagram: counters.mediaReceivedByDatagram += 1
        }
        guard packet.count <= limits.maximumMedia else { return actions.append(.dropped(.mediaTooLong(packet.count))) }
        guard let place = streams.index(forKey: channel.stream) else { return actions.append(.dropped(.unknownStream(channel.stream))) }
        let limit = lateAfter(lane)
        switch streams.values[place].receive(packet, isControl: channel.isControl, by: lane, lateAfter: limit, now: now) {
        case .deliver: delivered.append(stream: UInt32(channel.stream.rawValue), isControl: channel.isControl, packet)
        case .late:
            counters.lateOnArrival += 1
            actions.append(.dropped(.late))
        case .duplicate:
            counters.duplicates += 1
            actions.append(.dropped(.duplicate))
        }
    }

    /// How much longer than the fastest a packet may take by this lane; nil: a datagram is never held up for others.
    private func lateAfter(_ lane: Lane) -> Duration? {
        switch lane {
        case .datagram: return nil
        case .stream:
            guard case .up(let life) = state else { return timers.mediaAge }
            return life.lateAfter(timers)
        }
    }

    // MARK: The datagram lane

    mutating func laneOpened(_ payload: Int, _ now: Instant, _ actions: inout [Action]) {
        switch state {
        case .up, .cut: break
        case .idle, .greeting, .ended: return actions.append(.closeLane)
        }
        lanes.opened(payload, now)
        tickLanes(now, &actions)
    }

    mutating func laneClosed(_ now: Instant, _ actions: inout [Action]) {
        if lanes.closed() { changed(.stream, .closed, &actions) }
        if role == .edge, isUp { lanes.planRetry(now) }
    }

    /// A handshake came to nothing; an older lane, where there is one, stays as it is.
    mutating func laneFailed(_ now: Instant) {
        if role == .edge, isUp { lanes.planRetry(now) }
    }

    mutating func tickLanes(_ now: Instant, _ actions: inout [Action]) {
        lanes.endOverlap(now)
        if lanes.becomesSuspicious(now, toldByPeer: false) { actOnSuspicion(now, &actions) }
        if let (lane, reason) = lanes.suspicionHolds(now, streamIsHeard: streamIsHeard(now)) { changed(lane, reason, &actions) }
        if let probe = lanes.takeProbe(now, width: bundleSize) {
            writeDatagram(probe, &actions)
            judge(now, &actions)
        }
        if lanes.takeReport(now), isUp { say(.laneReport(ownReport(now)), now, &actions) }
        guard lanes.takeRetry(now) else { return }
        if isUp { actions.append(.startLane) }
    }

    private mutating func judge(_ now: Instant, _ actions: inout [Action]) {
        guard let (lane, reason) = lanes.judge(now, streamIsBetter: streamIsBetter, streamIsHeard: streamIsHeard(now)) else { return }
        changed(lane, reason, &actions)
        // Perhaps only the address has changed on the way: a new handshake finds out.
        if role == .edge, reason == .blocked { lanes.planRetry(now) }
        if lane == .datagram { lanes.stopRetrying() }
    }

    private mutating func changed(_ lane: Lane, _ reason: LaneReason, _ actions: inout [Action]) {
        counters.laneChanges += 1
        actions.append(.report(.lane(lane, reason)))
    }

    /// The stream shows no sign of the losses the datagram lane has: its pings came back without a repair.
    private var streamIsBetter: Bool {
        guard case .up(let life) = state, let slowest = life.recent.max(), let fastest = life.recent.min() else { return false }
        return life.recent.count >= 4 && slowest < (lanes.meter.roundTrip ?? fastest) + .milliseconds(150)
    }

    /// Pings go twice a second; two missing answers say that the stream is silent as well.
    private func streamIsHeard(_ now: Instant) -> Bool {
        guard case .up(let life) = state else { return false }
        return now - life.lastHeard < timers.ping * 2
    }

    /// Both lanes for a moment, and on the stream also what was sent last: the datagrams may have gone nowhere.
    private mutating func actOnSuspicion(_ now: Instant, _ actions: inout [Action]) {
        writeDatagram(lanes.probeNow(now), &actions)
        guard isUp else { return }
        for packets in recent.young(now: now) {
            for entry in packets.entries where !entry.isControl {
                guard let id = StreamID(inBatch: entry.stream), streams[id] != nil else { continue }
                counters.mediaSentByStream += 1
                outbox.media.append(id.rtp, packets.packet(entry), now: now)
            }
        }
        say(.laneReport(ownReport(now)), now, &actions)
    }

    private func ownReport(_ now: Instant) -> LaneReport {
        var report = LaneReport()
        report.datagramsReceived = lanes.meter.received
        report.streamMediaReceived = UInt32(clamping: counters.mediaReceivedByStream)
        report.late = UInt32(clamping: counters.lateOnArrival + outbox.media.dropped)
        report.duplicates = UInt32(clamping: counters.duplicates)
        if let suspicion = lanes.suspicion, !suspicion.needsEcho, let last = lanes.meter.lastReceived {
            report.datagramSilence = UInt16(clamping: (now - last).clampedNanoseconds / 1_000_000)
        }
        report.sending = lanes.sending
        return report
    }

    mutating func laneReported(_ report: LaneReport, _ now: Instant, _ actions: inout [Action]) {
        peerReport = report
        guard report.datagramSilence > 0, lanes.becomesSuspicious(now, toldByPeer: true) else { return }
        actOnSuspicion(now, &actions)
    }
}
