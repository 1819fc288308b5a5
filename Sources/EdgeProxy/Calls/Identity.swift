import CoreTypes
import HotDeskPolicy
import Media
import SIPMessage
import SIPTransaction

/// Who a branch phone is at the PBX, and which headers may cross the edge.
extension EdgeProxy {
    var pbxHost: Host { Host(configuration.pbx.domain) ?? Host(IPAddress(v4: 0)) }

    /// The identity of a call by `party`: the extension that is logged in on the device; none for a plain phone.
    func identity(of party: Party) -> TrunkIdentity? {
        guard let device = party.device, let session = sessions.session(on: device) else { return nil }
        guard let person = extensions[session.extension] else { return nil }
        let uri = URI.sip(SIPURI(user: person.number.text, host: pbxHost))
        return TrunkIdentity(
            displayName: person.name.isEmpty ? nil : person.name, uri: uri, credentials: account(of: person),
            asserted: NameAddress(displayName: person.name.isEmpty ? nil : person.name, uri: uri))
    }

    func account(of person: Extension) -> EdgeConfiguration.Account {
        EdgeConfiguration.Account(user: person.number.text, authUser: person.authUser, secret: person.secret)
    }

    /// The identity of an emergency call where there is no person's: the site's account with the desk's own caller number.
    func siteIdentity(near device: Device?, of party: Party, _ request: SIPRequest) -> TrunkIdentity {
        let label = device.map { $0.location.isEmpty ? $0.name.text : "\($0.name.text) \($0.location)" }
        let asserted = device?.emergencyIdentity.map { URI.sip(SIPURI(user: $0, host: pbxHost)) }
        guard let account = configuration.pbx.account else {
            return TrunkIdentity(
                displayName: label, uri: asserted ?? .sip(SIPURI(user: party.text.isEmpty ? "anonymous" : party.text, host: pbxHost)),
                credentials: nil, asserted: nil)
        }
        let uri = URI.sip(SIPURI(user: account.user, host: pbxHost))
        return TrunkIdentity(
            displayName: label ?? request.headers.from.displayName ?? configuration.siteName, uri: uri, credentials: account,
            asserted: NameAddress(displayName: label, uri: asserted ?? uri))
    }

    /// From as the PBX shall see it: the identity, with the phone's own tag.
    func trunkAddress(of from: NameAddress, _ identity: TrunkIdentity?) -> NameAddress {
        guard let identity else { return from.onlyTag }
        var address = NameAddress(displayName: identity.displayName, uri: identity.uri)
        address.tag = from.tag
        return address
    }

    /// The host of a target: always the PBX's domain, but for a plain phone that names a domain of its own PBX account.
    func targetHost(_ uri: URI, _ party: Party) -> Host {
        guard case .plain = party, case .sip(let sip) = uri, sip.host.address == nil else { return pbxHost }
        return sip.host
    }

    /// Carries over what may cross: everything that was parsed, but for what belongs to one hop, what claims an
    /// identity, and what answers a challenge of ours.
    func carryOver(
        _ source: Headers, to target: inout Headers, towards side: Side, identity: TrunkIdentity?, purpose: DialogPurpose = .ordinary
    ) {
        target.maxForwards = min(max(1, source.maxForwards ?? 70), 70) - 1
        target.contentType = source.contentType
        target.contact = source.contact
        target.others.reserveCapacity(source.others.count + 1)
        for field in source.others where !(side == .phone ? Self.notToPhone.contains(field.name) : Self.staysAtBranch(field.name)) {
            if purpose == .emergency, side != .phone, !Self.inEmergency.contains(field.name) { continue }
            if Self.credentialNames.contains(field.name), identity != nil || isOurs(field) { continue }
            target.others.append(field)
        }
        if side != .phone, let asserted = identity?.asserted {
            target.others.append(HeaderField(name: .pAssertedIdentity, value: asserted.description))
        }
    }

    /// Whether credentials answer a challenge of the edge itself.
    private func isOurs(_ field: HeaderField) -> Bool {
        guard let credentials = try? DigestCredentials(parsing: field.value) else { return true }
        return named(credentials.username) != nil
    }

    static let credentialNames: Set<HeaderName> = [.authorization, .proxyAuthorization]
    /// What claims an identity, names who pays or steers the PBX, and is not for a phone to say: all that begins with "P-"
    /// (RFC 5727 §4), and what 3GPP TS 24.229 has networks say to each other.
    static func staysAtBranch(_ name: HeaderName) -> Bool { name.isPrivate || notToTrunk.contains(name) }

    private static let notToTrunk: Set<HeaderName> = [
        .remotePartyID, .diversion, .historyInfo, .path, .serviceRoute, .proxyRequire, .identity, .identityInfo,
        HeaderName("Additional-Identity"), HeaderName("Attestation-Info"), HeaderName("Cellular-Network-Info"), HeaderName("Origination-Id"),
        HeaderName("Priority-Share"), HeaderName("Priority-Verstat"), HeaderName("Relayed-Charge"), HeaderName("Resource-Share"),
        HeaderName("Response-Source"), HeaderName("Restoration-Info"), HeaderName("Service-Interact-Info"),
    ]
    /// All that an emergency call may bring: a Replaces, a Require or a header of the PBX's own could lead it elsewhere.
    private static let inEmergency: Set<HeaderName> = [
        .accept, .allow, .contentDisposition, .contentEncoding, .contentLanguage, .date, .geolocation, .geolocationRouting, .mimeVersion,
        .minSE, .rAck, .reason, .sessionExpires, .supported, .timestamp, .userAgent,
    ]
    private static let notToPhone: Set<HeaderName> = [.path, .serviceRoute, .proxyRequire, .authorization, .proxyAuthorization]
    static let challengeNames: Set<HeaderName> = [.wwwAuthenticate, .proxyAuthenticate]
}

extension NameAddress {
    /// The address with its tag and without other parameters.
    var onlyTag: NameAddress {
        var address = NameAddress(displayName: displayName, uri: uri)
        address.tag = tag
        return address
    }

    /// The address with another tag, or none.
    func with(tag: String?) -> NameAddress {
        var address = self
        address.tag = tag
        return address
    }
}

/// Media of a call: ports, and SDP on its way through.
extension EdgeProxy {
    mutating func attachMedia(to call: inout Call, phone: Flow, trunk: Flow) -> Bool {
        let isEmergency = call.purpose == .emergency
        let pair = goesByTunnel(trunk)
            ? ports.takeWithStream(mediaFamily(near: phone), emergency: isEmergency)
            : ports.takeTwo(mediaFamily(near: phone), mediaFamily(near: trunk), emergency: isEmergency)
        guard let pair else { return false }
        call.media = CallMedia(
            id: Self.session(of: call.key), phone: MediaLeg(ports: pair.0), trunk: MediaLeg(ports: pair.1),
            srtp: configuration.srtp, isEmergency: call.purpose == .emergency)
        return true
    }

    func mediaFamily(near flow: Flow) -> IPAddress.Family {
        let family = flow.remote.address.family
        return configuration.mediaAddresses.contains { $0.family == family }
            ? family : configuration.mediaAddresses.first?.family ?? family
    }

    mutating func releaseMedia(of call: Boxed<Call>) {
        if let media = call.media { out.append(.media(.close(media.id))) }
    }

    /// Puts the session description that the other side shall see into `outgoing`, and tells the relay what was
    /// learnt. Throws where it cannot be passed on: then there is no relay.
    mutating func passBody(
        of request: SIPRequest, to outgoing: inout SIPRequest, _ call: inout Call, from side: Side, _ flow: Flow
    ) throws(MediaRefusal) {
        guard let media = call.media else { return }
        guard request.headers.isSDP, !request.body.isEmpty else {
            // An offerless INVITE: the ports are promised now, the far ends are learnt from the answers.
            return out.append(.media(.relay(media.id, media.phone, media.trunk)))
        }
        do throws(MediaRefusal) {
            outgoing.body = try passSDP(request.body, &call.media, from: side, flow, isOffer: true)
        } catch {
            // Never relayed, so nothing is there to close: the ports are simply free again.
            ports.add([media.phone.ports, media.trunk.ports])
            call.media = nil
            throw error
        }
    }

    /// - Parameter isOffer: the description came with an INVITE or UPDATE.
    mutating func passSDP(
        _ body: [UInt8], _ held: inout CallMedia?, from side: Side, _ flow: Flow, isOffer: Bool
    ) throws(MediaRefusal) -> [UInt8] {
        guard var media = held else { return body }
        let before = media
        let passed = try media.pass(
            body, from: side, isOffer: isOffer, forbidden: side == .phone ? pbxAddresses : [], source: flow.remote.address,
            random: &random)
        held = media
        if media.phone != before.phone || media.trunk != before.trunk || media.isHeld != before.isHeld {
            out.append(.media(.relay(media.id, media.phone, media.trunk)))
        }
        return side == .phone ? noteTold(passed, &held) : passed
    }
}
