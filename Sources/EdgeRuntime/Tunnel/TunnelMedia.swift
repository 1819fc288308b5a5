import CoreTypes
import Media
import MediaRelay
import NIOCore
import Synchronization

/// Packets on their way from the media loop's thread to a loop that runs tunnels: one wake-up for all that gather meanwhile.
final class TunnelMediaInlet: Sendable {
    private struct State {
        var packets = PacketBatch()
        var wake: (@Sendable () -> Void)?
    }

    /// Packets that wait at most; a loop that is so far behind loses the newest.
    private static let maximum = 8192

    private let state = Mutex(State())

    /// `wake` is called on the media loop's thread when packets wait and none did before.
    func open(_ wake: @escaping @Sendable () -> Void) { state.withLock { $0.wake = wake } }

    /// Takes what is in the batch, and may leave other memory there.
    func put(_ packets: inout PacketBatch) {
        let wake = state.withLock { state -> (@Sendable () -> Void)? in
            guard state.wake != nil, state.packets.count < Self.maximum else { return nil }
            guard state.packets.isEmpty else {
                state.packets.append(packets)
                return nil
            }
            swap(&state.packets, &packets)
            return state.wake
        }
        wake?()
    }

    /// Exchanges what is in `packets`, whose memory is used again, for what waits.
    func take(into packets: inout PacketBatch) {
        packets.removeAll()
        state.withLock { swap(&$0.packets, &packets) }
    }
}
