import CoreTypes
import Glibc
public import Media
import Synchronization

/// Moves media on a thread of its own. Commands come from any thread and are performed in order; events are
/// reported on the loop's thread and must not block it.
public final class MediaLoop: Sendable {
    private let mailbox: Mailbox
    private let thread: Mutex<pthread_t?>

    /// Starts the loop. No port is bound before `MediaCommand.reserve`, but each address is tried.
    public init(
        configuration: MediaLoopConfiguration, onEvent: @escaping @Sendable (MediaEvent) -> Void
    ) throws(MediaLoopError) {
        try Self.check(configuration)
        guard let poller = Poller() else { throw .system("epoll: \(SocketError(number: errno).text)") }
        let event = LinuxDescriptor.makeEvent()
        let timer = LinuxDescriptor.makeTimer()
        mailbox = Mailbox(event: event)
        let worker = RelayWorker(
            configuration: configuration, mailbox: mailbox, poller: poller, event: event, timer: timer, onEvent: onEvent)
        guard event >= 0, timer >= 0, poller.watch(event, token: RelayWorker.Token.command), poller.watch(timer, token: RelayWorker.Token.timer) else {
            let reason = SocketError(number: errno).text
            worker.close()
            throw .system("eventfd, timerfd: \(reason)")
        }
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

    deinit { stop() }

    /// Performs a command after all that were given before it. After `stop` nothing is performed.
    public func perform(_ command: MediaCommand) { mailbox.put([command]) }

    /// Performs commands in order, for one wake-up of the loop.
    public func perform(_ commands: [MediaCommand]) { mailbox.put(commands) }

    /// Gives legs of the tunnel what came for them.
    public func receive(_ packets: [TunnelPacket]) { mailbox.put(packets) }

    /// What the loop has done, as of its last round.
    public var counters: MediaCounters { mailbox.counters }

    /// How packets are moved; nil before the loop has begun.
    public var way: MediaLoopWay? { mailbox.way }

    /// Ends the loop and closes its sockets; returns when its thread is gone, unless called on that thread.
    public func stop() {
        _ = mailbox.stop()
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
