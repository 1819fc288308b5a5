import CoreTypes
import HotDeskPolicy
import Media
import SIPMessage
import SIPTransaction

/// Calls whose PBX end is offered its media again while they go on: another headend has taken over, an emergency call goes on to
/// a gateway, or a PBX without UPDATE is told the edge's new way (`refreshTargets`).
extension EdgeProxy {
    /// Whether media of a call over this flow is a stream of the tunnel.
    func goesByTunnel(_ flow: Flow) -> Bool { configuration.pbx.isTunnelled && trunk.node(on: flow) != nil }

    // MARK: Another headend

    /// The headend of a stream has another address for it: the relay is told, and the PBX gets a new offer.
    mutating func portsMoved(_ ports: MediaPorts) {
        if self.ports.move(ports) { return }
        guard let call = calls.calls.values.first(where: { $0.media?.trunk.ports.id == ports.id }), var media = call.media else { return }
        guard media.trunk.ports != ports else { return }
        media.trunk.ports = ports
        out.append(.media(.relay(media.id, media.phone, media.trunk)))
        if let description = Self.moved(media.toldToPBX, to: ports) {
            media.toldToPBX = description
            media.retold += 1
        }
        calls.change(call.key) { $0.media = media }
        recovery.queue.add(.offer(call.key), rank(of: call))
    }

    /// Offers the PBX the media of a call that is up at its new address (RFC 3264 §8.3.1): by UPDATE where the far end knows it,
    /// else by INVITE.
    mutating func offerAgain(_ key: CallKey) {
        guard let call = calls[key], let media = call.media, !media.toldToPBX.isEmpty, let flow = trunk.up.first?.flow else { return }
        for dialogKey in call.dialogs {
            guard let dialog = calls.dialog(dialogKey), dialog.isConfirmed, let target = dialog.trunk.target else { continue }
            calls.changeDialog(dialogKey) { $0.trunk.flow = flow }
            log(.notice, "\(call.party.text): the PBX is offered the media of a call again, at \(media.trunk.ports.address)")
            var offer = ownRequest(call.farAllowsUpdate ? .update : .invite, in: dialog, call, target, flow)
            offer.headers.contentType = "application/sdp"
            offer.body = media.toldToPBX
            sendOwn(offer, on: flow, as: call.identity?.credentials, offering: dialogKey)
        }
    }

    /// The PBX's answer to such an offer: where it wants media now. An INVITE's is acknowledged.
    mutating func offerAnswered(_ response: SIPResponse, _ request: SIPRequest, _ key: DialogKey, _ flow: Flow) {
        if request.method == .invite, let target = response.headers.contactURI ?? Optional(request.uri) {
            var ack = SIPRequest(
                method: .ack, uri: target,
                headers: Headers(
                    via: [via(on: flow)], from: request.headers.from, to: response.headers.to, callID: request.headers.callID,
                    cseq: CSeq(number: request.headers.cseq.number, method: .ack)))
            ack.headers.route = request.headers.route
            ack.headers.maxForwards = 70
            out.append(.transmit(ack.serialized(), flow))
        }
        guard let dialog = calls.dialog(key), let call = calls[dialog.call], response.headers.isSDP, !response.body.isEmpty else { return }
        refreshTarget(key, from: .trunk, response.headers)
        var media = call.media
        media?.offeredByUs()
        guard (try? passSDP(response.body, &media, from: .trunk, flow, isOffer: false)) != nil, media != call.media else { return }
        calls.change(call.key) { $0.media = media }
    }

    /// A description with another address and port for its audio, one version on.
    private static func moved(_ body: [UInt8], to ports: MediaPorts) -> [UInt8]? {
        guard !body.isEmpty, var description = try? SessionDescription(parsing: body) else { return nil }
        description.raiseVersion(by: 1)
        description.connection = ports.address
        description.origin?.address = ports.address.description
        if let index = description.media.firstIndex(where: { $0.port != 0 }) { description.media[index].port = ports.rtp }
        return description.serialized()
    }

    /// Keeps what the PBX is told, with its version raised by what it was told in between.
    func noteTold(_ body: [UInt8], _ held: inout CallMedia?) -> [UInt8] {
        guard let media = held else { return body }
        var body = body
        if media.retold > 0, var description = try? SessionDescription(parsing: body) {
            description.raiseVersion(by: media.retold)
            body = description.serialized()
        }
        held?.toldToPBX = body
        return body
    }

    // MARK: Another route

    /// A call that was to go by the tunnel goes to a gateway here, or the other way round: its PBX end is made anew.
    mutating func moveMedia(of exchange: inout Exchange, to route: Route) {
        guard let key = exchange.call, let call = calls[key], var media = call.media else { return }
        guard (media.trunk.ports.tunnelStream != nil) != goesByTunnel(route.flow) else { return }
        let isEmergency = call.purpose == .emergency
        let fresh = goesByTunnel(route.flow) ? ports.takeStream(emergency: isEmergency)
            : ports.take(mediaFamily(near: route.flow), emergency: isEmergency)
        guard let fresh else { return }
        media.trunk = MediaLeg(ports: fresh)
        var held: CallMedia? = media
        if exchange.incoming.headers.isSDP, !exchange.incoming.body.isEmpty,
            let body = try? passSDP(exchange.incoming.body, &held, from: .phone, exchange.incomingFlow, isOffer: true)
        {
            exchange.outgoing.body = body
        }
        out.append(.media(.relay(media.id, media.phone, media.trunk)))
        calls.change(key) { $0.media = held }
    }
}

extension SessionDescription {
    /// RFC 8866 §5.2: a description that changes has a higher version. One that is no number stays.
    mutating func raiseVersion(by count: UInt64) {
        guard let version = origin.flatMap({ UInt64($0.sessionVersion) }) else { return }
        origin?.sessionVersion = String(version &+ count)
    }
}
