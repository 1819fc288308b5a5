public import CoreTypes

/// Whether a PIN may be tried.
public enum PINGate: Equatable, Sendable {
    case open
    case locked(until: Instant)
}

/// What is counted apart.
public enum PINScope: String, Sendable, Hashable, CaseIterable {
    case `extension`, device
}

/// Failed PIN tries and the locks that follow from them, per extension and per device.
///
/// A try counts from the moment it is reserved, before anybody knows whether the PIN is right; so calls in
/// parallel have no more tries between them than one call has. Numbers that belong to nobody are counted as
/// they were dialled, like the others.
public struct PINAttempts: Sendable {
    /// The rules may change while counters run.
    public var rules: PINRules
    private var extensions = CounterTable<ExtensionNumber>()
    private var devices = CounterTable<DeviceName>()

    /// Bounds what guessing at made-up numbers can cost.
    public static let maximumCounters = 4096

    public init(rules: PINRules) { self.rules = rules }

    /// Whether a try would be let through now, and if not, until when; the later of both locks. Counts nothing.
    public mutating func gate(extension number: ExtensionNumber?, device: DeviceName, now: Instant) -> PINGate {
        state(extension: number, device: device, now: now)
    }

    private func state(extension number: ExtensionNumber?, device: DeviceName, now: Instant) -> PINGate {
        let moments = [number.flatMap { extensions[$0]?.closed(at: now, rules) }, devices[device]?.closed(at: now, rules)]
        guard let until = moments.compactMap({ $0 }).max() else { return .open }
        return .locked(until: until)
    }

    /// What is closed for a try now.
    public func closed(extension number: ExtensionNumber?, device: DeviceName, now: Instant) -> Set<PINScope> {
        var scopes: Set<PINScope> = []
        if let number, extensions[number]?.closed(at: now, rules) != nil { scopes.insert(.extension) }
        if devices[device]?.closed(at: now, rules) != nil { scopes.insert(.device) }
        return scopes
    }

    /// What holds a lock now: `closed`, without windows that are merely full of tries whose outcome is open.
    public func locked(extension number: ExtensionNumber?, device: DeviceName, now: Instant) -> Set<PINScope> {
        var scopes: Set<PINScope> = []
        if let number, extensions[number]?.isLocked(at: now) == true { scopes.insert(.extension) }
        if devices[device]?.isLocked(at: now) == true { scopes.insert(.device) }
        return scopes
    }

    /// Counts a try before its PIN is verified. Where the gate is locked the PIN must not be let through, however it
    /// turns out. At a locked extension the try still counts for the device, as for any other number.
    public mutating func reserve(extension number: ExtensionNumber?, device: DeviceName, now: Instant) -> PINGate {
        let gate = state(extension: number, device: device, now: now)
        let closed = closed(extension: number, device: device, now: now)
        guard !closed.contains(.device) else { return gate }
        devices.change(device, now: now) { $0.count(number, at: now, rules) }
        if let number, !closed.contains(.extension) {
            extensions.change(number, now: now) { $0.count(number, at: now, rules) }
        }
        return gate
    }

    /// A try has failed.
    ///
    /// - Parameter reserved: whether `reserve` has counted it already.
    /// - Returns: the gate for the next try.
    @discardableResult
    public mutating func failed(
        extension number: ExtensionNumber?, device: DeviceName, now: Instant, reserved: Bool = false
    ) -> PINGate {
        if !reserved { _ = reserve(extension: number, device: device, now: now) }
        if let number { extensions.changeExisting(number) { $0.settle(at: now, rules) } }
        devices.changeExisting(device) { $0.settle(at: now, rules) }
        return state(extension: number, device: device, now: now)
    }

    /// A try has succeeded: the extension's counter is clear again, and what was mistyped for this extension at this
    /// device is forgiven. Tries at other people's numbers stay counted, or a guesser who has an extension
    /// of their own could wipe the device's counter at will.
    public mutating func succeeded(extension number: ExtensionNumber, device: DeviceName) {
        extensions.remove(number)
        devices.changeExisting(device) { $0.forgive(number) }
    }

    /// An administrator lets an extension try again.
    public mutating func clear(extension number: ExtensionNumber) { extensions.remove(number) }

    /// An administrator lets a device try again.
    public mutating func clear(device: DeviceName) { devices.remove(device) }

    // MARK: Storing

    /// Everything that must outlive the process.
    public struct Snapshot: Codable, Equatable, Sendable {
        struct Entry<Key: Codable & Equatable & Sendable>: Codable, Equatable, Sendable {
            var key: Key
            var counter: PINCounter.Record
        }

        var extensions: [Entry<ExtensionNumber>]
        var devices: [Entry<DeviceName>]
    }

    /// In an order of its own, so that equal states have equal snapshots.
    public var snapshot: Snapshot {
        Snapshot(
            extensions: extensions.records.map { Snapshot.Entry(key: $0, counter: $1) },
            devices: devices.records.map { Snapshot.Entry(key: $0, counter: $1) })
    }

    /// Takes the place of everything counted with what was stored, held within what can be at `now`.
    public mutating func restore(_ snapshot: Snapshot, now: Instant) {
        extensions = CounterTable()
        devices = CounterTable()
        for entry in snapshot.extensions { extensions.insert(entry.key, PINCounter(entry.counter, now: now, rules)) }
        for entry in snapshot.devices { devices.insert(entry.key, PINCounter(entry.counter, now: now, rules)) }
    }

    /// How many counters there are, for tests and metrics.
    var counterCount: (extensions: Int, devices: Int) { (extensions.count, devices.count) }
}

/// Counters by name, at most `PINAttempts.maximumCounters`: a new one takes the place of the one that was
/// unused for longest, of those that hold no lock where there are any.
struct CounterTable<Key: Hashable & Comparable & Sendable>: Sendable {
    private var counters: [Key: PINCounter] = [:]

    var count: Int { counters.count }

    var records: [(Key, PINCounter.Record)] {
        counters.filter { !$0.value.isBlank }.sorted { $0.key < $1.key }.map { ($0.key, $0.value.record) }
    }

    subscript(_ key: Key) -> PINCounter? { counters[key] }

    mutating func change(_ key: Key, now: Instant, _ body: (inout PINCounter) -> Void) {
        if counters[key] == nil { makeRoom(now: now) }
        body(&counters[key, default: PINCounter(now: now)])
    }

    mutating func changeExisting(_ key: Key, _ body: (inout PINCounter) -> Void) {
        guard let index = counters.index(forKey: key) else { return }
        body(&counters.values[index])
        if counters.values[index].isBlank { counters.remove(at: index) }
    }

    mutating func insert(_ key: Key, _ counter: PINCounter) {
        guard !counter.isBlank, counters.count < PINAttempts.maximumCounters || counters[key] != nil else { return }
        counters[key] = counter
    }

    mutating func remove(_ key: Key) { counters[key] = nil }

    private mutating func makeRoom(now: Instant) {
        guard counters.count >= PINAttempts.maximumCounters else { return }
        var oldest: Rank?
        for (key, counter) in counters {
            let rank = Rank(isLocked: counter.isLocked(at: now), lastUse: counter.lastUse, key: key)
            if oldest.map({ rank < $0 }) ?? true { oldest = rank }
        }
        guard let oldest else { return }
        counters[oldest.key] = nil
    }

    /// The order in which counters are given up.
    private struct Rank: Comparable {
        var isLocked: Bool
        var lastUse: Instant
        var key: Key

        static func < (left: Rank, right: Rank) -> Bool {
            if left.isLocked != right.isLocked { return right.isLocked }
            return left.lastUse == right.lastUse ? left.key < right.key : left.lastUse < right.lastUse
        }
    }
}
