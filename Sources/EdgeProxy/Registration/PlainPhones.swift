import CoreTypes
import CryptoPrimitives
import HotDeskPolicy
import Media
import SIPMessage
import SIPTransaction

/// A plain phone's Contact, kept at the edge while the PBX has ours with a token in its place.
struct PlainBinding: Sendable, Equatable {
    /// The URI parameter that carries the token in our Contact.
    static let parameter = "edge-flow"

    var token: String
    var user: String
    var contact: URI
    var flow: Flow
    var expires: Instant
}

struct PlainBindingTable: Sendable {
    private var byToken: [String: PlainBinding] = [:]
    private var tokensByFlow: [Flow: Set<String>] = [:]
    private let maximum = 10_000

    func binding(token: String) -> PlainBinding? { byToken[token] }

    mutating func set(_ binding: PlainBinding) {
        guard byToken[binding.token] != nil || byToken.count < maximum else { return }
        byToken[binding.token] = binding
        if binding.flow.transport.isReliable { tokensByFlow[binding.flow, default: []].insert(binding.token) }
    }

    mutating func remove(token: String) {
        guard let binding = byToken.removeValue(forKey: token) else { return }
        tokensByFlow[binding.flow]?.remove(token)
    }

    mutating func remove(_ flow: Flow) {
        for token in tokensByFlow.removeValue(forKey: flow) ?? [] { byToken[token] = nil }
    }

    mutating func removeExpired(at now: Instant) {
        for binding in byToken.values where binding.expires <= now { remove(token: binding.token) }
    }
}

/// Registrations of plain phones pass through: their credentials are the PBX's business, their way back is ours.
extension EdgeProxy {
    mutating func registerPlain(_ request: SIPRequest, _ server: ServerTransactionID, _ flow: Flow) {
        guard let route = pbxRoutes.first else { return refuse(server, request, 503, "PBX unreachable") }
        var outgoing = SIPRequest(
            method: .register, uri: .sip(SIPURI(host: targetHost(request.uri, .plain("")))),
            headers: Headers(
                via: [], from: request.headers.from, to: request.headers.to, callID: request.headers.callID,
                cseq: request.headers.cseq))
        carryOver(request.headers, to: &outgoing.headers, towards: .trunk, identity: nil)
        var binding = PlainBinding(
            token: "", user: request.headers.to.uri.user ?? "", contact: request.headers.from.uri, flow: flow, expires: now)
        if case .list(let contacts)? = request.headers.contact {
            outgoing.headers.contact = .list(
                contacts.map { contact in
                    let token = plainToken(contact.uri, flow)
                    if binding.token.isEmpty {
                        binding.token = token
                        binding.contact = contact.uri
                    }
                    var ours = self.contact(
                        user: contact.uri.user, on: route.flow, parameters: [Parameter(name: PlainBinding.parameter, value: token)])
                    ours.parameters = contact.parameters
                    return ours
                })
        }
        log(.info, "verdict forward: REGISTER of plain phone \(binding.user)")
        send(
            Exchange(
                from: .phone, server: server, incomingFlow: flow, incoming: request, outgoing: outgoing,
                target: outgoing.uri, flow: route.flow,
                otherRoutes: [], plainRegistration: binding), on: route)
    }

    /// The same phone on the same flow has the same token, so that a refresh replaces and does not add.
    private func plainToken(_ contact: URI, _ flow: Flow) -> String {
        let text = "\(contact)|\(flow.transport.uriName)|\(flow.local)|\(flow.remote)|\(flow.connection)"
        return hexadecimal(Array(Hash.hmacSHA256(key: authenticator.key, Array(text.utf8)).prefix(10)))
    }

    /// The PBX has answered: what it granted is remembered, and the phone sees its own Contact again.
    mutating func plainRegistered(
        _ response: SIPResponse, _ binding: PlainBinding, _ exchange: Boxed<Exchange>, _ passed: inout SIPResponse
    ) {
        guard response.status < 300, case .list(let contacts)? = response.headers.contact else { return }
        var binding = binding
        var restored: [NameAddress] = []
        plainBindings.remove(token: binding.token)
        for contact in contacts {
            guard case .sip(let uri) = contact.uri, let token = uri.parameter(PlainBinding.parameter)?.value else { continue }
            let seconds = contact.parameters.first { $0.name == "expires" }?.value.flatMap(UInt32.init) ?? response.headers.expires ?? 3600
            if token == binding.token {
                binding.expires = now + .seconds(Int64(min(seconds, 604_800)) + 30)
                if seconds > 0 { plainBindings.set(binding) }
            }
            guard let known = token == binding.token ? binding : plainBindings.binding(token: token) else { continue }
            var own = contact
            own.uri = known.contact
            restored.append(own)
        }
        passed.headers.contact = restored.isEmpty ? nil : .list(restored)
    }
}
