import CoreTypes
import CryptoPrimitives
import Dispatch
import EdgeProxy
import HotDeskPolicy
import Logging
import PhoneDelivery
public import SiteFile
import Synchronization
import Tunnel

/// Tells the vendors' redirect services of the site's phones, in the background: on a queue of its own, one request at
/// a time, never on the signalling loop.
final class RedirectWorker: Sendable {
    /// What there is to know of a phone at its vendor's service.
    struct Entry: Sendable, Equatable {
        var record: RedirectRecord
        /// Nil: nothing is left to be done.
        var nextTry: Instant?
        /// Of the phone, or of its service as a whole; empty: none.
        var problem: String

        /// One that waits for a service that cannot be used is no better off than one that was tried.
        var state: RedirectRecord.State { record.state == .waiting && !problem.isEmpty ? .failed : record.state }
    }

    /// Touched only on `queue`.
    private final class Interior {
        var accounts: [RedirectService: any VendorService] = [:]
        var desk: RedirectQueue
        var timer: DispatchWorkItem?

        init(_ desk: RedirectQueue) { self.desk = desk }
    }

    private let clock: EdgeClock
    private let store: EdgeStore
    private let logger: Logger
    private let queue = DispatchQueue(label: "edge.redirect", qos: .utility)
    private nonisolated(unsafe) let interior: Interior
    private let shown = Mutex<[Entry]>([])
    private let isStopped = Mutex(false)

    /// Reads what was done before.
    init(site: Site, clock: EdgeClock, store: EdgeStore, logger: Logger) {
        self.clock = clock
        self.store = store
        self.logger = logger
        interior = Interior(RedirectQueue(records: store.redirects(), seed: SystemRandom.bytes(32)))
        take(site)
    }

    /// What the services are and what they know. Any thread.
    var entries: [Entry] { shown.withLock { $0 } }

    /// Takes over a site file. Any thread.
    func take(_ site: Site) {
        let accounts = Dictionary(
            site.redirects.map { ($0.service, $0.made(clock)) }, uniquingKeysWith: { first, _ in first })
        let bound = UncheckedBox(accounts)
        queue.async { [self] in
            interior.accounts = bound.value
            perform(interior.desk.setTargets(site.redirectTargets, services: Set(bound.value.keys), now: clock.now))
            work()
        }
    }

    /// Tries at once what waits. False: there is nothing of that device. Any thread.
    func retry(_ device: DeviceName?) -> Bool {
        if let device, !entries.contains(where: { $0.record.device == device }) { return false }
        queue.async { [self] in
            _ = interior.desk.retry(device, now: clock.now)
            work()
        }
        return true
    }

    /// Nothing new is begun; what is under way ends by itself.
    func stop() { isStopped.withLock { $0 = true } }

    // MARK: On the queue

    /// One job, and then whatever else waits on the queue before the next.
    private func work() {
        interior.timer?.cancel()
        show()
        guard !isStopped.withLock({ $0 }) else { return }
        if let job = interior.desk.next(now: clock.now), let service = interior.accounts[job.service] {
            perform(interior.desk.finished(job, Self.outcome(of: job, at: service), now: clock.now))
            queue.async { [self] in work() }
        } else if let due = interior.desk.nextDeadline {
            let timer = DispatchWorkItem { [weak self] in self?.work() }
            interior.timer = timer
            queue.asyncAfter(deadline: .now() + .nanoseconds(Int(max(.zero, due - clock.now).clampedNanoseconds)), execute: timer)
        }
    }

    private static func outcome(of job: RedirectJob, at service: any VendorService) -> RedirectOutcome {
        let mac = String(job.mac.text.filter { $0 != ":" })
        do throws(ServiceFailure) {
            switch job.task {
            case .register(let url): try service.register(mac, url: url)
            case .unregister: try service.unregister(mac)
            }
            return .done
        } catch {
            switch error {
            case .refused(let why): return .refused(why)
            case .unavailable(let why): return .unavailable(why)
            }
        }
    }

    private func perform(_ actions: [RedirectAction]) {
        for action in actions {
            switch action {
            case .store(let record): store.submit(.put(record))
            case .forget(let mac): store.submit(.removed(mac))
            case .report(let device, let text):
                store.submit(AuditEntry(at: clock.now, kind: .provisioning, device: device.text, request: "redirect", detail: text))
                logger.notice("redirect: \(device.text): \(text)")
            }
        }
    }

    private func show() {
        let desk = interior.desk
        let entries = desk.records.map { record in
            Entry(
                record: record, nextTry: desk.nextTry(of: record),
                problem: record.state == .registered ? "" : record.problem.isEmpty ? desk.problem(of: record.service) ?? "" : record.problem)
        }
        shown.withLock { $0 = entries }
    }
}

/// Carries services, which one queue at a time uses, to that queue.
private struct UncheckedBox<Value>: @unchecked Sendable {
    let value: Value
    init(_ value: Value) { self.value = value }
}

extension RedirectAccount {
    /// The service as the account's owner speaks to it.
    func made(_ clock: EdgeClock) -> any VendorService {
        let trust = authorityPath.map { TLSTrust.certificates([.file($0)]) } ?? .system
        let exchange = ServiceConnection(trust: trust, clock: clock)
        // Read anew each time: these services judge our time, and the edge's own clock was read at its start.
        let now = { EdgeClock().now }
        // The site file was checked: what is no such URL never comes here.
        guard let url = ServiceURL(url) else { return UnusableService(why: "\(url) is no address of HTTPS") }
        guard let secret else { return UnusableService(why: missingSecret) }
        let nonce = { hexadecimal(SystemRandom.bytes(16)) }
        switch service {
        case .yealinkXMLRPC:
            return YealinkXMLRPC(client: XMLRPCClient(exchange: exchange, url: url, user: user, password: secret), server: server)
        case .yealinkRPS:
            return YealinkRPS(exchange: exchange, url: url, key: user, secret: secret, server: server, now: now, nonce: nonce)
        case .snomXMLRPC: return SnomXMLRPC(client: XMLRPCClient(exchange: exchange, url: url, user: user, password: secret))
        case .snomSRAPS: return SnomSRAPS(exchange: exchange, url: url, key: user, secret: secret, now: now, nonce: nonce)
        case .fanvilFDPS: return FanvilFDPS(exchange: exchange, url: url, user: user, password: secret)
        }
    }
}

/// An account that lacks something: it says so each time.
private struct UnusableService: VendorService {
    let why: String

    func register(_ mac: String, url: String) throws(ServiceFailure) { throw .unavailable(why) }
    func unregister(_ mac: String) throws(ServiceFailure) { throw .unavailable(why) }
    func check() throws(ServiceFailure) { throw .unavailable(why) }
}

/// Asks the services whether they know the site's accounts. A command's work; blocks.
public enum RedirectCheck {
    /// One line a service: its name, and what is wrong with it or nil.
    public static func run(_ site: Site) -> [(name: String, problem: String?)] {
        ProcessTuning.ignoreBrokenPipes()
        let clock = EdgeClock()
        return site.redirects.map { account in
            do throws(ServiceFailure) {
                try account.made(clock).check()
                return (account.service.title, nil)
            } catch {
                return (account.service.title, error.description)
            }
        }
    }
}
