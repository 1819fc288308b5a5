import CoreTypes
import Glibc
import Media

/// The packet loop: waits, moves packets, performs commands. Everything here happens on one thread, its own or a host's.
final class RelayWorker {
    enum Token {
        static let command: UInt64 = 1 << 60
        static let timer: UInt64 = 1 << 60 + 1
    }

    let configuration: MediaLoopConfiguration
    let onEvent: @Sendable (MediaEvent) -> Void
    let mailbox: Mailbox
    let timer: Int32
    /// Counts up where commands wait; nil where a host looks after that.
    let event: Int32?
    var network: PacketWay
    var buffers: PacketBuffers
    /// The buffers of what does not come by the ring, in turn.
    var spares = 0..<1
    var nextSpare = 0
    var pool: PortPool
    var sessions: [MediaSessionID: MediaSession] = [:]
    /// Sessions that are speaking; the timer runs while there are any.
    var speaking: [MediaSession] = []
    var speech = [UInt8](repeating: 0, count: Announcement.packetSize + SRTPSession.room)
    var counters = MediaCounters()
    /// Monotonic nanoseconds, read once a round.
    var now: Int64 = 0
    var random: SplitMix
    private var commands: [MediaCommand] = []
    private var packets = PacketBatch()
    /// Whose legs the streams of the tunnel are, and what they send in this round.
    var tunnelLegs: [Int: (session: MediaSession, leg: Int)] = [:]
    var leaving = PacketBatch()
    /// Streams of the tunnel by the address the headend has for them.
    var tunnelPlaces: [Endpoint: Int] = [:]
    /// Pairs that came free in this round; announced together.
    var released: [MediaPorts] = []
    private var isTimerRunning = false
    private var lastSilenceCheck: Int64 = 0

    init(
        configuration: MediaLoopConfiguration, mailbox: Mailbox, poller: Poller, event: Int32?, timer: Int32,
        onEvent: @escaping @Sendable (MediaEvent) -> Void
    ) {
        self.configuration = configuration
        self.mailbox = mailbox
        network = .epoll(poller)
        buffers = PacketBuffers(count: 1)
        self.event = event
        self.timer = timer
        self.onEvent = onEvent
        random = SplitMix(state: configuration.randomSeed)
        pool = PortPool(addresses: configuration.addresses, range: configuration.ports, dscp: configuration.dscp)
    }

    /// Runs on a thread of its own until `Mailbox.stop`.
    func run() {
        chooseWay()
        while turn(waiting: waitingTime) {}
        close()
    }

    /// Everything once, after waiting for so many milliseconds; false once `Mailbox.stop` was called.
    func turn(waiting: Int32) -> Bool {
        // Packets come before commands, so that what still waited on the ports of a call that is over is gone
        // before the ports serve the next one.
        let isRunning = movePackets(waiting: waiting) ? performCommands() : true
        checkSilence()
        flushTunnel()
        mailbox.counters = counters
        return isRunning
    }

    private func performCommands() -> Bool {
        commands.removeAll(keepingCapacity: true)
        packets.removeAll()
        let isRunning = mailbox.take(into: &commands, &packets)
        receive(packets)
        for command in commands { perform(command) }
        if !released.isEmpty {
            onEvent(.portsReady(released))
            released.removeAll(keepingCapacity: true)
        }
        return isRunning
    }

    func runTimer(_ isWanted: Bool) {
        guard isWanted != isTimerRunning else { return }
        isTimerRunning = isWanted
        LinuxDescriptor.setTimer(timer, interval: isWanted ? Int(Announcement.interval.clampedNanoseconds) : 0)
    }

    /// Milliseconds the poller may sleep: for ever, unless silence is to be noticed.
    var waitingTime: Int32 {
        guard let silence = configuration.silence, !sessions.isEmpty else { return -1 }
        return Int32(clamping: min(max(silence.clampedNanoseconds / 4_000_000, 10), 1000))
    }

    private func checkSilence() {
        guard let silence = configuration.silence?.clampedNanoseconds, !sessions.isEmpty else { return }
        guard now - lastSilenceCheck >= Int64(waitingTime) * 1_000_000 else { return }
        lastSilenceCheck = now
        for session in sessions.values where !session.isSilent && now - session.lastHeard >= silence {
            session.isSilent = true
            onEvent(.silent(session.id, .nanoseconds(now - session.lastHeard)))
        }
    }

    /// Closes every descriptor; nothing may be asked of the worker afterwards.
    func close() {
        network.close()
        for pair in pool.pairs {
            DatagramSocket.close(pair.rtp)
            DatagramSocket.close(pair.rtcp)
        }
        DatagramSocket.close(timer)
        if let event { DatagramSocket.close(event) }
    }

    static func monotonicNanoseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}

/// SplitMix64: numbers for SSRCs and first timestamps, which must differ, not resist.
struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}
