import CoreTypes
import HotDeskPolicy
import SIPMessage
import SIPTransaction

/// A call that was let through and has no media ports yet: what it takes to go on with it.
enum Beginning: Sendable {
    case outbound(SIPRequest, ServerTransactionID, Flow, Party, TrunkIdentity?, URI, [Route], DialogPurpose, Redirection?)
    case inbound(SIPRequest, ServerTransactionID, Flow, Party, Peer)

    var request: SIPRequest {
        switch self {
        case .outbound(let request, _, _, _, _, _, _, _, _), .inbound(let request, _, _, _, _): return request
        }
    }

    var server: ServerTransactionID {
        switch self {
        case .outbound(_, let server, _, _, _, _, _, _, _), .inbound(_, let server, _, _, _): return server
        }
    }
}

/// Calls that come faster than the shell binds ports. Its caller has its 100 already, and the ports are a thread's
/// wake-up away: the call waits for them and is not refused.
extension EdgeProxy {
    /// Calls that may wait at once.
    static let maximumWaiting = 1_000
    /// How long one waits.
    static let portPatience = Duration.seconds(2)

    /// False where no ports are on their way: there are none.
    mutating func waitForPorts(_ beginning: Beginning) -> Bool {
        guard waitingForPorts.count < Self.maximumWaiting else { return false }
        replenishPorts()
        guard ports.isExpectingMore else { return false }
        waitingForPorts.append(beginning)
        timers.schedule(.portsMissing(beginning.server), at: now + Self.portPatience)
        return true
    }

    mutating func portsMissing(_ server: ServerTransactionID) {
        guard let request = stopWaiting(server) else { return }
        audit(.degraded, request: request.summary, detail: "no media ports came")
        refuse(server, request, 503, "No media ports")
    }

    /// The shell has answered: those who wait go on in the order they came, or wait for its next answer.
    mutating func beginWaiting() {
        guard !waitingForPorts.isEmpty else { return }
        var beginnings: [Beginning] = []
        swap(&beginnings, &waitingForPorts)
        for beginning in beginnings {
            switch beginning {
            case .outbound(let request, let server, let flow, let party, let identity, let target, let routes, let purpose,
                let redirection):
                begin(request, server, flow, party, identity, target, routes, purpose, redirection)
            case .inbound(let request, let server, let flow, let party, let phone):
                forwardToPhone(request, server, flow, party, phone)
            }
        }
    }

    /// Gives the request of a call that waited and will not go on.
    @discardableResult
    mutating func stopWaiting(_ server: ServerTransactionID) -> SIPRequest? {
        guard let index = waitingForPorts.firstIndex(where: { $0.server == server }) else { return nil }
        return waitingForPorts.remove(at: index).request
    }
}
