import CoreTypes
import Logging
import NIOCore
import SIPMessage

/// One TCP or TLS connection of a phone: framing, keep-alives, bounds (RFC 3261 §18.3, RFC 5626 §4.4.1).
final class PhoneConnection: ChannelInboundHandler, FlowSink {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let flow: Flow
    private let driver: EdgeDriver
    private let limits: ConnectionLimits
    private let logger: Logger
    private let ended: () -> Void

    private var framer = StreamFramer(limits: ParserLimits())
    private var context: ChannelHandlerContext?
    private var outgoing: ByteBuffer?
    private var lastUse: Instant
    /// When the first byte of a message came whose last has not come yet.
    private var unfinishedSince: Instant?
    /// Whether a request on this connection has succeeded.
    private var isFriend = false
    private var isClosing = false

    init(flow: Flow, driver: EdgeDriver, limits: ConnectionLimits, logger: Logger, ended: @escaping () -> Void) {
        self.flow = flow
        self.driver = driver
        self.limits = limits
        self.logger = logger
        self.ended = ended
        lastUse = driver.clock.now
    }

    // MARK: From the phone

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        driver.add(self, flow.connection)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        guard !isClosing, buffer.readableBytes > 0 else { return }
        lastUse = driver.clock.now
        framer.append(buffer.readableBytesView)
        takeFrames()
    }

    private func takeFrames() {
        while !isClosing {
            switch framer.next() {
            case .message(let bytes):
                unfinishedSince = nil
                driver.received(bytes, on: flow)
            case .ping:
                unfinishedSince = nil
                send(Self.pong)
            case .pong: unfinishedSince = nil
            case .needMore:
                if framer.count == 0 { unfinishedSince = nil } else if unfinishedSince == nil { unfinishedSince = lastUse }
                return
            case .broken(let problem):
                logger.debug("\(flow.transport) \(flow.remote): connection closed: \(problem)")
                // What the core answered to the broken message is tried before the end.
                return close()
            }
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) { driver.endBurst(isDrained: true) }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if !context.channel.isWritable { abort("it does not read what is sent to it") }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { abort("\(error)") }

    func channelInactive(context: ChannelHandlerContext) {
        isClosing = true
        outgoing = nil
        self.context = nil
        ended()
        driver.remove(flow)
        driver.endTick()
    }

    // MARK: To the phone

    private static let pong: [UInt8] = [0x0D, 0x0A]

    func send(_ bytes: [UInt8]) {
        guard !isClosing, let context else { return }
        lastUse = driver.clock.now
        if !isFriend, bytes.starts(with: "SIP/2.0 2".utf8) { isFriend = true }
        if outgoing == nil {
            outgoing = context.channel.allocator.buffer(bytes: bytes)
            driver.needsFlush(self)
        } else {
            outgoing?.writeBytes(bytes)
        }
    }

    func flush() {
        guard let buffer = outgoing, let context else { return }
        outgoing = nil
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
    }

    func close() {
        flush()
        isClosing = true
        context?.close(promise: nil)
    }

    // MARK: Bounds

    /// Why the connection should end now, or nil.
    func overdue(_ now: Instant) -> String? {
        if let since = unfinishedSince, now - since > limits.unfinishedMessage { return "a message was begun and not finished" }
        let patience = isFriend ? limits.idleFriend : limits.idleStranger
        return now - lastUse > patience ? "it was silent for too long" : nil
    }

    /// Ends the connection at once.
    func abort(_ reason: String) {
        guard !isClosing else { return }
        isClosing = true
        outgoing = nil
        logger.debug("\(flow.transport) \(flow.remote): connection closed: \(reason)")
        context?.close(promise: nil)
    }
}
