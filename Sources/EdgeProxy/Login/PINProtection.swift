import CoreTypes
import HotDeskPolicy
import Media
import SIPMessage
import SIPTransaction

/// A call outside that waits for its caller's PIN.
struct GatedCall: Sendable {
    var number: ExtensionNumber
    /// The canonical number that was dialled.
    var target: String
    var redirection: Redirection?
}

/// PIN protection: who sits down at a protected extension's desk after its person has left for lunch can call
/// colleagues and for help, and nobody at the person's cost.
///
/// The PIN is asked for in early media, on the INVITE that is there; with the right one that same INVITE goes on.
extension EdgeProxy {
    /// Whether a call to `user` needs the PIN now. `uri` is what was asked for: an emergency never needs it.
    func requiresPIN(_ user: String, _ party: Party, _ uri: URI) -> Bool {
        guard let device = party.device, let session = sessions.session(on: device), let person = extensions[session.extension],
            let timeout = person.pinTimeout
        else { return false }
        if case .emergency = configuration.policy.classify(uri) { return false }
        let isInternal = configuration.policy.isInternal(user) { ExtensionNumber($0).map { extensions[$0] != nil } ?? false }
        if DeviceName(user) == device || isInternal { return false }
        let proof = max(pinProofs[device] ?? session.since, session.since)
        return now - proof >= timeout
    }

    /// Places a call that the policy lets out: at once, or when its caller has given the PIN.
    mutating func place(
        _ request: SIPRequest, _ server: ServerTransactionID, _ flow: Flow, _ party: Party, _ user: String,
        redirection: Redirection? = nil
    ) {
        guard request.method == .invite, let device = party.device, requiresPIN(user, party, request.uri),
            let session = sessions.session(on: device)
        else { return forwardOutside(request, server, flow, party, user, redirection: redirection) }
        log(.info, "verdict PIN: \(device.text) calls outside")
        let call = GatedCall(number: session.extension, target: user, redirection: redirection)
        let dialogue = LoginDialogue(device: device, proving: session.extension, rules: configuration.policy)
        guard request.headers.isSDP, answer(request, server, flow, device, .gate(dialogue, call)) else {
            return refuse(request, server, flow, party, configuration.policy.pinDue)
        }
    }

    /// The PIN was right: the INVITE that waits goes where it was meant to go, if its caller still sits there.
    mutating func proceed(_ key: LocalCallKey) {
        guard let call = localCalls[key], case .gate(_, let gated) = call.kind else { return }
        endLocalCall(key, byPhone: false)
        // Whoever sits there now has given no PIN.
        guard sessions.session(on: call.device)?.extension == gated.number else { return refuse(call.server, call.invite, 403) }
        pinProofs[call.device] = now
        forwardOutside(
            call.invite, call.server, call.flow, .device(call.device), gated.target, redirection: gated.redirection)
    }

    /// The PIN was not given: the call is refused where it stands.
    mutating func refuseGated(_ key: LocalCallKey) {
        guard let call = localCalls[key] else { return }
        let refusal = configuration.policy.pinDue
        audit(
            .refused, device: call.device.text, extension: sessions.session(on: call.device)?.extension.text ?? "",
            request: call.invite.summary, detail: "\(refusal.status) \(refusal.reason.rawValue)")
        respond(call.server, refusalResponse(call.invite, refusal, toTag: call.dialog.farTag))
        endLocalCall(key, byPhone: false)
    }
}
