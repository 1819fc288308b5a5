import HotDeskPolicy
import SIPMessage

/// REFER (RFC 3515), Referred-By (RFC 3892) and Replaces (RFC 3891): who is sent where, and by whom.
///
/// The target of a transfer is judged as a call by that phone would be, and leaves with the PBX's domain in place
/// of any host. Call-ID and tags in Replaces are the same on both sides of the edge, so they pass as they are.
extension EdgeProxy {
    /// A REFER of a phone with its target judged and written anew.
    ///
    /// - Throws: why the transfer is refused.
    mutating func judgedTransfer(_ request: SIPRequest, _ party: Party, _ requester: Requester) throws(Refusal) -> SIPRequest {
        let values = request.headers.all(.referTo)
        guard values.count == 1, let address = try? NameAddress(parsing: values[0]) else { throw configuration.policy.badTransfer }
        var uri = address.uri
        var kept: [Parameter] = []
        if case .sip(var sip) = uri {
            kept = sip.headers.compactMap(\.inTransfer)
            // Which of two is meant is anybody's guess.
            guard Set(kept.map(\.name)).count == kept.count else { throw configuration.policy.badTransfer }
            sip.headers = []
            uri = .sip(sip)
        }
        switch configuration.policy.decide(method: .refer, uri: uri, standing: .outside, requester: requester) {
        case .forward(let user):
            if requiresPIN(user, party, uri) { throw configuration.policy.pinDue }
            var judged = request
            let target = SIPURI(user: user, host: targetHost(uri, party), headers: kept)
            judged.headers[.referTo] = NameAddress(displayName: address.displayName, uri: .sip(target)).description
            return judged
        case .refuse(let refusal): throw refusal
        case .emergency, .login, .logout, .watchSession, .forwardInside, .answerLocally: throw configuration.policy.badTransfer
        }
    }

    /// Writes anew what in a request names people and machines beside From and To, for the side it goes to.
    ///
    /// - Parameter own: what the phone is called on either side, where that differs.
    func translate(_ request: inout SIPRequest, towards side: Side, identity: TrunkIdentity?, own: OwnName?) {
        switch request.method {
        case .refer:
            if side == .phone { hideHost(.referTo, in: &request.headers) }
            translateReferredBy(&request.headers, towards: side, identity)
        case .invite: translateReferredBy(&request.headers, towards: side, identity)
        case .notify, .publish: translateBody(&request, towards: side, own)
        case .ack, .bye, .cancel, .register, .options, .info, .update, .prack, .subscribe, .message, .other: break
        }
    }

    /// Who transfers is whoever is logged in, not whoever the phone says.
    private func translateReferredBy(_ headers: inout Headers, towards side: Side, _ identity: TrunkIdentity?) {
        guard headers[.referredBy] != nil else { return }
        if side == .phone { return hideHost(.referredBy, in: &headers) }
        if let identity { headers[.referredBy] = NameAddress(displayName: identity.displayName, uri: identity.uri).description }
    }

    /// A phone has no use for the address of a machine at the PBX: what it calls goes to the PBX's domain.
    private func hideHost(_ name: HeaderName, in headers: inout Headers) {
        guard let value = headers[name], var address = try? NameAddress(parsing: value), case .sip(var uri) = address.uri else { return }
        uri.headers = uri.headers.compactMap(\.inTransfer)
        guard uri.host.address != nil else {
            address.uri = .sip(uri)
            headers[name] = address.description
            return
        }
        uri.host = pbxHost
        uri.port = nil
        uri.parameters = []
        address.uri = .sip(uri)
        headers[name] = address.description
    }

    private func translateBody(_ request: inout SIPRequest, towards side: Side, _ own: OwnName?) {
        guard !request.body.isEmpty, let type = request.headers.contentType?.lowercased(), !request.headers.isSDP else { return }
        if type.hasPrefix("message/sipfrag") {
            // RFC 3420, RFC 3515 §2.4.5: the status line says it all; what follows may name machines.
            request.body = Array(request.body.prefix { $0 != 0x0D && $0 != 0x0A }) + [0x0D, 0x0A]
            return
        }
        let domain = Array(pbxHost.text.utf8)
        let names = own.map { side == .phone ? (from: $0.atPBX, to: $0.atPhone) : (from: $0.atPhone, to: $0.atPBX) }
        request.body = BodyAddresses.rewritten(request.body, domain: domain, user: names.map { (Array($0.from.utf8), Array($0.to.utf8)) })
    }
}

/// What a desk is called by its own phone and by the PBX.
struct OwnName: Sendable, Equatable {
    var atPhone: String
    var atPBX: String
}

extension Parameter {
    /// A header of a Refer-To that may go with it: what makes a transfer an attended one.
    fileprivate var inTransfer: Parameter? {
        let isKept = name == "replaces" || (name == "require" && value?.lowercased() == "replaces")
        guard isKept else { return nil }
        var header = self
        header.name = name == "replaces" ? "Replaces" : "Require"
        return header
    }
}

extension PolicyRules {
    fileprivate var badTransfer: Refusal {
        Refusal(status: 400, phrase: "This transfer cannot be read", reason: .malformedTarget)
    }
}
