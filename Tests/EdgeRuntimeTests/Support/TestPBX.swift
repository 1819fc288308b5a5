import CoreTypes
import Glibc
import NIOCore
import NIOPosix
import SIPMessage
import Synchronization
import Tunnel

/// A PBX in memory, as far as the trunk sees it: TLS, framing, and 200 to every request; to an INVITE with audio, too.
final class TestPBX: Sendable {
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let context: TLSContext
    private let record = Mutex(Record())
    private let listening = Mutex<(any Channel)?>(nil)

    private struct Record {
        var messages: [String] = []
        var records = 0
        var connections: [any Channel] = []
    }

    init(_ pki: TestPKI) throws {
        context = try TLSContext(
            TLSConfiguration(
                role: .server(clients: nil),
                identity: TLSIdentity(certificateChain: .file(pki.certificate), privateKey: .file(pki.key))))
    }

    deinit { try? group.syncShutdownGracefully() }

    /// Listens on 127.0.0.1 and returns the port.
    func start(port: Int = 0) throws -> UInt16 {
        let channel = try ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { [self] channel in
                channel.eventLoop.makeCompletedFuture {
                    record.withLock { $0.connections.append(channel) }
                    try channel.pipeline.syncOperations.addHandler(try Connection(pbx: self, context: context))
                }
            }
            .bind(host: "127.0.0.1", port: port).wait()
        listening.withLock { $0 = channel }
        return UInt16(channel.localAddress?.port ?? 0)
    }

    var messages: [String] { record.withLock { $0.messages } }
    var connectionCount: Int { record.withLock { $0.connections.count } }

    fileprivate func took(_ message: [UInt8]) {
        record.withLock { $0.messages.append(String(decoding: message, as: UTF8.self)) }
    }

    /// Resets every connection, without a TLS close.
    func dropConnections() {
        for channel in record.withLock({ $0.connections }) { try? channel.close().wait() }
    }

    func stopListening() { try? listening.withLock { $0 }?.close().wait() }

    private final class Connection: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let pbx: TestPBX
        private var session: TLSSession
        private var framer = StreamFramer()

        init(pbx: TestPBX, context: TLSContext) throws {
            self.pbx = pbx
            session = try TLSSession(context: context, now: Instant(nanoseconds: Int64(time(nil)) * 1_000_000_000))
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            session.receive([UInt8](unwrapInboundIn(data).readableBytesView))
            framer.append(session.takePlaintext())
            reading: while true {
                switch framer.next() {
                case .message(let bytes): answer(bytes)
                case .ping: try? session.send([0x0D, 0x0A])
                case .pong: continue
                case .needMore, .broken: break reading
                }
            }
            let output = session.takeOutput()
            if !output.isEmpty { context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: output)), promise: nil) }
            if case .closed = session.state { context.close(promise: nil) }
        }

        private func answer(_ bytes: [UInt8]) {
            pbx.took(bytes)
            guard case .message(.request(let request)) = SIPMessage.parse(bytes, framing: .stream), request.method != .ack else { return }
            var response = request.response(200, toTag: "pbx")
            if request.method == .invite, let contact = try? NameAddress(parsing: "<sip:pbx@127.0.0.1:5061;transport=tls>") {
                response.headers.contact = .list([contact])
                response.headers.contentType = "application/sdp"
                response.body = Array("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 8\r\n".utf8)
            }
            try? session.send(response.serialized())
        }
    }
}
