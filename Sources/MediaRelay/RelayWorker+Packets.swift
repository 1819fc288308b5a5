import CoreTypes
import Media

extension RelayWorker {
    /// Rounds of one socket before the others have their turn.
    private static let roundsPerTurn = 4

    /// Moves what waits on one socket of a pair.
    func receive(pair index: Int, isControl: Bool) {
        guard index < pool.pairs.count else { return }
        let pair = pool.pairs[index]
        for _ in 0..<Self.roundsPerTurn {
            let count = batch.receive(from: isControl ? pair.rtcp : pair.rtp)
            counters.received &+= UInt64(count)
            if let session = pair.session {
                for packet in 0..<count {
                    if isControl {
                        receiveControl(packet, session, leg: pair.leg)
                    } else {
                        receiveMedia(packet, session, leg: pair.leg)
                    }
                }
                flush(session, from: pair.leg, isControl: isControl)
            } else {
                counters.drop(.idlePort, count: UInt64(count))
            }
            if count < PacketBatch.capacity { return }
        }
    }

    /// Sends what the round has queued out of the other leg's socket.
    func flush(_ session: MediaSession, from leg: Int, isControl: Bool) {
        let queued = batch.queued
        guard queued > 0 else { return }
        let index = session.legs[1 - leg].pair
        guard pool.pairs.indices.contains(index) else { return }
        let pair = pool.pairs[index]
        let sent = batch.send(from: isControl ? pair.rtcp : pair.rtp)
        counters.forwarded &+= UInt64(sent)
        counters.drop(.sendFailed, count: UInt64(queued - sent))
    }

    func receiveMedia(_ index: Int, _ session: MediaSession, leg: Int) {
        let bytes = batch.packet(index)
        guard let sender = batch.sender(index) else { return counters.drop(.size) }
        let packet: RTPPacket
        do throws(RTPProblem) {
            packet = try RTPPacket.parse(UnsafeBufferPointer(bytes).span)
        } catch {
            return counters.drop(error == .tooShort ? .size : .notRTP)
        }
        guard session.legs[leg].admit(at: now) else { return counters.drop(.tooFast) }
        switch session.legs[leg].lock.receive(packet.header, from: sender) {
        case .probation: return counters.drop(.probation)
        case .foreign: return counters.drop(.foreign)
        case .lock: onEvent(.sourceLocked(session.id, leg: leg, sender))
        case .accept: break
        }
        session.lastHeard = now
        session.isSilent = false
        let time = Instant(nanoseconds: now)
        session.legs[leg].meter.receive(packet.header, telephoneEvent: session.legs[leg].telephoneEvent, at: time)
        let state = session.legs[leg]
        let kind = session.tapKind(payloadType: packet.header.payloadType, telephoneEvent: state.telephoneEvent)
        configuration.tap?(UnsafeRawBufferPointer(bytes), sender, state.local, kind)
        if session.speaker != nil {
            listen(packet, UnsafeBufferPointer(bytes), session)
        } else {
            forward(index, packet.header, session, from: leg)
        }
    }

    private func forward(_ index: Int, _ header: RTPHeader, _ session: MediaSession, from leg: Int) {
        let other = session.legs[1 - leg]
        guard let target = other.lock.target else { return counters.drop(.noDestination) }
        guard MediaDestination.isAllowed(target, from: other.ports.address) else { return counters.drop(.refusedDestination) }
        let bytes = batch.packet(index)
        var payloadType = header.payloadType
        if payloadType == session.legs[leg].telephoneEvent, let mapped = other.telephoneEvent {
            payloadType = mapped & 0x7F
            bytes[1] = bytes[1] & 0x80 | payloadType
        }
        leave(index, to: target, other, isControl: false)
        guard let tap = configuration.tap else { return }
        let isEvent = header.payloadType == session.legs[leg].telephoneEvent
        let kind = session.tapKind(payloadType: payloadType, telephoneEvent: isEvent ? payloadType : nil)
        tap(UnsafeRawBufferPointer(bytes), other.local, target, kind)
    }

    func receiveControl(_ index: Int, _ session: MediaSession, leg: Int) {
        let bytes = batch.packet(index)
        guard let sender = batch.sender(index) else { return counters.drop(.size) }
        do throws(RTCPProblem) {
            try RTCPCompound.check(UnsafeBufferPointer(bytes).span)
        } catch {
            return counters.drop(.notRTCP)
        }
        guard session.legs[leg].admit(at: now) else { return counters.drop(.tooFast) }
        switch session.legs[leg].lock.receiveControl(from: sender) {
        case .accept: break
        case .early: return counters.drop(.earlyControl)
        case .foreign: return counters.drop(.foreign)
        }
        configuration.tap?(UnsafeRawBufferPointer(bytes), sender, session.legs[leg].localControl, .plain)
        guard session.speaker == nil else { return }
        readReports(UnsafeBufferPointer(bytes).span, session, leg: leg)
        let other = session.legs[1 - leg]
        guard let target = other.lock.controlTarget else { return counters.drop(.noDestination) }
        guard MediaDestination.isAllowed(target, from: other.ports.address) else { return counters.drop(.refusedDestination) }
        leave(index, to: target, other, isControl: true)
        configuration.tap?(UnsafeRawBufferPointer(bytes), other.localControl, target, .plain)
    }

    /// Takes from the far end's reports what they say of the lines (RFC 3550 §6.4). What a sender report says is given
    /// back by the other far end, which shows how long the way there and back is.
    private func readReports(_ bytes: Span<UInt8>, _ session: MediaSession, leg: Int) {
        let time = Instant(nanoseconds: now)
        let otherSource = session.legs[1 - leg].meter.reception.source
        RTCPReport.read(bytes) { report in
            switch report {
            case .sender(let report): session.legs[1 - leg].meter.passed(report, at: time)
            case .block(let report): session.legs[leg].meter.reported(report, on: otherSource, at: time)
            }
        }
    }
}
