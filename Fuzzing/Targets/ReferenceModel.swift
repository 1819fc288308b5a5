import CoreTypes
import EdgeProxy
import HotDeskPolicy
import SIPMessage

/// What the edge must hold to, told without any of its own means: who proved a PIN, who sits where, and what may
/// therefore leave for the PBX.
public struct ReferenceModel: Sendable {
    private static let emergencies: Set<String> = ["112", "911"]

    /// Where the bytes of an event came from.
    enum Origin: Equatable { case device(Int), stranger, elsewhere }

    /// Who sits where.
    typealias Seating = [DeviceName: String]
    private(set) var seating: Seating = [:]
    /// Extensions whose PIN was shown, and no session begun with it yet.
    private var proven: Set<String> = []
    /// Calls that once were let out, or came in from the PBX.
    private var calls: Set<String> = []
    public private(set) var emergencyCalls = 0
    public private(set) var ordinaryCalls = 0
    public private(set) var logins = 0

    mutating func pinWasRight(hash: String?) { proven.insert((hash ?? "").replacing("hash-of-", with: "")) }

    mutating func pbxBegan(_ request: SIPRequest) { calls.insert(request.headers.callID.value) }

    /// - Parameter isAsked: the edge waits to hear whether it is on disk; until then nobody sits there.
    mutating func stored(_ change: StoreChange, isAsked: Bool) -> String? {
        switch change {
        case .session(let session):
            let number = session.extension.text
            guard seating[session.device] != number else { return nil }
            guard proven.contains(number) else { return "a session of \(number) without its PIN" }
            guard !isAsked else { return nil }
            logins += 1
            for (device, other) in seating where other == number { seating[device] = nil }
            seating[session.device] = number
        case .sessionEnded(let device): seating[device] = nil
        case .binding, .bindingRemoved, .attempts, .emergencyPin, .emergencyPinRemoved, .phone, .call, .callRemoved, .plainBinding,
            .plainBindingRemoved:
            break
        }
        return nil
    }

    /// Judges a request that leaves for the PBX; gives what is wrong with it.
    mutating func leaves(_ request: SIPRequest, from origin: Origin, before: Seating) -> String? {
        let user = request.headers.from.uri.sip?.user ?? ""
        let call = request.headers.callID.value
        switch request.method {
        case .register: return ScriptSite.pins[user] == nil && user != ScriptSite.account ? "a registration of \(user)" : nil
        case .ack, .cancel, .bye: return calls.contains(call) ? nil : "\(request.method) of no call"
        case .invite, .info, .update, .prack, .subscribe, .notify, .refer, .message, .publish, .options, .other: break
        }
        if request.headers.to.tag != nil { return insideACall(request, user, origin, before) }
        if request.method == .invite, Self.emergencies.contains(request.uri.sip?.user ?? "") {
            emergencyCalls += 1
            calls.insert(call)
            return nil
        }
        // Another try of what was let out already, after a challenge or another node's 503.
        if case .elsewhere = origin { return calls.contains(call) ? nil : "\(request.method) that nobody asked for" }
        guard case .device(let index) = origin, let device = DeviceName("HD000\(index)"), before[device] == user else {
            return "\(request.method) to \(request.uri) as \(user) from \(origin)"
        }
        ordinaryCalls += 1
        calls.insert(call)
        return nil
    }

    private func insideACall(_ request: SIPRequest, _ user: String, _ origin: Origin, _ before: Seating) -> String? {
        guard calls.contains(request.headers.callID.value) else { return "\(request.method) in no call" }
        switch request.method {
        case .refer, .message, .subscribe:
            guard case .device(let index) = origin, let device = DeviceName("HD000\(index)") else { return nil }
            return before[device] == user ? nil : "\(request.method) as \(user), who is gone"
        case .invite, .ack, .bye, .cancel, .register, .options, .info, .update, .prack, .notify, .publish, .other: return nil
        }
    }
}
