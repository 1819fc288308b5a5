public import HotDeskPolicy

/// What the edge needs to know of the phones it provisions.
public struct PhoneRefreshRules: Sendable, Equatable {
    /// The Event header by which a device's vendor has it fetch its configuration without a reboot. A device that is not
    /// in here is not provisioned.
    public var events: [DeviceName: String]
    public var timing: PhoneRefreshTiming

    public init(events: [DeviceName: String] = [:], timing: PhoneRefreshTiming = PhoneRefreshTiming()) {
        self.events = events
        self.timing = timing
    }
}

/// What a phone should show and what it has fetched last, as it survives a restart.
public struct PhoneRecord: Equatable, Sendable {
    public var device: DeviceName
    /// Generation of the session on it when this was written; 0: idle.
    public var session: UInt64
    /// Rises with each change of what the phone should show.
    public var revision: UInt64
    /// Nil: it has never fetched.
    public var delivered: UInt64?

    public init(device: DeviceName, session: UInt64, revision: UInt64, delivered: UInt64?) {
        self.device = device
        self.session = session
        self.revision = revision
        self.delivered = delivered
    }
}

/// What a phone should show at the moment: all its configuration depends on.
public struct DeskView: Equatable, Sendable {
    public var device: Device
    /// Nil: idle.
    public var person: Extension?
    /// Goes back to the core by `EdgeEvent.phoneFetched`.
    public var revision: UInt64
}

/// Where a phone is on its way to what it should show.
public enum PhoneState: String, Sendable, CaseIterable {
    /// It shows what it should, as far as is known.
    case current
    /// It has never fetched a configuration here.
    case unknown
    /// It will be told when it is free.
    case waiting
    /// It was told and has not fetched yet.
    case notified
    /// It did not fetch.
    case overdue
}

/// How many durations were at most so long.
public struct DurationHistogram: Equatable, Sendable {
    /// Upper bounds in seconds; what is longer counts in the last place of `counts`.
    public static let bounds: [Int64] = [1, 2, 3, 5, 8, 13, 20, 30, 60, 120]

    /// One more than there are bounds; each duration counts in one place.
    public private(set) var counts = [UInt64](repeating: 0, count: bounds.count + 1)
    /// Of all durations.
    public private(set) var sum = Duration.zero

    public init() {}

    public var count: UInt64 { counts.reduce(0, &+) }

    public mutating func add(_ duration: Duration) {
        let place = Self.bounds.firstIndex { duration <= .seconds($0) } ?? Self.bounds.count
        counts[place] &+= 1
        sum += duration
    }
}
