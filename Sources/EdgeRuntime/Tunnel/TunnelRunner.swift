import CoreTypes
import NIOCore
import Tunnel

/// Runs one `TunnelEndpoint` on sockets: performs what is about bytes, and hands on the rest. Lives on its loop.
final class TunnelRunner {
    private let loop: any EventLoop
    private let clock: EdgeClock
    private var endpoint: TunnelEndpoint
    private var channel: TunnelChannel?
    private var timer: Scheduled<Void>?
    private var armed: Instant?
    private var outputs: [TunnelEndpoint.Output] = []
    private var isPerforming = false
    private var incoming = PacketBatch()

    var datagrams: TunnelDatagrams?
    /// All but bytes and media, in order.
    var onAction: ((TunnelSession.Action) -> Void)?
    /// Media that came, once a burst, under the numbers of its streams. What is left in the batch is gone.
    var onMedia: ((inout PacketBatch) -> Void)?
    /// Something came by the stream.
    var onHeard: (() -> Void)?
    /// The connection is over, and why.
    var onStreamEnd: ((StreamOutcome) -> Void)?

    enum StreamOutcome {
        case closed(TunnelSession.Failure)
        case failed(TLSError)
    }

    init(session: TunnelSession, laneSettings: DTLSSession.Settings, loop: any EventLoop, clock: EdgeClock) throws(TLSError) {
        self.loop = loop
        self.clock = clock
        endpoint = try TunnelEndpoint(session: session, laneSettings: laneSettings)
    }

    var status: TunnelStatus { endpoint.session.status }
    /// Where the far end of the open datagram lane is.
    var lanePath: Endpoint? { endpoint.lanePath }

    func unusedStream(except reserved: (StreamID) -> Bool) -> StreamID? {
        endpoint.session.unusedStream(now: clock.now, except: reserved)
    }

    // MARK: Connections

    /// Edge: TCP stands.
    func attach(_ tls: consuming TLSSession, _ channel: TunnelChannel, to far: Endpoint) {
        adopt(channel)
        take(endpoint.attach(tls, to: far, now: clock.now))
    }

    /// Headend: a connection whose hello was read.
    func attach(_ tls: consuming TLSSession, _ channel: TunnelChannel, hello: TunnelHello, rest: [UInt8]) {
        adopt(channel)
        take(endpoint.attach(tls, hello: hello, rest: rest, now: clock.now))
    }

    private func adopt(_ new: TunnelChannel) {
        channel?.close()
        channel = new
        new.listener = .init(
            received: { [weak self] bytes in
                self?.onHeard?()
                self?.handle(.streamBytes(bytes))
            },
            readComplete: { [weak self] in self?.flushMedia() },
            unsent: { [weak self] count in self?.handle(.session(.streamUnsent(count))) },
            ended: { [weak self] in
                self?.channel = nil
                self?.handle(.streamEnded)
                self?.onStreamEnd?(.closed(.disconnected))
            })
    }

    /// Gives the connection up without a word to the far end.
    func dropConnection() {
        guard let channel else { return }
        self.channel = nil
        channel.close()
        handle(.streamEnded)
    }

    // MARK: Events

    func session(_ event: TunnelSession.Event) { handle(.session(event)) }
    /// A burst from one source: datagrams of `segment` bytes each but the last, which may be shorter.
    func datagrams(_ bytes: UnsafeRawBufferPointer, segment: Int, from source: Endpoint) {
        take(endpoint.receive(datagrams: bytes, segment: segment, from: source, now: clock.now))
    }
    /// Packets under the numbers of their streams; bits above are the caller's own.
    func sendMedia(_ packets: PacketBatch) { handle(.session(.sendMedia(packets))) }
    func handOver() -> TunnelSession.Handover { endpoint.handOver(now: clock.now) }
    func adopt(_ handover: TunnelSession.Handover) { take(endpoint.adopt(handover, now: clock.now)) }

    private func handle(_ event: TunnelEndpoint.Event) { take(endpoint.handle(event, now: clock.now)) }

    /// What comes of handling one output waits behind those that were there before: records keep their order.
    private func take(_ new: [TunnelEndpoint.Output]) {
        outputs += new
        guard !isPerforming else { return }
        isPerforming = true
        var next = 0
        while next < outputs.count {
            let output = outputs[next]
            next += 1
            perform(output)
        }
        outputs.removeAll(keepingCapacity: true)
        isPerforming = false
        channel?.flush()
        arm()
    }

    private func perform(_ output: TunnelEndpoint.Output) {
        switch output {
        case .sendStream(let bytes): channel?.send(bytes)
        case .sendDatagrams(let batch, let remote): datagrams?.send(batch, to: remote)
        case .closeStream(let failure): ended(.closed(failure))
        case .streamFailed(let error): ended(.failed(error))
        case .session(.deliverMedia(let packets)): if incoming.isEmpty { incoming = packets } else { incoming.append(packets) }
        case .session(.pauseReading): channel?.setReading(false)
        case .session(.resumeReading): channel?.setReading(true)
        case .session(let action): onAction?(action)
        }
    }

    private func ended(_ outcome: StreamOutcome) {
        channel?.close()
        channel = nil
        onStreamEnd?(outcome)
    }

    /// To be called when a burst of datagrams is over, too.
    func flushMedia() {
        guard !incoming.isEmpty else { return }
        var packets = PacketBatch()
        swap(&packets, &incoming)
        onMedia?(&packets)
    }

    // MARK: Time

    private func arm() {
        guard let deadline = endpoint.nextDeadline else { return }
        if let armed, armed <= deadline { return }
        timer?.cancel()
        armed = deadline
        let wait = max(.zero, deadline - clock.now)
        timer = loop.assumeIsolated().scheduleTask(in: .nanoseconds(wait.clampedNanoseconds)) { [weak self] in self?.tick() }
    }

    private func tick() {
        armed = nil
        timer = nil
        if let deadline = endpoint.nextDeadline, deadline <= clock.now {
            handle(.tick)
            flushMedia()
        } else {
            arm()
        }
    }

    /// Nothing happens after this.
    func shutDown() {
        timer?.cancel()
        onAction = nil
        onMedia = nil
        onHeard = nil
        onStreamEnd = nil
        channel?.close()
        channel = nil
    }
}
