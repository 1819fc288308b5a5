import CoreTypes
import HotDeskPolicy
import SIPMessage

/// What the person of a session watched is theirs, not the desk's.
extension EdgeProxy {
    /// Ends a device's subscriptions at both ends: the phone is told by NOTIFY (RFC 6665 §4.2.2), the PBX by SUBSCRIBE
    /// (§4.1.2.3). A refresh finds no dialog any more.
    mutating func endSubscriptions(of device: DeviceName) {
        for call in calls.calls.values where call.party.device == device && call.purpose == .subscription {
            // What the PBX watches at the phone is the phone's to end.
            for key in call.dialogs where call.direction == .outbound {
                guard let dialog = calls.dialog(key), dialog.isConfirmed else { continue }
                tellWatcher(dialog, call)
                unsubscribe(dialog, call)
            }
            endCall(call.key, .expired)
        }
    }

    /// "noresource": what was watched is not to be asked for again.
    private mutating func tellWatcher(_ dialog: Dialog, _ call: Boxed<Call>) {
        guard let target = dialog.phone.target else { return }
        var notify = SIPRequest(
            method: .notify, uri: target,
            headers: Headers(
                via: [], from: call.onPhoneSide.far.with(tag: dialog.key.farTag), to: call.onPhoneSide.phone(in: dialog.key, call.direction),
                callID: dialog.key.callID, cseq: CSeq(number: Self.lastSequence, method: .notify)))
        notify.headers.maxForwards = 70
        notify.headers.route = dialog.phone.routes
        notify.headers.contact = .list([contact(user: call.onPhoneSide.far.uri.user, on: dialog.phone.flow)])
        notify.headers[.event] = call.event
        notify.headers[.subscriptionState] = "terminated;reason=noresource"
        sendOwn(notify, on: dialog.phone.flow)
    }

    private mutating func unsubscribe(_ dialog: Dialog, _ call: Boxed<Call>) {
        let peer = trunkPeer(of: dialog)
        guard let target = peer.target, trunk.node(on: peer.flow) != nil else { return }
        var request = SIPRequest(
            method: .subscribe, uri: target,
            headers: Headers(
                via: [], from: call.onTrunkSide.phone(in: dialog.key, call.direction), to: call.onTrunkSide.far.with(tag: dialog.key.farTag),
                callID: dialog.key.callID, cseq: CSeq(number: call.lastSequence &+ 1, method: .subscribe)))
        request.headers.maxForwards = 70
        request.headers.route = peer.routes
        request.headers.contact = .list([contact(user: call.onTrunkSide.phone.uri.user, on: peer.flow)])
        request.headers[.event] = call.event
        request.headers[.expires] = "0"
        sendOwn(request, on: peer.flow, as: call.identity?.credentials)
    }
}
