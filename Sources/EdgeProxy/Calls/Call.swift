import CoreTypes
import HotDeskPolicy
import Media
import SIPMessage
import SIPTransaction

struct CallKey: Hashable, Sendable, Codable { let rawValue: UInt64 }

/// Whose call it is at the branch.
enum Party: Hashable, Sendable, Codable {
    case device(DeviceName)
    /// A plain phone, by the user part it calls itself.
    case plain(String)
    case unknown

    var text: String {
        switch self {
        case .device(let name): return name.text
        case .plain(let user): return user
        case .unknown: return ""
        }
    }

    var device: DeviceName? {
        switch self {
        case .device(let name): return name
        case .plain, .unknown: return nil
        }
    }
}

/// Who the edge is at the PBX for one call: kept with the call, so that it outlives a logout.
struct TrunkIdentity: Sendable, Equatable {
    var displayName: String?
    var uri: URI
    /// Nil where nobody answers challenges for this call but the phone itself.
    var credentials: EdgeConfiguration.Account?
    /// What is asserted beside From (RFC 3325), or nil.
    var asserted: NameAddress?
}

/// RFC 3261 §12: Call-ID and the tags of both ends. The phone's end is always named first, whoever called.
struct DialogKey: Hashable, Sendable, Codable {
    var callID: CallID
    var phoneTag: String
    var farTag: String

    /// The tag a phone's end has where its From has none, as the phones of RFC 2543 (RFC 3261 §12.1.1 takes it as null).
    /// The PBX sees this one, the phone none.
    static let nullTag = "null-tag"

    init(callID: CallID, phoneTag: String, farTag: String) {
        self.callID = callID
        self.phoneTag = phoneTag
        self.farTag = farTag
    }

    /// The dialog a request of a phone names; nil where it has no To tag and so is in none.
    init?(ofPhone headers: Headers) {
        guard let farTag = headers.to.tag else { return nil }
        self.init(callID: headers.callID, phoneTag: headers.phoneTag, farTag: farTag)
    }
}

extension Headers {
    /// The tag the phone that wrote this is known by to the PBX.
    var phoneTag: String { from.tag ?? DialogKey.nullTag }
}

/// One end of a dialog, as the edge must address it (RFC 3261 §12.1).
struct Peer: Sendable, Equatable, Codable {
    var flow: Flow
    /// The far end's Contact; nil until it has said one.
    var target: URI?
    var routes: [NameAddress] = []
}

/// The addresses in From and To as one side of the edge sees them.
struct SideAddresses: Sendable, Equatable, Codable {
    /// The phone's end of the call.
    var phone: NameAddress
    /// The other end.
    var far: NameAddress

    /// The phone's end in a dialog. Where the phone itself has begun without a tag, it goes on without one here.
    func phone(in dialog: DialogKey, _ direction: CallRecord.Direction) -> NameAddress {
        direction == .outbound && phone.tag == nil ? phone : phone.with(tag: dialog.phoneTag)
    }
}

struct Dialog: Sendable, Equatable, Codable {
    var key: DialogKey
    var call: CallKey
    var phone: Peer
    var trunk: Peer
    var isConfirmed = false
    /// The connection to the phone is gone, and the phone has not come back yet.
    var isPhoneLost = false
}

/// A call or a subscription that passes the edge: what both legs share.
struct Call: Sendable {
    var key: CallKey
    var purpose: DialogPurpose
    var party: Party
    /// Nil for a plain phone: it is its own identity.
    var identity: TrunkIdentity?
    var onPhoneSide: SideAddresses
    var onTrunkSide: SideAddresses
    var dialogs: [DialogKey] = []
    var media: CallMedia?
    /// What the edge has added to the phone's CSeq numbers by answering challenges itself.
    var sequenceOffset: UInt32 = 0
    /// The last INVITE of the phone, whose number its ACK and PRACK repeat whatever went out since.
    var lastInvite: InviteNumbers?
    /// When the session ends unless it is refreshed (RFC 4028); nil: never by itself.
    var sessionEnds: Instant?
    /// The highest CSeq number that went to the PBX in the phone's name.
    var lastSequence: UInt32 = 0
    /// The PBX end of the call has said that it knows UPDATE (RFC 3311).
    var farAllowsUpdate = false
    /// Exchanges that are under way.
    var open = 0
    /// What a subscription is to, as its SUBSCRIBE said it.
    var event: String?
    /// A subscription ends here; a call has no end of its own.
    var expires: Instant?
    var began: Instant
    var direction = CallRecord.Direction.inbound
    var answered: Instant?
    /// Why it will be over, where that is known before it is.
    var ending: CallEnd?
    /// RTP of either end was accepted.
    var hasHeardMedia = false
    /// As it was measured last.
    var quality: [LegQuality] = []
    /// It is on disk, as it was at some time.
    var isStored = false
    /// It is to be written with the next round.
    var awaitsStore = false
}

/// The CSeq number of one INVITE on either side.
struct InviteNumbers: Sendable, Equatable {
    var atPhone: UInt32
    var atPBX: UInt32
}

struct CallTable: Sendable {
    private(set) var calls: [CallKey: Boxed<Call>] = [:]
    private(set) var dialogs: [DialogKey: Dialog] = [:]
    private var perDevice: [DeviceName: Int] = [:]
    /// Connections of phones that have carried a dialog, until they are gone.
    private var connections: Set<Flow> = []

    /// Calls and subscriptions at once that the site may have; emergency calls do not ask.
    static let maximum = 20_000
    /// Branches of a fork that one call may have.
    static let forksPerCall = 64

    var count: Int { calls.count }
    var isFull: Bool { calls.count >= Self.maximum }

    func count(of device: DeviceName) -> Int { perDevice[device] ?? 0 }

    func dialog(_ key: DialogKey) -> Dialog? { dialogs[key] }

    subscript(_ key: CallKey) -> Boxed<Call>? { calls[key] }

    mutating func insert(_ call: Call) {
        calls[call.key] = Boxed(call)
        if let device = call.party.device, call.purpose != .subscription { perDevice[device, default: 0] += 1 }
    }

    /// Changes a call in place; nothing happens where it is gone.
    mutating func change(_ key: CallKey, _ body: (inout Call) -> Void) {
        guard let index = calls.index(forKey: key) else { return }
        body(&calls.values[index].value)
    }

    mutating func changeDialog(_ key: DialogKey, _ body: (inout Dialog) -> Void) {
        guard let index = dialogs.index(forKey: key) else { return }
        body(&dialogs.values[index])
    }

    /// A dialog that is held stays as it is, whoever else claims its Call-ID and tags; one of no call is not kept.
    mutating func insert(_ dialog: Dialog) {
        guard dialogs[dialog.key] == nil, let call = calls[dialog.call], call.dialogs.count < Self.forksPerCall else { return }
        dialogs[dialog.key] = dialog
        if dialog.phone.flow.transport.isReliable { connections.insert(dialog.phone.flow) }
        change(dialog.call) { $0.dialogs.append(dialog.key) }
    }

    /// Moves the phone's end of a dialog to another flow.
    mutating func movePhone(_ key: DialogKey, to flow: Flow) {
        changeDialog(key) {
            $0.phone.flow = flow
            $0.isPhoneLost = false
        }
        if flow.transport.isReliable { connections.insert(flow) }
    }

    /// Whether a connection that is gone has carried a dialog.
    mutating func forget(connection flow: Flow) -> Bool { connections.remove(flow) != nil }

    mutating func removeDialog(_ key: DialogKey) {
        guard let dialog = dialogs.removeValue(forKey: key) else { return }
        change(dialog.call) { call in call.dialogs.removeAll { $0 == key } }
    }

    /// Takes a call out with all its dialogs.
    mutating func remove(_ key: CallKey) -> Boxed<Call>? {
        guard let call = calls.removeValue(forKey: key) else { return nil }
        for dialog in call.dialogs { dialogs[dialog] = nil }
        if let device = call.party.device, call.purpose != .subscription {
            let left = (perDevice[device] ?? 1) - 1
            perDevice[device] = left > 0 ? left : nil
        }
        return call
    }
}

/// A request that is on its way through the edge: one server transaction, one client transaction at a time.
struct Exchange: Sendable {
    /// The side the request came from.
    var from: EdgeProxy.Side
    var server: ServerTransactionID
    /// The flow it came by, and its answers go back on.
    var incomingFlow: Flow
    /// As it came: answers take Via, From, To, Call-ID and CSeq from it.
    var incoming: SIPRequest
    /// As it went out last, to be sent again with credentials or on another route.
    var outgoing: SIPRequest
    /// The Request-URI on a route that names no host of its own.
    var target: URI
    var flow: Flow
    var call: CallKey?
    var dialog: DialogKey?
    /// Who the edge is at the PBX for this request; nil where nobody answers challenges but the phone itself.
    var identity: TrunkIdentity?
    /// Ways that are left if this one fails.
    var otherRoutes: [Route]
    var challengesAnswered = 0
    var sawProvisional = false
    /// More than 100 Trying: somebody or something at the far end has taken the call up.
    var isProgressing = false
    /// An emergency call has been given more time after a 100.
    var isPatienceExtended = false
    /// When timer C ends a call that only rings.
    var ringsUntil: Instant?
    var isCancelled = false
    /// A 2xx to its INVITE has been passed on.
    var isAnswered = false
    /// Set where a 3xx has led here.
    var redirection: Redirection?
    /// The media as they were before the offer that this request brings, in a call that is up.
    var mediaBefore: CallMedia?
    /// Set where the exchange is the registration of a plain phone.
    var plainRegistration: PlainBinding?

    /// A provisional response has come; timer C, where it runs, begins anew (RFC 3261 §16.7).
    mutating func advance(by status: Int, ringsUntil end: Instant) {
        sawProvisional = true
        if status > 100 { isProgressing = true }
        if ringsUntil != nil { ringsUntil = end }
    }

    /// What the edge has answered to one PBX node is nothing to the next route: that one makes a challenge of its own, and
    /// a gateway must not see it. A plain phone's own credentials stay.
    mutating func forgetChallenge() {
        guard challengesAnswered > 0 else { return }
        challengesAnswered = 0
        outgoing.headers.remove(.authorization)
        outgoing.headers.remove(.proxyAuthorization)
    }

    /// The INVITE has its 2xx: what only a second try would have needed is let go, since the exchange stays for
    /// as long as that 2xx may be repeated (RFC 6026 timer M).
    mutating func becomeAnswered() {
        isAnswered = true
        incoming.body = []
        incoming.headers.others = []
        outgoing.body = []
        outgoing.headers.others = []
        otherRoutes = []
    }
}
