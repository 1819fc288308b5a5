import CoreTypes
import Media

/// How packets come and go.
enum PacketWay {
    case epoll(Poller)
    case ring(PacketRing)

    func close() {
        switch self {
        case .epoll(let poller): poller.close()
        case .ring(let ring): ring.close()
        }
    }
}

extension RelayWorker {
    /// Rounds in which packets come before commands, at most: what a flood may take from the calls.
    private static let maximumRounds = 64
    static let spareBuffers = 64

    /// Takes io_uring where it is wanted and works, on the thread that will use it.
    func chooseWay() {
        defer { mailbox.way = way }
        guard configuration.way != .epoll, let address = configuration.addresses.first else { return }
        do throws(SocketError) {
            let ring = try PacketRing(extra: Self.spareBuffers)
            try ring.check(on: address)
            use(ring)
            configuration.log(.info, "media: packets go by io_uring")
        } catch {
            let level: MediaLogLevel = configuration.way == .ring ? .warning : .notice
            configuration.log(level, "media: packets go by epoll: the kernel does not give us io_uring (\(error.text))")
        }
    }

    /// On the thread that made the ring.
    func use(_ ring: PacketRing) {
        network.close()
        network = .ring(ring)
        buffers = ring.buffers
        spares = PacketRing.capacity..<buffers.count
        nextSpare = spares.lowerBound
        if let event { ring.watchReadable(event, token: Token.command) }
        ring.watchReadable(timer, token: Token.timer)
        mailbox.way = way
    }

    private var way: MediaLoopWay {
        switch network {
        case .epoll: return .epoll
        case .ring: return .ring
        }
    }

    /// Watches a new pair of sockets.
    func watch(_ index: Int) -> Bool {
        let pair = pool.pairs[index]
        let token = UInt64(index) << 1
        switch network {
        case .epoll(let poller): return poller.watch(pair.rtp, token: token) && poller.watch(pair.rtcp, token: token | 1)
        case .ring(let ring):
            ring.watch(pair.rtp, token: token)
            ring.watch(pair.rtcp, token: token | 1)
            return true
        }
    }

    /// Waits for so many milliseconds, -1 for ever, and handles what is ready; true where commands wait too, and then no
    /// packet that came before them does.
    func movePackets(waiting: Int32) -> Bool {
        var hasCommands = event == nil && !mailbox.isEmpty
        var timeout = waiting
        for _ in 0..<Self.maximumRounds {
            let (packets, isAll) = round(timeout, &hasCommands)
            if hasCommands ? packets == 0 : isAll { break }
            timeout = 0
        }
        return hasCommands
    }

    /// One round: how many packets came, and whether all that was reported has been handled.
    private func round(_ timeout: Int32, _ hasCommands: inout Bool) -> (packets: Int, isAll: Bool) {
        var packets = 0
        switch network {
        case .epoll(let poller):
            let count = poller.wait(timeout: timeout)
            now = Self.monotonicNanoseconds()
            for index in 0..<count where handle(poller, poller.token(index), &hasCommands) { packets += 1 }
            return (packets, count < Poller.capacity)
        case .ring(let ring):
            let count = ring.wait(milliseconds: timeout)
            now = Self.monotonicNanoseconds()
            for index in 0..<count where handle(ring.take(index), &hasCommands) { packets += 1 }
            // The kernel hands over some twenty sockets' packets at a time, however many wait.
            return (packets, count < PacketRing.roundSize && !ring.hasNews)
        }
    }

    /// Handles one report of the poller; whether it was of a packet.
    private func handle(_ poller: Poller, _ token: UInt64, _ hasCommands: inout Bool) -> Bool {
        switch token {
        case Token.command: hasCommands = takeNotice()
        case Token.timer: speak(times: LinuxDescriptor.take(timer))
        default:
            let (index, isControl) = place(token)
            guard pool.pairs.indices.contains(index) else { return false }
            let spare = takeSpare()
            guard buffers.receive(spare, from: isControl ? pool.pairs[index].rtcp : pool.pairs[index].rtp) else { return false }
            receive(spare, pair: index, isControl: isControl)
            return true
        }
        return false
    }

    /// Handles one report of the ring; whether it was of a packet.
    private func handle(_ completion: PacketRing.Completion, _ hasCommands: inout Bool) -> Bool {
        switch completion {
        case .packet(let index, let token):
            let (pair, isControl) = place(token)
            receive(index, pair: pair, isControl: isControl)
            return true
        case .oversized:
            counters.received &+= 1
            counters.drop(.size)
            return true
        case .readable(Token.timer): speak(times: LinuxDescriptor.take(timer))
        case .readable: hasCommands = takeNotice()
        case .unsent:
            counters.forwarded &-= 1
            counters.drop(.sendFailed)
        case .none: break
        }
        return false
    }

    /// A buffer for what does not come by the ring. What was in it before has left.
    func takeSpare() -> Int {
        if nextSpare == spares.upperBound {
            flushRing()
            nextSpare = spares.lowerBound
        }
        defer { nextSpare += 1 }
        return nextSpare
    }

    /// Has the ring send what waits.
    func flushRing() {
        switch network {
        case .ring(let ring): ring.submit()
        case .epoll: break
        }
    }

    private func takeNotice() -> Bool {
        if let event { _ = LinuxDescriptor.take(event) }
        return true
    }

    private func place(_ token: UInt64) -> (pair: Int, isControl: Bool) {
        (Int(truncatingIfNeeded: token >> 1), token & 1 == 1)
    }

    /// Sends packet `index` out of a socket.
    func send(_ index: Int, to target: Endpoint, from socket: Int32) {
        switch network {
        case .ring(let ring): ring.send(index, to: target, from: socket)
        case .epoll:
            guard buffers.send(index, to: target, from: socket) else { return counters.drop(.sendFailed) }
        }
        counters.forwarded &+= 1
    }
}
