public import CoreTypes

/// Reads a hello from a connection nobody knows yet, so that the headend can find the session it belongs to.
public struct TunnelGreeter: Sendable {
    public enum Step: Hashable, Sendable {
        case needMore
        /// The hello, and what came behind it.
        case greeted(TunnelHello, rest: [UInt8])
        case failed(TunnelSession.Failure)
    }

    /// When a connection that has said nothing must be closed, as `helloMissing`.
    public let deadline: Instant
    private var reader: FrameReader

    public init(limits: TunnelLimits = .init(), timers: TunnelTimers = .init(), now: Instant) {
        deadline = now + timers.greeting
        reader = FrameReader(limits: limits)
    }

    public mutating func receive(_ bytes: [UInt8]) -> Step {
        reader.append(bytes)
        switch reader.next() {
        case .needMore: return .needMore
        case .broken(let problem): return .failed(.frame(problem))
        case .frame(.hello(let hello)): return .greeted(hello, rest: reader.takeRest())
        case .frame: return .failed(.noHello)
        }
    }
}

/// Which sites have a session at this headend: one each. Says what a hello means.
public struct HeadendDirectory: Sendable {
    public struct Limits: Hashable, Sendable {
        public var maximumSites = 4096
        /// Connections one site may make in a second; it may also make that many at once.
        public var connectionsPerSecond = 4
        public init() {}
    }

    public enum Admission: Hashable, Sendable {
        /// Give the connection to this session.
        case resume(SessionToken)
        /// Make a session with this token; stop the other, if there is one, as `replaced`.
        case fresh(SessionToken, replacing: SessionToken?)
        /// Say so and close.
        case refuse(GoAwayReason)
    }

    private struct Site: Sendable {
        var token: SessionToken?
        var budget: TrafficBudget
    }

    private let limits: Limits
    private var sites: [String: Site] = [:]
    private var names: [SessionToken: String] = [:]

    public init(limits: Limits = .init()) { self.limits = limits }

    /// `site`: the name in the client's certificate; a token of another site's session is as good as none.
    /// `freshToken`: 16 random bytes never used before.
    public mutating func admit(site name: String, hello: TunnelHello, freshToken: SessionToken, now: Instant) -> Admission {
        if sites[name] == nil {
            if sites.count >= limits.maximumSites { sites = sites.filter { $0.value.token != nil } }
            guard sites.count < limits.maximumSites else { return .refuse(.overloaded) }
        }
        var site = sites[name] ?? Site(token: nil, budget: TrafficBudget(perSecond: limits.connectionsPerSecond))
        defer { sites[name] = site }
        guard site.budget.take(1, now: now) else { return .refuse(.overloaded) }
        if let token = site.token, token == hello.token { return .resume(token) }
        let former = site.token
        if let former { names[former] = nil }
        site.token = freshToken
        names[freshToken] = name
        return .fresh(freshToken, replacing: former)
    }

    /// The session is over.
    public mutating func ended(_ token: SessionToken) {
        guard let name = names.removeValue(forKey: token) else { return }
        sites[name]?.token = nil
    }

    /// The site is no longer accepted: its session, to be stopped as `revoked`.
    public mutating func revoke(site name: String) -> SessionToken? {
        guard let token = sites.removeValue(forKey: name)?.token else { return nil }
        names[token] = nil
        return token
    }

    /// Whose session this is: for a lane's first datagram (`laneToken(inFirst:)`).
    public func site(of token: SessionToken) -> String? { names[token] }
    public func token(of site: String) -> SessionToken? { sites[site]?.token }
}
