public import CoreTypes
public import Media

/// A thread of the caller's on which media moves in turns, between whatever else happens there: with the tunnel, whose
/// packets then go from socket to socket without another thread being woken.
public protocol MediaHost: Sendable {
    /// Calls `make` on that thread and keeps what it gives there: its `turn` is to be called whenever the descriptor
    /// `make` was given, an eventfd(2) that the host has made and reads, counts more than 0, and at the latest
    /// `pause` after the last turn. False where `make` gives nothing, or nothing can be hosted.
    func host(_ make: @escaping @Sendable (_ descriptor: Int32) -> HostedMedia?) -> Bool

    /// Ends what is hosted, on its thread, and returns when that is done.
    func release()

    /// Has a turn taken soon; on any thread.
    func wake()

    /// Gives packets of the tunnel to what is hosted; false where this is not its thread.
    func receive(_ packets: PacketBatch) -> Bool

    /// The host's own sockets hold more than was read: it is not to rest before that is moved, too. On its thread.
    func moreWaits()
}

/// The packet loop where it has no thread of its own. Needs io_uring. Belongs to its host's thread.
public final class HostedMedia {
    /// Turns at a time, where there is more and more to do.
    private static let maximumTurns = 4

    private let worker: RelayWorker
    private let ring: PacketRing
    private let descriptor: Int32
    private var isRunning = true

    init(_ worker: RelayWorker, _ ring: PacketRing, notifying descriptor: Int32) {
        self.worker = worker
        self.ring = ring
        self.descriptor = descriptor
    }

    /// An eventfd(2) for a host to make; negative: the kernel gives none.
    public static func makeDescriptor() -> Int32 { LinuxDescriptor.makeEvent() }

    /// How long after a turn another is due where nothing comes; nil: none is.
    public var pause: Duration? {
        let wait = worker.waitingTime
        return isRunning && wait >= 0 ? .milliseconds(Int64(wait)) : nil
    }

    /// Packets that have come so far, by sockets and by the tunnel.
    public var received: UInt64 { worker.counters.received }

    /// Moves what has come, performs commands, and sends.
    public func turn() {
        guard isRunning else { return }
        ring.setNotifying(false)
        for _ in 0..<Self.maximumTurns {
            isRunning = worker.turn(waiting: 0)
            guard isRunning else { return }
            ring.submit()
            ring.setNotifying(true)
            // Nobody is told of what came in between.
            guard ring.hasNews else { return }
            ring.setNotifying(false)
        }
        ring.setNotifying(true)
        LinuxDescriptor.notify(descriptor)
    }

    /// Moves what came by the tunnel, at once.
    public func receive(_ packets: PacketBatch) {
        guard isRunning else { return }
        worker.moveAtOnce(packets)
    }

    /// Performs what was asked before, and closes every socket.
    public func close() {
        turn()
        isRunning = false
        worker.close()
    }
}
