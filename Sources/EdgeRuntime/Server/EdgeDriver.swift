import CoreTypes
import CryptoPrimitives
import EdgeProxy
import Glibc
import HotDeskPolicy
import Logging
import Media
import NIOCore

/// The one place where the core is driven: an event goes in, the actions that come out are performed in order,
/// and the next deadline is armed. Lives on the signalling loop; every method but `submit` is called there.
///
/// Whoever delivers events calls `endTick` when the burst is over: what was sent meanwhile leaves then, together.
final class EdgeDriver: @unchecked Sendable {
    /// The parts that perform what is not sending.
    struct Outlets {
        var media: @Sendable ([MediaCommand]) -> Void
        var store: @Sendable (StoreChange, StoreToken?) -> Void
        var audit: @Sendable (AuditEntry) -> Void
        var call: @Sendable (CallRecord) -> Void
        var verify: @Sendable (PINCheckID, Personal<String>, String?) -> Void
    }

    /// How long a command to the media loop may wait for others, where nobody hears the difference.
    private static let mediaPatience = Duration.milliseconds(4)

    /// How late a deadline may be met, so that many close together cost one wake-up.
    private static let slack = Duration.milliseconds(5)

    let loop: any EventLoop
    let clock: EdgeClock
    let capture: CaptureTap?
    private let logger: Logger
    private let outlets: Outlets

    private var core: EdgeProxy
    private var closing: ClosingTime
    private var actions: [EdgeAction] = []
    /// Events raised while actions are performed; handled right after.
    private var raised: [EdgeEvent] = []
    private var isHandling = false

    private var listeners: [Endpoint: DatagramListener] = [:]
    private var connections: [UInt64: any FlowSink] = [:]
    private var unflushed: [any FlowSink] = []
    private var unflushedListeners: [DatagramListener] = []
    private var lastConnection: UInt64 = 0
    /// Where the PBX is reached by the tunnel.
    var tunnel: TunnelTrunk?

    /// Commands that wait for the media loop: they go together, for each wake-up of it costs more than they do.
    private var mediaCommands: [MediaCommand] = []
    private var mediaDue: Instant?

    private var timer: Scheduled<Void>?
    private var armed: Instant?
    private var minutes: RepeatedTask?
    private var pacer = TurnPacer.signalling
    private var trimmer = HeapTrimmer()
    /// Messages received so far.
    private var messages = 0

    init(
        loop: any EventLoop, clock: EdgeClock, core: EdgeProxy, closing: ClosingTime, outlets: Outlets, capture: CaptureTap?, logger: Logger) {
        self.loop = loop
        self.clock = clock
        self.core = core
        self.core.tellsApprovals = logger.logLevel <= .debug
        self.closing = closing
        self.outlets = outlets
        self.capture = capture
        self.logger = logger
    }

    // MARK: Events

    /// From any thread: one event, and its tick.
    func submit(_ event: EdgeEvent) {
        loop.execute {
            self.deliver(event)
            self.endTick()
        }
    }

    func deliver(_ event: EdgeEvent) {
        loop.assertInEventLoop()
        guard !isHandling else { return raised.append(event) }
        isHandling = true
        defer { isHandling = false }
        handle(event)
        var next = 0
        while next < raised.count {
            let event = raised[next]
            next += 1
            handle(event)
        }
        if next > 0 { raised.removeAll(keepingCapacity: true) }
    }

    /// Sends what has gathered and arms the next deadline.
    func endTick() {
        loop.assertInEventLoop()
        for listener in unflushedListeners { listener.flush() }
        unflushedListeners.removeAll(keepingCapacity: true)
        var next = 0
        // A flush may fail and deliver an event, which may want more to be sent.
        while next < unflushed.count {
            let sink = unflushed[next]
            next += 1
            sink.flush()
        }
        unflushed.removeAll(keepingCapacity: true)
        if let mediaDue, mediaDue <= clock.now { flushMedia() }
        arm()
    }

    /// The same for a socket that was read. Under load the loop then lets more gather before it looks again.
    ///
    /// - Parameter isDrained: whether the socket gave all it had.
    func endBurst(isDrained: Bool) {
        endTick()
        // Media of the tunnel passes by this loop, and has a pace of its own.
        if let tunnel {
            if !isDrained { tunnel.moreWaits() }
            return
        }
        guard pacer.burstEnded(isDrained: isDrained) else { return }
        // By then the loop has been through all the sockets of this turn.
        loop.execute { self.pacer.restAfterTurn() }
    }

    private func queue(_ command: MediaCommand) {
        mediaCommands.append(command)
        let due = command.isPatient ? clock.now + Self.mediaPatience : clock.now
        mediaDue = min(mediaDue ?? due, due)
    }

    private func flushMedia() {
        mediaDue = nil
        outlets.media(mediaCommands)
        mediaCommands.removeAll(keepingCapacity: true)
    }

    func status() -> EdgeStatus { core.status(now: clock.now) }

    func desk(of device: DeviceName) -> DeskView? { core.desk(of: device) }

    private func handle(_ event: EdgeEvent) {
        if case .reload(let configuration) = event { closing.minute = configuration.policy.autoLogout.at }
        core.handle(event, now: clock.now, into: &actions)
        for index in actions.indices { perform(actions[index]) }
        actions.removeAll(keepingCapacity: true)
    }

    // MARK: Actions

    private func perform(_ action: EdgeAction) {
        switch action {
        case .transmit(let bytes, let flow): transmit(bytes, flow)
        case .close(let flow): connections[flow.connection]?.close()
        case .media(let command):
            tunnel?.note(command)
            queue(command)
        case .verifyPIN(let check, let pin, let hash): outlets.verify(check, pin, hash)
        case .store(let change, let token): outlets.store(change, token)
        case .audit(let entry):
            outlets.audit(entry)
            logger.log(level: entry.kind.level, "\(Redaction.numbers(in: entry.line))")
        case .callEnded(let record):
            outlets.call(record)
            logger.info("\(Redaction.numbers(in: record.line))")
        case .log(let level, let text): logger.log(level: .init(level), "\(Redaction.numbers(in: text))")
        }
    }

    private func transmit(_ bytes: [UInt8], _ flow: Flow) {
        switch flow.transport {
        case .udp where flow.connection == 0:
            guard let listener = listeners[flow.local] else { return }
            if listener.send(bytes, to: flow.remote) { unflushedListeners.append(listener) }
        // A way of the tunnel, too, whatever carries it behind the headend.
        case .udp, .tcp, .tls:
            guard let connection = connections[flow.connection] else { return raise(.flowClosed(flow)) }
            connection.send(bytes)
        }
        capture?.signalling(bytes, from: flow.local, to: flow.remote)
    }

    /// An event out of the performing of an action, or out of nothing.
    private func raise(_ event: EdgeEvent) {
        if isHandling { raised.append(event) } else { deliver(event) }
    }

    // MARK: Sockets

    /// One message came.
    func received(_ bytes: [UInt8], on flow: Flow) {
        capture?.signalling(bytes, from: flow.remote, to: flow.local)
        messages &+= 1
        pacer.received(at: clock.now)
        deliver(.received(bytes, flow))
    }

    func add(_ listener: DatagramListener) { listeners[listener.local] = listener }

    /// A number for a new connection, never used twice.
    func nextConnection() -> UInt64 {
        lastConnection &+= 1
        return lastConnection
    }

    func add(_ connection: any FlowSink, _ id: UInt64) { connections[id] = connection }

    /// A connection is gone: nothing is sent there any more, and the core is told.
    func remove(_ flow: Flow) {
        guard connections.removeValue(forKey: flow.connection) != nil else { return }
        deliver(.flowClosed(flow))
    }

    /// Nothing is sent by that connection any more; the core knows.
    func forget(_ connection: UInt64) { connections[connection] = nil }

    /// The connection has something to send with the next `endTick`.
    func needsFlush(_ connection: any FlowSink) { unflushed.append(connection) }

    // MARK: Time

    private func arm() {
        var deadline = core.nextDeadline.map { $0 + Self.slack }
        if let mediaDue { deadline = min(deadline ?? mediaDue, mediaDue) }
        guard let deadline else { return }
        if let armed, armed <= deadline { return }
        timer?.cancel()
        armed = deadline
        let wait = max(.zero, deadline - clock.now)
        timer = loop.scheduleTask(in: .nanoseconds(wait.clampedNanoseconds)) { [weak self] in self?.timeHasCome() }
    }

    private func timeHasCome() {
        armed = nil
        timer = nil
        if let deadline = core.nextDeadline, deadline <= clock.now { deliver(.tick) }
        endTick()
    }

    /// Looks once a minute whether the site closes, and whether memory can be given back.
    func startMinutes() {
        minutes = loop.scheduleRepeatedTask(initialDelay: .seconds(60), delay: .seconds(60)) { [weak self] _ in
            guard let self else { return }
            if closing.look(at: ClosingTime.localMinute(at: clock.now)) {
                deliver(.closingTime)
                endTick()
            }
            if trimmer.look(messages) { ProcessTuning.trimHeaps() }
        }
    }

    /// Nothing is armed or sent after this. Lets go of the sockets, which hold the driver.
    func shutDown() {
        minutes?.cancel()
        timer?.cancel()
        timer = nil
        armed = Instant(nanoseconds: .min)
        for connection in Array(connections.values) { connection.close() }
        listeners = [:]
        tunnel = nil
    }
}

extension MediaCommand {
    /// Whether a few milliseconds more or less are nobody's loss: ports were bound long before.
    fileprivate var isPatient: Bool {
        switch self {
        case .relay, .close, .sensitive: return true
        case .restore, .reserve, .reserveStreams, .announce, .play, .press, .measure: return false
        }
    }
}

extension AuditEntry.Kind {
    fileprivate var level: Logger.Level {
        switch self {
        case .refused, .loginSucceeded, .loginFailed, .unlocked, .loggedOut, .registrationRefused, .provisioning: return .notice
        case .emergency, .lockedOut, .degraded: return .warning
        }
    }
}

extension AuditEntry {
    /// One line: what is empty is left out.
    fileprivate var line: String {
        var line = kind.rawValue
        if !device.isEmpty { line += " device=\(device)" }
        if !`extension`.isEmpty { line += " extension=\(`extension`)" }
        if !request.isEmpty { line += " request=\"\(request)\"" }
        if !detail.isEmpty { line += " detail=\"\(detail)\"" }
        return line
    }
}

extension Logger.Level {
    init(_ level: LogLevel) {
        switch level {
        case .debug: self = .debug
        case .info: self = .info
        case .notice: self = .notice
        case .warning: self = .warning
        case .error: self = .error
        }
    }
}
