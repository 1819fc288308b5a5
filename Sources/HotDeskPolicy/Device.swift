public import CoreTypes

/// How a device reaches its network, which decides how it can be provisioned and kept reachable.
public enum DeviceConnection: String, Sendable, CaseIterable {
    /// Through the edge, from wherever it is.
    case sbc
    /// By way of a router phone: it is one, or it is behind one.
    case router
    /// On the branch's own network.
    case lan
}

/// A hot-desk phone.
public struct Device: Sendable, Equatable {
    public var name: DeviceName
    public var mac: MACAddress
    public var model: String
    public var location: String
    public var connection: DeviceConnection
    /// Digest password of the device at the edge; its user is `name.text`.
    public var secret: Personal<String>
    /// Caller number for emergency calls; nil: the site's account.
    public var emergencyIdentity: String?
    /// The router phone that carries its calls, which is itself where it is one; nil unless `connection` is `.router`.
    public var router: DeviceName?
    /// Where a router phone's children find it.
    public var address: IPAddress?
    /// Expansion modules at the phone.
    public var modules: Int

    public init(
        name: DeviceName, mac: MACAddress, model: String, location: String, connection: DeviceConnection, secret: Personal<String>,
        emergencyIdentity: String? = nil, router: DeviceName? = nil, address: IPAddress? = nil, modules: Int = 0
    ) {
        self.name = name
        self.mac = mac
        self.model = model
        self.location = location
        self.connection = connection
        self.secret = secret
        self.emergencyIdentity = emergencyIdentity
        self.router = router
        self.address = address
        self.modules = modules
    }
}

/// A person's number at the PBX, and what it takes to sit down with it.
public struct Extension: Sendable, Equatable {
    public var number: ExtensionNumber
    public var name: String
    /// Text form of a `PINHash`.
    public var pinHash: String
    /// User name for digest at the PBX.
    public var authUser: String
    public var secret: Personal<String>
    /// Whether the person may log in at hot desks.
    public var mayHotDesk: Bool
    /// Language of the prompts; nil: the site's.
    public var language: String?
    /// What the person wants on each key, in the text form of the site file; "" leaves a key empty.
    public var blf: [String]
    /// How long after the PIN was given last a call outside needs it again; nil: never.
    public var pinTimeout: Duration?

    public init(
        number: ExtensionNumber, name: String, pinHash: String, authUser: String, secret: Personal<String>, mayHotDesk: Bool = true,
        language: String? = nil, blf: [String] = [], pinTimeout: Duration? = nil
    ) {
        self.number = number
        self.name = name
        self.pinHash = pinHash
        self.authUser = authUser
        self.secret = secret
        self.mayHotDesk = mayHotDesk
        self.language = language
        self.blf = blf
        self.pinTimeout = pinTimeout
    }
}
