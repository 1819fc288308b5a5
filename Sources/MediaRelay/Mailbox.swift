import Media
import Synchronization

/// Commands on their way to the loop's thread, in order, and the counters on their way back.
final class Mailbox: Sendable {
    private struct State {
        var commands: [MediaCommand] = []
        var packets: [TunnelPacket] = []
        var isStopped = false

        /// Nobody has been woken for anything yet.
        var isEmpty: Bool { commands.isEmpty && packets.isEmpty }
    }

    /// Packets from the tunnel that wait at most; a loop that is so far behind loses the newest.
    private static let maximumPackets = 8192

    private let state = Mutex(State())
    private let published = Mutex(MediaCounters())
    private let chosen = Mutex<MediaLoopWay?>(nil)
    private let event: Int32

    /// Takes over the eventfd that wakes the loop.
    init(event: Int32) { self.event = event }

    func put(_ commands: [MediaCommand]) {
        guard !commands.isEmpty else { return }
        let wasEmpty = state.withLock { state in
            guard !state.isStopped else { return false }
            defer { state.commands.append(contentsOf: commands) }
            return state.isEmpty
        }
        // Outside the lock, or the thread that wakes would wait for it.
        if wasEmpty { LinuxDescriptor.notify(event) }
    }

    func put(_ packets: [TunnelPacket]) {
        guard !packets.isEmpty else { return }
        let wasEmpty = state.withLock { state in
            guard !state.isStopped, state.packets.count < Self.maximumPackets else { return false }
            defer { state.packets.append(contentsOf: packets) }
            return state.isEmpty
        }
        if wasEmpty { LinuxDescriptor.notify(event) }
    }

    /// Asks the loop to end; false where it was asked before.
    func stop() -> Bool {
        state.withLock { state in
            guard !state.isStopped else { return false }
            state.isStopped = true
            LinuxDescriptor.notify(event)
            return true
        }
    }

    /// Exchanges what waits for empty lists; false once `stop` was called.
    func take(into commands: inout [MediaCommand], _ packets: inout [TunnelPacket]) -> Bool {
        _ = LinuxDescriptor.take(event)
        return state.withLock { state in
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
