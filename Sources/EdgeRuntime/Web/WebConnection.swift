import CoreTypes
import NIOCore
import NIOHTTP1

/// One HTTP/1.1 connection (RFC 9112): a request in, an answer out, one at a time.
final class WebConnection: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let service: any WebService
    private let limits: WebLimits
    private let source: IPAddress
    private let ended: () -> Void
    /// What TLS has found out about the client, where there is TLS.
    private let certificateSubject: () -> String?

    private var context: ChannelHandlerContext?
    private var head: HTTPRequestHead?
    private var body: [UInt8] = []
    private var bodyLimit = 0
    private var dropped = 0
    private var requests = 0
    private var timer: Scheduled<Void>?

    init(
        service: any WebService, limits: WebLimits, source: IPAddress, certificateSubject: @escaping () -> String? = { nil },
        ended: @escaping () -> Void
    ) {
        self.service = service
        self.limits = limits
        self.source = source
        self.certificateSubject = certificateSubject
        self.ended = ended
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        restartTimer(context)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        timer?.cancel()
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        self.context = nil
        ended()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body = []
            bodyLimit = service.wantsBody(request(head)) ? limits.body : 0
            dropped = 0
            requests += 1
        case .body(let buffer): take(buffer, context)
        case .end: finish(context)
        }
    }

    private func take(_ buffer: ByteBuffer, _ context: ChannelHandlerContext) {
        let room = max(0, bodyLimit - body.count)
        body.append(contentsOf: buffer.readableBytesView.prefix(room))
        dropped += max(0, buffer.readableBytes - room)
        if dropped > limits.drop { context.close(promise: nil) }
    }

    private func finish(_ context: ChannelHandlerContext) {
        guard let head else { return }
        self.head = nil
        // An answer may have to wait for the disk.
        timer?.cancel()
        let whole = request(head)
        body = []
        service.answer(whole) { [weak self] response in self?.write(response, to: head) }
    }

    private func request(_ head: HTTPRequestHead) -> WebRequest {
        WebRequest(
            method: head.method, target: head.uri, headers: head.headers, body: body, isBodyCut: dropped > 0, source: source,
            certificateSubject: certificateSubject())
    }

    private func write(_ response: WebResponse, to request: HTTPRequestHead) {
        guard let context else { return }
        let stays = request.isKeepAlive && requests < limits.requests
        var head = HTTPResponseHead(version: .http1_1, status: response.status)
        head.headers.add(name: "Content-Type", value: response.contentType)
        head.headers.add(name: "Content-Length", value: String(response.body.count))
        head.headers.add(name: "Cache-Control", value: "no-store")
        for (name, value) in response.extra { head.headers.add(name: name, value: value) }
        head.headers.add(name: "Connection", value: stays ? "keep-alive" : "close")
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if request.method != .HEAD, !response.body.isEmpty {
            context.write(wrapOutboundOut(.body(.byteBuffer(context.channel.allocator.buffer(bytes: response.body)))), promise: nil)
        }
        // Who does not read what was asked for is as slow as who does not ask.
        restartTimer(context)
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { [weak self] result in
            if case .success = result { response.sent?() }
            guard let self, let context = self.context else { return }
            if stays { restartTimer(context) } else { context.close(promise: nil) }
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: written)
    }

    private func restartTimer(_ context: ChannelHandlerContext) {
        timer?.cancel()
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: .nanoseconds(limits.patience.clampedNanoseconds)) { [weak self] in
            self?.context?.close(promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
