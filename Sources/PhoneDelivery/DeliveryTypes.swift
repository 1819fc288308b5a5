public import CoreTypes
public import CryptoPrimitives
public import HotDeskPolicy

/// What decides who may fetch a configuration, and for how long.
public struct DeliveryRules: Sendable, Equatable {
    /// Where a phone may ask for its first, secret-free configuration from.
    public var enrolment: [AddressBlock]
    /// Where phones may fetch from by their secret URLs.
    public var networks: [AddressBlock]
    /// How long a device answers to its MAC alone after it was listed or armed anew.
    public var armWindow: Duration
    /// A secret URL older than this gives way to a new one with the next fetch.
    public var rotateAfter: Duration
    /// How long the old URL works beside a new one that was not used yet.
    public var grace: Duration

    public init(
        enrolment: [AddressBlock], networks: [AddressBlock], armWindow: Duration = .seconds(86_400),
        rotateAfter: Duration = .seconds(30 * 86_400), grace: Duration = .seconds(7 * 86_400)
    ) {
        self.enrolment = enrolment
        self.networks = networks
        self.armWindow = armWindow
        self.rotateAfter = rotateAfter
        self.grace = grace
    }
}

/// SHA-256 of the secret in a URL: 32 bytes. The secret itself is held nowhere but in the phone.
public struct TokenHash: Hashable, Sendable {
    public let bytes: [UInt8]

    public init?(bytes: [UInt8]) {
        guard bytes.count == 32 else { return nil }
        self.bytes = bytes
    }

    public init(of token: DeliveryToken) { bytes = Hash.sha256(Array(token.text.utf8)) }
}

/// The secret in a device's URL: 128 random bits in hexadecimal.
public struct DeliveryToken: Hashable, Sendable {
    public let text: String

    /// Nil for anything that is not 32 lower-case hexadecimal digits.
    public init?(_ text: some StringProtocol) {
        guard text.utf8.count == 32, text.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }) else { return nil }
        self.text = String(text)
    }

    init(random: inout RandomStream) { text = random.token(16) }
}

/// What is known of a device's deliveries; survives a restart.
public struct DeliveryRecord: Equatable, Sendable {
    public var device: DeviceName
    /// Until when its MAC alone is enough to be given a URL.
    public var armedUntil: Instant
    /// The URL given out last.
    public var current: TokenHash?
    public var isCurrentUsed = false
    public var issued: Instant
    /// The URL before, until the current one is used or its grace is over.
    public var previous: TokenHash?
    public var previousUntil: Instant
    /// A URL that was seen where it should not be gives way with the next fetch.
    public var mustRotate = false

    public init(device: DeviceName, armedUntil: Instant, issued: Instant) {
        self.device = device
        self.armedUntil = armedUntil
        self.issued = issued
        previousUntil = issued
    }

    public func isArmed(at now: Instant) -> Bool { now < armedUntil }
}

/// One request of a phone, as far as its head tells.
public struct DeliveryRequest: Equatable, Sendable {
    public var source: IPAddress
    /// The secret of the path; nil on the path without one.
    public var token: DeliveryToken?
    /// From the path, the User-Agent and the client certificate: what each says.
    public var claims: [MACAddress]
    /// The model the User-Agent names, as in a site file; nil where it names none that is known.
    public var model: String?

    public init(source: IPAddress, token: DeliveryToken?, claims: [MACAddress], model: String? = nil) {
        self.source = source
        self.token = token
        self.claims = claims
        self.model = model
    }
}

/// Who a request was found to come from, and what it may have.
public enum DeliveryVerdict: Equatable, Sendable {
    /// A first configuration without any secret but this new URL. It is handed out once the record is on disk.
    case bootstrap(DeviceName, DeliveryToken, DeliveryRecord)
    /// The device's own files. With a record: the URL is a new one, and goes out once that is on disk; where it cannot
    /// be written, the old URL goes out.
    case configuration(DeviceName, DeliveryToken, rotated: Rotation?)
    /// The one answer to everybody else.
    case missing(DeliveryRefusal)

    public struct Rotation: Equatable, Sendable {
        public var token: DeliveryToken
        public var record: DeliveryRecord
    }
}

/// Why nothing is handed out; for the audit only, the phone is told the same each time.
public enum DeliveryRefusal: String, Sendable, CaseIterable {
    case unknownURL = "no device has that URL"
    case unknownDevice = "no device has that MAC"
    case nobody = "the request names no MAC"
    case contradiction = "path, User-Agent and certificate name different MACs"
    case foreignDevice = "the URL belongs to another device"
    case foreignNetwork = "the source is not in the phones' networks"
    case outsideEnrolment = "the source is not in the enrolment networks"
    case notArmed = "the device is not armed"
    case otherVendor = "the phone is of another vendor than the device that is listed"
}

/// What follows from a request beside its answer.
public enum DeliveryAction: Equatable, Sendable {
    /// Put the record on disk; nobody waits for it.
    case store(DeliveryRecord)
    /// Worth an entry in the audit.
    case report(DeviceName?, String)
}
