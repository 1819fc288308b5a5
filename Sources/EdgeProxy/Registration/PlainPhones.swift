import CoreTypes
import CryptoPrimitives
import HotDeskPolicy
import Media
import SIPMessage
import SIPTransaction

/// A plain phone's Contact, kept at the edge while the PBX has ours with a token in its place, or a Path with it.
struct PlainBinding: Sendable, Equatable {
    /// The URI parameter that carries the token in our Contact or Path.
    static let parameter = "edge-flow"

    var token: String
    var user: String
    var contact: URI
    var flow: Flow
    /// Which phone of the user it is; nil: not known since a restart.
    var phone: PlainPhoneMark?
    /// When the phone is taken to be gone: it has not refreshed.
    var expires: Instant
    /// What the PBX has granted, and over which of its connections.
    var granted: Instant
    var trunk: Flow
    /// As the store has it; nil: it has nothing.
    var storedUntil: Instant?
}

/// What a phone's registrations have in common, wherever they come from: the Call-ID (RFC 3261 §10.2), or the instance and
/// the number of the flow (RFC 5626 §4.1, §4.2). Hash values stand for the texts.
struct PlainPhoneMark: Sendable, Equatable {
    private let callID: Int
    private let instance: Int?
    private let flowNumber: Int?
    /// What the phone has shown the PBX.
    private let credentials: Int?

    init(_ headers: Headers, _ contact: NameAddress) {
        callID = headers.callID.hashValue
        instance = contact.parameter("+sip.instance")?.value?.hashValue
        flowNumber = contact.parameter("reg-id")?.value?.hashValue
        credentials = (headers[.authorization] ?? headers[.proxyAuthorization])?.hashValue
    }

    /// Credentials that were shown before prove nothing, wherever the PBX may take them twice: they may have been overheard.
    func isSamePhone(as other: PlainPhoneMark) -> Bool {
        guard let credentials, credentials != other.credentials, flowNumber == other.flowNumber else { return false }
        return callID == other.callID || instance != nil && instance == other.instance
    }
}

extension PlainBinding {
    init?(_ record: PlainBindingRecord) {
        guard let contact = try? URI(parsing: record.contact) else { return nil }
        self.init(
            token: record.token, user: record.user, contact: contact,
            flow: Flow(transport: .udp, local: record.local, remote: record.remote), expires: record.expires,
            // What the PBX has granted was over a connection that is gone.
            granted: record.expires, trunk: Flow(transport: .tls, local: record.local, remote: record.remote, connection: .max),
            storedUntil: record.expires)
    }

    var record: PlainBindingRecord {
        PlainBindingRecord(
            token: token, user: user, contact: contact.description, local: flow.local, remote: flow.remote, expires: expires)
    }
}

struct PlainBindingTable: Sendable {
    private var byToken: [String: PlainBinding] = [:]
    private var tokensByFlow: [Flow: Set<String>] = [:]
    private var tokensByUser: [String: Set<String>] = [:]
    private let maximum = 10_000

    func binding(token: String) -> PlainBinding? { byToken[token] }

    /// Whether somebody has registered as `user` on this flow, with the PBX's consent.
    func hasUser(_ user: String, on flow: Flow) -> Bool {
        tokensByFlow[flow]?.contains { byToken[$0]?.user == user } ?? false
    }

    /// Where the very phone of this registration was registered before, on other flows.
    func predecessors(of binding: PlainBinding) -> [PlainBinding] {
        guard let phone = binding.phone, let tokens = tokensByUser[binding.user], tokens.count > 1 else { return [] }
        return tokens.compactMap { byToken[$0] }.filter { other in
            other.flow != binding.flow && other.phone.map { $0.isSamePhone(as: phone) } ?? false
        }
    }

    func tokens(where condition: (PlainBinding) -> Bool) -> Set<String> { Set(byToken.values.filter(condition).map(\.token)) }

    mutating func set(_ binding: PlainBinding) {
        guard byToken[binding.token] != nil || byToken.count < maximum else { return }
        byToken[binding.token] = binding
        tokensByFlow[binding.flow, default: []].insert(binding.token)
        tokensByUser[binding.user, default: []].insert(binding.token)
    }

    mutating func remove(token: String) {
        guard let binding = byToken.removeValue(forKey: token) else { return }
        Self.remove(token, from: &tokensByFlow, binding.flow)
        Self.remove(token, from: &tokensByUser, binding.user)
    }

    private static func remove<Key>(_ token: String, from index: inout [Key: Set<String>], _ key: Key) {
        index[key]?.remove(token)
        if index[key]?.isEmpty == true { index[key] = nil }
    }

    /// Gives the tokens that are gone.
    mutating func remove(_ flow: Flow) -> Set<String> {
        let tokens = tokensByFlow[flow] ?? []
        for token in tokens { remove(token: token) }
        return tokens
    }

    /// Gives the tokens that are gone.
    mutating func removeExpired(at now: Instant) -> [String] {
        let tokens = byToken.values.filter { $0.expires <= now }.map(\.token)
        for token in tokens { remove(token: token) }
        return tokens
    }
}

/// Registrations of plain phones pass through: their credentials are the PBX's business, their way back is ours.
///
/// A phone may refresh as often as its network wants it to; the PBX is asked for longer, and hears of it once in
/// what it has granted.
extension EdgeProxy {
    /// - Parameter isItsTurn: after an outage it has waited for it.
    mutating func registerPlain(_ request: SIPRequest, _ server: ServerTransactionID, _ flow: Flow, isItsTurn: Bool = false) {
        guard let route = pbxRoutes.first else { return refuse(server, request, 503, "PBX unreachable") }
        var contacts: [NameAddress] = []
        if case .list(let list)? = request.headers.contact { contacts = list }
        let tokens = contacts.map { plainToken($0.uri, flow) }
        if answerRefresh(request, server, contacts, tokens, route) { return }
        if !isItsTurn, hold(request, server, flow) { return }
        var outgoing = SIPRequest(
            method: .register, uri: .sip(SIPURI(host: targetHost(request.uri, .plain("")))),
            headers: Headers(
                via: [], from: request.headers.from, to: request.headers.to, callID: request.headers.callID,
                cseq: request.headers.cseq))
        carryOver(request.headers, to: &outgoing.headers, towards: .trunk, identity: nil)
        var binding = PlainBinding(
            token: "", user: request.headers.to.uri.user ?? "", contact: request.headers.from.uri, flow: flow, expires: now, granted: now,
            trunk: route.flow)
        if let first = contacts.first, let token = tokens.first {
            binding.token = token
            binding.contact = first.uri
            binding.phone = PlainPhoneMark(request.headers, first)
            outgoing.headers.contact = .list(zip(contacts, tokens).map { upstream($0, $1, route, request.headers) })
            if pbxKnowsPath { addPath(&outgoing.headers, token, route) }
            outgoing.headers[.expires] = nil
        }
        log(.info, "verdict forward: REGISTER of plain phone \(binding.user)")
        approved(.register, to: "", as: binding.user, request.headers)
        send(
            Exchange(
                from: .phone, server: server, incomingFlow: flow, incoming: request, outgoing: outgoing,
                target: outgoing.uri, flow: route.flow,
                otherRoutes: [], plainRegistration: binding), on: route)
    }

    /// A Contact as the PBX shall know it: with the token, and for as long as the site registers; gone if the phone goes.
    private func upstream(_ contact: NameAddress, _ token: String, _ route: Route, _ headers: Headers) -> NameAddress {
        var ours = contact
        if !pbxKnowsPath {
            ours = self.contact(user: contact.uri.user, on: route.flow, parameters: [Parameter(name: PlainBinding.parameter, value: token)])
        }
        let asked = contact.expires ?? headers.expires ?? configuration.pbx.registrationExpires
        let seconds = asked == 0 ? 0 : max(asked, configuration.pbx.registrationExpires)
        ours.parameters = contact.parameters.filter { $0.name != "expires" } + [Parameter(name: "expires", value: String(seconds))]
        return ours
    }

    /// RFC 3327 §5.1: requests for the phone come back by us.
    private func addPath(_ headers: inout Headers, _ token: String, _ route: Route) {
        let parameters = [Parameter(name: "lr", value: nil), Parameter(name: PlainBinding.parameter, value: token)]
        headers[.path] = contact(user: nil, on: route.flow, parameters: parameters).description
        if !headers.tokens(.supported).contains("path") { headers.add(.supported, "path") }
    }

    /// Answers what the PBX need not hear: the same phone on the same flow, with time left of what was granted.
    private mutating func answerRefresh(
        _ request: SIPRequest, _ server: ServerTransactionID, _ contacts: [NameAddress], _ tokens: [String], _ route: Route
    ) -> Bool {
        guard contacts.count == 1, let contact = contacts.first, let token = tokens.first else { return false }
        guard var binding = plainBindings.binding(token: token), binding.user == request.headers.to.uri.user, binding.trunk == route.flow else {
            return false
        }
        let asked = contact.expires ?? request.headers.expires ?? configuration.pbx.registrationExpires
        guard asked > 0, binding.granted - now > .seconds(Int64(asked)) + Self.refreshMargin else { return false }
        binding.expires = now + .seconds(Int64(asked)) + Self.refreshMargin
        plainBindings.set(binding)
        var response = request.response(200, toTag: newTag())
        var own = contact
        own.parameters = contact.parameters.filter { $0.name != "expires" } + [Parameter(name: "expires", value: String(asked))]
        response.headers.contact = .list([own])
        respond(server, response)
        return true
    }

    /// What a refresh may be late.
    private static let refreshMargin = Duration.seconds(30)

    /// The same phone on the same flow has the same token, so that a refresh replaces and does not add.
    private func plainToken(_ contact: URI, _ flow: Flow) -> String {
        let text = "\(contact)|\(flow.transport.uriName)|\(flow.local)|\(flow.remote)|\(flow.connection)"
        return hexadecimal(Array(Hash.hmacSHA256(key: authenticator.key, Array(text.utf8)).prefix(10)))
    }

    /// The PBX has answered: what it granted is remembered, and the phone sees its own Contact again.
    mutating func plainRegistered(
        _ response: SIPResponse, _ binding: PlainBinding, _ exchange: Boxed<Exchange>, _ passed: inout SIPResponse
    ) {
        notePath(response)
        guard response.status < 300, case .list(let contacts)? = response.headers.contact else { return }
        var binding = binding
        let asked = exchange.incoming.headers.contact?.first?.expires ?? exchange.incoming.headers.expires
        var restored: [NameAddress] = []
        binding.storedUntil = plainBindings.binding(token: binding.token)?.storedUntil
        plainBindings.remove(token: binding.token)
        for contact in contacts {
            let isOwn = names(contact.uri, binding)
            let seconds = min(contact.expires ?? response.headers.expires ?? 3600, 604_800)
            let told = isOwn ? min(seconds, asked ?? seconds) : seconds
            if isOwn, seconds > 0 {
                binding.granted = now + .seconds(Int64(seconds))
                binding.expires = now + .seconds(Int64(told)) + Self.refreshMargin
                bindPlain(&binding)
                plainPhoneIsBack(binding)
                succeed(plainBindings.predecessors(of: binding), by: binding)
            }
            guard let known = isOwn ? binding : token(in: contact.uri).flatMap({ plainBindings.binding(token: $0) }) else { continue }
            var own = contact
            own.uri = known.contact
            own.parameters = contact.parameters.filter { $0.name != "expires" } + [Parameter(name: "expires", value: String(told))]
            restored.append(own)
        }
        passed.headers.contact = restored.isEmpty ? nil : .list(restored)
        passed.headers[.path] = nil
        if let asked, let all = passed.headers.expires { passed.headers.expires = min(all, max(asked, 1)) }
        if plainBindings.binding(token: binding.token) == nil, binding.storedUntil != nil {
            out.append(.store(.plainBindingRemoved(binding.token), nil))
        }
    }

    /// The phone is at this flow now: its calls go on there, and what comes for it by a token of before finds nobody.
    private mutating func succeed(_ before: [PlainBinding], by binding: PlainBinding) {
        moveDialogs(of: binding, from: Set(before.map(\.flow)))
        for old in before {
            plainBindings.remove(token: old.token)
            plainPhoneIsBack(old)
            if old.storedUntil != nil { out.append(.store(.plainBindingRemoved(old.token), nil)) }
        }
    }

    /// The store is told no sooner than what it has is half over: phones refresh often.
    private mutating func bindPlain(_ binding: inout PlainBinding) {
        let left = binding.storedUntil.map { $0 - now } ?? .zero
        if !binding.flow.transport.isReliable, left < (binding.expires - now) / 2 {
            binding.storedUntil = binding.expires
            out.append(.store(.plainBinding(binding.record), nil))
        }
        plainBindings.set(binding)
    }

    private func token(in uri: URI) -> String? {
        guard case .sip(let sip) = uri else { return nil }
        return sip.parameter(PlainBinding.parameter)?.value
    }

    /// Whether a Contact the PBX holds is this phone's: by our token, or by Path as the phone wrote it.
    private func names(_ contact: URI, _ binding: PlainBinding) -> Bool {
        if let token = token(in: contact) { return token == binding.token }
        // A registrar may drop or add parameters.
        guard case .sip(let held) = contact, case .sip(let own) = binding.contact else { return false }
        return held.user == own.user && held.host == own.host && held.port == own.port
    }

    /// RFC 3327 §5.3: a registrar that keeps the Path of a registration says so.
    mutating func notePath(_ response: SIPResponse) {
        if response.status == 420 { pbxKnowsPath = false }
        if response.status < 300, response.headers.tokens(.supported).contains("path") { pbxKnowsPath = true }
    }

    /// The plain phone a request of the PBX is for, by the token in our Contact or in our Path.
    func plainCallee(_ request: SIPRequest) -> PlainBinding? {
        let token = token(in: request.uri) ?? request.headers.route.first.flatMap { self.token(in: $0.uri) }
        return token.flatMap { plainBindings.binding(token: $0) }
    }
}
