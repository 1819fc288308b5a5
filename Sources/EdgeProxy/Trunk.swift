import CoreTypes
import HotDeskPolicy
import SIPMessage
import SIPTransaction

/// Which PBX nodes can be reached now, and how the PBX sees us there.
struct TrunkState: Sendable {
    private(set) var nodes: [Flow?]

    init(nodeCount: Int) { nodes = Array(repeating: nil, count: max(0, nodeCount)) }

    mutating func setNodeCount(_ count: Int) {
        while nodes.count > max(0, count) {
            nodes.removeLast()
        }
        while nodes.count < count { nodes.append(nil) }
    }

    func node(on flow: Flow) -> TrunkNode? { nodes.firstIndex(of: flow).map { TrunkNode(index: $0) } }

    func flow(of node: TrunkNode) -> Flow? { nodes.indices.contains(node.index) ? nodes[node.index] : nil }

    /// The nodes that are up, in the order of the site file.
    var up: [(node: TrunkNode, flow: Flow)] {
        nodes.indices.compactMap { index in nodes[index].map { (TrunkNode(index: index), $0) } }
    }

    var isUp: Bool { nodes.contains { $0 != nil } }

    mutating func set(_ node: TrunkNode, _ flow: Flow?) {
        guard nodes.indices.contains(node.index) else { return }
        nodes[node.index] = flow
    }
}

/// A way for a request to leave the edge.
enum Route: Sendable, Equatable {
    /// A PBX node's connection, or a phone's flow.
    case flow(Flow)
    case gateway(name: String, Flow)

    var flow: Flow {
        switch self {
        case .flow(let flow), .gateway(_, let flow): return flow
        }
    }
}

extension EdgeProxy {
    mutating func trunkUp(_ node: TrunkNode, _ flow: Flow) {
        let wasUp = trunk.isUp
        let before = trunk.up.first?.flow
        trunk.set(node, flow)
        log(.notice, "PBX node \(node.index + 1) is up")
        refreshTargets()
        guard !wasUp || trunk.up.first?.flow != before else { return }
        awaitPlainPhones()
        refreshAllRegistrations()
    }

    mutating func trunkDown(_ node: TrunkNode) {
        guard let flow = trunk.flow(of: node) else { return }
        let wasFirst = trunk.up.first?.node == node
        trunk.set(node, nil)
        transactions.flowClosed(flow, now: now, into: &pending)
        log(.warning, "PBX node \(node.index + 1) is down" + (trunk.isUp ? "; another node carries on" : "; no PBX can be reached"))
        if wasFirst { registrationsLost() }
        if !trunk.isUp { recoveryInterrupted() }
    }

    /// Where the flow leads.
    enum Side: Sendable, Equatable { case phone, trunk, gateway }

    func side(of flow: Flow) -> Side {
        if trunk.node(on: flow) != nil { return .trunk }
        return flow.transport == .udp && isGateway(flow.remote) ? .gateway : .phone
    }

    private func isGateway(_ remote: Endpoint) -> Bool {
        configuration.emergencyRoutes.contains { route in
            guard case .gateway(_, let endpoint) = route else { return false }
            return endpoint == remote && gatewayFlow(to: endpoint) != nil
        }
    }

    /// Gateways are spoken to from the UDP listener of the same address family.
    func gatewayFlow(to endpoint: Endpoint) -> Flow? {
        let listener = configuration.listeners.first {
            $0.transport == .udp && $0.endpoint.address.family == endpoint.address.family
        }
        return listener.map { Flow(transport: .udp, local: $0.endpoint, remote: endpoint) }
    }

    /// Where the PBX's nodes are: no phone's media goes there. Behind a tunnel they are in a network of their own,
    /// whose addresses say nothing here.
    var pbxAddresses: [IPAddress] { configuration.pbx.isTunnelled ? [] : trunk.up.map(\.flow.remote.address) }

    var pbxRoutes: [Route] { trunk.up.map { .flow($0.flow) } }

    var emergencyRoutes: [Route] {
        configuration.emergencyRoutes.flatMap { route -> [Route] in
            switch route {
            case .pbx: return pbxRoutes
            case .gateway(let name, let endpoint): return gatewayFlow(to: endpoint).map { [.gateway(name: name, $0)] } ?? []
            }
        }
    }

    /// A Via of our own for a request that leaves on `flow` (RFC 3261 §8.1.1.7).
    mutating func via(on flow: Flow) -> Via {
        Via(
            transport: flow.transport.viaName, host: Host(flow.local.address), port: flow.local.port,
            parameters: [Parameter(name: "branch", value: "z9hG4bK" + token(10)), Parameter(name: "rport", value: nil)])
    }

    /// A Contact by which the far end of `flow` reaches us on that very flow.
    ///
    /// - Parameter asked: the Request-URI of the request it stands in or answers: to `sips:` belongs `sips:` (RFC 5630 §5.1.1.1).
    func contact(user: String?, on flow: Flow, asked: URI? = nil, parameters: [Parameter] = []) -> NameAddress {
        if case .sip(let uri)? = asked, uri.isSecure, flow.transport == .tls {
            let secure = SIPURI(isSecure: true, user: user, host: Host(flow.local.address), port: flow.local.port, parameters: parameters)
            return NameAddress(uri: .sip(secure))
        }
        return NameAddress(
            uri: .sip(
                SIPURI(
                    user: user, host: Host(flow.local.address), port: flow.local.port,
                    parameters: [Parameter(name: "transport", value: flow.transport.uriName)] + parameters)))
    }
}

extension TransportProtocol {
    /// The `sent-protocol` of a Via.
    var viaName: String {
        switch self {
        case .udp: return "UDP"
        case .tcp: return "TCP"
        case .tls: return "TLS"
        }
    }

    /// The value of a URI's `transport` parameter.
    var uriName: String {
        switch self {
        case .udp: return "udp"
        case .tcp: return "tcp"
        case .tls: return "tls"
        }
    }
}
