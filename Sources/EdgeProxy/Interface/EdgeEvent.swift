public import CoreTypes
public import HotDeskPolicy
public import Media

/// A PBX node, by its place in the site's list.
public struct TrunkNode: Hashable, Sendable {
    public let index: Int
    public init(index: Int) { self.index = index }
}

/// Everything that can happen to the edge core.
public enum EdgeEvent: Sendable {
    /// One SIP message: a datagram, or a message framed out of a stream. On flows of the trunk too.
    case received([UInt8], Flow)
    /// A connection is gone; nothing more can be sent on it.
    case flowClosed(Flow)
    /// A PBX node's TLS connection is up. `flow.local` is what the PBX sees us as where no NAT is between.
    case trunkUp(TrunkNode, Flow)
    case trunkDown(TrunkNode)
    case media(MediaEvent)
    /// The answer to `EdgeAction.verifyPIN`.
    case pinVerified(PINCheckID, Bool)
    /// The answer to `EdgeAction.store` where a token was given; false: it is not on disk.
    case stored(StoreToken, Bool)
    /// An administrator ends the session of a device.
    case logout(DeviceName)
    /// An administrator lets a device, or an extension, try its PIN again at once.
    case unlockDevice(DeviceName)
    case unlockExtension(ExtensionNumber)
    /// The time of day has come at which the site logs everybody out.
    case closingTime
    /// Somebody wants to see the quality of the calls that go on: it is in the status when the media loop has answered.
    case measure
    /// A phone has been handed its configuration of this revision (`DeskView.revision`).
    case phoneFetched(DeviceName, UInt64)
    /// The site file was read again and had no problem.
    case reload(EdgeConfiguration)
    /// Time has passed `nextDeadline`.
    case tick
}

public struct PINCheckID: Hashable, Sendable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
}

public struct StoreToken: Hashable, Sendable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
}
