import CoreTypes
import SIPMessage

extension Via {
    /// Notes where the request came from: `received` where sent-by says something else (RFC 3261 §18.2.1), and
    /// both values where the client asked for `rport` (RFC 3581 §4). What the client itself wrote there is replaced.
    mutating func stamp(_ source: Endpoint) {
        let wantsPort = wantsRport
        if wantsPort { rport = source.port }
        if wantsPort || host.address != source.address {
            received = source.address
        } else if !parameters.isEmpty {
            parameters.removeAll { $0.name == "received" }
        }
    }
}
