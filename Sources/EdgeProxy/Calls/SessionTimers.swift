import CoreTypes
import HotDeskPolicy
import SIPMessage
import SIPTransaction

/// Ends that come by themselves: of sessions that are not refreshed (RFC 4028) and of subscriptions (RFC 6665).
///
/// The edge negotiates no timer of its own; it listens to what the ends have agreed on, and clears away what they leave.
extension EdgeProxy {
    /// What is given to the ends beyond the time they have agreed on: they end the session first where they can.
    private static let grace = Duration.seconds(32)

    mutating func noteTimers(_ response: SIPResponse, _ exchange: Boxed<Exchange>) {
        guard (200..<300).contains(response.status), let key = exchange.call else { return }
        switch exchange.incoming.method {
        case .invite, .update:
            // RFC 4028 §7.2: a 2xx without Session-Expires turns the timer off.
            let end = response.headers.sessionExpires.map { now + .seconds(Int64(min($0, 86_400))) + Self.grace }
            calls.change(key) { $0.sessionEnds = end }
        case .subscribe:
            let seconds = response.headers.expires ?? exchange.incoming.headers.expires ?? 3600
            let end = now + .seconds(Int64(min(seconds, 86_400))) + Self.grace
            calls.change(key) { call in
                if call.purpose == .subscription { call.expires = end }
            }
        case .ack, .bye, .cancel, .register, .options, .info, .prack, .notify, .refer, .message, .publish, .other: break
        }
    }

    /// Both ends have let the session's time pass: neither may be there any more.
    mutating func endUnrefreshed(_ call: Boxed<Call>) {
        guard call.purpose != .emergency else { return }
        log(.notice, "\(call.party.text): a call that was not refreshed is ended")
        hangUp(call, "SIP;cause=408;text=\"Session expired\"")
        endCall(call.key, .expired)
    }
}

extension Headers {
    /// Seconds of Session-Expires; its refresher is the ends' business.
    fileprivate var sessionExpires: UInt32? {
        self[.sessionExpires].flatMap { UInt32($0.prefix { $0 != ";" && $0 != " " }) }
    }
}
