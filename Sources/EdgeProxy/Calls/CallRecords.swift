import CoreTypes
import HotDeskPolicy
import Media
import SIPMessage
import SIPTransaction

/// What is kept of calls: how their media fares, and the record when they are over.
extension EdgeProxy {
    /// How long the record of a call waits for the quality of its media.
    private static let qualityPatience = Duration.seconds(1)

    /// The call of a relay: both bear one number, so that nothing has to be looked up.
    static func call(of session: MediaSessionID) -> CallKey { CallKey(rawValue: session.rawValue) }
    static func session(of call: CallKey) -> MediaSessionID { MediaSessionID(rawValue: call.rawValue) }

    // MARK: Records

    mutating func callAnswered(_ key: CallKey) {
        let now = now
        calls.change(key) { $0.answered = $0.answered ?? now }
        noteForStore(key)
        // Before the answer silence is the rule: it is counted from here on.
        if configuration.endAfterSilence != nil, let media = calls[key]?.media {
            out.append(.media(.relay(media.id, media.phone, media.trunk)))
        }
    }

    /// Gives the record of a call that is over, at once or, where media was heard, with its quality.
    mutating func record(_ call: Boxed<Call>, _ reason: CallEnd) {
        guard call.purpose != .subscription else { return }
        let isOut = call.direction == .outbound
        let sides = isOut ? call.onTrunkSide : call.onPhoneSide
        let record = CallRecord(
            party: call.party.text, extension: call.identity?.uri.user ?? "", direction: call.direction,
            isEmergency: call.purpose == .emergency, from: isOut ? sides.phone.uri : sides.far.uri,
            to: isOut ? sides.far.uri : sides.phone.uri, began: call.began, answered: call.answered, ended: now,
            reason: call.ending ?? reason)
        guard call.hasHeardMedia else { return out.append(.callEnded(record)) }
        let session = Self.session(of: call.key)
        unratedRecords[session] = record
        timers.schedule(.callRecord(session), at: now + Self.qualityPatience)
    }

    /// The quality of a call that goes on, or of one that has just ended.
    mutating func qualityMeasured(_ session: MediaSessionID, _ quality: [LegQuality]) {
        guard var record = unratedRecords.removeValue(forKey: session) else {
            return calls.change(Self.call(of: session)) { $0.quality = quality }
        }
        record.quality = quality
        out.append(.callEnded(record))
    }

    mutating func qualityMissing(_ session: MediaSessionID) {
        guard let record = unratedRecords.removeValue(forKey: session) else { return }
        out.append(.callEnded(record))
    }

    /// Asks for the quality of all calls with media, as it is now.
    mutating func measureCalls() {
        for call in calls.calls.values where call.hasHeardMedia {
            out.append(.media(.measure(Self.session(of: call.key))))
        }
    }

    mutating func mediaHeard(_ session: MediaSessionID) {
        calls.change(Self.call(of: session)) { $0.hasHeardMedia = true }
    }

    // MARK: Dead media

    /// Nothing was heard on either leg for so long. A call that is on hold may be silent, and so may one for help, in
    /// which somebody perhaps cannot speak, and whatever reaches a desk that has called for help.
    mutating func mediaSilent(_ session: MediaSessionID, _ duration: Duration) {
        log(.info, "media session \(session.rawValue): no RTP for \(duration.components.seconds) s")
        guard let limit = configuration.endAfterSilence, duration >= limit, let call = calls[Self.call(of: session)] else { return }
        guard call.answered != nil, call.purpose == .ordinary, call.media?.isHeld == false else { return }
        if let device = call.party.device, emergencyPins[device] != nil { return }
        log(.notice, "\(call.party.text): a call without media for \(duration.components.seconds) s is ended")
        let reason = "Q.850;cause=102;text=\"No media for \(duration.components.seconds) s\""
        hangUp(call, reason)
        endCall(call.key, .silence)
    }

    /// A BYE to both ends of a call.
    mutating func hangUp(_ call: Boxed<Call>, _ reason: String) {
        for key in call.dialogs {
            guard let dialog = calls.dialog(key), dialog.isConfirmed else { continue }
            sendBye(dialog, call, to: .phone, reason)
            sendBye(dialog, call, to: .trunk, reason)
        }
    }

    /// A BYE by the edge to one end (RFC 3261 §15.1.1), in the name of the other.
    private mutating func sendBye(_ dialog: Dialog, _ call: Boxed<Call>, to side: Side, _ reason: String) {
        let isToPhone = side == .phone
        let peer = isToPhone ? dialog.phone : trunkPeer(of: dialog)
        guard let target = peer.target else { return }
        let view = isToPhone ? call.onPhoneSide : call.onTrunkSide
        let phone = view.phone(in: dialog.key, call.direction)
        let far = view.far.with(tag: dialog.key.farTag)
        var bye = SIPRequest(
            method: .bye, uri: target,
            headers: Headers(
                via: [], from: isToPhone ? far : phone, to: isToPhone ? phone : far, callID: dialog.key.callID,
                cseq: CSeq(number: Self.lastSequence, method: .bye)))
        bye.headers.maxForwards = 70
        bye.headers.route = peer.routes
        bye.headers[.reason] = reason
        sendOwn(bye, on: peer.flow, as: isToPhone ? nil : call.identity?.credentials)
    }

    /// CSeq of the last request of a dialog in somebody's name, whose own numbers nobody has counted: nothing follows it, and a gap before it
    /// is no error (RFC 3261 §12.2.2). Below 2^31 (§8.1.1.5), with room for an answer to a challenge.
    static let lastSequence: UInt32 = 0x7FFF_FFF0

    // MARK: Requests of the edge's own

    /// Sends a request of the edge's own whose answer matters to nobody; a challenge to it is answered where there are
    /// credentials.
    mutating func sendOwn(
        _ request: SIPRequest, on flow: Flow, as account: EdgeConfiguration.Account? = nil, offering offer: DialogKey? = nil,
        isAnswer: Bool = false
    ) {
        var request = request
        request.headers.via = [via(on: flow)]
        if side(of: flow) == .trunk {
            approved(request.method, to: request.uri.user ?? "", as: request.headers.from.uri.user ?? "", request.headers)
        }
        let client = transactions.send(request, on: flow, now: now, into: &pending)
        guard account != nil || offer != nil, side(of: flow) == .trunk else { return }
        ownRequests[client] = OwnRequest(request: request, flow: flow, account: account, offer: offer, isAnswer: isAnswer)
    }

    /// A response to what no exchange has sent.
    mutating func ownAnswered(_ response: SIPResponse, _ client: ClientTransactionID) {
        guard response.status >= 200, var own = ownRequests.removeValue(forKey: client) else { return }
        if response.status < 300, let offer = own.offer { return offerAnswered(response, own.request, offer, own.flow) }
        guard let challenge = response.challenge, let account = own.account, !own.isAnswer else { return }
        own.request.authorize(challenge, isProxy: response.status == 407, account, cnonce: token(8))
        own.isAnswer = true
        sendOwn(own.request, on: own.flow, as: account, offering: own.offer, isAnswer: true)
    }
}

/// A request of the edge's own that the PBX may challenge once.
struct OwnRequest: Sendable {
    var request: SIPRequest
    var flow: Flow
    var account: EdgeConfiguration.Account?
    /// The dialog whose media it moves, where it is an offer.
    var offer: DialogKey?
    /// It answers a challenge already.
    var isAnswer = false
}
