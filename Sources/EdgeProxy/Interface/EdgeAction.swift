public import CoreTypes
public import HotDeskPolicy
public import Media

/// Everything the edge core asks of its shell. Actions are performed in order.
public enum EdgeAction: Equatable, Sendable {
    /// Send these bytes on the flow. What cannot be sent is dropped; a broken connection comes back as `flowClosed`.
    case transmit([UInt8], Flow)
    /// Close a connection of a phone.
    case close(Flow)
    case media(MediaCommand)
    /// Check a PIN against its hash away from the event loop; `EdgeEvent.pinVerified` follows. With no hash
    /// (nobody has that extension) the shell does the same work against a hash of its own and answers false.
    case verifyPIN(PINCheckID, Personal<String>, hash: String?)
    /// Put a change on disk; with a token, `EdgeEvent.stored` follows when it is there or has failed.
    case store(StoreChange, StoreToken?)
    /// An entry of the audit, on disk and in the log.
    case audit(AuditEntry)
    /// A call is over. Indirect, so that the actions of every packet need not be as large as it is.
    indirect case callEnded(CallRecord)
    /// One line of the log.
    case log(LogLevel, String)
}

public enum LogLevel: String, Sendable { case debug, info, notice, warning, error }

/// One thing that must outlive the process.
public enum StoreChange: Equatable, Sendable {
    case session(Session)
    case sessionEnded(DeviceName)
    case binding(BindingRecord)
    case bindingRemoved(DeviceName)
    /// Failed PIN attempts and locks, whole: small, and rewritten each time.
    case attempts(PINAttempts.Snapshot)
    case emergencyPin(EmergencyPin)
    case emergencyPinRemoved(DeviceName)
    case phone(PhoneRecord)
    /// A call that is up. Indirect, so that the actions of every packet need not be as large as it is.
    indirect case call(StoredCall)
    /// The call of this key is over.
    case callRemoved(UInt64)
    indirect case plainBinding(PlainBindingRecord)
    /// The binding of this token is gone.
    case plainBindingRemoved(String)
}

/// Where a device can be reached, as it survives a restart (RFC 3261 §10.3).
public struct BindingRecord: Equatable, Sendable {
    public var device: DeviceName
    /// The Contact the device registered, as it must stand in the Request-URI of a request to it.
    public var contact: String
    public var transport: TransportProtocol
    public var local: Endpoint
    public var remote: Endpoint
    public var expires: Instant
    public var userAgent: String

    public init(
        device: DeviceName, contact: String, transport: TransportProtocol, local: Endpoint, remote: Endpoint,
        expires: Instant, userAgent: String
    ) {
        self.device = device
        self.contact = contact
        self.transport = transport
        self.local = local
        self.remote = remote
        self.expires = expires
        self.userAgent = userAgent
    }
}

/// A device that called an emergency number: it stays reachable under the identity it called with (its
/// caller number) until the window is over, whoever logs in or out of it.
public struct EmergencyPin: Equatable, Sendable {
    public var device: DeviceName
    /// User part of the identity the call went out with.
    public var identity: String
    public var until: Instant

    public init(device: DeviceName, identity: String, until: Instant) {
        self.device = device
        self.identity = identity
        self.until = until
    }
}

/// What the store held when the process started.
public struct EdgeSnapshot: Sendable {
    public var sessions: [Session] = []
    public var bindings: [BindingRecord] = []
    public var attempts: PINAttempts.Snapshot?
    public var emergencyPins: [EmergencyPin] = []
    public var phones: [PhoneRecord] = []
    public var calls: [StoredCall] = []
    public var plainBindings: [PlainBindingRecord] = []
    public init() {}
}

/// What happened, for the people who must answer for it. Carries no PIN and no secret.
public struct AuditEntry: Equatable, Sendable {
    public enum Kind: String, Sendable, CaseIterable {
        case refused, emergency, loginSucceeded, loginFailed, lockedOut, unlocked, loggedOut, registrationRefused, degraded
        /// A phone asked for files: armed, refused, another model than is listed.
        case provisioning
    }

    public var at: Instant
    public var kind: Kind
    /// The device or plain phone it is about, or "" where nobody is known.
    public var device: String
    /// The extension it is about, or "".
    public var `extension`: String
    /// What was asked for: a method and a canonical target.
    public var request: String
    /// The refusal's reason or the outcome, in words.
    public var detail: String

    public init(at: Instant, kind: Kind, device: String = "", extension: String = "", request: String = "", detail: String = "") {
        self.at = at
        self.kind = kind
        self.device = device
        self.extension = `extension`
        self.request = request
        self.detail = detail
    }
}
