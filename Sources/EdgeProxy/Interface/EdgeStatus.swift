public import CoreTypes
public import HotDeskPolicy
public import Media

/// The state of a site, for `edgeproxy status`.
public struct EdgeStatus: Sendable, Equatable {
    public struct DeviceStatus: Sendable, Equatable {
        public var name: DeviceName
        public var model: String
        public var location: String
        /// Nil: idle.
        public var session: Session?
        public var person: String
        public var isRegistered: Bool
        /// The address it registered from, or "".
        public var address: String
        public var calls: Int
        /// Until when the device is pinned by an emergency call.
        public var pinnedUntil: Instant?
        /// Whether the session's extension is registered at the PBX.
        public var isRegisteredAtPBX: Bool
        /// Nil: the phone is not provisioned here.
        public var phone: PhoneState?
        /// The router phone that carries its calls; itself where it is one.
        public var router: DeviceName?
    }

    public struct NodeStatus: Sendable, Equatable {
        public var node: TrunkNode
        public var isUp: Bool
    }

    /// A call that goes on.
    public struct CallStatus: Sendable, Equatable {
        /// Who at the branch: a device or plain phone.
        public var party: String
        public var `extension`: String
        public var direction: CallRecord.Direction
        public var isEmergency: Bool
        /// The other end: user part of its address, or the whole of it.
        public var other: String
        public var began: Instant
        /// Nil: it rings.
        public var answered: Instant?
        /// As it was measured last, after `EdgeEvent.measure`.
        public var quality: [LegQuality]
        /// The stream of the tunnel that carries its media, by the shell's number; nil where none does.
        public var tunnelStream: UInt32?
    }

    public var site: String
    public var devices: [DeviceStatus]
    public var nodes: [NodeStatus]
    public var calls: Int
    /// The oldest calls that go on, `listedCalls` at most; subscriptions are none.
    public var inProgress: [CallStatus]
    public var freeMediaPorts: Int
    /// How long logins took until the phone had its configuration, by model.
    public var readyTimes: [String: DurationHistogram]

    public static let listedCalls = 500
}
