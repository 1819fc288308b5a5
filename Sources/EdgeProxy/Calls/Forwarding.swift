import CoreTypes
import HotDeskPolicy
import Media
import SIPMessage
import SIPTransaction

/// Requests that begin something: from a phone to the PBX, and from the PBX to a phone.
extension EdgeProxy {
    // MARK: Phone to PBX

    /// Forwards what the policy let through, under the identity of the session or of the plain phone itself.
    mutating func forwardOutside(
        _ request: SIPRequest, _ server: ServerTransactionID, _ flow: Flow, _ party: Party, _ user: String,
        redirection: Redirection? = nil
    ) {
        let identity = identity(of: party)
        // A device without an identity of a person's has none of its own at the PBX.
        guard party.device == nil || identity != nil else { return refuse(server, request, 403) }
        let host = targetHost(request.uri, party)
        // A desk that asks about itself, for its messages say, asks about whoever sits there.
        let isOwn = party.device.map { DeviceName(user) == $0 } ?? false
        let target = URI.sip(SIPURI(user: isOwn ? identity?.uri.user : user, host: host))
        let routes = pbxRoutes
        log(.info, "verdict forward: \(party.text) \(request.method.name) \(target) as \(identity?.uri.user ?? party.text)")
        approved(request.method, to: target.user ?? "", as: identity?.uri.user ?? request.headers.from.uri.user ?? "", request.headers)
        begin(request, server, flow, party, identity, target, routes, request.method.subscribes ? .subscription : .ordinary, redirection)
    }

    /// Puts an emergency call on the first emergency route that can be used; asks nobody for credentials. A device that
    /// is merely named, on a flow it never proved itself on, lends the call its location but no person's identity,
    /// and is not pinned: anybody can write a name into From.
    mutating func emergency(
        _ number: String, _ request: SIPRequest, _ server: ServerTransactionID, _ flow: Flow, _ claim: Claim, redirection: Redirection? = nil
    ) {
        let isKnown = claim.isProven || claim.party.device == nil || bindings.device(on: flow) == claim.party.device
        let party = isKnown ? claim.party : .unknown
        let desk = claim.party.device.flatMap { devices[$0] }
        let identity = identity(of: party) ?? siteIdentity(near: desk, of: claim.party, request)
        let place = desk?.location ?? ""
        audit(
            .emergency, device: claim.party.text, extension: identity.uri.user ?? "", request: "\(request.method.name) \(number)",
            detail: [place, configuration.location].filter { !$0.isEmpty }.joined(separator: "; "))
        if let device = party.device { pin(device, as: identity) }
        let target = URI.sip(SIPURI(user: number, host: pbxHost))
        approved(request.method, to: number, as: identity.uri.user ?? "", request.headers)
        begin(request, server, flow, party, identity, target, emergencyRoutes, .emergency, redirection)
    }

    private mutating func pin(_ device: DeviceName, as identity: TrunkIdentity?) {
        let pin = EmergencyPin(
            device: device, identity: identity?.asserted?.uri.user ?? identity?.uri.user ?? device.text,
            until: now + configuration.policy.emergency.callBackWindow)
        emergencyPins[device] = pin
        out.append(.store(.emergencyPin(pin), nil))
    }

    /// Starts an exchange, a call with media where there is an offer, and sends the request on the first route.
    mutating func begin(
        _ request: SIPRequest, _ server: ServerTransactionID, _ flow: Flow, _ party: Party, _ identity: TrunkIdentity?,
        _ target: URI, _ routes: [Route], _ purpose: DialogPurpose, _ redirection: Redirection?
    ) {
        guard let first = routes.first else {
            audit(.degraded, device: party.text, request: request.summary, detail: "no way out: the PBX cannot be reached")
            return refuse(server, request, 503, "PBX unreachable")
        }
        guard !calls.isFull || purpose == .emergency else { return refuse(server, request, 503, "Too many calls") }
        var request = request
        // RFC 3261 §8.1.1.3, §8.1.1.8: without these there is no dialog that could be ended. A call for help is given both.
        if request.method.createsDialog, purpose != .emergency, request.headers.from.tag == nil || request.headers.contactURI == nil {
            return refuse(server, request, 400)
        }
        if purpose == .emergency, request.headers.contactURI == nil { request.headers.contact = .list([Self.contact(at: flow)]) }
        let from = trunkAddress(of: request.headers.from, identity).with(tag: request.headers.phoneTag)
        let to = NameAddress(displayName: nil, uri: target)
        var call = Call(
            key: CallKey(rawValue: identifier()), purpose: purpose, party: party, identity: identity,
            onPhoneSide: SideAddresses(phone: request.headers.from, far: request.headers.to),
            onTrunkSide: SideAddresses(phone: from, far: to), began: now, direction: .outbound)
        call.sequenceOffset = redirection?.sequenceOffset ?? 0
        // A description that cannot be read is left out: the PBX makes the offer then.
        let locations = purpose == .emergency ? request.locations : []
        if purpose == .emergency { request = request.readable }
        if request.hasForeignBody { return refuseForeignBody(server, request) }
        if request.lacksAudio { return refuseWithoutAudio(server, request) }
        if request.method == .invite {
            // An emergency call without a relay is better than none.
            guard attachMedia(to: &call, phone: flow, trunk: first.flow) || purpose == .emergency else {
                let beginning = Beginning.outbound(request, server, flow, party, identity, target, routes, purpose, redirection)
                guard !waitForPorts(beginning) else { return }
                audit(.degraded, device: party.text, request: request.summary, detail: "no media ports are free")
                return refuse(server, request, 503, "No media ports")
            }
        }
        var outgoing = SIPRequest(
            method: request.method, uri: target,
            headers: Headers(via: [], from: from, to: to, callID: request.headers.callID, cseq: request.headers.cseq),
            body: request.body)
        carryOver(request.headers, to: &outgoing.headers, towards: .trunk, identity: identity, purpose: purpose)
        if request.body.isEmpty { outgoing.headers.contentType = nil }
        outgoing.headers.cseq.number &+= call.sequenceOffset
        translate(&outgoing, towards: .trunk, identity: identity, own: call.ownName)
        do throws(MediaRefusal) {
            try passBody(of: request, to: &outgoing, &call, from: .phone, flow)
        } catch {
            // What no relay can be an end of goes on as it is.
            guard purpose == .emergency else { return refuse(server, request, error.status, error.reason) }
        }
        outgoing.attach(locations, boundary: "edge-" + (locations.isEmpty ? "" : token(12)))
        let creates = request.method.createsDialog
        if request.method.subscribes { call.event = request.method == .refer ? Call.transferEvent : request.headers[.event] }
        if creates { calls.insert(call) }
        send(
            Exchange(
                from: .phone, server: server, incomingFlow: flow, incoming: request, outgoing: outgoing,
                target: outgoing.uri, flow: first.flow,
                call: creates ? call.key : nil, identity: identity, otherRoutes: Array(routes.dropFirst()), redirection: redirection), on: first)
    }

    private static func contact(at flow: Flow) -> NameAddress {
        let uri = SIPURI(user: nil, host: Host(flow.remote.address), port: flow.remote.port)
        return NameAddress(displayName: nil, uri: .sip(uri))
    }

    // MARK: PBX to phone

    /// A request of the PBX: in a dialog, or for the phone its Request-URI names.
    mutating func fromTrunk(_ request: SIPRequest, _ server: ServerTransactionID, _ flow: Flow) {
        if request.headers.to.tag != nil { return forwardInside(request, server, from: .trunk, flow) }
        let plain = plainCallee(request)
        guard let user = request.uri.user ?? plain?.user, !user.isEmpty else {
            guard request.method == .options else { return refuse(server, request, 404) }
            return answerTrunkOptions(request, server)
        }
        switch request.method {
        case .invite, .message, .notify, .options, .info, .refer, .subscribe: break
        case .register, .publish, .ack, .bye, .cancel, .update, .prack, .other: return refuse(server, request, 405)
        }
        guard let (party, phone) = plain.map({ (.plain($0.user), Peer(flow: $0.flow, target: $0.contact)) }) ?? callee(user, request.uri) else {
            if request.method == .options { return answerTrunkOptions(request, server) }
            log(.info, "\(request.method.name) from the PBX for \(user): nobody is there")
            return refuse(server, request, 480)
        }
        forwardToPhone(request, server, flow, party, phone)
    }

    private mutating func answerTrunkOptions(_ request: SIPRequest, _ server: ServerTransactionID) {
        var response = request.response(200, toTag: newTag())
        response.headers[.allow] = Self.allowed
        respond(server, response)
    }

    /// Who at the branch a call from the PBX is for: the device a person sits at, a device that called an
    /// emergency number and waits to be called back.
    private func callee(_ user: String, _ uri: URI) -> (Party, Peer)? {
        // A token that stands for nothing any more stands for nobody else.
        if case .sip(let sip) = uri, sip.parameter(PlainBinding.parameter) != nil { return nil }
        let seated = ExtensionNumber(user).flatMap { sessions.session(of: $0)?.device }
        let pinned = emergencyPins.values.filter { $0.identity == user || user == configuration.pbx.account?.user }
            .max { $0.until < $1.until }?.device
        guard let device = seated ?? pinned, let binding = bindings.binding(of: device) else { return nil }
        return (.device(device), Peer(flow: binding.flow, target: binding.contact))
    }

    mutating func forwardToPhone(
        _ request: SIPRequest, _ server: ServerTransactionID, _ flow: Flow, _ party: Party, _ phone: Peer
    ) {
        guard let target = phone.target else { return refuse(server, request, 480) }
        if request.hasForeignBody { return refuseForeignBody(server, request) }
        if request.lacksAudio { return refuseWithoutAudio(server, request) }
        if let device = party.device { bindings.lastUse[device] = now }
        let identity = identity(of: party)
        let sides = SideAddresses(phone: request.headers.to, far: request.headers.from)
        var call = Call(
            key: CallKey(rawValue: identifier()), purpose: request.method.subscribes ? .subscription : .ordinary, party: party,
            identity: identity, onPhoneSide: sides, onTrunkSide: sides, event: request.method == .refer ? Call.transferEvent : nil, began: now)
        if request.method == .invite {
            guard attachMedia(to: &call, phone: phone.flow, trunk: flow) else {
                guard !waitForPorts(.inbound(request, server, flow, party, phone)) else { return }
                return refuse(server, request, 503, "No media ports")
            }
        }
        var outgoing = SIPRequest(
            method: request.method, uri: target,
            headers: Headers(
                via: [], from: request.headers.from, to: request.headers.to, callID: request.headers.callID,
                cseq: request.headers.cseq),
            body: request.body)
        carryOver(request.headers, to: &outgoing.headers, towards: .phone, identity: identity)
        translate(&outgoing, towards: .phone, identity: identity, own: call.ownName)
        do throws(MediaRefusal) {
            try passBody(of: request, to: &outgoing, &call, from: .trunk, flow)
        } catch {
            return refuse(server, request, error.status, error.reason)
        }
        let creates = request.method.createsDialog
        if creates {
            calls.insert(call)
            noteAllowed(request.headers, in: call.key)
        }
        log(.info, "call in: \(request.method.name) for \(party.text) from \(request.headers.from.uri)")
        send(
            Exchange(
                from: .trunk, server: server, incomingFlow: flow, incoming: request, outgoing: outgoing,
                target: outgoing.uri, flow: phone.flow,
                call: creates ? call.key : nil, identity: identity, otherRoutes: []), on: .flow(phone.flow))
    }

    /// A gateway may only speak inside the emergency calls it carries.
    mutating func fromGateway(_ request: SIPRequest, _ server: ServerTransactionID, _ flow: Flow) {
        if request.headers.to.tag != nil { return forwardInside(request, server, from: .gateway, flow) }
        if request.method == .options { return answerTrunkOptions(request, server) }
        refuse(server, request, 403)
    }

    // MARK: Sending

    /// Sends an exchange's request on a route, with a Via and a Contact of that route's flow.
    mutating func send(_ exchange: consuming Exchange, on route: Route) {
        exchange.flow = route.flow
        exchange.sawProvisional = false
        exchange.isProgressing = false
        exchange.isPatienceExtended = false
        exchange.outgoing.headers.via = [via(on: route.flow)]
        if exchange.outgoing.headers.contact != nil, exchange.plainRegistration == nil {
            exchange.outgoing.headers.contact = .list([contact(user: exchange.outgoing.headers.from.uri.user, on: route.flow, asked: exchange.target)])
        }
        exchange.outgoing.uri = exchange.target
        if case .gateway = route, case .sip(var uri) = exchange.target {
            uri.host = Host(route.flow.remote.address)
            uri.port = route.flow.remote.port
            exchange.outgoing.uri = .sip(uri)
        }
        if exchange.from != .phone, let stream = stream(for: exchange.outgoing, insteadOf: route.flow) {
            exchange.flow = stream
            exchange.outgoing.headers.via = [via(on: stream)]
        }
        let sequence = exchange.from == .phone ? exchange.outgoing.headers.cseq.number : 0
        if let call = exchange.call {
            calls.change(call) {
                $0.open += 1
                $0.lastSequence = max($0.lastSequence, sequence)
                if sequence > 0, exchange.outgoing.method == .invite {
                    $0.lastInvite = InviteNumbers(atPhone: exchange.incoming.headers.cseq.number, atPBX: sequence)
                }
            }
        }
        if exchange.outgoing.method == .invite { exchange.ringsUntil = now + Self.ringingLimit }
        let client = transactions.send(exchange.outgoing, on: exchange.flow, now: now, into: &pending)
        let held = Boxed(exchange)
        exchangeOfServer[held.server] = client
        exchanges[client] = held
        if let end = held.ringsUntil { timers.schedule(.ringing(client), at: end) }
        if isEmergency(held), !held.otherRoutes.isEmpty, held.incoming.method == .invite {
            timers.schedule(.emergencyPatience(client), at: now + Self.emergencyPatience)
        }
    }

    /// RFC 3261 §18.1.1: what is larger than 1300 bytes goes to the phone over TCP or TLS, where it has such a connection
    /// to the edge. The edge opens none: behind a NAT there is no way in, and the registered flow is the one that works
    /// (RFC 5626 §5.3). The Contact stays that of the registered flow.
    private func stream(for request: SIPRequest, insteadOf flow: Flow) -> Flow? {
        guard !flow.transport.isReliable, let device = bindings.device(on: flow), let stream = bindings.stream(of: device) else { return nil }
        return request.serialized().count > Self.largestDatagram ? stream : nil
    }

    /// RFC 3261 §18.1.1, where the path's MTU is not known.
    static let largestDatagram = 1300
    /// How long an emergency call waits on one route while another is left: without any answer, and after a 100.
    static let emergencyPatience = Duration.seconds(4)
    static let emergencyPatienceAfterTrying = Duration.seconds(4)
    /// RFC 3261 §16.6: more than three minutes.
    static let ringingLimit = Duration.seconds(185)

    func isEmergency(_ exchange: Boxed<Exchange>) -> Bool {
        exchange.call.flatMap { calls[$0] }?.purpose == .emergency
    }
}

extension Method {
    /// RFC 3261 §12.1, RFC 6665 §4.4.1.
    var createsDialog: Bool { self == .invite || subscribes }
    /// Outside a dialog: a REFER is a subscription to how it goes (RFC 3515 §2.4.4).
    var subscribes: Bool { self == .subscribe || self == .refer }
}
