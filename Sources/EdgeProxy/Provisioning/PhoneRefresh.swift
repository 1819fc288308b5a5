import CoreTypes
import HotDeskPolicy

/// Brings one phone to fetch its configuration anew after somebody has logged in or out: told by NOTIFY once it is
/// free, given time to fetch, told again, and at last reported.
///
/// What the phone should show has a *revision*, which rises with each login, logout and change of its site file. What it
/// has fetched last is a revision, too; while the two differ, the phone shows something old.
struct PhoneRefresh: Sendable, Equatable {
    enum Event: Sendable, Equatable {
        /// The session with this generation is on the device now; 0: it is idle.
        case session(UInt64)
        /// The phone has registered: it is there, perhaps again.
        case registered
        /// Final answer to the NOTIFY, or 408 and 503 where there was none.
        case answered(Int)
        /// The phone has been handed its configuration of this revision.
        case fetched(UInt64)
        /// Its configuration has changed though nobody logged in or out.
        case stale
        case tick
    }

    enum Action: Sendable, Equatable {
        case notify
        /// Revisions have changed and must be remembered.
        case store
        /// How long a login took from the right PIN to the phone having its configuration.
        case ready(Duration)
        /// The phone did not fetch; why, in words.
        case alarm(String)
        /// The phone that did not fetch has fetched.
        case recovered
    }

    /// What the phone can do at the moment.
    struct Reach: Sendable, Equatable {
        /// It is registered.
        var isThere: Bool
        /// It is in a call; a NOTIFY would have to wait in the phone, some look again only every 30 s.
        var isBusy: Bool
        var isFree: Bool { isThere && !isBusy }
    }

    enum State: Sendable, Equatable {
        case settled
        case waiting(Waiting)
        case notified(Notified)
        case overdue
    }

    struct Waiting: Sendable, Equatable {
        var since: Instant
        /// NOTIFYs sent so far.
        var sent: Int
        /// Not told before this time: the end of the call must have reached the phone first.
        var notBefore: Instant
        /// It is in a call, and nobody can say how long that lasts.
        var isParked = false
    }

    struct Notified: Sendable, Equatable {
        var since: Instant
        var sent: Int
        var deadline: Instant
        /// The last final answer of the phone, or nil.
        var answer: Int?

        init(_ waiting: Waiting, deadline: Instant) {
            since = waiting.since
            sent = waiting.sent + 1
            self.deadline = deadline
        }
    }

    private(set) var state = State.settled
    /// Generation of the session on the device; 0: idle.
    private(set) var session: UInt64
    private(set) var revision: UInt64
    /// Nil: it has never fetched.
    private(set) var delivered: UInt64?
    /// When the user began to wait; nil where nobody does.
    private var loginBegan: Instant?

    let timing: PhoneRefreshTiming

    /// - Parameter record: what the store remembers; nil for a phone that is new here. Where it knows of another session
    ///   than there is, the power has failed in between.
    init(session: UInt64, record: PhoneRecord?, now: Instant, timing: PhoneRefreshTiming) {
        self.session = session
        self.timing = timing
        let isKept = record?.session == session
        revision = (record?.revision ?? 0) &+ (isKept ? 0 : 1)
        delivered = record?.delivered
        if let delivered, delivered != revision { state = .waiting(Waiting(since: now, sent: 0, notBefore: now)) }
    }

    func record(of device: DeviceName) -> PhoneRecord {
        PhoneRecord(device: device, session: session, revision: revision, delivered: delivered)
    }

    var isOverdue: Bool { state == .overdue }

    /// Waits for the end of a call: the owner says `tick` when it may have come.
    var isParked: Bool {
        switch state {
        case .waiting(let waiting): return waiting.isParked
        case .settled, .notified, .overdue: return false
        }
    }

    var nextDeadline: Instant? {
        switch state {
        case .settled, .overdue: return nil
        case .waiting(let waiting): return waiting.isParked ? nil : waiting.notBefore
        case .notified(let notified): return notified.deadline
        }
    }

    mutating func handle(_ event: Event, now: Instant, reach: Reach) -> [Action] {
        switch event {
        case .session(let generation): return show(generation, now, reach)
        case .registered: return registered(now, reach)
        case .answered(let status): return answered(status, now, reach)
        case .fetched(let revision): return fetched(revision, now)
        case .stale: return renew(now, now, reach)
        case .tick: return proceed(now, reach)
        }
    }

    private mutating func show(_ generation: UInt64, _ now: Instant, _ reach: Reach) -> [Action] {
        guard generation != session else { return [] }
        session = generation
        loginBegan = generation == 0 ? nil : now
        return renew(now, now + timing.settling, reach)
    }

    private mutating func renew(_ now: Instant, _ notBefore: Instant, _ reach: Reach) -> [Action] {
        revision &+= 1
        // A phone that never fetched has its configuration from elsewhere.
        guard delivered != nil else { return [.store] }
        state = .waiting(Waiting(since: now, sent: 0, notBefore: notBefore))
        return [.store] + proceed(now, reach)
    }

    private mutating func registered(_ now: Instant, _ reach: Reach) -> [Action] {
        switch state {
        case .settled, .notified: return []
        case .waiting(var waiting):
            waiting.notBefore = min(waiting.notBefore, now + timing.settling)
            state = .waiting(waiting)
        case .overdue: state = .waiting(Waiting(since: now, sent: 0, notBefore: now + timing.settling))
        }
        return proceed(now, reach)
    }

    private mutating func answered(_ status: Int, _ now: Instant, _ reach: Reach) -> [Action] {
        guard case .notified(var notified) = state else { return [] }
        notified.answer = status
        if !(200..<300).contains(status) { notified.deadline = min(notified.deadline, now + timing.retry) }
        state = .notified(notified)
        return []
    }

    private mutating func fetched(_ fetched: UInt64, _ now: Instant) -> [Action] {
        var actions: [Action] = []
        if delivered != fetched {
            delivered = fetched
            actions.append(.store)
        }
        guard fetched == revision else { return actions }
        if isOverdue { actions.append(.recovered) }
        state = .settled
        if let began = loginBegan {
            loginBegan = nil
            actions.append(.ready(now - began))
        }
        return actions
    }

    /// Goes as far as time and the phone allow.
    private mutating func proceed(_ now: Instant, _ reach: Reach) -> [Action] {
        switch state {
        case .settled, .overdue: return []
        case .waiting(var waiting):
            if reach.isBusy || waiting.isParked {
                waiting.isParked = reach.isBusy
                waiting.since = now
                waiting.notBefore = now + timing.settling
                state = .waiting(waiting)
                return []
            }
            guard reach.isThere else { return absent(waiting, now) }
            guard now >= waiting.notBefore else { return [] }
            state = .notified(Notified(waiting, deadline: now + timing.patience))
            return [.notify]
        case .notified(let notified):
            guard now >= notified.deadline else { return [] }
            guard notified.sent < timing.attempts else { return giveUp(Self.reason(notified)) }
            state = .waiting(Waiting(since: now, sent: notified.sent, notBefore: now))
            return proceed(now, reach)
        }
    }

    /// A phone that is not registered cannot be told. It comes up right by itself once it fetches.
    private mutating func absent(_ waiting: Waiting, _ now: Instant) -> [Action] {
        guard now - waiting.since < timing.patience else { return giveUp("it is not registered") }
        var waiting = waiting
        waiting.notBefore = waiting.since + timing.patience
        state = .waiting(waiting)
        return []
    }

    private mutating func giveUp(_ reason: String) -> [Action] {
        state = .overdue
        return [.alarm(reason)]
    }

    private static func reason(_ notified: Notified) -> String {
        switch notified.answer {
        case let status? where (200..<300).contains(status): return "it accepted the NOTIFY and fetched nothing"
        case let status?: return "it answered \(status) to the NOTIFY"
        case nil: return "it did not answer the NOTIFY"
        }
    }
}

/// How long phones are given.
public struct PhoneRefreshTiming: Sendable, Equatable {
    /// From the end of a call to the NOTIFY, so that the phone is idle when it comes.
    public var settling = Duration.milliseconds(250)
    /// From a NOTIFY to the fetch.
    public var patience = Duration.seconds(30)
    /// From a refused NOTIFY to the next.
    public var retry = Duration.seconds(5)
    /// NOTIFYs before the alarm.
    public var attempts = 3

    public init() {}
}
