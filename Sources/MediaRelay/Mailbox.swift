import CoreTypes
import Media
import Synchronization

/// Commands on their way to the loop's thread, in order, and the counters on their way back.
final class Mailbox: Sendable {
    private struct State {
        var commands: [MediaCommand] = []
        var packets = PacketBatch()
        var isStopped = false

        /// Nobody has been woken for anything yet.
        var isEmpty: Bool { commands.isEmpty && packets.isEmpty }
    }

    /// Packets from the tunnel that wait at most; a loop that is so far behind loses the newest.
    private static let maximumPackets = 8192

    private let state = Mutex(State())
    private let published = Mutex(MediaCounters())
    private let chosen = Mutex<MediaLoopWay?>(nil)
    private let wake: @Sendable () -> Void

    /// `wake` is called when something waits and nothing did before, on the thread that put it in.
    init(wake: @escaping @Sendable () -> Void) { self.wake = wake }

    /// Whether the loop has anything to take.
    var isEmpty: Bool { state.withLock { $0.isEmpty && !$0.isStopped } }

    func put(_ commands: [MediaCommand]) {
        guard !commands.isEmpty else { return }
        let wasEmpty = state.withLock { state in
            guard !state.isStopped else { return false }
            defer { state.commands.append(contentsOf: commands) }
            return state.isEmpty
        }
        // Outside the lock, or the thread that wakes would wait for it.
        if wasEmpty { wake() }
    }

    func put(_ packets: PacketBatch) {
        guard !packets.isEmpty else { return }
        let wasEmpty = state.withLock { state in
            guard !state.isStopped, state.packets.count < Self.maximumPackets else { return false }
            defer { state.packets.append(packets) }
            return state.isEmpty
        }
        if wasEmpty { wake() }
    }

    /// Asks the loop to end; false where it was asked before.
    func stop() -> Bool {
        let isNew = state.withLock { state in
            defer { state.isStopped = true }
            return !state.isStopped
        }
        if isNew { wake() }
        return isNew
    }

    /// Exchanges what waits for empty lists; false once `stop` was called.
    func take(into commands: inout [MediaCommand], _ packets: inout PacketBatch) -> Bool {
        state.withLock { state in
            swap(&commands, &state.commands)
            swap(&packets, &state.packets)
            return !state.isStopped
        }
    }

    var counters: MediaCounters {
        get { published.withLock { $0 } }
        set { published.withLock { $0 = newValue } }
    }

    var way: MediaLoopWay? {
        get { chosen.withLock { $0 } }
        set { chosen.withLock { $0 = newValue } }
    }
}
