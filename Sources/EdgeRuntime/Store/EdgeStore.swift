import CoreTypes
import Dispatch
import EdgeProxy
import HotDeskPolicy
import PhoneDelivery
import Synchronization

/// The store as the driver sees it: changes are handed over and never waited for.
///
/// All file work is on one serial queue. What comes in while a commit runs goes into the next one together, so
/// a burst of registrations costs a few commits. Changes that nobody waits for and that a phone repeats anyway
/// (bindings, the audit, calls and their records) are gathered for a moment; everything else is written at once.
final class EdgeStore: Sendable {
    enum Report: Sendable {
        /// On disk, or not.
        case stored(StoreToken, Bool)
        /// The store fails since now; or works again where nil.
        case health(StoreProblem?)
        /// The file could not be read at the start and can be now: who was logged in before is known after a restart.
        case unread
    }

    private enum Item: Sendable {
        case change(StoreChange, StoreToken?)
        case audit(AuditEntry)
        case call(CallRecord)
        case delivery(DeliveryRecord, (@Sendable (Bool) -> Void)?)
        case redirect(RedirectChange)

        /// Whether it may wait for others.
        var isPatient: Bool {
            switch self {
            case .change(.binding, nil), .change(.call, nil), .change(.callRemoved, nil), .change(.plainBinding, nil),
                .change(.plainBindingRemoved, nil), .audit, .call, .redirect:
                return true
            case .change, .delivery: return false
            }
        }

        /// Whether it may be dropped where there are far too many.
        var isDispensable: Bool {
            switch self {
            case .audit, .call: return true
            case .change, .delivery, .redirect: return false
            }
        }
    }

    private struct Inbox {
        var items: [Item] = []
        var isDraining = false
        var isWaiting = false
    }

    /// Touched only on `queue`.
    private final class Interior {
        var file: StoreFile?
        var backlog = StoreBacklog()
        var isDegraded = false
        var isRetrying = false
    }

    /// How long patient items are gathered.
    static let gathering = DispatchTimeInterval.milliseconds(200)
    /// Between two tries to bring a failing store back.
    static let retryInterval = DispatchTimeInterval.seconds(3)
    /// Items held for the queue at most; audit entries and records of calls beyond are dropped.
    private static let inboxCapacity = 20_000

    private let path: String
    private let clock: EdgeClock
    private let report: @Sendable (Report) -> Void
    private let queue = DispatchQueue(label: "edge.store", qos: .userInitiated)
    private let inbox = Mutex(Inbox())
    private nonisolated(unsafe) let interior = Interior()
    private let patience: Double
    private let retryInterval: DispatchTimeInterval

    /// - Parameter report: called on the store's queue.
    init(
        path: String, clock: EdgeClock, patience: Double = 2, retryInterval: DispatchTimeInterval = EdgeStore.retryInterval,
        report: @escaping @Sendable (Report) -> Void
    ) {
        self.path = path
        self.clock = clock
        self.patience = patience
        self.retryInterval = retryInterval
        self.report = report
    }

    /// Opens the file and reads what the last process left. Blocks; nil where that fails, after a report.
    func open() -> EdgeSnapshot? {
        queue.sync {
            do throws(StoreProblem) {
                let file = try StoreFile(path: path, patience: patience)
                let snapshot = try file.load()
                interior.file = file
                return snapshot
            } catch {
                failed(error)
                return nil
            }
        }
    }

    func submit(_ change: StoreChange, _ token: StoreToken?) { add(.change(change, token)) }

    func submit(_ entry: AuditEntry) { add(.audit(entry)) }

    func submit(_ record: CallRecord) { add(.call(record)) }

    /// - Parameter done: hears on the store's queue whether it is on disk; one that is waited for and fails is forgotten.
    func submit(_ record: DeliveryRecord, _ done: (@Sendable (Bool) -> Void)? = nil) { add(.delivery(record, done)) }

    func submit(_ change: RedirectChange) { add(.redirect(change)) }

    /// What the vendors' redirect services know; empty where the file cannot be read. Blocks.
    func redirects() -> [RedirectRecord] { queue.sync { (try? interior.file?.redirects()) ?? [] } }

    /// What was delivered to which phone; empty where the file cannot be read. Blocks.
    func deliveries() -> [DeliveryRecord] { queue.sync { (try? interior.file?.deliveries()) ?? [] } }

    /// Gives the newest records of calls, newest first, on the store's queue.
    func recentCalls(_ count: Int, _ answer: @escaping @Sendable (Result<[ControlCall], StoreProblem>) -> Void) {
        queue.async {
            self.drain()
            do throws(StoreProblem) {
                answer(.success(try self.opened().recentCalls(count)))
            } catch {
                answer(.failure(error))
            }
        }
    }

    /// Writes what is still held and closes the file. Blocks.
    func close() {
        queue.sync {
            drain()
            interior.file = nil
        }
    }

    /// Gives a test the open file, on the queue.
    func withFile<Result: Sendable>(_ body: @Sendable (StoreFile?) throws -> Result) rethrows -> Result {
        try queue.sync { try body(interior.file) }
    }

    // MARK: From the loop to the queue

    private func add(_ item: Item) {
        enum Start { case now, later, none }
        let start: Start = inbox.withLock { inbox in
            if item.isDispensable, inbox.items.count >= Self.inboxCapacity { return .none }
            inbox.items.append(item)
            if inbox.isDraining { return .none }
            if !item.isPatient {
                inbox.isDraining = true
                return .now
            }
            if inbox.isWaiting { return .none }
            inbox.isWaiting = true
            return .later
        }
        switch start {
        case .none: break
        case .now: queue.async { self.drain() }
        case .later: queue.asyncAfter(deadline: .now() + Self.gathering) { self.drain() }
        }
    }

    // MARK: On the queue

    private func drain() {
        while true {
            let items = inbox.withLock { inbox in
                inbox.isWaiting = false
                inbox.isDraining = !inbox.items.isEmpty
                defer { inbox.items = [] }
                return inbox.items
            }
            guard !items.isEmpty else { return }
            write(items)
        }
    }

    private func write(_ items: [Item]) {
        var changes = interior.backlog.inOrder
        var audit = interior.backlog.audit
        var calls = interior.backlog.calls
        var deliveries = interior.backlog.deliveries
        var redirects = interior.backlog.redirects
        for item in items {
            switch item {
            case .change(let change, _): changes.append(change)
            case .audit(let entry): audit.append(entry)
            case .call(let record): calls.append(record)
            case .delivery(let record, _): deliveries.append(record)
            case .redirect(let change): redirects.append(change)
            }
        }
        do throws(StoreProblem) {
            try opened().write(changes, audit: audit, calls: calls, deliveries: deliveries, redirects: redirects, now: clock.now)
            interior.backlog.clear()
            answer(items, true)
            recovered()
        } catch {
            hold(items)
            answer(items, false)
            failed(error)
        }
    }

    private func opened() throws(StoreProblem) -> StoreFile {
        if let file = interior.file { return file }
        let file = try StoreFile(path: path, patience: patience)
        interior.file = file
        report(.unread)
        return file
    }

    /// Keeps what must still get to the disk, and takes back sessions that were just refused.
    private func hold(_ items: [Item]) {
        for item in items {
            switch item {
            case .change(.session, .some), .delivery(_, .some): break
            case .delivery(let record, nil): interior.backlog.add(record)
            case .redirect(let change): interior.backlog.add(change)
            case .change(let change, _): interior.backlog.add(change)
            case .audit(let entry): interior.backlog.add([entry])
            case .call(let record): interior.backlog.add([record])
            }
        }
    }

    private func answer(_ items: [Item], _ isStored: Bool) {
        for item in items {
            switch item {
            case .change(_, let token?): report(.stored(token, isStored))
            case .delivery(_, let done?): done(isStored)
            case .change(_, nil), .delivery(_, nil), .audit, .call, .redirect: break
            }
        }
    }

    private func failed(_ problem: StoreProblem) {
        interior.isDegraded = true
        report(.health(problem))
        guard !interior.isRetrying else { return }
        interior.isRetrying = true
        queue.asyncAfter(deadline: .now() + retryInterval) { [weak self] in self?.retry() }
    }

    private func retry() {
        interior.isRetrying = false
        guard interior.isDegraded else { return }
        do throws(StoreProblem) {
            let backlog = interior.backlog
            try opened().write(
                backlog.inOrder, audit: backlog.audit, calls: backlog.calls, deliveries: backlog.deliveries, redirects: backlog.redirects,
                now: clock.now)
            interior.backlog.clear()
            recovered()
        } catch {
            failed(error)
        }
    }

    private func recovered() {
        guard interior.isDegraded else { return }
        interior.isDegraded = false
        report(.health(nil))
    }
}
