public import CoreTypes
public import HotDeskPolicy

/// A vendor's service that tells phones out of their box where their server is.
public enum RedirectService: String, Sendable, Hashable, CaseIterable {
    case yealinkXMLRPC = "yealink-xmlrpc"
    case yealinkRPS = "yealink-rps"
    case snomXMLRPC = "snom-xmlrpc"
    case snomSRAPS = "snom-sraps"
    case fanvilFDPS = "fanvil-fdps"

    public var title: String {
        switch self {
        case .yealinkXMLRPC: return "Yealink RPS (XML-RPC)"
        case .yealinkRPS: return "Yealink RPS"
        case .snomXMLRPC: return "Snom redirection (XML-RPC)"
        case .snomSRAPS: return "Snom SRAPS"
        case .fanvilFDPS: return "Fanvil FDPS"
        }
    }
}

/// A phone of the site, and where its vendor's service should send it.
public struct RedirectTarget: Equatable, Sendable {
    public var mac: MACAddress
    public var device: DeviceName
    public var service: RedirectService
    /// The edge's address for phones that know nothing yet: holds no secret.
    public var url: String

    public init(mac: MACAddress, device: DeviceName, service: RedirectService, url: String) {
        self.mac = mac
        self.device = device
        self.service = service
        self.url = url
    }
}

/// What a service is to know of a phone, and what it knows; survives a restart.
public struct RedirectRecord: Equatable, Sendable {
    public enum State: String, Sendable, CaseIterable {
        /// To be registered, not tried yet.
        case waiting
        case registered
        /// Tried without success; is tried again.
        case failed
        /// To be taken out of the service.
        case leaving
    }

    public var mac: MACAddress
    public var device: DeviceName
    public var service: RedirectService
    /// Where the phone is to be sent; nil: it is to be taken out.
    public var wanted: String?
    /// What the service was told last and took; nil: nothing.
    public var registered: String?
    /// Tries without success since the last one with.
    public var tries: Int
    public var nextTry: Instant
    /// Why the last try failed; empty: it did not.
    public var problem: String

    public init(
        mac: MACAddress, device: DeviceName, service: RedirectService, wanted: String?, registered: String? = nil, tries: Int = 0,
        nextTry: Instant, problem: String = ""
    ) {
        self.mac = mac
        self.device = device
        self.service = service
        self.wanted = wanted
        self.registered = registered
        self.tries = tries
        self.nextTry = nextTry
        self.problem = problem
    }

    public var state: State {
        guard let wanted else { return .leaving }
        if wanted == registered { return .registered }
        return problem.isEmpty ? .waiting : .failed
    }

    var isDone: Bool { state == .registered }
}

/// One thing to ask of a service.
public struct RedirectJob: Equatable, Sendable {
    public enum Task: Equatable, Sendable {
        case register(url: String)
        case unregister
    }

    public var mac: MACAddress
    public var service: RedirectService
    public var task: Task

    public init(mac: MACAddress, service: RedirectService, task: Task) {
        self.mac = mac
        self.service = service
        self.task = task
    }
}

/// What became of a job.
public enum RedirectOutcome: Equatable, Sendable {
    case done
    /// The service answered and refuses this phone.
    case refused(String)
    /// The service cannot be used for any phone: not reached, or it does not know our account.
    case unavailable(String)
}

/// What follows beside the jobs.
public enum RedirectAction: Equatable, Sendable {
    case store(RedirectRecord)
    case forget(MACAddress)
    /// Worth an entry in the audit.
    case report(DeviceName, String)
}
