import CoreTypes
import EdgeProxy
import HotDeskPolicy
import SIPMessage

/// Reads from the core's actions what it made of a request: audit first, then its log, then what it sent.
struct VerdictReader {
    private let request: SIPRequest?
    private var audit: [AuditEntry] = []
    private var logs: [String] = []
    /// The core's own answers, in order.
    private var responses: [SIPResponse] = []
    /// Requests sent on because of it.
    private var sent: [SIPRequest] = []

    init(_ actions: [EdgeAction], request: SIPRequest?, isTrunk: (Flow) -> Bool) {
        self.request = request
        for action in actions {
            switch action {
            case .audit(let entry): audit.append(entry)
            case .log(_, let text): logs.append(text)
            case .transmit(let bytes, let flow): add(bytes, flow)
            case .close, .media, .verifyPIN, .store, .callEnded: break
            }
        }
    }

    private mutating func add(_ bytes: [UInt8], _ flow: Flow) {
        guard case .message(let message) = SIPMessage.parse(bytes, framing: flow.transport.isReliable ? .stream : .datagram) else { return }
        switch message {
        case .response(let response):
            if request == nil || response.headers.cseq == request?.headers.cseq { responses.append(response) }
        case .request(let request):
            if request.headers.callID == self.request?.headers.callID { sent.append(request) }
        }
    }

    private var final: SIPResponse? { responses.last { $0.status >= 200 } }

    // MARK: A phone's request

    func read() -> (ReplayVerdict, String) {
        if let entry = audit.first(where: { $0.kind == .emergency }) { return emergency(entry) }
        if let entry = audit.first(where: { $0.kind == .refused }) { return refused(entry) }
        if let final, final.status >= 400, final.status != 401, final.status != 407 { return refusedByAnswer(final) }
        if let verdict = logged() { return verdict }
        if let final, final.status >= 300 {
            let isRefused = request.map(hasCredentials) == true
            return (.challenge(final.status), isRefused ? "its credentials do not hold" : "it has to prove who it is")
        }
        if let final { return (.answered(final.status), request?.method == .register ? registration(final) : "") }
        if !sent.isEmpty { return (.forwardInside, "") }
        if request?.method == .ack || request?.method == .cancel { return (.absorbed, "") }
        let reason = dropped ?? "no answer"
        return (.dropped(reason), reason)
    }

    /// Why the core dropped it, by its log: "[address: ]dropped: why".
    private var dropped: String? {
        for line in logs {
            if let mark = line.firstRange(of: "dropped: ") { return String(line[mark.upperBound...]) }
        }
        return nil
    }

    private func emergency(_ entry: AuditEntry) -> (ReplayVerdict, String) {
        let number = entry.request.split(separator: " ").last.map(String.init) ?? ""
        var reason = entry.extension.isEmpty ? entry.detail : "as \(entry.extension); \(entry.detail)"
        if let final, final.status >= 400 { reason += "; failed with \(final.status): " + (degraded ?? final.reason) }
        return (.emergency(number), reason)
    }

    private func refused(_ entry: AuditEntry) -> (ReplayVerdict, String) {
        let parts = entry.detail.split(separator: " ", maxSplits: 1).map(String.init)
        let status = parts.first.flatMap { Int($0) } ?? final?.status ?? 403
        let name = parts.count > 1 ? parts[1] : ""
        return (.refuse(status, name), RefusalReason(rawValue: name)?.sentence ?? entry.detail)
    }

    private func refusedByAnswer(_ final: SIPResponse) -> (ReplayVerdict, String) {
        let why = audit.last?.detail ?? logs.last { $0.contains("refused") } ?? ""
        return (.refuse(final.status, final.reason), why)
    }

    private var degraded: String? { audit.last { $0.kind == .degraded }?.detail }

    /// The core's log has one line for each verdict that is no refusal.
    private func logged() -> (ReplayVerdict, String)? {
        guard let line = logs.first(where: { $0.hasPrefix("verdict ") }) else { return nil }
        let text = String(line.dropFirst("verdict ".count))
        if text.hasPrefix("login:") {
            let last = text.split(separator: " ").last.map(String.init) ?? ""
            return (.login(ExtensionNumber(last)?.text), "")
        }
        if text.hasPrefix("logout:") { return (.logout, audit.contains { $0.kind == .loggedOut } ? "logged out" : "nobody was logged in") }
        if text.hasPrefix("forward:") { return (.forward(text.split(separator: " ").last.map(String.init) ?? ""), "") }
        return nil
    }

    private func hasCredentials(_ request: SIPRequest) -> Bool {
        request.headers[.authorization] != nil || request.headers[.proxyAuthorization] != nil
    }

    private func registration(_ final: SIPResponse) -> String { final.headers.contact == nil ? "no binding" : "registered" }

    // MARK: The PBX's request

    func readFromPBX() -> (ReplayVerdict, String) {
        if let final, final.status >= 300 { return (.refuse(final.status, final.reason), logs.last ?? "") }
        if let line = logs.first(where: { $0.hasPrefix("call in: ") }) {
            let words = line.split(separator: " ").map(String.init)
            let place = words.firstIndex(of: "for").map { $0 + 1 } ?? 0
            return (.deliver(words.indices.contains(place) ? words[place] : ""), "")
        }
        if let final { return (.answered(final.status), "") }
        if !sent.isEmpty { return (.forwardInside, "") }
        if request?.method == .ack || request?.method == .cancel { return (.absorbed, "") }
        return (.dropped("no answer"), "no answer")
    }
}

extension RefusalReason {
    /// For an admin who asks why.
    var sentence: String {
        switch self {
        case .idleCall: return "nobody is logged in at this device: it may call emergency numbers and the login code only"
        case .idleSubscription: return "nobody is logged in at this device: it may watch nobody"
        case .idlePublication: return "nobody is logged in at this device: it may publish nothing"
        case .idleMessage: return "nobody is logged in at this device: it may write to nobody"
        case .idleTransfer: return "nobody is logged in at this device any more: it may transfer nothing"
        case .idleRequest: return "nobody is logged in at this device"
        case .codeWithoutCall: return "a dial code has to be called"
        case .notAHotDesk: return "a dial code from a phone that is no hot desk"
        case .unknownRequester: return "the phone is neither a device of the site nor a plain phone"
        case .malformedTarget: return "the number cannot be read"
        case .unsupportedScheme: return "an address of a kind that cannot be called"
        case .nobodyNamed: return "the address names nobody"
        case .noDialog: return "its To tag belongs to no call here"
        case .outsideDialog: return "it makes sense inside a call only"
        case .emergencyDialog: return "in an emergency call only the session itself may change"
        case .subscriptionDialog: return "it has no place in a subscription"
        case .unknownMethod: return "an unknown method"
        case .pinDue: return "a call outside whose caller must give the PIN again first"
        }
    }
}
