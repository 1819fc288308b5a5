import CoreTypes
import SIPMessage

extension Via {
    /// Notes where the request came from: `received` where sent-by says something else (RFC 3261 §18.2.1), and
    /// both values where the client asked for `rport` (RFC 3581 §4). What the client itself wrote there is replaced.
    mutating func stamp(_ source: Endpoint) {
        let wantsPort = parameters.contains { $0.name == "rport" }
        if wantsPort { set("rport", String(source.port)) }
        if wantsPort || host.address != source.address {
            set("received", source.address.description)
        } else {
            parameters.removeAll { $0.name == "received" }
        }
    }

    private mutating func set(_ name: String, _ value: String) {
        if let index = parameters.firstIndex(where: { $0.name == name }) {
            parameters[index].value = value
        } else {
            parameters.append(Parameter(name: name, value: value))
        }
    }
}
