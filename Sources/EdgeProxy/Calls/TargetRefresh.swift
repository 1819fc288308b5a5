import CoreTypes
import HotDeskPolicy
import Media
import SIPMessage
import SIPTransaction

/// Calls that outlive the connection to the PBX they were made over.
///
/// The PBX knows the edge by the Contact of that connection. When another has taken its place the edge says so in
/// each call with an UPDATE without a session (RFC 3311 §5.1: a target refresh), so that what the PBX has to say in
/// the call comes by the new way.
extension EdgeProxy {
    /// Numbers of the phone's CSeq that one refresh uses up: itself, and the answers to challenges.
    private static let sequenceStep: UInt32 = 4

    /// Calls go the new way at once; the PBX is told when it is their turn.
    mutating func refreshTargets() {
        guard let flow = trunk.up.first?.flow else { return }
        for dialog in calls.dialogs.values where dialog.isConfirmed && isStranded(dialog) {
            guard let call = calls[dialog.call], call.purpose != .subscription else { continue }
            calls.changeDialog(dialog.key) { $0.trunk.flow = flow }
            if call.farAllowsUpdate, dialog.trunk.target != nil {
                recovery.queue.add(.refreshTarget(dialog.key), rank(of: call))
            } else if call.media?.toldToPBX.isEmpty == false, dialog.trunk.target != nil {
                recovery.queue.add(.offer(call.key), rank(of: call))
            } else {
                log(.info, "\(call.party.text): the PBX cannot be told the new way of a call, its BYE may be lost")
            }
        }
    }

    /// Not where the PBX gets an offer by the same way soon, which says as much.
    mutating func refreshTarget(_ key: DialogKey) {
        guard let dialog = calls.dialog(key), let call = calls[dialog.call], let target = dialog.trunk.target,
            trunk.node(on: dialog.trunk.flow) != nil, !recovery.queue.holds(.offer(call.key))
        else { return }
        sendOwn(ownRequest(.update, in: dialog, call, target, dialog.trunk.flow), on: dialog.trunk.flow, as: call.identity?.credentials)
    }

    /// The connection of its PBX end is gone. A gateway has none to lose.
    private func isStranded(_ dialog: Dialog) -> Bool {
        trunk.node(on: dialog.trunk.flow) == nil && side(of: dialog.trunk.flow) != .gateway
    }

    /// A request of the edge's own in a call, to its PBX end; the numbers it uses up are taken from the phone's.
    mutating func ownRequest(_ method: Method, in dialog: Dialog, _ call: Boxed<Call>, _ target: URI, _ flow: Flow) -> SIPRequest {
        let from = call.onTrunkSide.phone(in: dialog.key, call.direction)
        let sequence = (calls[call.key]?.lastSequence ?? call.lastSequence) &+ 1
        var request = SIPRequest(
            method: method, uri: target,
            headers: Headers(
                via: [], from: from, to: call.onTrunkSide.far.with(tag: dialog.key.farTag), callID: dialog.key.callID,
                cseq: CSeq(number: sequence, method: method)))
        request.headers.maxForwards = 70
        request.headers.route = dialog.trunk.routes
        request.headers.contact = .list([contact(user: from.uri.user, on: flow)])
        calls.change(call.key) {
            $0.lastSequence &+= Self.sequenceStep
            $0.sequenceOffset &+= Self.sequenceStep
        }
        noteForStore(call.key)
        return request
    }

    /// Whether the PBX end of a call knows UPDATE, from the Allow of its answer or request.
    mutating func noteAllowed(_ headers: Headers, in call: CallKey) {
        guard headers.tokens(.allow).contains("update") else { return }
        calls.change(call) { $0.farAllowsUpdate = true }
    }
}
