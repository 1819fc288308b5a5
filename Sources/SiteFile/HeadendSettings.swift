public import CoreTypes
public import EdgeProxy

/// A headend as its file describes it, checked. Every path is absolute or relative to the working directory.
public struct HeadendSettings: Sendable, Equatable {
    /// One way to the PBX.
    public struct Node: Sendable, Hashable {
        public var transport: TransportProtocol
        public var node: PBXNode

        public init(transport: TransportProtocol, node: PBXNode) {
            self.transport = transport
            self.node = node
        }

        /// "udp:10.0.0.20:5060"
        public var text: String { "\(transport):\(node.text)" }
    }

    public var name: String
    /// Where edges connect: TCP and UDP.
    public var listen: [Endpoint]
    /// The folder of what must outlive the process: sites, tokens, and the authority where `init` made it.
    public var statePath: String
    public var controlPath: String
    public var authorityPath: String
    public var certificatePath: String
    public var keyPath: String
    /// The authority's key, where sites can enrol here; nil: their certificates are made elsewhere.
    public var authorityKeyPath: String?
    /// Life of a site's certificate, in days.
    public var certificateDays: Int
    /// How long a token may be used.
    public var tokenLife: Duration
    /// In the order in which edges use them.
    public var nodes: [Node]
    /// Our own address towards the PBX, for SIP.
    public var address: IPAddress
    /// PEM of the authorities of PBX nodes spoken to by TLS; nil: the system's.
    public var pbxAuthorityPath: String?
    public var media: MediaRange
    public var mtu: Int
    public var maximumSites: Int
    /// Media streams of one site.
    public var streamsPerSite: Int
    public var dscp: TrafficClass
    public var logLevel: LogLevel
}

/// Settings, or why there are none.
public struct HeadendLoadResult: Sendable {
    public var settings: HeadendSettings?
    public var problems: [SiteProblem]
}
