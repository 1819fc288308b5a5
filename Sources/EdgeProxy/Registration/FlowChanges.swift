import CoreTypes
import HotDeskPolicy
import Media
import SIPMessage

/// Calls follow their phone: to the flow of its next registration, or from a connection that is gone to the one that is left.
extension EdgeProxy {
    /// A connection of a phone is gone. Calls over it go on over the flow the device is registered on, or wait for it.
    mutating func strandDialogs(on flow: Flow) {
        guard calls.forget(connection: flow) else { return }
        for call in calls.calls.values where call.party != .unknown {
            let other = call.party.device.flatMap { bindings.binding(of: $0)?.flow }
            for key in call.dialogs where calls.dialog(key)?.phone.flow == flow {
                if let other, other != flow { calls.movePhone(key, to: other) } else { calls.changeDialog(key) { $0.isPhoneLost = true } }
            }
        }
    }

    /// A device has registered on another flow: its calls go on there.
    mutating func moveDialogs(of device: DeviceName, from old: Flow?, to new: Flow) {
        guard old != new else { return }
        moveDialogs(to: new, from: old.map { [$0] } ?? []) { $0.party.device == device }
    }

    /// The same for a plain phone, whose registration the PBX has just accepted, from the flows the same phone was registered on.
    mutating func moveDialogs(of binding: PlainBinding, from old: Set<Flow>) {
        moveDialogs(to: binding.flow, from: old) { $0.party == .plain(binding.user) }
    }

    private mutating func moveDialogs(to new: Flow, from old: Set<Flow>, where isMeant: (Boxed<Call>) -> Bool) {
        for call in calls.calls.values where isMeant(call) {
            for key in call.dialogs {
                guard let dialog = calls.dialog(key), dialog.isPhoneLost || old.contains(dialog.phone.flow) else { continue }
                calls.movePhone(key, to: new)
                expectMedia(of: call.key, from: new.remote.address)
            }
        }
    }

    /// A phone whose signalling comes from another host has got another address, as by DHCP: its audio may come from there before
    /// the phone says so in an offer, and nobody but who holds its credentials can have brought this about.
    private mutating func expectMedia(of key: CallKey, from host: IPAddress) {
        guard var media = calls[key]?.media, media.phone.signallingSource != host else { return }
        media.phone.signallingSource = host
        calls.change(key) { $0.media = media }
        out.append(.media(.relay(media.id, media.phone, media.trunk)))
    }
}
