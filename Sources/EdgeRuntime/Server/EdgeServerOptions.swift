import CoreTypes
import Tunnel

/// What an administrator does not set, and tests do.
struct EdgeServerOptions: Sendable {
    var limits = ConnectionLimits()
    var link = TrunkLink.Settings()
    /// Seconds to wait for another process's lock on the store.
    var storePatience = 2.0
    /// Nil: the system's name servers.
    var resolver: ResolverConfiguration?
}
