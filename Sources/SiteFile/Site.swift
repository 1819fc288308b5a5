public import CoreTypes
public import EdgeProxy

/// A site as its file describes it, checked: what the core needs, and what the shell around it needs.
/// Every path is absolute or relative to the working directory; none is relative to the site file any more.
public struct Site: Sendable, Equatable {
    public var configuration: EdgeConfiguration
    public var media: MediaRange
    public var pbx: PBXTarget
    public var trunkTLS: TrunkTLS
    /// What phones and browsers are shown where they come by TLS; nil: the edge has no certificate.
    public var serverTLS: ServerTLS?
    /// The SQLite file of sessions, lockouts, bindings and the audit.
    public var storePath: String
    /// The Unix socket of `edgeproxy status` and `edgeproxy logout`.
    public var controlPath: String
    /// The folder of recordings, in it one folder per language ("en") or the recordings themselves.
    public var promptsPath: String
    /// Nil: no capture is written.
    public var capture: CaptureOptions?
    public var logLevel: LogLevel
    public var dscp: TrafficClass
    /// Media may go by io_uring, where the kernel lets us.
    public var usesRing: Bool
    public var provisioning: ProvisioningSettings
    public var web: WebOptions
    /// Nil: phones cannot fetch here.
    public var delivery: DeliveryOptions?
    /// Accounts at vendors' redirect services, one a vendor at most.
    public var redirects: [RedirectAccount]

    public init(
        configuration: EdgeConfiguration, media: MediaRange, pbx: PBXTarget, trunkTLS: TrunkTLS, serverTLS: ServerTLS? = nil, storePath: String,
        controlPath: String, promptsPath: String = Site.packagedPrompts, capture: CaptureOptions? = nil,
        logLevel: LogLevel = .info, dscp: TrafficClass = TrafficClass(), usesRing: Bool = true, provisioning: ProvisioningSettings = ProvisioningSettings(),
        web: WebOptions = WebOptions(), delivery: DeliveryOptions? = nil, redirects: [RedirectAccount] = []
    ) {
        self.configuration = configuration
        self.media = media
        self.pbx = pbx
        self.trunkTLS = trunkTLS
        self.serverTLS = serverTLS
        self.storePath = storePath
        self.controlPath = controlPath
        self.promptsPath = promptsPath
        self.capture = capture
        self.logLevel = logLevel
        self.dscp = dscp
        self.usesRing = usesRing
        self.provisioning = provisioning
        self.web = web
        self.delivery = delivery
        self.redirects = redirects
    }

    /// Where Debian's `asterisk-core-sounds-*` packages put their recordings.
    public static let packagedPrompts = "/usr/share/asterisk/sounds"

    /// The sockets phones send to.
    public var listen: [EdgeConfiguration.Listener] { configuration.listeners }
    /// The PBX nodes listed by name; empty where they are found by DNS.
    public var pbxNodes: [PBXNode] {
        switch pbx {
        case .nodes(let nodes): return nodes
        case .service, .headends: return []
        }
    }
}

/// Where media may be received.
public struct MediaRange: Sendable, Equatable {
    /// One per address family in use.
    public var addresses: [IPAddress]
    /// Begins even and ends odd: whole pairs of RTP and RTCP.
    public var ports: ClosedRange<UInt16>

    public init(addresses: [IPAddress], ports: ClosedRange<UInt16>) {
        self.addresses = addresses
        self.ports = ports
    }
}

/// How the PBX's nodes are found.
public enum PBXTarget: Sendable, Equatable {
    /// In the order in which they are tried.
    case nodes([PBXNode])
    /// By the SRV record `_sips._tcp.<domain>` (RFC 3263 §4.1). At most `maximumServiceNodes` are used.
    case service(domain: String)
    /// By the tunnel, through one of these headends; datagrams of so many bytes at most. The PBX's nodes are the headend's
    /// business: at most `maximumTunnelWays` are used.
    case headends([PBXNode], mtu: Int)

    public static let maximumServiceNodes = 4
    public static let maximumTunnelWays = 8
}

/// One node of the PBX, spoken to by TLS only.
public struct PBXNode: Sendable, Hashable {
    /// A host name or an address without brackets: also the name its certificate must bear.
    public var host: String
    public var port: UInt16

    public init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// `host:port`, an IPv6 address in brackets.
    public var text: String { host.utf8.contains(0x3A) ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// Files of the trunk's TLS.
public struct TrunkTLS: Sendable, Equatable {
    /// PEM file of the authorities the PBX's certificate may come from. Nil: the system's.
    public var authorityPath: String?
    /// PEM files of the client certificate and its key, both or neither.
    public var certificatePath: String?
    public var keyPath: String?

    public init(authorityPath: String? = nil, certificatePath: String? = nil, keyPath: String? = nil) {
        self.authorityPath = authorityPath
        self.certificatePath = certificatePath
        self.keyPath = keyPath
    }
}

/// Files of the edge's own certificate, for TLS towards phones and browsers.
public struct ServerTLS: Sendable, Hashable {
    /// PEM: the certificate, then its intermediates.
    public var certificatePath: String
    public var keyPath: String

    public init(certificatePath: String, keyPath: String) {
        self.certificatePath = certificatePath
        self.keyPath = keyPath
    }
}

public struct CaptureOptions: Sendable, Equatable {
    public var directory: String
    /// Bytes a capture file may grow to before the next one begins.
    public var maximumSize: UInt64

    public init(directory: String, maximumSize: UInt64) {
        self.directory = directory
        self.maximumSize = maximumSize
    }
}

/// Differentiated services code points (RFC 4594 §4): 0...63.
public struct TrafficClass: Sendable, Equatable {
    /// CS3 unless told.
    public var signalling: UInt8
    /// EF unless told.
    public var media: UInt8

    public init(signalling: UInt8 = 24, media: UInt8 = 46) {
        self.signalling = signalling
        self.media = media
    }
}
