public import CoreTypes
import CryptoPrimitives
public import HotDeskPolicy

/// Which phones the vendors' redirect services are still to be told of. One job at a time; what fails is tried again,
/// later each time. A service that cannot be used rests as a whole: a thousand phones are no reason to knock more often,
/// nor to have an account locked.
public struct RedirectQueue: Sendable {
    /// Our own bounds.
    public struct Limits: Sendable, Equatable {
        /// Between tries of one phone: the first, then doubled up to the last.
        public var phone: ClosedRange<Duration> = .seconds(60) ... .seconds(6 * 3600)
        /// The same of a service that cannot be used.
        public var service: ClosedRange<Duration> = .seconds(30) ... .seconds(3600)

        public init() {}
    }

    private struct Rest: Sendable {
        var until: Instant
        var failures: Int
        var problem: String
    }

    private let limits: Limits
    private var byMAC: [MACAddress: RedirectRecord] = [:]
    private var services: Set<RedirectService> = []
    private var resting: [RedirectService: Rest] = [:]
    private var random: RandomStream

    /// - Parameter seed: for the random part of the waits.
    public init(records: [RedirectRecord] = [], seed: [UInt8], limits: Limits = Limits()) {
        self.limits = limits
        random = RandomStream(seed: seed)
        byMAC = Dictionary(records.map { ($0.mac, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// In the order of devices.
    public var records: [RedirectRecord] { byMAC.values.sorted { ($0.device, $0.mac.rawValue) < ($1.device, $1.mac.rawValue) } }

    /// Takes over what the site file says. A phone that is gone is taken out of its service; where that service has no
    /// account any more, it is only forgotten.
    public mutating func setTargets(_ targets: [RedirectTarget], services: Set<RedirectService>, now: Instant) -> [RedirectAction] {
        self.services = services
        resting = resting.filter { services.contains($0.key) }
        var actions: [RedirectAction] = []
        let wanted = Dictionary(targets.map { ($0.mac, $0) }, uniquingKeysWith: { first, _ in first })
        for target in targets { actions += take(target, now) }
        for record in records where wanted[record.mac] == nil { actions += leave(record, now) }
        return actions
    }

    private mutating func take(_ target: RedirectTarget, _ now: Instant) -> [RedirectAction] {
        var record = RedirectRecord(mac: target.mac, device: target.device, service: target.service, wanted: target.url, nextTry: now)
        if let before = byMAC[target.mac], before.service == target.service {
            record.registered = before.registered
            if before.wanted == target.url {
                (record.tries, record.nextTry, record.problem) = (before.tries, before.nextTry, before.problem)
            }
            if record == before { return [] }
        }
        byMAC[target.mac] = record
        return [.store(record)]
    }

    private mutating func leave(_ record: RedirectRecord, _ now: Instant) -> [RedirectAction] {
        guard services.contains(record.service), record.registered != nil || !record.problem.isEmpty else {
            byMAC[record.mac] = nil
            return [.forget(record.mac)]
        }
        guard record.wanted != nil else { return [] }
        var record = record
        (record.wanted, record.tries, record.nextTry, record.problem) = (nil, 0, now, "")
        byMAC[record.mac] = record
        return [.store(record)]
    }

    // MARK: Jobs

    /// What is to be done now, if anything: the one that waits longest.
    public func next(now: Instant) -> RedirectJob? {
        open.filter { due($0) <= now }.min { ($0.nextTry, $0.mac.rawValue) < ($1.nextTry, $1.mac.rawValue) }.map { record in
            RedirectJob(mac: record.mac, service: record.service, task: record.wanted.map { .register(url: $0) } ?? .unregister)
        }
    }

    public var nextDeadline: Instant? { open.map(due).min() }

    private var open: [RedirectRecord] { byMAC.values.filter { !$0.isDone && services.contains($0.service) } }

    private func due(_ record: RedirectRecord) -> Instant { max(record.nextTry, resting[record.service]?.until ?? record.nextTry) }

    public mutating func finished(_ job: RedirectJob, _ outcome: RedirectOutcome, now: Instant) -> [RedirectAction] {
        switch outcome {
        case .done:
            resting[job.service] = nil
            return succeeded(job, now)
        case .refused(let why):
            resting[job.service] = nil
            return refused(job, why, now)
        case .unavailable(let why):
            return rest(job, why, now)
        }
    }

    private mutating func succeeded(_ job: RedirectJob, _ now: Instant) -> [RedirectAction] {
        guard var record = byMAC[job.mac], record.service == job.service else { return [] }
        switch job.task {
        case .register(let url): record.registered = url
        case .unregister:
            record.registered = nil
            if record.wanted == nil {
                byMAC[job.mac] = nil
                return [.forget(job.mac), .report(record.device, "\(job.service.title) no longer sends its phone here")]
            }
        }
        (record.tries, record.problem, record.nextTry) = (0, "", now)
        byMAC[job.mac] = record
        guard record.isDone else { return [.store(record)] }
        return [.store(record), .report(record.device, "\(job.service.title) sends its phone here")]
    }

    private mutating func refused(_ job: RedirectJob, _ why: String, _ now: Instant) -> [RedirectAction] {
        guard var record = byMAC[job.mac], record.service == job.service else { return [] }
        if job.task == .unregister, record.wanted == nil {
            byMAC[job.mac] = nil
            return [.forget(job.mac), .report(record.device, "\(job.service.title) does not take its phone out: \(why)")]
        }
        let isNews = record.problem != why
        record.problem = why
        record.tries += 1
        record.nextTry = now + wait(limits.phone, after: record.tries)
        byMAC[job.mac] = record
        return [.store(record)] + (isNews ? [.report(record.device, "\(job.service.title) refuses its phone: \(why)")] : [])
    }

    private mutating func rest(_ job: RedirectJob, _ why: String, _ now: Instant) -> [RedirectAction] {
        let failures = (resting[job.service]?.failures ?? 0) + 1
        resting[job.service] = Rest(until: now + wait(limits.service, after: failures), failures: failures, problem: why)
        guard var record = byMAC[job.mac], record.service == job.service, record.problem != why else { return [] }
        record.problem = why
        byMAC[job.mac] = record
        return [.store(record), .report(record.device, "\(job.service.title) cannot be told of its phone: \(why)")]
    }

    /// Doubled with each failure, less a random part of up to a quarter.
    private mutating func wait(_ bounds: ClosedRange<Duration>, after failures: Int) -> Duration {
        let longest = bounds.upperBound.components.seconds
        let doubled = min(bounds.lowerBound.components.seconds << Int64(min(max(failures - 1, 0), 20)), longest)
        return .seconds(doubled) - .milliseconds(Int64.random(in: 0...max(0, doubled * 250), using: &random))
    }

    // MARK: Administrators

    /// Tries now what waits, of one device or of all. False: there is nothing of that device.
    public mutating func retry(_ device: DeviceName?, now: Instant) -> Bool {
        let chosen = byMAC.values.filter { device == nil || $0.device == device }
        for record in chosen where !record.isDone {
            byMAC[record.mac]?.nextTry = now
            resting[record.service] = nil
        }
        return device == nil || !chosen.isEmpty
    }

    /// What keeps a service from being used; nil: nothing that is known.
    public func problem(of service: RedirectService) -> String? { resting[service]?.problem }

    /// When the record is tried next; nil: it need not be.
    public func nextTry(of record: RedirectRecord) -> Instant? { record.isDone || !services.contains(record.service) ? nil : due(record) }
}
