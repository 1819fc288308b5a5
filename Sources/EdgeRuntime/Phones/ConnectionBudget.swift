import CoreTypes

/// Bounds what phones' connections may cost us.
public struct ConnectionLimits: Sendable, Equatable {
    /// Connections at a time, of all phones.
    public var total = 2048
    /// Connections at a time from one address.
    public var perSource = 64
    /// How long a message may take from its first byte to its last.
    public var unfinishedMessage = Duration.seconds(10)
    /// How long a connection that got nothing done may be silent.
    public var idleStranger = Duration.seconds(600)
    /// How long a connection on which a request succeeded may be silent: longer than any registration lasts.
    public var idleFriend = Duration.seconds(2 * 3600)
    /// Bytes that may wait for a phone that does not read.
    public var unsentBytes = 256 * 1024

    public init() {}
}

/// Counts connections against their limits.
struct ConnectionBudget {
    enum Refusal { case tooMany, tooManyFromSource }

    let limits: ConnectionLimits
    private(set) var count = 0
    private var bySource: [IPAddress: Int] = [:]

    init(limits: ConnectionLimits) { self.limits = limits }

    /// Nil: admitted, and counted until `left`.
    mutating func admit(_ source: IPAddress) -> Refusal? {
        guard count < limits.total else { return .tooMany }
        let held = bySource[source, default: 0]
        guard held < limits.perSource else { return .tooManyFromSource }
        count += 1
        bySource[source] = held + 1
        return nil
    }

    mutating func left(_ source: IPAddress) {
        guard let held = bySource[source] else { return }
        count -= 1
        bySource[source] = held > 1 ? held - 1 : nil
    }
}
