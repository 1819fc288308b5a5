public import CoreTypes

/// A `TunnelSession` with its TLS stream and its DTLS lane: bytes of the network in and out. What is left to the
/// shell is to move them, and to perform the actions that are not about bytes.
///
/// After every call the shell looks at `nextDeadline`. Belongs to one event loop.
public struct TunnelEndpoint: ~Copyable {
    public enum Event: Hashable, Sendable {
        /// From the TCP connection.
        case streamBytes([UInt8])
        /// The TCP connection ended.
        case streamEnded
        case session(TunnelSession.Event)
        case tick
    }

    public enum Output: Hashable, Sendable {
        case sendStream([UInt8])
        /// Each of the batch to be sent by itself.
        case sendDatagrams(DatagramBatch, to: Endpoint)
        /// Close the TCP connection when all before this is sent.
        case closeStream(TunnelSession.Failure)
        /// TLS failed; the TCP connection is to be closed.
        case streamFailed(TLSError)
        /// Anything but bytes.
        case session(TunnelSession.Action)
    }

    public private(set) var session: TunnelSession
    private var stream: TLSSession?
    private var greeted = false
    private var lane: DTLSSession?
    /// A datagram before it is sealed, and those that were opened.
    private var plain: [UInt8] = []
    private var received = DatagramBatch()
    public private(set) var lanePath: Endpoint?
    /// A handshake that will replace `lane`, and the datagram it began with.
    private var nextLane: DTLSSession?
    private var nextPath: Endpoint?
    private var laneDeadline: Instant?
    private var nextHello: [UInt8] = []
    private let laneContext: DTLSContext
    private let laneSettings: DTLSSession.Settings
    /// Edge: where datagrams go, the address the stream is connected to.
    private var far: Endpoint?

    public init(session: TunnelSession, laneSettings: DTLSSession.Settings = .init()) throws(TLSError) {
        self.session = session
        self.laneSettings = laneSettings
        laneContext = try DTLSContext(role: session.role == .edge ? .client : .server)
    }

    public var nextDeadline: Instant? {
        let first = session.nextDeadline
        guard let second = laneDeadline else { return first }
        return first.map { min($0, second) } ?? second
    }

    /// Edge: a TCP connection stands; TLS begins.
    public mutating func attach(_ tls: consuming TLSSession, to far: Endpoint, now: Instant) -> [Output] {
        stream = consume tls
        greeted = false
        self.far = far
        var outputs: [Output] = []
        readStream(now, &outputs)
        return outputs
    }

    /// Headend: a connection whose hello has been read (`TunnelDoor`) belongs here.
    public mutating func attach(_ tls: consuming TLSSession, hello: TunnelHello, rest: [UInt8], now: Instant) -> [Output] {
        stream = consume tls
        greeted = true
        var outputs: [Output] = []
        perform(session.handle(.greeted(hello, rest: rest), now: now), now, &outputs)
        return outputs
    }

    public mutating func handle(_ event: Event, now: Instant) -> [Output] {
        var outputs: [Output] = []
        switch event {
        case .streamBytes(let bytes):
            stream?.receive(bytes)
            readStream(now, &outputs)
        case .streamEnded:
            stream = nil
            perform(session.handle(.disconnected, now: now), now, &outputs)
        case .session(let event): perform(session.handle(event, now: now), now, &outputs)
        case .tick:
            nextLane?.tick(now: now)
            settleLanes(now, &outputs)
            perform(session.handle(.tick, now: now), now, &outputs)
        }
        return outputs
    }

    /// A burst of datagrams from the UDP socket, all from one source, of `segment` bytes each but the last, which may be shorter.
    public mutating func receive(datagrams bytes: UnsafeRawBufferPointer, segment: Int, from source: Endpoint, now: Instant) -> [Output] {
        var outputs: [Output] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let datagram = UnsafeRawBufferPointer(rebasing: rest.prefix(max(segment, 1)))
            rest = rest.dropFirst(datagram.count)
            receive(datagram, from: source, now, &outputs)
        }
        readLane(now, &outputs)
        return outputs
    }

    public mutating func receive(datagram: [UInt8], from source: Endpoint, now: Instant) -> [Output] {
        datagram.withUnsafeBytes { receive(datagrams: $0, segment: $0.count, from: source, now: now) }
    }

    /// Takes the calls out of this session for another headend.
    public mutating func handOver(now: Instant) -> TunnelSession.Handover { session.handOver(now: now) }

    public mutating func adopt(_ handover: TunnelSession.Handover, now: Instant) -> [Output] {
        var outputs: [Output] = []
        perform(session.adopt(handover, now: now), now, &outputs)
        return outputs
    }
}

extension TunnelEndpoint {
    // MARK: Stream

    private mutating func readStream(_ now: Instant, _ outputs: inout [Output]) {
        guard let state = stream?.state else { return }
        let plain = stream?.takePlaintext() ?? []
        if !greeted, state == .open {
            greeted = true
            perform(session.handle(.connected, now: now), now, &outputs)
        }
        if !plain.isEmpty { perform(session.handle(.streamBytes(plain), now: now), now, &outputs) }
        flushStream(&outputs)
        switch stream?.state {
        case nil, .handshaking, .open: return
        case .closed(.failed(let error)): outputs.append(.streamFailed(error))
        case .closed: outputs.append(.closeStream(.disconnected))
        }
        stream = nil
        perform(session.handle(.disconnected, now: now), now, &outputs)
    }

    private mutating func flushStream(_ outputs: inout [Output]) {
        guard let bytes = stream?.takeOutput(), !bytes.isEmpty else { return }
        outputs.append(.sendStream(bytes))
    }

    private mutating func perform(_ actions: [TunnelSession.Action], _ now: Instant, _ outputs: inout [Output]) {
        for action in actions {
            switch action {
            case .writeStream(let bytes):
                // A stream that takes nothing any more says so at the next read.
                try? stream?.send(bytes)
            case .writeDatagram(let frame): seal(frame)
            case .closeStream(let failure):
                stream?.close()
                flushStream(&outputs)
                stream = nil
                outputs.append(.closeStream(failure))
            case .startLane: startLane(now, &outputs)
            case .closeLane: closeLanes(&outputs)
            case .pauseReading, .resumeReading, .deliverSignal, .deliverMedia, .streamWanted, .streamBound, .streamUpdated,
                .wayChanged, .certificateWanted, .certificateGiven, .streamEnded, .report, .dropped:
                outputs.append(.session(action))
            }
        }
        flushStream(&outputs)
        flushLane(&outputs)
    }

    // MARK: Lane

    private func laneKey() -> LaneKey? {
        guard let token = session.token else { return nil }
        do throws(TLSError) { return try stream?.laneKey(for: token) } catch { return nil }
    }

    /// Edge.
    private mutating func startLane(_ now: Instant, _ outputs: inout [Output]) {
        guard let key = laneKey(), let far else { return }
        beginLane(key, to: far, now)
        settleLanes(now, &outputs)
    }

    private mutating func beginLane(_ key: LaneKey, to path: Endpoint, _ now: Instant) {
        do throws(TLSError) {
            nextLane = try DTLSSession(context: laneContext, key: key, settings: laneSettings, now: now)
            nextPath = path
        } catch {
            nextLane = nil
        }
    }

    private mutating func receive(_ datagram: UnsafeRawBufferPointer, from source: Endpoint, _ now: Instant, _ outputs: inout [Output]) {
        // Records in clear belong to a handshake; sealed ones may be of either lane, and only one can read them.
        let isClear = datagram.count > 4 && datagram[3] == 0 && datagram[4] == 0
        if isClear, session.role == .headend { greetLane(Array(datagram), from: source, now) }
        let isOfNext = nextPath == source && nextLane != nil
        if isOfNext { nextLane?.receive(datagram, now: now) }
        if lanePath == source, !(isClear && isOfNext) { lane?.receive(datagram, now: now) }
        if isOfNext { settleLanes(now, &outputs) }
    }

    /// Headend: a first datagram with this session's token begins a handshake, once.
    private mutating func greetLane(_ datagram: [UInt8], from source: Endpoint, _ now: Instant) {
        guard let token = session.token, laneToken(inFirst: datagram) == token else { return }
        guard nextHello != datagram || nextPath != source else { return }
        guard let key = laneKey() else { return }
        nextHello = datagram
        beginLane(key, to: source, now)
    }

    private mutating func settleLanes(_ now: Instant, _ outputs: inout [Output]) {
        if let path = nextPath, let made = nextLane?.takeOutput(), !made.isEmpty { outputs.append(.sendDatagrams(made, to: path)) }
        switch nextLane?.state {
        case nil, .handshaking: break
        case .open:
            // What the former lane brought and made is its own.
            readLane(now, &outputs)
            guard nextLane != nil else { break }
            lane = nextLane.take()
            lanePath = nextPath
            let payload = lane?.maximumPayload ?? 0
            perform(session.handle(.laneOpened(maximumPayload: payload), now: now), now, &outputs)
        case .closed:
            nextLane = nil
            nextHello = []
            perform(session.handle(.laneFailed, now: now), now, &outputs)
        }
        laneDeadline = nextLane?.nextDeadline
        readLane(now, &outputs)
    }

    private mutating func readLane(_ now: Instant, _ outputs: inout [Output]) {
        lane?.takePayloads(into: &received)
        if !received.isEmpty {
            var actions: [TunnelSession.Action] = []
            session.receive(received, now: now, into: &actions)
            received.removeAll()
            perform(actions, now, &outputs)
        }
        flushLane(&outputs)
        switch lane?.state {
        case nil, .handshaking, .open: return
        case .closed:
            lane = nil
            perform(session.handle(.laneClosed, now: now), now, &outputs)
        }
    }

    private mutating func seal(_ frame: DatagramFrame) {
        plain.removeAll(keepingCapacity: true)
        frame.append(to: &plain)
        try? lane?.send(plain)
    }

    private mutating func flushLane(_ outputs: inout [Output]) {
        guard let path = lanePath, let made = lane?.takeOutput(), !made.isEmpty else { return }
        outputs.append(.sendDatagrams(made, to: path))
    }

    private mutating func closeLanes(_ outputs: inout [Output]) {
        lane?.close()
        flushLane(&outputs)
        lane = nil
        nextLane = nil
        nextHello = []
        laneDeadline = nil
        (lanePath, nextPath) = (nil, nil)
    }
}
