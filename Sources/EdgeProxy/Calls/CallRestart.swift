import CoreTypes
import HotDeskPolicy
import Media
import SIPMessage

/// Calls that outlive the process: what is up is written down, and a new process takes it up again.
///
/// Short calls and the many changes at the beginning of a call are never written. The relay's ports are claimed before any
/// others are bound. The PBX is told the new way to the edge when its connection is up (`refreshTargets`), and a phone
/// that speaks over a connection has its calls back when it has registered on another (`moveDialogs`). A call whose media
/// go through the tunnel is not written: its stream ends with the process. Nor is one with SRTP: its keys are on no disk.
extension EdgeProxy {
    /// How long a call is up before it is written.
    static let storedAge = Duration.seconds(2)
    /// Between two rounds of writing.
    static let storeInterval = Duration.seconds(1)
    /// A call that was taken up and in which nobody is heard for so long is over: both ends have hung up meanwhile.
    static let restoredPatience = Duration.seconds(60)

    // MARK: Writing

    /// The call has come up, or something of it that must outlive the process has changed.
    mutating func noteForStore(_ key: CallKey) {
        guard let call = calls[key], call.answered != nil, !call.awaitsStore, call.purpose != .subscription else { return }
        calls.change(key) { $0.awaitsStore = true }
        if unstoredCalls.isEmpty { timers.schedule(.storeCalls, at: now + Self.storeInterval) }
        unstoredCalls.append(key)
    }

    mutating func storeCalls() {
        var young: [CallKey] = []
        for key in unstoredCalls {
            guard let call = calls[key], let answered = call.answered, call.media?.trunk.ports.tunnelStream == nil,
                call.media?.isProtected != true
            else { continue }
            guard now - answered >= Self.storedAge else {
                young.append(key)
                continue
            }
            calls.change(key) {
                $0.awaitsStore = false
                $0.isStored = true
            }
            out.append(.store(.call(storedCall(call, answered)), nil))
        }
        unstoredCalls = young
        if !young.isEmpty { timers.schedule(.storeCalls, at: now + Self.storeInterval) }
    }

    private func storedCall(_ call: Boxed<Call>, _ answered: Instant) -> StoredCall {
        StoredCall(
            key: call.key.rawValue, purpose: call.purpose, party: call.party,
            identity: call.identity.map {
                .init(displayName: $0.displayName, uri: $0.uri, asserted: $0.asserted, account: $0.credentials?.user)
            },
            onPhoneSide: call.onPhoneSide, onTrunkSide: call.onTrunkSide,
            dialogs: call.dialogs.compactMap { calls.dialog($0) }.filter(\.isConfirmed), media: call.media?.written,
            sequenceOffset: call.sequenceOffset, lastSequence: call.lastSequence, farAllowsUpdate: call.farAllowsUpdate,
            began: call.began, direction: call.direction, answered: answered)
    }

    /// The source of a leg, as the relay has locked it.
    mutating func noteSource(_ session: MediaSessionID, leg: Int, _ source: Endpoint) {
        let key = Self.call(of: session)
        guard let media = calls[key]?.media, (leg == 0 ? media.phoneSource : media.trunkSource) != source else { return }
        calls.change(key) {
            if leg == 0 { $0.media?.phoneSource = source } else { $0.media?.trunkSource = source }
        }
        noteForStore(key)
    }

    // MARK: Taking up

    mutating func restore(_ stored: [StoredCall]) {
        for item in stored where item.version == StoredCall.currentVersion && item.key < .max {
            nextIdentifier = max(nextIdentifier, item.key + 1)
            var call = Call(
                key: CallKey(rawValue: item.key), purpose: item.purpose, party: item.party, identity: item.identity.map(identity),
                onPhoneSide: item.onPhoneSide, onTrunkSide: item.onTrunkSide, media: item.media, sequenceOffset: item.sequenceOffset,
                lastSequence: item.lastSequence, farAllowsUpdate: item.farAllowsUpdate, began: item.began, direction: item.direction,
                answered: item.answered)
            call.media?.setSecurity(configuration.srtp, isEmergency: item.purpose == .emergency)
            call.isStored = true
            calls.insert(call)
            for var dialog in item.dialogs {
                dialog.isPhoneLost = dialog.phone.flow.transport.isReliable
                dialog.phone.flow.loseConnection()
                dialog.trunk.flow.loseConnection()
                calls.insert(dialog)
            }
            if let media = item.media {
                firstActions.append(
                    .media(.restore(media.id, media.phone, media.trunk, sources: [media.phoneSource, media.trunkSource])))
            }
            timers.schedule(.restoredCall(call.key), at: now + Self.restoredPatience)
        }
        if !stored.isEmpty { firstActions.append(.log(.notice, "\(calls.count) calls that were up are taken up again")) }
    }

    private func identity(_ stored: StoredCall.Identity) -> TrunkIdentity {
        var account = configuration.pbx.account.flatMap { $0.user == stored.account ? $0 : nil }
        if let person = stored.account.flatMap({ ExtensionNumber($0) }).flatMap({ extensions[$0] }) { account = self.account(of: person) }
        return TrunkIdentity(displayName: stored.displayName, uri: stored.uri, credentials: account, asserted: stored.asserted)
    }

    /// The relay stands on the ports it had, or cannot.
    mutating func mediaRestored(_ session: MediaSessionID, _ ports: [MediaPorts]) {
        let key = Self.call(of: session)
        guard ports.count == 2 else {
            return log(.error, "\(calls[key]?.party.text ?? ""): the media ports of a call from before the restart cannot be had")
        }
        calls.change(key) {
            $0.media?.phone.ports = ports[0]
            $0.media?.trunk.ports = ports[1]
        }
        // It has ended meanwhile: nothing else gives its ports back.
        if calls[key] == nil { out.append(.media(.close(session))) }
    }

    mutating func restoredCallDue(_ key: CallKey) {
        guard let call = calls[key], call.purpose == .ordinary, !call.hasHeardMedia, call.media?.isHeld != true else { return }
        log(.notice, "\(call.party.text): nobody is heard in a call from before the restart, it is ended")
        hangUp(call, "SIP;cause=408;text=\"Nobody is heard after a restart\"")
        endCall(call.key, .lost)
    }
}

extension Flow {
    /// No connection ever has this number.
    private static let noConnection = UInt64.max

    /// What stood on a connection waits for another; datagrams have none to lose.
    mutating func loseConnection() {
        if transport.isReliable { connection = Self.noConnection }
    }
}
