public import CoreTypes
import Glibc
public import Media
import Synchronization

/// Moves media, on a thread of its own or a host's. Commands come from any thread and are performed in order; events are
/// reported on the loop's thread and must not block it.
public final class MediaLoop: Sendable {
    private let mailbox: Mailbox
    private let thread: Mutex<pthread_t?>
    private let host: (any MediaHost)?

    /// Starts the loop. No port is bound before `MediaCommand.reserve`, but each address is tried.
    ///
    /// - Parameter host: whose thread is to be used, where the kernel gives us io_uring.
    public init(
        configuration: MediaLoopConfiguration, on host: (any MediaHost)? = nil, onEvent: @escaping @Sendable (MediaEvent) -> Void
    ) throws(MediaLoopError) {
        try Self.check(configuration)
        if let host {
            let mailbox = Mailbox { host.wake() }
            if host.host({ Self.hosted(configuration, mailbox, notifying: $0, onEvent) }) {
                self.mailbox = mailbox
                self.host = host
                thread = Mutex(nil)
                return
            }
        }
        let event = LinuxDescriptor.makeEvent()
        guard event >= 0 else { throw .system("eventfd: \(SocketError(number: errno).text)") }
        mailbox = Mailbox { LinuxDescriptor.notify(event) }
        self.host = nil
        let worker = try Self.makeWorker(configuration, mailbox, event, onEvent)
        var started = pthread_t()
        let context = Unmanaged.passRetained(worker)
        let result = pthread_create(&started, nil, { context in
            guard let context else { return nil }
            Unmanaged<RelayWorker>.fromOpaque(context).takeRetainedValue().run()
            return nil
        }, context.toOpaque())
        guard result == 0 else {
            worker.close()
            context.release()
            throw .system("thread: \(SocketError(number: result).text)")
        }
        thread = Mutex(started)
    }

    /// Takes over `event`, which is closed where this fails.
    private static func makeWorker(
        _ configuration: MediaLoopConfiguration, _ mailbox: Mailbox, _ event: Int32?, _ onEvent: @escaping @Sendable (MediaEvent) -> Void
    ) throws(MediaLoopError) -> RelayWorker {
        guard let poller = Poller() else {
            let reason = SocketError(number: errno).text
            if let event { DatagramSocket.close(event) }
            throw .system("epoll: \(reason)")
        }
        let timer = LinuxDescriptor.makeTimer()
        let worker = RelayWorker(
            configuration: configuration, mailbox: mailbox, poller: poller, event: event, timer: timer, onEvent: onEvent)
        guard timer >= 0, event.map({ poller.watch($0, token: RelayWorker.Token.command) }) ?? true, poller.watch(timer, token: RelayWorker.Token.timer) else {
            let reason = SocketError(number: errno).text
            worker.close()
            throw .system("timerfd: \(reason)")
        }
        return worker
    }

    /// On the host's thread. Where there is no ring nothing has been begun, and a thread of our own says why.
    private static func hosted(
        _ configuration: MediaLoopConfiguration, _ mailbox: Mailbox, notifying descriptor: Int32,
        _ onEvent: @escaping @Sendable (MediaEvent) -> Void
    ) -> HostedMedia? {
        guard configuration.way != .epoll, let address = configuration.addresses.first else { return nil }
        do {
            let ring = try PacketRing(extra: RelayWorker.spareBuffers)
            try ring.check(on: address)
            try ring.notify(descriptor)
            let worker = try makeWorker(configuration, mailbox, nil, onEvent)
            worker.use(ring)
            configuration.log(.info, "media: packets go by io_uring, on the tunnel's loop")
            return HostedMedia(worker, ring, notifying: descriptor)
        } catch {
            return nil
        }
    }

    deinit { stop() }

    /// Performs a command after all that were given before it. After `stop` nothing is performed.
    public func perform(_ command: MediaCommand) { mailbox.put([command]) }

    /// Performs commands in order, for one wake-up of the loop.
    public func perform(_ commands: [MediaCommand]) { mailbox.put(commands) }

    /// Gives legs of the tunnel what came for them.
    public func receive(_ packets: PacketBatch) {
        if host?.receive(packets) != true { mailbox.put(packets) }
    }

    /// Where the thread is a host's, and called on it: a socket there holds more than was read, so there is to be no rest yet.
    public func moreWaits() { host?.moreWaits() }

    /// What the loop has done, as of its last round.
    public var counters: MediaCounters { mailbox.counters }

    /// How packets are moved; nil before the loop has begun.
    public var way: MediaLoopWay? { mailbox.way }

    /// Ends the loop and closes its sockets; returns when its thread is gone, unless called on that thread.
    public func stop() {
        guard mailbox.stop() else { return }
        host?.release()
        let running = thread.withLock { thread -> pthread_t? in
            defer { thread = nil }
            return thread
        }
        guard let running else { return }
        if pthread_equal(running, pthread_self()) != 0 {
            pthread_detach(running)
        } else {
            pthread_join(running, nil)
        }
    }

    private static func check(_ configuration: MediaLoopConfiguration) throws(MediaLoopError) {
        guard !configuration.addresses.isEmpty else { throw .noAddress }
        guard PortPool.holdsPair(configuration.ports) else { throw .noPorts(configuration.ports) }
        for address in configuration.addresses {
            do throws(SocketError) {
                DatagramSocket.close(try DatagramSocket.bind(Endpoint(address: address, port: 0), trafficClass: nil))
            } catch {
                throw .unusableAddress(address, reason: error.text)
            }
        }
    }
}
