import CoreTypes
import NIOCore
import Tunnel

/// Bounds what a TLS client may cost us before it has proved to speak TLS.
struct TLSServerLimits: Sendable, Equatable {
    /// From the connection to the end of the handshake.
    var handshakeTime = Duration.seconds(10)
    /// Bytes of a handshake, of which a chain of client certificates is the most.
    var handshakeBytes = 64 * 1024
    /// Plain text that may wait for the end of a handshake.
    var earlyBytes = 64 * 1024
}

/// Why a TLS server ended a connection.
enum TLSServerError: Error, Equatable, CustomStringConvertible {
    case handshakeTooSlow
    case handshakeTooLarge
    case tooMuchBeforeHandshake
    case tls(TLSError)

    var description: String {
        switch self {
        case .handshakeTooSlow: return "the TLS handshake was not over in time"
        case .handshakeTooLarge: return "the TLS handshake was too large"
        case .tooMuchBeforeHandshake: return "too much was to be sent before the TLS handshake was over"
        case .tls(let error): return error.description
        }
    }
}

/// Told to the handlers behind a `TLSServerHandler`.
enum TLSServerEvent: Sendable {
    /// The handshake is over; the client's certificate, where it showed one, is in `peer`.
    case opened(TLSPeer)
}

/// The server's side of TLS as a part of any pipeline: the network's bytes before it, plain text behind it.
///
/// A failure comes as `errorCaught` with a `TLSServerError`, and the connection is closed after it. What is written
/// before the handshake is over waits for it. The peer's close_notify ends the connection.
final class TLSServerHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private typealias Written = (bytes: ByteBuffer, promise: EventLoopPromise<Void>?)

    private let limits: TLSServerLimits
    private var session: TLSSession
    private var deadline: Scheduled<Void>?
    private var handshakeBytes = 0
    private var written: [Written] = []
    private var earlyBytes = 0
    private var isFlushWanted = false
    private var isOpen = false
    private var isEnded = false

    /// - Parameter now: the time certificates are judged by.
    init(context: TLSContext, limits: TLSServerLimits = TLSServerLimits(), now: Instant) throws(TLSError) {
        self.limits = limits
        session = try TLSSession(context: context, now: now)
    }

    /// Who the client is; nil before the handshake is over.
    var peer: TLSPeer? { session.peer }

    // MARK: From the network

    func handlerAdded(context: ChannelHandlerContext) {
        let bound = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
        deadline = context.eventLoop.scheduleTask(in: .nanoseconds(limits.handshakeTime.clampedNanoseconds)) {
            bound.value.handler.fail(.handshakeTooSlow, bound.value.context)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        deadline?.cancel()
        deadline = nil
        dropWritten(ChannelError.ioOnClosedChannel)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isEnded else { return }
        let bytes = unwrapInboundIn(data)
        if !isOpen {
            // Looked at before this read: with the last flight plain text may come, and a read has its own bound.
            guard handshakeBytes <= limits.handshakeBytes else { return fail(.handshakeTooLarge, context) }
            handshakeBytes += bytes.readableBytes
        }
        bytes.withUnsafeReadableBytes { session.receive($0) }
        sendRecords(context, promise: nil)
        if !isOpen, let peer = session.peer { open(peer, context) }
        passOn(context)
        if case .closed(let closure) = session.state { end(closure, context) }
    }

    private func open(_ peer: TLSPeer, _ context: ChannelHandlerContext) {
        isOpen = true
        deadline?.cancel()
        deadline = nil
        context.fireUserInboundEventTriggered(TLSServerEvent.opened(peer))
        if isFlushWanted { flush(context: context) }
    }

    private func passOn(_ context: ChannelHandlerContext) {
        guard session.plaintextCount > 0, !isEnded else { return }
        var text = context.channel.allocator.buffer(capacity: session.plaintextCount)
        session.withPlaintext { _ = text.writeBytes($0) }
        context.fireChannelRead(wrapInboundOut(text))
    }

    private func end(_ closure: TLSSession.Closure, _ context: ChannelHandlerContext) {
        switch closure {
        case .byPeer, .here: finish(context)
        case .failed(let error): fail(.tls(error), context)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if !isEnded {
            isEnded = true
            session.transportClosed()
            if case .closed(.failed(let error)) = session.state { context.fireErrorCaught(TLSServerError.tls(error)) }
        }
        deadline?.cancel()
        deadline = nil
        dropWritten(ChannelError.ioOnClosedChannel)
        context.fireChannelInactive()
    }

    // MARK: To the network

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let bytes = unwrapOutboundIn(data)
        guard !isEnded else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        written.append((bytes, promise))
        guard !isOpen else { return }
        earlyBytes += bytes.readableBytes
        if earlyBytes > limits.earlyBytes { fail(.tooMuchBeforeHandshake, context) }
    }

    func flush(context: ChannelHandlerContext) {
        guard isOpen, !isEnded else {
            isFlushWanted = true
            return
        }
        isFlushWanted = false
        guard !written.isEmpty, session.state == .open else { return context.flush() }
        let leaving = written
        written.removeAll(keepingCapacity: true)
        let promise = Self.joined(leaving.compactMap(\.promise))
        for item in leaving {
            let failure: TLSError? = item.bytes.withUnsafeReadableBytes { bytes in
                do throws(TLSError) {
                    try session.send(bytes)
                    return nil
                } catch { return error }
            }
            guard let failure else { continue }
            promise?.fail(failure)
            return fail(.tls(failure), context)
        }
        sendRecords(context, promise: promise)
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        switch mode {
        case .all:
            flush(context: context)
            finish(context, promise: promise)
        case .input, .output:
            // TLS 1.2 cannot end one direction alone (RFC 5246 §7.2.1).
            promise?.fail(ChannelError.operationUnsupported)
        }
    }

    /// One promise that all of them follow.
    private static func joined(_ promises: [EventLoopPromise<Void>]) -> EventLoopPromise<Void>? {
        guard let first = promises.first else { return nil }
        for other in promises.dropFirst() { first.futureResult.cascade(to: other) }
        return first
    }

    private func sendRecords(_ context: ChannelHandlerContext, promise: EventLoopPromise<Void>?) {
        let count = session.outputCount
        guard count > 0 else {
            promise?.succeed(())
            return
        }
        var buffer = context.channel.allocator.buffer(capacity: count)
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { session.readOutput(into: $0) }
        context.writeAndFlush(wrapOutboundOut(buffer), promise: promise)
    }

    // MARK: The end

    private func fail(_ error: TLSServerError, _ context: ChannelHandlerContext) {
        guard !isEnded else { return }
        context.fireErrorCaught(error)
        finish(context)
    }

    /// close_notify or the alert leaves first.
    private func finish(_ context: ChannelHandlerContext, promise: EventLoopPromise<Void>? = nil) {
        guard !isEnded else { return context.close(promise: promise) }
        isEnded = true
        deadline?.cancel()
        deadline = nil
        session.close()
        sendRecords(context, promise: nil)
        dropWritten(ChannelError.ioOnClosedChannel)
        context.close(promise: promise)
    }

    private func dropWritten(_ error: any Error) {
        let dropped = written
        written = []
        for item in dropped { item.promise?.fail(error) }
    }
}
