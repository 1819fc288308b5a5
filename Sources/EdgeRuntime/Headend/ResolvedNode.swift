import CoreTypes
import Dispatch
import SiteFile
import Tunnel

/// A node of the PBX, with all it takes to reach it.
struct ResolvedNode: Sendable {
    let settings: HeadendSettings.Node
    /// For TLS only.
    let tls: TLSContext?
    let lookups: DispatchQueue

    /// `answer` is called on a queue of the lookups'.
    func resolve(_ answer: @escaping @Sendable (Result<[Endpoint], HostResolver.Failure>) -> Void) {
        let node = settings.node
        lookups.async {
            answer(Result { () throws(HostResolver.Failure) in try HostResolver.resolve(node.host, port: node.port) })
        }
    }
}

/// A way of a site to the PBX. Lives on the headend's loop.
protocol PBXWay: AnyObject {
    func start()
    func send(_ message: [UInt8])
    func close()
}

/// What a way tells its site.
struct PBXWayReports {
    /// Our end and the PBX's.
    var up: (Endpoint, Endpoint) -> Void
    var down: (String) -> Void
    var received: ([UInt8]) -> Void
}
