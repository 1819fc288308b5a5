public import CoreTypes
public import HotDeskPolicy
import Media
import SIPMessage

/// A call that is up, as it survives a restart. Holds no secret: credentials are those of the site file.
public struct StoredCall: Codable, Equatable, Sendable {
    /// Grows with each change of what is written; a call of another version is not taken up.
    static let currentVersion = 1

    struct Identity: Codable, Equatable, Sendable {
        var displayName: String?
        var uri: URI
        var asserted: NameAddress?
        /// User part of the account that answers challenges; nil: nobody does.
        var account: String?
    }

    var version = Self.currentVersion
    /// Names the call, and its relay.
    public var key: UInt64
    var purpose: DialogPurpose
    var party: Party
    var identity: Identity?
    var onPhoneSide: SideAddresses
    var onTrunkSide: SideAddresses
    var dialogs: [Dialog]
    var media: CallMedia?
    var sequenceOffset: UInt32
    var lastSequence: UInt32
    var farAllowsUpdate: Bool
    var began: Instant
    var direction: CallRecord.Direction
    var answered: Instant
}

/// The binding of a plain phone that speaks in datagrams, as it survives a restart. A connection does not.
public struct PlainBindingRecord: Equatable, Sendable {
    /// Names the binding in the Contact that the PBX holds.
    public var token: String
    public var user: String
    /// A URI.
    public var contact: String
    public var local: Endpoint
    public var remote: Endpoint
    public var expires: Instant

    public init(token: String, user: String, contact: String, local: Endpoint, remote: Endpoint, expires: Instant) {
        self.token = token
        self.user = user
        self.contact = contact
        self.local = local
        self.remote = remote
        self.expires = expires
    }
}
