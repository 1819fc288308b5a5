import CoreTypes
import NIOCore
import SIPMessage
import Tunnel

/// One TLS connection to a PBX node: bytes of the network to messages and back. Lives on the signalling loop.
///
/// What is sent in one tick goes into one TLS record where it fits, and into one write. Nothing is ever sent in
/// the clear: a session that is not open sends nothing.
final class TrunkConnection: ChannelInboundHandler, FlowSink {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// What a connection tells its node.
    protocol Owner: AnyObject {
        func handshakeCompleted(_ connection: TrunkConnection)
        func pongReceived()
        func bytesReceived()
        /// Nothing more comes or goes; told once.
        func ended(_ connection: TrunkConnection, _ failure: TrunkLink.Failure)
    }

    /// Bytes that may wait for a PBX that does not read.
    static let unsentBytes = 4 * 1024 * 1024

    let flow: Flow
    private let driver: EdgeDriver
    private weak var owner: (any Owner)?
    private var session: TLSSession
    private var framer = StreamFramer(limits: ParserLimits())
    private var context: ChannelHandlerContext?
    private var outgoing: [[UInt8]] = []
    /// Empty but inside `flush`, and kept for its room.
    private var leaving: [[UInt8]] = []
    private var isOpen = false
    private var isEnded = false

    init(flow: Flow, context: TLSContext, driver: EdgeDriver, owner: any Owner) throws(TLSError) {
        self.flow = flow
        self.driver = driver
        self.owner = owner
        session = try TLSSession(context: context, now: driver.clock.now)
    }

    // MARK: From the network

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        writeRecords()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isEnded else { return }
        unwrapInboundIn(data).withUnsafeReadableBytes { session.receive($0) }
        writeRecords()
        if !isOpen, session.state == .open {
            isOpen = true
            driver.add(self, flow.connection)
            owner?.handshakeCompleted(self)
        }
        if session.plaintextCount > 0 {
            session.withPlaintext { framer.append($0) }
            takeFrames()
        }
        if case .closed(let closure) = session.state { end(.init(closure)) }
    }

    private func takeFrames() {
        while !isEnded {
            switch framer.next() {
            case .message(let bytes):
                owner?.bytesReceived()
                driver.received(bytes, on: flow)
            case .ping:
                owner?.bytesReceived()
                send(Self.pong)
            case .pong: owner?.pongReceived()
            case .needMore: return
            case .broken(let problem): return end(.network("the PBX sent what is no SIP: \(problem)"))
            }
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) { driver.endBurst(isDrained: true) }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if !context.channel.isWritable { end(.network("the PBX does not read what is sent to it")) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { end(.network(networkReason(error))) }

    func channelInactive(context: ChannelHandlerContext) {
        if !isEnded {
            session.transportClosed()
            if case .closed(let closure) = session.state { end(.init(closure)) }
        }
        self.context = nil
    }

    // MARK: To the network

    private static let pong: [UInt8] = [0x0D, 0x0A]
    private static let ping: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A]

    func sendPing() { send(Self.ping) }

    func send(_ bytes: [UInt8]) {
        guard isOpen, !isEnded else { return }
        if outgoing.isEmpty { driver.needsFlush(self) }
        outgoing.append(bytes)
    }

    func flush() {
        guard !outgoing.isEmpty, !isEnded, session.state == .open else { return }
        // Emptied first: where sending fails, nothing is left to be tried again.
        swap(&outgoing, &leaving)
        defer { leaving.removeAll(keepingCapacity: true) }
        do throws(TLSError) {
            try session.send(leaving)
            writeRecords()
        } catch {
            end(.tls(error))
        }
    }

    private func writeRecords() {
        let count = session.outputCount
        guard count > 0, let context else { return }
        var buffer = context.channel.allocator.buffer(capacity: count)
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { session.readOutput(into: $0) }
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
    }

    // MARK: The end

    /// The core's wish: the PBX's connection is the link's to close, not the core's.
    func close() { end(.stopped) }

    /// The link's wish: a TLS close where it is open, and nothing reported.
    func abandon() {
        owner = nil
        end(.stopped)
    }

    private func end(_ failure: TrunkLink.Failure) {
        flush()
        guard !isEnded else { return }
        isEnded = true
        session.close()
        writeRecords()
        outgoing = []
        context?.close(promise: nil)
        driver.remove(flow)
        owner?.ended(self, failure)
        driver.endTick()
    }
}

extension TrunkLink.Failure {
    init(_ closure: TLSSession.Closure) {
        switch closure {
        case .byPeer: self = .closedByPeer
        case .here: self = .stopped
        case .failed(.truncated), .failed(.closedDuringHandshake): self = .closedByPeer
        case .failed(let error): self = .tls(error)
        }
    }
}

/// What the network said, for people.
func networkReason(_ error: any Error) -> String {
    guard let error = error as? IOError else { return "\(error)" }
    return SystemError.text(error.errnoCode)
}
