import CoreTypes
import Media
import MediaRelay
import NIOCore
import NIOPosix

/// Has media move on the loop that runs the tunnel: a packet then wakes one thread, not two.
final class LoopMediaHost: MediaHost {
    private let loop: any EventLoop
    private let turns: NIOLoopBoundBox<MediaTurns?>

    init(loop: any EventLoop) {
        self.loop = loop
        turns = .makeEmptyBox(eventLoop: loop)
    }

    /// Not to be called on the loop.
    func host(_ make: @escaping @Sendable (Int32) -> HostedMedia?) -> Bool {
        guard !loop.inEventLoop else { return false }
        let descriptor = HostedMedia.makeDescriptor()
        guard descriptor >= 0 else { return false }
        do {
            let channel = try NIOPipeBootstrap(group: loop)
                .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 16))
                .channelOption(.maxMessagesPerRead, value: 1)
                .takingOwnershipOfDescriptor(input: descriptor).wait()
            let isHosted = try loop.submit { [turns] in
                guard let media = make(descriptor) else { return false }
                let handler = MediaTurns(media)
                try channel.pipeline.syncOperations.addHandler(handler)
                turns.value = handler
                handler.turn()
                return true
            }.wait()
            if !isHosted { try? channel.close().wait() }
            return isHosted
        } catch {
            return false
        }
    }

    func release() {
        let end = { @Sendable [turns] in
            turns.value?.end()
            turns.value = nil
        }
        if loop.inEventLoop { end() } else { try? loop.submit(end).wait() }
    }

    func wake() { loop.execute { [turns] in turns.value?.turn() } }

    func receive(_ packets: PacketBatch) -> Bool {
        guard loop.inEventLoop, let turns = turns.value else { return false }
        turns.receive(packets)
        return true
    }

    func moreWaits() {
        guard loop.inEventLoop else { return }
        turns.value?.endBurst(isDrained: false)
    }
}

/// Reads the eventfd(2) that says when media has something to do. Lives on its loop.
private final class MediaTurns: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let media: HostedMedia
    private var context: ChannelHandlerContext?
    private var timer: Scheduled<Void>?
    private var pacer = TurnPacer.media
    private var counted: UInt64 = 0

    init(_ media: HostedMedia) { self.media = media }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }
    func channelRead(context: ChannelHandlerContext, data: NIOAny) { turn() }

    func turn() {
        media.turn()
        endBurst(isDrained: true)
        guard timer == nil, let context, let pause = media.pause else { return }
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: .nanoseconds(pause.clampedNanoseconds)) { [weak self] in
            self?.timer = nil
            self?.turn()
        }
    }

    func receive(_ packets: PacketBatch) {
        media.receive(packets)
        endBurst(isDrained: true)
    }

    /// Where packets are many, the loop rests when it has done with the other sockets of this turn, and what came has left.
    func endBurst(isDrained: Bool) {
        let now = Instant(nanoseconds: Int64(clamping: NIODeadline.now().uptimeNanoseconds))
        pacer.received(Int(truncatingIfNeeded: media.received &- counted), at: now)
        counted = media.received
        guard let context, pacer.burstEnded(isDrained: isDrained) else { return }
        // Behind all that the events of this turn leave to be done, such as packets on their way from here into the tunnel.
        let loop = context.eventLoop.assumeIsolated()
        loop.execute { loop.execute { self.pacer.restAfterTurn() } }
    }

    func end() {
        timer?.cancel()
        media.close()
        context?.close(promise: nil)
    }
}
