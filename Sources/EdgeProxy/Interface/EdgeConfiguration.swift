public import CoreTypes
public import HotDeskPolicy
public import SIPMessage

/// A validated site, as the edge core needs it. Made by `SiteFile`, never by hand in the shell.
public struct EdgeConfiguration: Sendable, Equatable {
    public var siteName: String
    /// Language of the prompts where the extension has none of its own: "en", "es", "fr", "it", "ru".
    public var language: String
    /// Street address and floor, for the audit of emergency calls.
    public var location: String
    public var listeners: [Listener]
    /// Addresses for media, one per family in use.
    public var mediaAddresses: [IPAddress]
    public var pbx: PBX
    public var policy: PolicyRules
    public var devices: [Device]
    public var extensions: [Extension]
    public var emergencyRoutes: [EmergencyRoute]
    /// Whether phones that are no hot desks may pass through to the PBX under their own credentials.
    public var plainPhones: Bool
    /// How long a device's registration lasts at most, in seconds.
    public var deviceExpires: ClosedRange<UInt32>
    /// What devices are challenged with, most preferred first (RFC 8760 §2.3). Many desk phones know MD5 alone
    /// and stumble over a second header.
    public var deviceDigest: [DigestAlgorithm]
    /// A call is ended where no RTP came on either leg for so long; nil: never.
    public var endAfterSilence: Duration?
    public var phoneRefresh: PhoneRefreshRules
    public var srtp: SRTPRules

    public init(
        siteName: String, language: String, location: String, listeners: [Listener], mediaAddresses: [IPAddress], pbx: PBX,
        policy: PolicyRules, devices: [Device], extensions: [Extension], emergencyRoutes: [EmergencyRoute],
        plainPhones: Bool, deviceExpires: ClosedRange<UInt32> = 60...3600, deviceDigest: [DigestAlgorithm] = [.md5],
        endAfterSilence: Duration? = nil, phoneRefresh: PhoneRefreshRules = PhoneRefreshRules(), srtp: SRTPRules = SRTPRules()
    ) {
        self.siteName = siteName
        self.language = language
        self.location = location
        self.listeners = listeners
        self.mediaAddresses = mediaAddresses
        self.pbx = pbx
        self.policy = policy
        self.devices = devices
        self.extensions = extensions
        self.emergencyRoutes = emergencyRoutes
        self.plainPhones = plainPhones
        self.deviceExpires = deviceExpires
        self.deviceDigest = deviceDigest
        self.endAfterSilence = endAfterSilence
        self.phoneRefresh = phoneRefresh
        self.srtp = srtp
    }

    /// A socket phones send to.
    public struct Listener: Sendable, Hashable {
        public var transport: TransportProtocol
        public var endpoint: Endpoint
        public init(transport: TransportProtocol, endpoint: Endpoint) {
            self.transport = transport
            self.endpoint = endpoint
        }
    }

    /// The central phone system.
    public struct PBX: Sendable, Equatable {
        /// The SIP domain of the extensions; also the realm devices register under.
        public var domain: String
        /// How many nodes there are; the first that is up is used.
        public var nodeCount: Int
        /// The site's own account at the PBX: emergency calls of idle devices go out under it, and the PBX
        /// reaches the site by it for a call-back.
        public var account: Account?
        /// Seconds an extension's registration at the PBX is asked for.
        public var registrationExpires: UInt32
        /// Signalling and media go by the tunnel: a call's PBX end is a stream of it, not a pair of ports here.
        public var isTunnelled: Bool
        /// How fast calls and registrations come back when the PBX can be reached again.
        public var recovery: RecoveryPace

        public init(
            domain: String, nodeCount: Int, account: Account?, registrationExpires: UInt32 = 600, isTunnelled: Bool = false,
            recovery: RecoveryPace = RecoveryPace()
        ) {
            self.domain = domain
            self.nodeCount = nodeCount
            self.account = account
            self.registrationExpires = registrationExpires
            self.isTunnelled = isTunnelled
            self.recovery = recovery
        }
    }

    /// Credentials at the PBX.
    public struct Account: Sendable, Equatable {
        /// User part of the identity in From.
        public var user: String
        /// User name for digest.
        public var authUser: String
        public var secret: Personal<String>
        public init(user: String, authUser: String, secret: Personal<String>) {
            self.user = user
            self.authUser = authUser
            self.secret = secret
        }
    }

    /// A way for an emergency call, tried in order.
    public enum EmergencyRoute: Sendable, Equatable {
        case pbx
        /// A gateway at the branch that takes plain SIP over UDP.
        case gateway(name: String, Endpoint)
    }
}
