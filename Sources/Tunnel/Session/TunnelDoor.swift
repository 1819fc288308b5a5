public import CoreTypes

/// A connection to the headend before anyone knows whose it is: TLS, then the hello.
public struct TunnelDoor: ~Copyable {
    public enum State: Hashable, Sendable {
        case waiting
        /// Find the session by the certificate's name and the hello; give it `intoStream()`.
        case greeted(TunnelHello, rest: [UInt8])
        /// A client without a certificate wants one; `answer` or `refuse`.
        case enrolling(TunnelEnrolment.Request)
        case failed(TunnelSession.Failure)
        case tlsFailed(TLSError)
    }

    public private(set) var state: State = .waiting
    private var tls: TLSSession
    private var greeter: TunnelGreeter
    /// What a client without a certificate has said.
    private var petition: [UInt8] = []

    public init(context: TLSContext, limits: TunnelLimits = .init(), timers: TunnelTimers = .init(), now: Instant) throws(TLSError) {
        tls = try TLSSession(context: context, now: now)
        greeter = TunnelGreeter(limits: limits, timers: timers, now: now)
    }

    /// Whom the client's certificate names; nil before the handshake is over.
    public var peer: TLSPeer? { tls.peer }
    /// When `tick` must come; nil once it is decided.
    public var nextDeadline: Instant? { state == .waiting ? greeter.deadline : nil }

    /// Returns bytes for the network.
    public mutating func receive(_ bytes: [UInt8]) -> [UInt8] {
        tls.receive(bytes)
        let plain = tls.takePlaintext()
        if state == .waiting, !plain.isEmpty, tls.peer?.certificate == nil {
            petition += plain
            switch TunnelEnrolment.readRequest(petition) {
            case .needMore: break
            case .value(let request): state = .enrolling(request)
            case .refused, .broken: state = .failed(.noHello)
            }
        } else if state == .waiting, !plain.isEmpty {
            switch greeter.receive(plain) {
            case .needMore: break
            case .greeted(let hello, let rest): state = .greeted(hello, rest: rest)
            case .failed(let failure): state = .failed(failure)
            }
        }
        switch tls.state {
        case .handshaking, .open: break
        case .closed(.failed(let error)): state = .tlsFailed(error)
        case .closed: state = .failed(.disconnected)
        }
        return tls.takeOutput()
    }

    public mutating func tick(now: Instant) {
        if let deadline = nextDeadline, deadline <= now { state = .failed(.helloMissing) }
    }

    /// The secret an enrolment on this connection is bound to; nil where it is not open.
    public var enrolmentSecret: [UInt8]? {
        do throws(TLSError) { return try tls.enrolmentSecret() } catch { return nil }
    }

    /// Says the last word of an enrolment; returns the bytes for the network.
    public mutating func answer(_ bytes: [UInt8]) -> [UInt8] {
        try? tls.send(bytes)
        tls.close()
        return tls.takeOutput()
    }

    /// Says goodbye; returns the last bytes for the network.
    public mutating func refuse(_ reason: GoAwayReason, retryAfter: Duration) -> [UInt8] {
        let delay = UInt32(clamping: retryAfter.clampedNanoseconds / 1_000_000)
        try? tls.send(TunnelFrame.goAway(reason, retryAfter: delay).encoded)
        tls.close()
        return tls.takeOutput()
    }

    /// The connection, for the endpoint of its session.
    public consuming func intoStream() -> TLSSession { tls }
}
