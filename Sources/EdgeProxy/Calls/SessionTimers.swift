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
        case .refer:
            // RFC 6665 §4.1.2.4: timer N. The NOTIFYs say how long it goes on, and one may have come already.
            guard exchange.dialog == nil, calls[key]?.expires == nil else { return }
            calls.change(key) { $0.expires = now + Self.grace }
        case .ack, .bye, .cancel, .register, .options, .info, .prack, .notify, .message, .publish, .other: break
        }
    }

    /// A NOTIFY says how long its subscription goes on (RFC 6665 §4.1.3). A call in which a transfer was tried has no such end.
    mutating func noteNotify(_ request: SIPRequest, in call: Boxed<Call>) {
        guard call.purpose == .subscription else { return }
        if request.endsSubscription { return calls.change(call.key) { $0.expires = now + Self.grace } }
        guard call.event == Call.transferEvent else { return }
        let left = request.subscriptionLeft.map { Duration.seconds(Int64(min($0, 86_400))) } ?? Self.ringingLimit
        calls.change(call.key) { $0.expires = now + left + Self.grace }
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

extension Call {
    /// RFC 3515 §2.4.6: the event of the subscription that a REFER makes.
    static let transferEvent = "refer"
}

extension SIPRequest {
    /// Seconds of the `expires` of Subscription-State (RFC 6665 §4.1.3).
    fileprivate var subscriptionLeft: UInt32? {
        for part in (headers[.subscriptionState] ?? "").split(separator: ";").dropFirst() {
            let pair = part.split(separator: "=", maxSplits: 1).map { $0.filter { $0 != " " && $0 != "\t" } }
            if pair.count == 2, pair[0].lowercased() == "expires" { return UInt32(pair[1]) }
        }
        return nil
    }
}
