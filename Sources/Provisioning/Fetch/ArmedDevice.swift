public import CoreTypes
public import HotDeskPolicy

/// A device that may come out of its box: until then its MAC alone gets the bootstrap file, which holds no secret of SIP
/// but the address of the device's own files. Kept in the store.
public struct ArmedDevice: Sendable, Equatable, Codable {
    public var device: DeviceName
    public var from: Instant
    public var until: Instant

    public init(device: DeviceName, from: Instant, until: Instant) {
        self.device = device
        self.from = from
        self.until = until
    }

    public func isArmed(at now: Instant) -> Bool { from <= now && now < until }

    /// How long an admin may arm a device for.
    public static let bounds: ClosedRange<Duration> = .seconds(60)...(.seconds(7 * 86400))
    public static let standard: Duration = .seconds(3600)
}
