import CoreTypes
import HotDeskPolicy
import Media
import SIPMessage
import SIPTransaction

/// Requests inside dialogs, ACK and CANCEL.
extension EdgeProxy {
    /// Finds the dialog of a request by Call-ID, both tags and the side it comes from.
    private mutating func dialog(of headers: Headers, from side: Side, _ flow: Flow) -> Dialog? {
        switch side {
        case .phone:
            guard let dialog = DialogKey(ofPhone: headers).flatMap({ calls.dialog($0) }) else { return nil }
            return dialog.phone.flow == flow ? dialog : nil
        case .trunk, .gateway:
            guard let farTag = headers.from.tag, let phoneTag = headers.to.tag,
                let dialog = calls.dialog(DialogKey(callID: headers.callID, phoneTag: phoneTag, farTag: farTag))
            else { return nil }
            return accepts(dialog, side, flow) ? dialog : nil
        }
    }

    /// A dialog over the PBX goes on over any of its connections; one over a gateway over that gateway alone.
    private mutating func accepts(_ dialog: Dialog, _ side: Side, _ flow: Flow) -> Bool {
        if dialog.trunk.flow == flow { return true }
        guard side == .trunk, self.side(of: dialog.trunk.flow) != .gateway else { return false }
        calls.changeDialog(dialog.key) { $0.trunk.flow = flow }
        return true
    }

    mutating func forwardInside(_ request: SIPRequest, _ server: ServerTransactionID, from side: Side, _ flow: Flow) {
        guard let dialog = dialog(of: request.headers, from: side, flow) ?? earlyNotify(request, from: side, flow),
            let call = calls[dialog.call]
        else {
            return refuse(server, request, 481)
        }
        if request.method == .info, pressesKey(request, call, from: side) { return respond(server, request.response(200)) }
        let peer = side == .phone ? trunkPeer(of: dialog) : dialog.phone
        guard var outgoing = insideRequest(request, dialog, call, from: side, to: peer) else { return refuse(server, request, 481) }
        if request.hasForeignBody { return refuseForeignBody(server, request) }
        if request.lacksAudio { return refuseWithoutAudio(server, request) }
        if request.headers.isSDP, !request.body.isEmpty {
            var media = call.media
            do throws(MediaRefusal) {
                outgoing.body = try passSDP(
                    request.body, &media, from: side, flow, isOffer: request.method == .invite || request.method == .update)
            } catch {
                return refuse(server, request, error.status, error.reason)
            }
            calls.change(call.key) { $0.media = media }
        } else if request.method == .invite {
            calls.change(call.key) { $0.media?.expectOffer() }
        }
        translate(&outgoing, towards: side == .phone ? .trunk : .phone, identity: call.identity, own: call.ownName)
        if request.method != .bye, request.headers.contact != nil { refreshTarget(dialog.key, from: side, request.headers) }
        noteForStore(call.key)
        if request.method == .notify { noteNotify(request, in: call) }
        if side == .phone {
            approved(request.method, to: peer.target?.user ?? "", as: call.onTrunkSide.phone.uri.user ?? "", request.headers)
        }
        send(
            Exchange(
                from: side, server: server, incomingFlow: flow, incoming: request, outgoing: outgoing,
                target: outgoing.uri, flow: peer.flow, call: call.key,
                dialog: dialog.key, identity: call.identity, otherRoutes: [], mediaBefore: request.body.isEmpty ? nil : call.media), on: .flow(peer.flow))
    }

    /// A NOTIFY may overtake the answer to its SUBSCRIBE or REFER (RFC 6665 §4.1.3): it makes the dialog then.
    private mutating func earlyNotify(_ request: SIPRequest, from side: Side, _ flow: Flow) -> Dialog? {
        guard side == .trunk, request.method == .notify, let phoneTag = request.headers.to.tag,
            let farTag = request.headers.from.tag
        else { return nil }
        let waiting = exchanges.values.first {
            $0.from == .phone && $0.incoming.method.subscribes && $0.incoming.headers.callID == request.headers.callID
                && $0.incoming.headers.phoneTag == phoneTag && $0.dialog == nil
        }
        guard let waiting, let call = waiting.call else { return nil }
        let key = DialogKey(callID: request.headers.callID, phoneTag: phoneTag, farTag: farTag)
        let dialog = Dialog(
            key: key, call: call,
            phone: Peer(flow: waiting.incomingFlow, target: waiting.incoming.headers.contactURI, routes: waiting.incoming.headers.recordRoute),
            trunk: Peer(flow: flow, target: request.headers.contactURI, routes: request.headers.recordRoute), isConfirmed: true)
        calls.insert(dialog)
        return dialog
    }

    /// The PBX end of a dialog; where its connection is gone, over the connection that is up now.
    func trunkPeer(of dialog: Dialog) -> Peer {
        var peer = dialog.trunk
        if trunk.node(on: peer.flow) == nil, side(of: peer.flow) != .gateway, let flow = trunk.up.first?.flow { peer.flow = flow }
        return peer
    }

    /// The request as the other side must see it (RFC 3261 §12.2.1.1): its own From and To, its own target and
    /// route set, and the CSeq that follows the edge's own requests.
    func insideRequest(_ request: SIPRequest, _ dialog: Dialog, _ call: Boxed<Call>, from side: Side, to peer: Peer) -> SIPRequest? {
        guard let target = peer.target else { return nil }
        let view = side == .phone ? call.onTrunkSide : call.onPhoneSide
        let phone = view.phone(in: dialog.key, call.direction)
        let far = view.far.with(tag: dialog.key.farTag)
        var cseq = request.headers.cseq
        if side == .phone { cseq.number = call.value.numberAtPBX(cseq.number, isInvite: request.method == .ack) }
        var outgoing = SIPRequest(
            method: request.method, uri: target,
            headers: Headers(
                via: [], from: side == .phone ? phone : far, to: side == .phone ? far : phone, callID: request.headers.callID,
                cseq: cseq),
            body: request.body)
        carryOver(
            request.headers, to: &outgoing.headers, towards: side == .phone ? .trunk : .phone, identity: call.identity,
            purpose: call.purpose)
        outgoing.headers.route = peer.routes
        if side == .phone, call.sequenceOffset > 0, let value = request.headers[.rAck] {
            outgoing.headers[.rAck] = call.value.rAckAtPBX(value)
        }
        // An extension's identity is asserted where a dialog begins, not in each of its requests.
        outgoing.headers.remove(.pAssertedIdentity)
        // Only what begins a dialog may take another's place or join it (RFC 3891, RFC 3911).
        outgoing.headers.remove(.replaces)
        outgoing.headers.remove(.join)
        return outgoing
    }

    /// An offer with something else than audio: nothing that could be relayed (RFC 3261 §21.4.26).
    mutating func refuseWithoutAudio(_ server: ServerTransactionID, _ request: SIPRequest) {
        var response = request.response(488, toTag: request.headers.to.tag ?? newTag())
        response.headers[.warning] = "304 edge \"Audio only\""
        respond(server, response)
    }

    // MARK: ACK

    /// The ACK of a 2xx goes end to end, outside any transaction (RFC 3261 §13.2.2.4).
    mutating func acknowledged(_ request: SIPRequest, _ flow: Flow) {
        var request = request
        if request.hasForeignBody { request = request.readable }
        let side = side(of: flow)
        if side == .phone, let key = DialogKey(ofPhone: request.headers) {
            if let local = localCalls.call(key), local.flow == flow { return localCallAcknowledged(local.key, request) }
            // From another flow of the same phone, the dialog follows it.
            _ = standing(of: request, on: flow)
        }
        guard let dialog = dialog(of: request.headers, from: side, flow), let call = calls[dialog.call] else { return }
        let peer = side == .phone ? trunkPeer(of: dialog) : dialog.phone
        guard var outgoing = insideRequest(request, dialog, call, from: side, to: peer) else { return }
        if request.headers.isSDP, !request.body.isEmpty {
            var media = call.media
            guard let body = try? passSDP(request.body, &media, from: side, flow, isOffer: false) else { return }
            outgoing.body = body
            calls.change(call.key) { $0.media = media }
            noteForStore(call.key)
        }
        transmit(outgoing, to: peer)
    }

    /// Sends a request that has no transaction of its own.
    private mutating func transmit(_ request: SIPRequest, to peer: Peer) {
        var request = request
        request.headers.via = [via(on: peer.flow)]
        request.headers.contact = nil
        out.append(.transmit(request.serialized(), peer.flow))
    }

    // MARK: CANCEL and what comes too late

    mutating func cancelled(_ server: ServerTransactionID) {
        if localCallCancelled(server) { return }
        if let request = stopWaiting(server) { return refuse(server, request, 487) }
        guard let client = exchangeOfServer[server], let exchange = exchanges[client], !exchange.isCancelled else { return }
        abandon(client, exchange, status: 487)
    }

    /// A 2xx for a call that was cancelled meanwhile: acknowledged and ended at once, so that nobody is left
    /// ringing or talking to nobody (RFC 3261 §15).
    mutating func hangUp(answered response: SIPResponse, _ exchange: Boxed<Exchange>) {
        guard let target = response.headers.contactURI else { return }
        let routes = Array(response.headers.recordRoute.reversed())
        let peer = Peer(flow: exchange.flow, target: target, routes: routes)
        var ack = SIPRequest(
            method: .ack, uri: target,
            headers: Headers(
                via: [], from: exchange.outgoing.headers.from, to: response.headers.to, callID: exchange.outgoing.headers.callID,
                cseq: CSeq(number: exchange.outgoing.headers.cseq.number, method: .ack)))
        ack.headers.route = routes
        ack.headers.maxForwards = 70
        transmit(ack, to: peer)
        var bye = ack
        bye.method = .bye
        bye.headers.cseq = CSeq(number: exchange.outgoing.headers.cseq.number &+ 1, method: .bye)
        sendOwn(bye, on: peer.flow, as: exchange.identity?.credentials)
    }
}

extension Call {
    /// A CSeq number of the phone as the PBX knows it.
    ///
    /// - Parameter isInvite: it repeats the number of an INVITE, which may have gone out before the offset grew.
    func numberAtPBX(_ number: UInt32, isInvite: Bool) -> UInt32 {
        if isInvite, let lastInvite, lastInvite.atPhone == number { return lastInvite.atPBX }
        return number &+ sequenceOffset
    }

    /// RFC 3262 §7.2: `RAck = response-num LWS CSeq-num LWS Method`; the CSeq number is the one the PBX knows.
    func rAckAtPBX(_ value: String) -> String {
        var parts = value.split(separator: " ", omittingEmptySubsequences: true).map(String.init)
        guard parts.count == 3, let number = UInt32(parts[1]) else { return value }
        parts[1] = String(numberAtPBX(number, isInvite: true))
        return parts.joined(separator: " ")
    }

    /// What the desk is called on either side, where it has written its own name as the address it asks about.
    var ownName: OwnName? {
        guard let device = party.device, let identity, let number = identity.uri.user else { return nil }
        return OwnName(atPhone: device.text, atPBX: number)
    }
}

extension SIPRequest {
    /// An offer of something, and no audio among it: fax (T.38), video alone, a file.
    var lacksAudio: Bool {
        guard headers.isSDP, !body.isEmpty, !body.hasLiveAudioLine, let description = try? SessionDescription(parsing: body) else { return false }
        return description.media.contains { $0.port != 0 } && !description.media.contains { $0.isAudio }
    }

    /// RFC 6665 §4.1.3: `Subscription-State: terminated`.
    var endsSubscription: Bool {
        guard let state = headers[.subscriptionState] else { return false }
        return state.utf8.prefix(10).elementsEqual("terminated".utf8, by: { $0 | 0x20 == $1 | 0x20 })
    }
}

extension [UInt8] {
    /// Whether a line begins with `m=audio ` and a port that is not zero: then a description need not be read to know it.
    fileprivate var hasLiveAudioLine: Bool {
        let start = Array("m=audio ".utf8)
        var place = startIndex
        while let end = self[place...].firstIndex(of: 0x0A) ?? (place < endIndex ? endIndex : nil) {
            let line = self[place..<end]
            if line.starts(with: start), let port = line.dropFirst(start.count).first, (0x31...0x39).contains(port) { return true }
            guard end < endIndex else { return false }
            place = end + 1
        }
        return false
    }
}
