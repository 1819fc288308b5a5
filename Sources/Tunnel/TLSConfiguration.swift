public import CoreTypes

/// Where a certificate or key comes from.
public enum PEMSource: Hashable, Sendable {
    case file(String)
    /// The PEM text itself. Wrapped, as it may be a private key.
    case text(Personal<[UInt8]>)
}

/// Who may vouch for the far end.
public enum TLSTrust: Hashable, Sendable {
    /// The authorities the distribution trusts.
    case system
    /// These certificates only: authorities, or the far end's own certificate. At least one.
    case certificates([PEMSource])
    /// A client's far end is not judged by its certificate: only where what is said next proves it (`TunnelEnrolment`).
    case nobody
}

/// What an end shows of itself: its certificate with intermediates behind it, and the private key.
public struct TLSIdentity: Hashable, Sendable {
    public var certificateChain: PEMSource
    public var privateKey: PEMSource

    public init(certificateChain: PEMSource, privateKey: PEMSource) {
        self.certificateChain = certificateChain
        self.privateKey = privateKey
    }
}

/// Protocol versions in use; older ones are refused (RFC 8996).
public enum TLSVersion: Hashable, Comparable, Sendable, CaseIterable { case tls12, tls13 }

/// How one kind of TLS connection is made.
public struct TLSConfiguration: Hashable, Sendable {
    public enum Role: Hashable, Sendable {
        /// `serverName` is a host name (sent as SNI, RFC 6066 §3) or an IPv4 or IPv6 literal, with or without
        /// brackets; the server's certificate must be valid for it (RFC 5922 §7.2, RFC 6125).
        case client(serverName: String, trust: TLSTrust)
        /// With `clients`, clients are asked for a certificate. One that `clients` do not vouch for ends the handshake,
        /// and so does none, unless `isClientRequired` is false.
        case server(clients: TLSTrust?, isClientRequired: Bool = true)
    }

    /// What the connection is called in messages: "trunk".
    public var label: String
    public var role: Role
    /// Required of a server.
    public var identity: TLSIdentity?
    public var versions: ClosedRange<TLSVersion>
    public init(
        label: String = "trunk", role: Role, identity: TLSIdentity? = nil,
        versions: ClosedRange<TLSVersion> = .tls12 ... .tls13
    ) {
        self.label = label
        self.role = role
        self.identity = identity
        self.versions = versions
    }
}
