public import CoreTypes

/// The fact that an extension is logged in on a device.
public struct Session: Hashable, Sendable, Codable {
    public var device: DeviceName
    public var `extension`: ExtensionNumber
    public var since: Instant
    /// Grows with every session of a directory, so that an old one cannot be taken for a new one.
    public var generation: UInt64

    public init(device: DeviceName, extension: ExtensionNumber, since: Instant, generation: UInt64) {
        self.device = device
        self.extension = `extension`
        self.since = since
        self.generation = generation
    }
}

/// Why a session ended.
public enum EndReason: String, Sendable, CaseIterable {
    /// The logout code, dialled or on a key: the phone sends the same.
    case code
    /// The person logged in at another device.
    case roamed
    /// Another person logged in at this device.
    case replaced
    case administrator
    /// The clock, or nobody having used the device.
    case automatic
    /// The extension or its permission is gone from the site file.
    case extensionRemoved
}

public enum SessionChange: Equatable, Sendable {
    case began(Session)
    case ended(Session, EndReason)
}

/// The person sits elsewhere, and the site lets nobody sit twice.
public struct SessionConflict: Error, Equatable, Sendable {
    /// Where the person sits.
    public var session: Session
    public init(session: Session) { self.session = session }
}

/// Who sits where. An interface, because many sites may one day share one.
public protocol SessionDirectory: Sendable {
    func session(on device: DeviceName) -> Session?
    func session(of number: ExtensionNumber) -> Session?
    /// By device.
    var all: [Session] { get }

    /// Sits a person down at a device: whoever sat there goes, and the person leaves the device they sat at.
    ///
    /// - Returns: what ended, then what began; nothing where the person sits there already.
    /// - Throws: where the rule is `refuse` and the person sits elsewhere; nothing has changed then.
    mutating func begin(_ number: ExtensionNumber, on device: DeviceName, now: Instant, rule: SecondLogin) throws(SessionConflict)
        -> [SessionChange]

    mutating func end(on device: DeviceName, reason: EndReason) -> SessionChange?

    /// Takes the place of everything held with what was stored.
    mutating func restore(_ sessions: [Session])
}

/// The sessions of one site, in memory.
public struct LocalSessionDirectory: SessionDirectory {
    private var byDevice: [DeviceName: Session] = [:]
    private var byExtension: [ExtensionNumber: DeviceName] = [:]
    private var lastGeneration: UInt64 = 0

    public init() {}

    public func session(on device: DeviceName) -> Session? { byDevice[device] }

    public func session(of number: ExtensionNumber) -> Session? { byExtension[number].flatMap { byDevice[$0] } }

    public var all: [Session] { byDevice.values.sorted { $0.device < $1.device } }

    public mutating func begin(
        _ number: ExtensionNumber, on device: DeviceName, now: Instant, rule: SecondLogin
    ) throws(SessionConflict) -> [SessionChange] {
        let elsewhere = session(of: number)
        if let elsewhere {
            guard elsewhere.device != device else { return [] }
            switch rule {
            case .move: break
            case .refuse: throw SessionConflict(session: elsewhere)
            }
        }
        var changes: [SessionChange] = []
        if let elsewhere, let left = end(on: elsewhere.device, reason: .roamed) { changes.append(left) }
        if let replaced = end(on: device, reason: .replaced) { changes.append(replaced) }
        lastGeneration &+= 1
        let session = Session(device: device, extension: number, since: now, generation: lastGeneration)
        insert(session)
        changes.append(.began(session))
        return changes
    }

    public mutating func end(on device: DeviceName, reason: EndReason) -> SessionChange? {
        guard let session = byDevice.removeValue(forKey: device) else { return nil }
        byExtension[session.extension] = nil
        return .ended(session, reason)
    }

    /// Where stored sessions contradict each other, the youngest generation holds.
    public mutating func restore(_ sessions: [Session]) {
        byDevice = [:]
        byExtension = [:]
        for session in sessions.sorted(by: { ($0.generation, $0.since) > ($1.generation, $1.since) })
        where byDevice[session.device] == nil && byExtension[session.extension] == nil {
            insert(session)
        }
        lastGeneration = max(lastGeneration, sessions.map(\.generation).max() ?? 0)
    }

    private mutating func insert(_ session: Session) {
        byDevice[session.device] = session
        byExtension[session.extension] = session.device
    }
}
