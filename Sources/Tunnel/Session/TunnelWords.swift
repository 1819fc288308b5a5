extension TunnelSession.Failure: CustomStringConvertible {
    /// For people at the edge or beside the headend.
    public var description: String {
        switch self {
        case .disconnected: return "the far end closed the connection"
        case .helloMissing: return "the connection stands, but the far end says nothing: is it a headend of this product?"
        case .silent: return "the far end is silent: the line is cut, or it hangs"
        case .version(let versions): return "the far end speaks versions \(versions.lowerBound) to \(versions.upperBound) of the tunnel, this one speaks \(TunnelHello.version)"
        case .noHello: return "what came first is no hello: is it a headend of this product?"
        case .frame(let problem): return "the far end sent what is no frame (\(problem))"
        case .protocolViolation: return "the far end broke the rules of the tunnel"
        case .doesNotRead: return "the far end asks faster than it reads"
        case .goodbye(let reason): return "the far end said goodbye: \(reason.text)"
        case .stopped: return "it was stopped"
        case .notResumed: return "the session was lost and did not come back"
        }
    }
}

extension GoAwayReason {
    /// For people.
    public var text: String {
        switch self {
        case .other: return "it gave no reason"
        case .restarting: return "it restarts"
        case .overloaded: return "it is overloaded, or the site connects too often"
        case .revoked: return "the site is revoked, or not known there"
        case .replaced: return "the site has connected a second time"
        case .protocolError: return "it says that we broke the rules of the tunnel"
        case .stopped: return "it stops"
        }
    }
}
