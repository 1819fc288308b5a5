import CoreTypes
import Media
import MediaRelay
import NIOCore
import Synchronization

/// Packets on their way from the media loop's thread to a loop that runs tunnels: one wake-up for all that gather meanwhile.
final class TunnelMediaInlet: Sendable {
    private struct State {
        var packets: [TunnelPacket] = []
        var wake: (@Sendable () -> Void)?
    }

    /// Packets that wait at most; a loop that is so far behind loses the newest.
    private static let maximum = 8192

    private let state = Mutex(State())

    /// `wake` is called on the media loop's thread when packets wait and none did before.
    func open(_ wake: @escaping @Sendable () -> Void) { state.withLock { $0.wake = wake } }

    func put(_ packets: [TunnelPacket]) {
        let wake = state.withLock { state -> (@Sendable () -> Void)? in
            guard state.wake != nil, state.packets.count < Self.maximum else { return nil }
            let wasEmpty = state.packets.isEmpty
            state.packets += packets
            return wasEmpty ? state.wake : nil
        }
        wake?()
    }

    func take() -> [TunnelPacket] {
        state.withLock { state in
            defer { state.packets = [] }
            return state.packets
        }
    }
}
