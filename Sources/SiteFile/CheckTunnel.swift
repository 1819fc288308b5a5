import CoreTypes
import EdgeProxy

/// `[pbx]` with `via = "tunnel"`: the headends, and the certificate by which they know the site.
extension SiteChecker {
    var isTunnelled: Bool { shape.pbx.via?.value == "tunnel" }

    func tunnelTarget() -> PBXTarget? {
        if let servers = shape.pbx.servers {
            problems.error(servers.path, "by the tunnel the headend knows the PBX's nodes", "name the headends: headends = [\"headend.example:5090\"]")
        }
        let remedy = "write headends = [\"headend.example:5090\"], the best first"
        guard let headends = required(shape.pbx.headends, "headends", in: shape.pbx.path, remedy) else { return nil }
        if headends.value.isEmpty { problems.error(headends.path, "the list is empty", remedy) }
        var nodes: [PBXNode] = []
        for text in headends.value {
            guard let node = Self.hostAndPort(text.value.lowercased(), port: 5090) else {
                problems.error(text.path, "\"\(text.value)\" is no host and port", "write \"headend.example:5090\", nothing before or after it")
                continue
            }
            if nodes.contains(node) { problems.error(text.path, "\(node.text) is listed twice", "take one of the two out") }
            nodes.append(node)
        }
        // A datagram of 576 bytes is what every path of IPv4 takes: 548 without its headers.
        return .headends(nodes, mtu: number(shape.pbx.mtu, within: 548...1452, or: 1400))
    }

    /// The headend knows the site by its certificate, and the edge the headend by its authority: none may be missing.
    func checkTunnelFiles() {
        let enrol = "edgeproxy enroll HOST TOKEN fetches all three, and says what to write here"
        _ = required(shape.pbx.ca, "ca", in: shape.pbx.path, enrol)
        if shape.pbx.certificate == nil, shape.pbx.key == nil {
            _ = required(shape.pbx.certificate, "certificate", in: shape.pbx.path, enrol)
        }
    }
}
