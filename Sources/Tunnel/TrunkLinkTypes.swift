public import CoreTypes

extension TrunkLink {
    /// Times of our own choosing; RFC 5626 names those it recommends.
    public struct Settings: Hashable, Sendable {
        public var resolveTimeout: Duration = .seconds(5)
        public var connectTimeout: Duration = .seconds(5)
        public var handshakeTimeout: Duration = .seconds(5)
        /// The longest time between two pings; each waits 80-100 % of it (RFC 5626 §4.4.1).
        public var pingInterval: Duration = .seconds(25)
        /// How long a peer that answers pings has for the next answer (RFC 5626 §4.4.1).
        public var pongTimeout: Duration = .seconds(10)
        /// Before the first try after a connection that had been stable.
        public var firstRetry: Duration = .milliseconds(250)
        /// Before the second; doubled for each further one, up to `maximumDelay` (RFC 5626 §4.5).
        public var baseDelay: Duration = .seconds(1)
        public var maximumDelay: Duration = .seconds(60)
        /// After this long, a connection counts as stable, and earlier failures are forgotten.
        public var stableAfter: Duration = .seconds(30)
        public init() {}
    }

    public enum Event: Hashable, Sendable {
        case start
        case resolved([Endpoint])
        case resolutionFailed(String)
        /// TCP is connected.
        case connected
        /// TLS is open and the certificate verified.
        case handshakeCompleted
        /// The connection, or the try to make one, is over; nothing is left to close.
        case disconnected(Failure)
        /// A single CRLF came (RFC 5626 §4.4.1).
        case pongReceived
        /// Anything else came.
        case bytesReceived
        /// Time has passed `nextDeadline`.
        case tick
        case stop
    }

    /// Performed in order. After `close` the shell reports nothing more of that connection.
    public enum Action: Hashable, Sendable {
        /// Look the PBX's name up; `resolved` or `resolutionFailed` follows. A lookup still running is abandoned.
        case resolve
        /// Give up the lookup or try that is running, and make this connection; `connected` or `disconnected` follows.
        case connect(Endpoint)
        /// Start TLS on the connection; `handshakeCompleted` or `disconnected` follows.
        case startHandshake
        /// Send CRLFCRLF (RFC 5626 §4.4.1).
        case sendPing
        /// Close the connection, with a TLS close where it is open.
        case close(Failure)
        case report(Report)
    }

    public enum Report: Hashable, Sendable {
        case up(Endpoint)
        /// The connection that was up is gone, or a try to make one failed.
        case down(Failure)
    }

    /// Why there is no connection.
    public enum Failure: Error, Hashable, Sendable {
        case stopped
        case resolutionFailed(String)
        case resolutionTimedOut
        case noAddress
        case connectTimedOut(Endpoint)
        /// What the network said: "connection refused".
        case network(String)
        case handshakeTimedOut(Endpoint)
        case tls(TLSError)
        case closedByPeer
        /// The far end used to answer pings and no longer does.
        case pongMissing(Endpoint)
    }

    /// What the link is doing, for `edgeproxy status`.
    public enum Phase: Hashable, Sendable {
        case stopped
        case resolving
        case connecting(Endpoint)
        case handshaking(Endpoint)
        case up(Endpoint, since: Instant)
        case waiting(until: Instant, after: Failure)
    }
}

extension TrunkLink.Failure: CustomStringConvertible {
    public var description: String {
        switch self {
        case .stopped: return "it was stopped"
        case .resolutionFailed(let why): return "its name cannot be resolved: \(why)"
        case .resolutionTimedOut: return "the name server does not answer"
        case .noAddress: return "its name has no address"
        case .connectTimedOut: return "no answer to the connection request: a firewall on the way, or the machine is off"
        case .network(let why): return why
        case .handshakeTimedOut: return "the connection stands, but the TLS handshake gets no answer"
        case .tls(let error): return error.description
        case .closedByPeer: return "the far end closed the connection"
        case .pongMissing: return "the far end no longer answers keep-alives"
        }
    }
}
