import CoreTypes
import Media

extension RelayWorker {
    /// Handles packet `index`, which came to a socket of a pair.
    func receive(_ index: Int, pair: Int, isControl: Bool) {
        guard pool.pairs.indices.contains(pair) else { return }
        counters.received &+= 1
        guard let session = pool.pairs[pair].session else { return counters.drop(.idlePort) }
        if isControl {
            receiveControl(index, session, leg: pool.pairs[pair].leg)
        } else {
            receiveMedia(index, session, leg: pool.pairs[pair].leg)
        }
    }

    func receiveMedia(_ index: Int, _ session: MediaSession, leg: Int) {
        guard let sender = buffers.sender(index) else { return counters.drop(.size) }
        let state = session.legs[leg]
        if let reason = makePlain(index, state, from: sender) { return counters.drop(reason) }
        take(index, session, state, from: sender, isLocal: false)
    }

    /// Judges a plain packet and moves it on.
    ///
    /// - Parameter isLocal: it comes from a leg of another session here, not from the network.
    private func take(_ index: Int, _ session: MediaSession, _ state: LegState, from sender: Endpoint, isLocal: Bool) {
        let bytes = buffers.packet(index)
        let packet: RTPPacket
        do throws(RTPProblem) {
            packet = try RTPPacket.parse(UnsafeBufferPointer(bytes).span)
        } catch {
            return counters.drop(error == .tooShort ? .size : .notRTP)
        }
        switch state.lock.receive(packet.header, from: sender) {
        case .probation: return counters.drop(.probation)
        case .foreign: return counters.drop(.foreign)
        case .lock: onEvent(.sourceLocked(session.id, leg: session.legs.first === state ? 0 : 1, sender))
        case .accept: break
        }
        // Only now: nobody else is to use up what the far end may send.
        guard state.admit(at: now) else { return counters.drop(.tooFast) }
        session.lastHeard = now
        session.isSilent = false
        state.meter.receive(packet.header, telephoneEvent: state.telephoneEvent, at: Instant(nanoseconds: now))
        if let tap = configuration.tap {
            let kind = session.tapKind(payloadType: packet.header.payloadType, telephoneEvent: state.telephoneEvent)
            tap(UnsafeRawBufferPointer(bytes), sender, state.local, kind)
        }
        if session.speaker != nil {
            listen(packet, UnsafeBufferPointer(bytes), session)
        } else if let other = session.other(than: state) {
            forward(index, packet, session, from: state, to: other, isLocal: isLocal)
        }
    }

    /// Takes the protection off a packet of a leg that has SRTP; why it goes nowhere, or nil. Who has no chance to be the
    /// far end is not worth the work.
    private func makePlain(_ index: Int, _ state: LegState, from sender: Endpoint) -> MediaDropReason? {
        guard !state.isBarred else { return .unauthentic }
        guard let security = state.security else { return nil }
        guard state.lock.mayAccept(sender) else { return .foreign }
        do throws(SRTPSession.Failure) {
            buffers.resize(index, try security.unprotect(UnsafeMutableRawBufferPointer(buffers.packet(index))))
            return nil
        } catch {
            return error == .replayed ? .replayed : .unauthentic
        }
    }

    private func forward(
        _ index: Int, _ packet: RTPPacket, _ session: MediaSession, from state: LegState, to other: LegState, isLocal: Bool
    ) {
        guard let target = other.lock.target else { return counters.drop(.noDestination) }
        guard MediaDestination.isAllowed(target, from: other.ports.address) else { return counters.drop(.refusedDestination) }
        var payloadType = packet.header.payloadType
        var isEvent = isEvent(packet.header, from: state, to: other)
        if needsConversion(from: state, to: other) {
            switch convert(index, packet, from: state, to: other, isEvent) {
            case .passed: break
            case .changed(let header, let event): (payloadType, isEvent) = (header.payloadType, event)
            case .absorbed: return counters.drop(.converted)
            }
        } else if isEvent, let mapped = other.telephoneEvent {
            payloadType = mapped & 0x7F
        }
        let bytes = buffers.packet(index)
        bytes[1] = bytes[1] & 0x80 | payloadType
        if let tap = configuration.tap {
            let kind = session.tapKind(payloadType: payloadType, telephoneEvent: isEvent ? payloadType : nil)
            tap(UnsafeRawBufferPointer(bytes), other.local, target, kind)
        }
        // Both ends of the way are here: no packet need leave, and what they have agreed on to protect it is not needed.
        if !isLocal, let (peer, leg) = neighbour(of: session, beyond: other, at: target) {
            counters.joined &+= 1
            return take(index, peer, leg, from: leg.isTunnel ? leg.local : other.local, isLocal: true)
        }
        guard !other.isBarred else { return counters.drop(.unprotected) }
        if let security = other.security {
            guard let count = security.protect(buffers.buffer(index), count: bytes.count) else { return counters.drop(.unprotected) }
            buffers.resize(index, count)
        }
        leave(index, to: target, other, isControl: false)
    }

    /// The session of ours that a leg's far end belongs to, and its leg there: a call between two phones of the site that
    /// the PBX has given back. Of streams of the tunnel the description tells, of sockets where packets would go.
    private func neighbour(
        of session: MediaSession, beyond leg: LegState, at target: Endpoint
    ) -> (MediaSession, LegState)? {
        if leg.isTunnel {
            guard let remote = leg.remote, let key = tunnelPlaces[remote], let found = tunnelLegs[key],
                let peer = neighbour(found.session, found.leg, session), peer.1.remote == leg.local
            else { return nil }
            return peer
        }
        guard let index = pool.pair(at: target), let peer = pool.pairs[index].session else { return nil }
        return neighbour(peer, pool.pairs[index].leg, session)
    }

    private func neighbour(_ peer: MediaSession, _ leg: Int, _ session: MediaSession) -> (MediaSession, LegState)? {
        peer !== session && peer.legs.indices.contains(leg) ? (peer, peer.legs[leg]) : nil
    }

    func receiveControl(_ index: Int, _ session: MediaSession, leg: Int) {
        guard let sender = buffers.sender(index) else { return counters.drop(.size) }
        let state = session.legs[leg]
        if let reason = makePlainControl(index, state) { return counters.drop(reason) }
        takeControl(index, session, state, from: sender, isLocal: false)
    }

    private func takeControl(_ index: Int, _ session: MediaSession, _ state: LegState, from sender: Endpoint, isLocal: Bool) {
        let bytes = buffers.packet(index)
        do throws(RTCPProblem) {
            try RTCPCompound.check(UnsafeBufferPointer(bytes).span)
        } catch {
            return counters.drop(.notRTCP)
        }
        switch state.lock.receiveControl(from: sender) {
        case .accept: break
        case .early: return counters.drop(.earlyControl)
        case .foreign: return counters.drop(.foreign)
        }
        guard state.admit(at: now) else { return counters.drop(.tooFast) }
        configuration.tap?(UnsafeRawBufferPointer(bytes), sender, state.localControl, .plain)
        guard session.speaker == nil, let other = session.other(than: state) else { return }
        readReports(UnsafeBufferPointer(bytes).span, from: state, to: other)
        forwardControl(index, session, other, isLocal: isLocal)
    }

    private func makePlainControl(_ index: Int, _ state: LegState) -> MediaDropReason? {
        guard !state.isBarred else { return .unauthentic }
        guard let security = state.security else { return nil }
        do throws(SRTPSession.Failure) {
            buffers.resize(index, try security.unprotectControl(UnsafeMutableRawBufferPointer(buffers.packet(index))))
            return nil
        } catch {
            return error == .replayed ? .replayed : .unauthentic
        }
    }

    private func forwardControl(_ index: Int, _ session: MediaSession, _ other: LegState, isLocal: Bool) {
        guard let target = other.lock.controlTarget else { return counters.drop(.noDestination) }
        guard MediaDestination.isAllowed(target, from: other.ports.address) else { return counters.drop(.refusedDestination) }
        let bytes = buffers.packet(index)
        configuration.tap?(UnsafeRawBufferPointer(bytes), other.localControl, target, .plain)
        if !isLocal, let (peer, leg) = neighbour(of: session, beyond: other, at: target) {
            counters.joined &+= 1
            return takeControl(index, peer, leg, from: leg.isTunnel ? leg.localControl : other.localControl, isLocal: true)
        }
        guard !other.isBarred else { return counters.drop(.unprotected) }
        if let security = other.security {
            guard let count = security.protectControl(buffers.buffer(index), count: bytes.count) else {
                return counters.drop(.unprotected)
            }
            buffers.resize(index, count)
        }
        leave(index, to: target, other, isControl: true)
    }

    /// Takes from the far end's reports what they say of the lines (RFC 3550 §6.4). What a sender report says is given
    /// back by the other far end, which shows how long the way there and back is.
    private func readReports(_ bytes: Span<UInt8>, from state: LegState, to other: LegState) {
        let time = Instant(nanoseconds: now)
        let otherSource = other.meter.reception.source
        RTCPReport.read(bytes) { report in
            switch report {
            case .sender(let report): other.meter.passed(report, at: time)
            case .block(let report): state.meter.reported(report, on: otherSource, at: time)
            }
        }
    }
}
