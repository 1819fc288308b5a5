import CoreTypes
import HotDeskPolicy
import SIPMessage
import SIPTransaction

/// A phone's subscription to its own Login or Logout key: the lamp shows whether somebody is logged in.
struct SessionWatch: Sendable {
    var device: DeviceName
    var flow: Flow
    /// The phone's Contact.
    var target: URI
    var routes: [NameAddress]
    /// Both ends as our requests write them, with their tags.
    var ours: NameAddress
    var theirs: NameAddress
    var callID: CallID
    var event: String
    /// The code that is watched, as it is configured.
    var code: String
    var expires: Instant
    /// CSeq of the last NOTIFY.
    var sequence: UInt32 = 0
    /// RFC 4235 §3.1: rises by one with each NOTIFY.
    var version: UInt32 = 0
}

struct SessionWatchTable: Sendable {
    private var watches: [DialogKey: SessionWatch] = [:]
    private var clients: [ClientTransactionID: DialogKey] = [:]

    /// Subscriptions at once that one device may have here; phones that restart forget theirs.
    static let perDevice = 4

    subscript(_ key: DialogKey) -> SessionWatch? { watches[key] }

    mutating func insert(_ watch: SessionWatch, _ key: DialogKey) {
        let held = watches.filter { $0.value.device == watch.device }.sorted { $0.value.expires < $1.value.expires }
        for old in held.prefix(max(0, held.count - Self.perDevice + 1)) { watches[old.key] = nil }
        watches[key] = watch
    }

    mutating func change(_ key: DialogKey, _ body: (inout SessionWatch) -> Void) {
        guard let index = watches.index(forKey: key) else { return }
        body(&watches.values[index])
    }

    @discardableResult
    mutating func remove(_ key: DialogKey) -> SessionWatch? { watches.removeValue(forKey: key) }

    func keys(of device: DeviceName) -> [DialogKey] { watches.filter { $0.value.device == device }.map(\.key) }

    mutating func removeExpired(at now: Instant) { watches = watches.filter { $0.value.expires > now } }

    mutating func sent(_ client: ClientTransactionID, _ key: DialogKey) { clients[client] = key }

    mutating func taken(_ client: ClientTransactionID) -> DialogKey? { clients.removeValue(forKey: client) }
}

/// The edge as notifier of the dialog event package (RFC 6665 §4.2, RFC 4235), for its own two codes alone.
extension EdgeProxy {
    private static let watchPeriod: ClosedRange<UInt32> = 60...3600

    /// A device subscribes to the login or logout code.
    mutating func beginWatch(
        _ code: String, _ request: SIPRequest, _ server: ServerTransactionID, _ flow: Flow, _ party: Party
    ) {
        guard let device = party.device, let phoneTag = request.headers.from.tag, let target = request.headers.contactURI else {
            return refuse(server, request, 400)
        }
        guard let event = request.headers[.event], Self.isDialogEvent(event) else {
            var response = request.response(489, "Bad Event", toTag: newTag())
            response.headers[.allowEvents] = "dialog"
            return respond(server, response)
        }
        let tag = newTag()
        let key = DialogKey(callID: request.headers.callID, phoneTag: phoneTag, farTag: tag)
        watches.insert(
            SessionWatch(
                device: device, flow: flow, target: target, routes: request.headers.recordRoute, ours: request.headers.to.with(tag: tag),
                theirs: request.headers.from, callID: request.headers.callID, event: event, code: code, expires: now), key)
        accept(request, server, flow, key, toTag: tag)
    }

    /// A SUBSCRIBE in its dialog: refreshed, or ended with `Expires: 0`.
    mutating func watchRequest(_ request: SIPRequest, _ server: ServerTransactionID, _ flow: Flow, _ key: DialogKey) {
        guard request.method == .subscribe else { return refuse(server, request, 405) }
        if let target = request.headers.contactURI { watches.change(key) { $0.target = target } }
        watches.change(key) { $0.flow = flow }
        accept(request, server, flow, key, toTag: nil)
    }

    private static func isDialogEvent(_ event: String) -> Bool {
        event.utf8.prefix { $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: " ") }.elementsEqual("dialog".utf8, by: { $0 | 0x20 == $1 })
    }

    private mutating func accept(
        _ request: SIPRequest, _ server: ServerTransactionID, _ flow: Flow, _ key: DialogKey, toTag: String?
    ) {
        let asked = request.headers.expires ?? Self.watchPeriod.upperBound
        let granted = asked == 0 ? 0 : min(max(asked, Self.watchPeriod.lowerBound), Self.watchPeriod.upperBound)
        watches.change(key) { $0.expires = now + .seconds(Int64(granted)) }
        var response = request.response(200, toTag: toTag)
        response.headers[.expires] = String(granted)
        response.headers.contact = .list([contact(user: watches[key]?.code, on: flow)])
        respond(server, response)
        // The state goes out at once, whatever it is (RFC 6665 §4.2.1.2).
        notify(key)
        if granted == 0 { watches.remove(key) }
    }

    /// Somebody has sat down or got up.
    mutating func tellWatchers(of device: DeviceName) {
        for key in watches.keys(of: device) { notify(key) }
    }

    private mutating func notify(_ key: DialogKey) {
        watches.change(key) {
            $0.sequence &+= 1
            $0.version &+= 1
        }
        guard let watch = watches[key] else { return }
        let left = max(0, (watch.expires - now).components.seconds)
        var request = SIPRequest(
            method: .notify, uri: watch.target,
            headers: Headers(
                via: [via(on: watch.flow)], from: watch.ours, to: watch.theirs, callID: watch.callID,
                cseq: CSeq(number: watch.sequence, method: .notify)),
            body: Array(dialogInfo(watch).utf8))
        request.headers.maxForwards = 70
        request.headers.route = watch.routes
        request.headers.contact = .list([contact(user: watch.code, on: watch.flow)])
        request.headers.contentType = "application/dialog-info+xml"
        request.headers[.event] = watch.event
        request.headers[.subscriptionState] = left > 0 ? "active;expires=\(left)" : "terminated;reason=timeout"
        watches.sent(transactions.send(request, on: watch.flow, now: now, into: &pending), key)
    }

    /// RFC 4235 §4: a session is one confirmed dialog, an idle desk has none. A code holds nothing that XML would mind.
    private func dialogInfo(_ watch: SessionWatch) -> String {
        let entity = "sip:\(watch.code)@\(pbxHost)"
        let generation = sessions.session(on: watch.device)?.generation
        let dialog = generation.map { "<dialog id=\"session-\($0)\"><state>confirmed</state></dialog>" } ?? ""
        return """
            <?xml version="1.0"?>\r
            <dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="\(watch.version &- 1)" state="full" entity="\(entity)">\(dialog)</dialog-info>\r

            """
    }

    /// True where the answer was to a NOTIFY of a watch; a phone that knows nothing of it any more gets no others.
    mutating func watchAnswered(_ status: Int, _ client: ClientTransactionID) -> Bool {
        guard let key = watches.taken(client) else { return false }
        if status == 481 || status == 489 || status == 408 || status == 503 { watches.remove(key) }
        return true
    }
}
