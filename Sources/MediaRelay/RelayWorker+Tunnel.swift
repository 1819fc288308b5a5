import CoreTypes
import Media

/// Legs whose far end is a stream of the tunnel: packets come and go in batches, for one wake-up of the other thread.
extension RelayWorker {
    /// Puts packet `index` on its way out by a leg.
    func leave(_ index: Int, to target: Endpoint, _ leg: LegState, isControl: Bool) {
        guard let stream = leg.ports.tunnelStream else {
            let pair = pool.pairs[leg.pair]
            return send(index, to: target, from: isControl ? pair.rtcp : pair.rtp)
        }
        leaving.append(stream: stream, isControl: isControl, UnsafeRawBufferPointer(buffers.packet(index)))
    }

    /// Hands over what the round has gathered.
    func flushTunnel() {
        guard !leaving.isEmpty else { return }
        counters.forwarded &+= UInt64(leaving.count)
        configuration.tunnel?(&leaving)
        leaving.removeAll()
    }

    /// Moves what came by the tunnel, out of turn.
    func moveAtOnce(_ packets: PacketBatch) {
        now = Self.monotonicNanoseconds()
        receive(packets)
        flushTunnel()
        flushRing()
        mailbox.counters = counters
    }

    /// Moves what came by the tunnel.
    func receive(_ packets: PacketBatch) {
        packets.bytes.withUnsafeBytes { bytes in
            for entry in packets.entries {
                guard let (session, leg) = tunnelLegs[-1 - Int(entry.stream)] else {
                    counters.drop(.idlePort)
                    continue
                }
                take(UnsafeRawBufferPointer(rebasing: bytes[entry.place]), isControl: entry.isControl, session, leg)
            }
        }
    }

    private func take(_ packet: UnsafeRawBufferPointer, isControl: Bool, _ session: MediaSession, _ leg: Int) {
        counters.received &+= 1
        let state = session.legs[leg]
        let sender = isControl ? state.localControl : state.local
        let spare = takeSpare()
        guard buffers.load(spare, packet, from: sender) else { return counters.drop(.size) }
        if isControl {
            receiveControl(spare, session, leg: leg)
        } else {
            receiveMedia(spare, session, leg: leg)
        }
    }
}
