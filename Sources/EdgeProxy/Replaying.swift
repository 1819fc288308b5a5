public import CoreTypes

extension EdgeProxy {
    /// Like `replaying(_:now:)`, for a capture that begins while people are logged in.
    public static func replaying(_ configuration: EdgeConfiguration, restoring snapshot: EdgeSnapshot, now: Instant) -> EdgeProxy {
        var edge = EdgeProxy(configuration: configuration, seed: Array(repeating: 0, count: 32), restoring: snapshot, now: now)
        edge.authenticator.trustsCredentials = true
        return edge
    }
}
