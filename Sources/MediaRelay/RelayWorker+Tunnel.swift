import CoreTypes
import Media

/// Legs whose far end is a stream of the tunnel: packets come and go in lists, for one wake-up of the other thread.
extension RelayWorker {
    /// Puts packet `index` on its way out by a leg.
    func leave(_ index: Int, to target: Endpoint, _ leg: LegState, isControl: Bool) {
        guard let stream = leg.ports.tunnelStream else {
            let pair = pool.pairs[leg.pair]
            return batch.queue(index, to: target, from: isControl ? pair.rtcp : pair.rtp)
        }
        leaving.append(TunnelPacket(stream: stream, isControl: isControl, bytes: Array(batch.packet(index))))
    }

    /// Hands over what the round has gathered.
    func flushTunnel() {
        guard !leaving.isEmpty else { return }
        counters.forwarded &+= UInt64(leaving.count)
        configuration.tunnel?(leaving)
        leaving.removeAll(keepingCapacity: true)
    }

    /// Moves what came by the tunnel. What goes out by one socket leaves together.
    func receive(_ packets: [TunnelPacket]) {
        var next = 0
        while next < packets.count {
            let first = packets[next]
            guard let (session, leg) = tunnelLegs[-1 - Int(first.stream)] else {
                counters.drop(.idlePort)
                next += 1
                continue
            }
            var count = 0
            while next < packets.count, count < PacketBatch.capacity, packets[next].stream == first.stream,
                packets[next].isControl == first.isControl
            {
                take(packets[next], as: count, session, leg)
                next += 1
                count += 1
            }
            flush()
        }
    }

    private func take(_ packet: TunnelPacket, as index: Int, _ session: MediaSession, _ leg: Int) {
        counters.received &+= 1
        let state = session.legs[leg]
        let sender = packet.isControl ? state.localControl : state.local
        guard batch.load(index, packet.bytes, from: sender) else { return counters.drop(.size) }
        if packet.isControl {
            receiveControl(index, session, leg: leg)
        } else {
            receiveMedia(index, session, leg: leg)
        }
    }
}
