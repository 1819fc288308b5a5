import CoreTypes
import HotDeskPolicy
import SIPMessage
import SIPTransaction

/// Which PBX nodes can be reached now, and how the PBX sees us there.
struct TrunkState: Sendable {
    private struct Node: Sendable {
        var flow: Flow
        /// What it was last asked and has not answered.
        var question: ClientTransactionID?
        /// It has answered such a question before.
        var answersQuestions = false
        /// Something has come from it.
        var hasSpoken = false
        /// It was asked whether it is there, and did not say so.
        var isSilent = false
    }

    private var nodes: [Node?]
    private var questions: [ClientTransactionID: TrunkNode] = [:]

    init(nodeCount: Int) { nodes = Array(repeating: nil, count: max(0, nodeCount)) }

    mutating func setNodeCount(_ count: Int) {
        while nodes.count > max(0, count) {
            nodes.removeLast()
        }
        while nodes.count < count { nodes.append(nil) }
    }

    func node(on flow: Flow) -> TrunkNode? { nodes.firstIndex { $0?.flow == flow }.map { TrunkNode(index: $0) } }

    func flow(of node: TrunkNode) -> Flow? { nodes.indices.contains(node.index) ? nodes[node.index]?.flow : nil }

    /// The nodes there is a way to, in the order of the site file; those that answer nothing come last.
    var up: [(node: TrunkNode, flow: Flow)] {
        let answering = up(silent: false)
        return nodes.contains { $0?.isSilent == true } ? answering + up(silent: true) : answering
    }

    private func up(silent: Bool) -> [(node: TrunkNode, flow: Flow)] {
        nodes.indices.compactMap { index in
            nodes[index].flatMap { $0.isSilent == silent ? (TrunkNode(index: index), $0.flow) : nil }
        }
    }

    var isUp: Bool { nodes.contains { $0 != nil } }

    /// Each node, in the order of the site file: whether calls can go there.
    var answers: [Bool] { nodes.map { $0.map { !$0.isSilent } ?? false } }

    mutating func set(_ node: TrunkNode, _ flow: Flow?) {
        guard nodes.indices.contains(node.index) else { return }
        nodes[node.index] = flow.map { Node(flow: $0) }
    }

    mutating func asked(_ node: TrunkNode, _ client: ClientTransactionID) {
        guard nodes.indices.contains(node.index) else { return }
        nodes[node.index]?.question = client
        questions[client] = node
    }

    /// What was last asked of the node is unanswered, and that means something: some PBXs answer such questions of nobody.
    func owesAnswer(_ node: TrunkNode) -> Bool {
        guard nodes.indices.contains(node.index), let known = nodes[node.index] else { return false }
        return known.question != nil && (known.answersQuestions || !known.hasSpoken)
    }

    mutating func answered(_ node: TrunkNode) {
        guard nodes.indices.contains(node.index) else { return }
        nodes[node.index]?.question = nil
        nodes[node.index]?.answersQuestions = true
    }

    /// Whose question it was; it is over.
    mutating func taken(_ client: ClientTransactionID) -> TrunkNode? {
        questions.isEmpty ? nil : questions.removeValue(forKey: client)
    }

    /// Notes that it is there, or that it is not; whether that is news.
    mutating func heard(_ node: TrunkNode, _ isThere: Bool) -> Bool {
        guard nodes.indices.contains(node.index), let known = nodes[node.index] else { return false }
        if isThere { nodes[node.index]?.hasSpoken = true }
        nodes[node.index]?.isSilent = !isThere
        return known.isSilent == isThere
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
        askNode(node, flow)
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

    /// How often a node is asked, and how long it has for the answer.
    private static let questionInterval = Duration.seconds(10)

    /// Asks a node that is reached by datagrams whether it is there (RFC 3261 §11): no connection ends when it does. One that
    /// says nothing is the last to get calls and registrations until something comes from it again.
    mutating func askNode(_ node: TrunkNode, _ flow: Flow) {
        guard flow.transport == .udp, trunk.flow(of: node) == flow else { return }
        if trunk.owesAnswer(node) { heard(node, false) }
        let address = NameAddress(uri: .sip(SIPURI(user: configuration.pbx.account?.user, host: pbxHost)))
        var request = SIPRequest(
            method: .options, uri: .sip(SIPURI(host: pbxHost)),
            headers: Headers(
                via: [via(on: flow)], from: address.with(tag: newTag()), to: NameAddress(uri: .sip(SIPURI(host: pbxHost))),
                callID: CallID(value: token(12)), cseq: CSeq(number: 1, method: .options)))
        request.headers.maxForwards = 70
        request.headers.contact = .list([contact(user: nil, on: flow)])
        request.headers[.userAgent] = "edgeproxy"
        approved(.options, to: "", as: configuration.pbx.account?.user ?? "", request.headers)
        trunk.asked(node, transactions.send(request, on: flow, now: now, into: &pending))
        timers.schedule(.nodeQuestion(node, flow), at: now + Self.questionInterval)
    }

    /// Whether that was a question to a node. Whatever it answers, it is there.
    mutating func nodeAnswered(_ client: ClientTransactionID, _ isThere: Bool) -> Bool {
        guard let node = trunk.taken(client) else { return false }
        if isThere { trunk.answered(node) }
        return true
    }

    /// Something has come by datagrams from a node.
    mutating func nodeSpoke(on flow: Flow) {
        if let node = trunk.node(on: flow) { heard(node, true) }
    }

    private mutating func heard(_ node: TrunkNode, _ isThere: Bool) {
        let before = trunk.up.first?.flow
        guard trunk.heard(node, isThere) else { return }
        log(isThere ? .notice : .warning, "PBX node \(node.index + 1) " + (isThere ? "answers again" : "answers nothing"))
        guard trunk.up.first?.flow != before else { return }
        if isThere { awaitPlainPhones() }
        registrationsLost()
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
