import CoreTypes
import NIOCore
import Tunnel

/// A connection nobody knows yet: TLS, then a hello or a request to enrol. Lives on the headend's loop.
final class HeadendDoor {
    enum Outcome {
        case greeted(TLSPeer, TunnelHello, rest: [UInt8])
        case enrolling(TunnelEnrolment.Request, secret: [UInt8])
        case failed(String)
    }

    /// What a connection may send before it has said who it is, in bytes: certificates and a hello, or a request for a certificate.
    private static let patience = 128 * 1024

    let channel: TunnelChannel
    let source: Endpoint?
    let opened: Instant
    private var taken = 0
    private var door: TunnelDoor?
    private var timer: Scheduled<Void>?
    private let clock: EdgeClock
    /// Told once.
    var onOutcome: ((Outcome) -> Void)?

    init(channel: TunnelChannel, source: Endpoint?, context: TLSContext, limits: TunnelLimits, loop: any EventLoop, clock: EdgeClock) throws(TLSError) {
        self.channel = channel
        self.source = source
        self.clock = clock
        opened = clock.now
        door = try TunnelDoor(context: context, limits: limits, now: clock.now)
        channel.listener = .init(
            received: { [weak self] in self?.received($0) }, readComplete: {}, unsent: { _ in },
            ended: { [weak self] in self?.decide(.failed("the far end closed the connection")) })
        timer = loop.assumeIsolated().scheduleTask(in: .seconds(5)) { [weak self] in self?.late() }
    }

    private func received(_ bytes: [UInt8]) {
        taken += bytes.count
        guard taken <= Self.patience else { return end("it sends too much without saying who it is") }
        guard let answer = door?.receive(bytes) else { return }
        channel.send(answer)
        channel.flush()
        look()
    }

    /// It is not waited for any more.
    func end(_ why: String) { decide(.failed(why)) }

    private func late() {
        door?.tick(now: clock.now)
        look()
        if onOutcome != nil { decide(.failed("nothing that could be understood came in time")) }
    }

    private func look() {
        guard let state = door?.state, onOutcome != nil else { return }
        switch state {
        case .waiting: return
        case .greeted(let hello, let rest):
            guard let peer = door?.peer else { return decide(.failed("it showed no certificate")) }
            decide(.greeted(peer, hello, rest: rest))
        case .enrolling(let request):
            guard let secret = door?.enrolmentSecret else { return decide(.failed("the connection is closed")) }
            decide(.enrolling(request, secret: secret))
        case .failed(let failure): decide(.failed(failure.description))
        case .tlsFailed(let error): decide(.failed(error.description))
        }
    }

    private func decide(_ outcome: Outcome) {
        let told = onOutcome
        onOutcome = nil
        timer?.cancel()
        told?(outcome)
    }

    /// The connection, for the session it belongs to.
    func takeStream() -> TLSSession? { door.take()?.intoStream() }

    func answer(_ bytes: [UInt8]) {
        if let last = door?.answer(bytes) { channel.send(last) }
        channel.close()
    }

    func refuse(_ reason: GoAwayReason) {
        if let last = door?.refuse(reason, retryAfter: .seconds(5)) { channel.send(last) }
        channel.close()
    }

    func close() {
        timer?.cancel()
        onOutcome = nil
        channel.close()
    }
}
