import CoreTypes
import CryptoPrimitives
import NIOHTTP1

/// The administrator's interface: what the control socket says, over HTTP, behind a bearer token (RFC 6750 §2.1).
///
///     GET  /api/v1/status
///     GET  /api/v1/calls
///     GET  /metrics                        the text format of Prometheus
///     POST /api/v1/devices/HD0001/logout
///     POST /api/v1/devices/HD0001/arm
///
/// Without the right token each path is as unknown as any other.
final class AdminWeb {
    private let token: Personal<String>
    private let control: ControlServer.Answer

    init(token: Personal<String>, control: @escaping ControlServer.Answer) {
        self.token = token
        self.control = control
    }

    func answer(_ request: WebRequest, _ reply: @escaping (WebResponse) -> Void) {
        guard isAuthorized(request) else { return reply(.missing) }
        switch (request.method, request.parts) {
        case (.GET, ["api", "v1", "status"]): ask(ControlRequest(command: .status), reply)
        case (.GET, ["api", "v1", "calls"]): ask(ControlRequest(command: .calls, last: 100), reply)
        case (.GET, ["metrics"]):
            control(ControlRequest(command: .metrics)) { answer in
                reply(WebResponse(answer.ok ? .ok : .conflict, Array((answer.metrics ?? "").utf8), contentType: "text/plain; version=0.0.4"))
            }
        case (.POST, let parts) where parts.count == 5 && parts[..<3] == ["api", "v1", "devices"] && parts[4] == "logout":
            ask(ControlRequest(command: .logout, device: String(parts[3])), reply)
        case (.POST, let parts) where parts.count == 5 && parts[..<3] == ["api", "v1", "devices"] && parts[4] == "arm":
            ask(ControlRequest(command: .arm, device: String(parts[3])), reply)
        default: reply(.missing)
        }
    }

    private func ask(_ request: ControlRequest, _ reply: @escaping (WebResponse) -> Void) {
        control(request) { answer in
            reply(WebResponse(answer.ok ? .ok : .conflict, ControlCodec.line(answer), contentType: "application/json"))
        }
    }

    private func isAuthorized(_ request: WebRequest) -> Bool {
        guard let header = request.headers.first(name: "Authorization"), header.utf8.count < 1024 else { return false }
        // Hashed first: the comparison then tells nothing of the token's length either.
        return constantTimeEqual(Hash.sha256(Array(header.utf8)), Hash.sha256(Array("Bearer \(token.exposed)".utf8)))
    }
}
