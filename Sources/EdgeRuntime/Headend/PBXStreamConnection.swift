import CoreTypes
import NIOCore
import SIPMessage
import Tunnel

/// One connection to a node: bytes to messages and back, in TLS where it has a context.
final class PBXStreamConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// RFC 5626 §4.4.1.
    static let ping: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A]
    private static let pong: [UInt8] = [0x0D, 0x0A]

    var onOpen: (() -> Void)?
    var onMessage: (([UInt8]) -> Void)?
    var onPong: (() -> Void)?
    var onEnd: ((TrunkLink.Failure) -> Void)?
    private var context: ChannelHandlerContext?
    private var framer = StreamFramer(limits: ParserLimits())
    private var session: TLSSession?
    private let tls: TLSContext?
    private let now: Instant
    private var isOpen = false
    private var isEnded = false

    init(now: Instant, tls: TLSContext?) {
        self.now = now
        self.tls = tls
    }

    var local: Endpoint? { context?.channel.localAddress.flatMap(Endpoint.init) }

    /// TCP stands: TLS begins, or without it the connection is open.
    func begin() {
        guard let tls else {
            isOpen = true
            onOpen?()
            return
        }
        do throws(TLSError) {
            session = try TLSSession(context: tls, now: now)
            writeRecords()
        } catch {
            end(.tls(error))
        }
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isEnded else { return }
        let buffer = unwrapInboundIn(data)
        guard tls != nil else {
            buffer.withUnsafeReadableBytes { framer.append($0) }
            return takeFrames()
        }
        buffer.withUnsafeReadableBytes { session?.receive($0) }
        writeRecords()
        if !isOpen, session?.state == .open {
            isOpen = true
            onOpen?()
        }
        session?.withPlaintext { framer.append($0) }
        takeFrames()
        if case .closed(let closure)? = session?.state { end(.init(closure)) }
    }

    private func takeFrames() {
        while !isEnded {
            switch framer.next() {
            case .message(let bytes): onMessage?(bytes)
            case .ping: send(Self.pong)
            case .pong: onPong?()
            case .needMore: return
            case .broken(let problem): return end(.network("the PBX sent what is no SIP: \(problem)"))
            }
        }
    }

    func send(_ bytes: [UInt8]) {
        guard isOpen, !isEnded, let context else { return }
        guard tls != nil else {
            context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(bytes: bytes)), promise: nil)
            return
        }
        do throws(TLSError) {
            try session?.send(bytes)
            writeRecords()
        } catch {
            end(.tls(error))
        }
    }

    private func writeRecords() {
        guard let bytes = session?.takeOutput(), !bytes.isEmpty, let context else { return }
        context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(bytes: bytes)), promise: nil)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if !context.channel.isWritable { end(.network("the PBX does not read what is sent to it")) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { end(.network(networkReason(error))) }

    func channelInactive(context: ChannelHandlerContext) {
        end(.closedByPeer)
        self.context = nil
    }

    /// Nothing is told any more.
    func abandon() {
        onEnd = nil
        end(.stopped)
    }

    private func end(_ failure: TrunkLink.Failure) {
        guard !isEnded else { return }
        isEnded = true
        let told = onEnd
        (onEnd, onOpen, onMessage, onPong) = (nil, nil, nil, nil)
        session?.close()
        writeRecords()
        context?.close(promise: nil)
        told?(failure)
    }
}
