public import CoreTypes
public import HotDeskPolicy

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
    }

    public struct NodeStatus: Sendable, Equatable {
        public var node: TrunkNode
        public var isUp: Bool
    }

    public var site: String
    public var devices: [DeviceStatus]
    public var nodes: [NodeStatus]
    public var calls: Int
    public var freeMediaPorts: Int
}
