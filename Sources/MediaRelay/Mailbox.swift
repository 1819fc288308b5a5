import Media
import Synchronization

/// Commands on their way to the loop's thread, in order, and the counters on their way back.
final class Mailbox: Sendable {
    private struct State {
        var commands: [MediaCommand] = []
        var isStopped = false
    }

    private let state = Mutex(State())
    private let published = Mutex(MediaCounters())
    private let event: Int32

    /// Takes over the eventfd that wakes the loop.
    init(event: Int32) { self.event = event }

    func put(_ commands: [MediaCommand]) {
        guard !commands.isEmpty else { return }
        let wasEmpty = state.withLock { state in
            guard !state.isStopped else { return false }
            defer { state.commands.append(contentsOf: commands) }
            return state.commands.isEmpty
        }
        // Outside the lock, or the thread that wakes would wait for it.
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

    /// Exchanges the commands that wait for an empty list; false once `stop` was called.
    func take(into commands: inout [MediaCommand]) -> Bool {
        _ = LinuxDescriptor.take(event)
        return state.withLock { state in
            swap(&commands, &state.commands)
            return !state.isStopped
        }
    }

    var counters: MediaCounters {
        get { published.withLock { $0 } }
        set { published.withLock { $0 = newValue } }
    }
}
