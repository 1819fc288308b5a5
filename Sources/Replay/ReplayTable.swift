import CoreTypes
import EdgeProxy
import SIPMessage

extension ReplayRun {
    /// A row for a message, with what can be read of it.
    func row(_ message: CapturedMessage, origin: ReplayedRequest.Origin, verdict: ReplayVerdict, reason: String) -> ReplayedRequest {
        let request = message.request
        let captured = request.flatMap { index.finalStatus(RequestKey($0.headers)) }
        return ReplayedRequest(
            number: message.number, at: message.at, from: message.source, to: message.destination, origin: origin,
            method: request?.method.name ?? "", target: request.map { $0.uri.userPart ?? $0.uri.description } ?? "",
            party: request.map(party) ?? "", isInDialog: request?.headers.to.tag != nil, verdict: verdict, reason: reason, answer: nil,
            capturedAnswer: origin == .phone ? captured : nil)
    }

    /// Whom a request claims to come from: by its credentials, else by From.
    private func party(_ request: SIPRequest) -> String {
        for name in [HeaderName.proxyAuthorization, .authorization] {
            for value in request.headers.all(name) {
                if let user = (try? DigestCredentials(parsing: value))?.username, isDevice(user) { return user }
            }
        }
        return request.headers.from.uri.userPart ?? ""
    }

    /// What became of a login stands with the call that began it.
    mutating func noteLogin(_ entry: AuditEntry) {
        let word: String
        switch entry.kind {
        case .loginSucceeded: word = "logged in as \(entry.extension)"
        case .loginFailed, .lockedOut, .registrationRefused, .degraded: word = entry.detail
        case .refused, .emergency, .loggedOut, .unlocked, .provisioning: return
        }
        guard !entry.device.isEmpty, entry.request == "login" || entry.kind == .loginSucceeded else { return }
        let place = result.requests.lastIndex { row in
            if case .login = row.verdict { row.party == entry.device } else { false }
        }
        guard let place else { return }
        let before = result.requests[place].reason
        result.requests[place].reason = before.isEmpty ? word : before + "; " + word
    }

    mutating func noteSide() {
        let edges = result.edge.map(\.description).joined(separator: ", ")
        if result.edge.isEmpty {
            result.notes.append("no SIP requests were found")
        } else if side.isForeign, replayer.edge.isEmpty {
            result.notes.append("no packet has an address of this site; taken for the edge: \(edges)")
        }
    }

    mutating func noteAssumptions() {
        let other = result.requests.filter { $0.origin == .elsewhere }.count
        if other > 0 { result.notes.append("\(other) requests passed between others") }
    }
}

/// A table for people: time of day (UTC), who, request, verdict, why; notes below it.
public func describe(_ result: ReplayResult) -> [String] {
    let rows = [["packet", "time (UTC)", "who", "request", "verdict", "why"]] + result.requests.map(cells)
    var widths = Array(repeating: 0, count: 5)
    for row in rows {
        for column in widths.indices { widths[column] = max(widths[column], row[column].count) }
    }
    let lines = rows.map { row -> String in
        let padded = widths.indices.map { row[$0] + String(repeating: " ", count: widths[$0] - row[$0].count) }
        return trimmed((padded + [row[5]]).joined(separator: "  "))
    }
    return lines + result.notes.map { "note: \($0)" }
}

private func cells(_ row: ReplayedRequest) -> [String] {
    var why = row.reason
    if let shown = row.capturedAnswer, let given = row.answer, shown != given {
        why += (why.isEmpty ? "" : "; ") + "answered \(given) here, \(shown) in the capture"
    }
    let who = row.party.isEmpty ? row.from.description : printable(row.party)
    let request = row.method.isEmpty ? "(unreadable)" : printable("\(row.method) \(row.target)")
    let origin = row.origin == .pbx ? "PBX: " : ""
    return [String(row.number), timeOfDay(row.at), origin + who, request, printable(row.verdictText), printable(why)]
}

/// Text of a peer must not move the terminal's cursor.
private func printable(_ text: String) -> String {
    String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) ? "?" : $0 }))
}

private func trimmed(_ text: String) -> String {
    var text = Substring(text)
    while text.last == " " { text.removeLast() }
    return String(text)
}

/// hh:mm:ss.mmm
private func timeOfDay(_ at: Instant) -> String {
    let milliseconds = ((at.nanoseconds / 1_000_000) % 86_400_000 + 86_400_000) % 86_400_000
    func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
    let rest = milliseconds % 1_000
    let fraction = String(repeating: "0", count: rest < 10 ? 2 : rest < 100 ? 1 : 0) + "\(rest)"
    return "\(two(milliseconds / 3_600_000)):\(two(milliseconds / 60_000 % 60)):\(two(milliseconds / 1_000 % 60)).\(fraction)"
}
