public import CoreTypes
import CryptoPrimitives
import HotDeskPolicy
import Media
import SIPMessage
import SIPTransaction

/// The edge core: phones on one side, the PBX on the other, the policy between them.
///
/// A value that takes events and the time and gives actions. Everything it does it does here: the shell
/// performs the actions in order and reports back by events.
public struct EdgeProxy: Sendable {
    // What the site is.
    var configuration: EdgeConfiguration
    var devices: [DeviceName: Device] = [:]
    var extensions: [ExtensionNumber: Extension] = [:]

    // Who is where.
    var bindings = BindingTable()
    var plainBindings = PlainBindingTable()
    /// The PBX keeps the Path of registrations (RFC 3327).
    var pbxKnowsPath = false
    var sessions = LocalSessionDirectory()
    var attempts: PINAttempts
    var emergencyPins: [DeviceName: EmergencyPin] = [:]
    /// When the PIN was last given at a device, in its session.
    var pinProofs: [DeviceName: Instant] = [:]
    /// The last closing time: sessions older than it end as soon as their desks are free.
    var closedAt: Instant?

    /// When a wrong password for a device was last audited.
    var wrongPasswords: [DeviceName: Instant] = [:]

    // What goes on.
    var transactions = TransactionLayer()
    var exchanges: [ClientTransactionID: Boxed<Exchange>] = [:]
    var exchangeOfServer: [ServerTransactionID: ClientTransactionID] = [:]
    var calls = CallTable()
    var localCalls = LocalCallTable()
    var registrations = PBXRegistrations()
    var recovery: Recovery
    var refreshes = PhoneRefreshTable()
    var watches = SessionWatchTable()
    var trunk: TrunkState
    var ports: MediaPortPool
    /// Calls that go on as soon as there are ports for them.
    var waitingForPorts: [Beginning] = []
    /// Records of calls that are over, until the quality of their media is known.
    var unratedRecords: [MediaSessionID: CallRecord] = [:]
    var ownRequests: [ClientTransactionID: OwnRequest] = [:]
    var pinChecks: [PINCheckID: LocalCallKey] = [:]
    var pendingLogins: [StoreToken: PendingLogin] = [:]

    // What it needs to do it.
    var authenticator: DeviceAuthenticator
    var random: RandomStream
    var timers = DeadlineQueue<EdgeTimer>()
    var nextIdentifier: UInt64 = 1
    /// What a restart asks of the shell before anything else.
    var firstActions: [EdgeAction] = []
    /// Calls that are to be written.
    var unstoredCalls: [CallKey] = []

    /// Whether each approval is told in the debug log: a line for every request that leaves for the PBX.
    public var tellsApprovals = false

    /// When `EdgeEvent.tick` is wanted next. Stored, for who reads it must not have to copy the edge.
    public private(set) var nextDeadline: Instant?

    // One `handle` at a time: its time, what it asks for, and what the transactions have said meanwhile.
    var now: Instant
    var out: [EdgeAction] = []
    var pending: [TransactionAction] = []

    /// - Parameters:
    ///   - seed: 32 unpredictable bytes; all tags, branches, nonces and tokens come from them.
    ///   - restoring: what the store held, or nil on a first start.
    public init(configuration: EdgeConfiguration, seed: [UInt8], restoring snapshot: EdgeSnapshot?, now: Instant) {
        var random = RandomStream(seed: seed)
        authenticator = DeviceAuthenticator(realm: configuration.pbx.domain, key: random.bytes(32))
        self.random = random
        self.configuration = configuration
        self.now = now
        attempts = PINAttempts(rules: configuration.policy.pin)
        trunk = TrunkState(nodeCount: configuration.pbx.nodeCount)
        recovery = Recovery(pace: configuration.pbx.recovery, now: now)
        ports = MediaPortPool(addresses: configuration.mediaAddresses, hasTunnel: configuration.pbx.isTunnelled)
        index(configuration)
        if let snapshot { restore(snapshot) }
        indexPhones(restoring: snapshot?.phones ?? [])
        timers.schedule(.housekeeping, at: now + .seconds(30))
        nextDeadline = earliestDeadline
    }

    /// An edge for looking at a capture: it believes the credentials it reads, since their nonces are not its own.
    /// Never to be put behind a socket.
    public static func replaying(_ configuration: EdgeConfiguration, now: Instant) -> EdgeProxy {
        var edge = EdgeProxy(configuration: configuration, seed: Array(repeating: 0, count: 32), restoring: nil, now: now)
        edge.authenticator.trustsCredentials = true
        return edge
    }

    /// Handles one event; what the shell must do is appended to `actions` in order.
    public mutating func handle(_ event: EdgeEvent, now: Instant, into actions: inout [EdgeAction]) {
        self.now = max(now, self.now)
        swap(&out, &actions)
        if !firstActions.isEmpty {
            out += firstActions
            firstActions = []
        }
        perform(event)
        drainTransactions()
        if !refreshes.parked.isEmpty {
            releaseParkedPhones()
            drainTransactions()
        }
        if let due = recoveryDeadline, due <= now {
            recover()
            drainTransactions()
        }
        replenishPorts()
        nextDeadline = earliestDeadline
        swap(&out, &actions)
    }

    private var earliestDeadline: Instant? {
        var next = timers.next
        for other in [transactions.nextDeadline, recoveryDeadline] {
            if let other { next = min(next ?? other, other) }
        }
        return next
    }

    private mutating func perform(_ event: EdgeEvent) {
        switch event {
        case .received(let bytes, let flow): received(bytes, on: flow)
        case .flowClosed(let flow): flowClosed(flow)
        case .trunkUp(let node, let flow): trunkUp(node, flow)
        case .trunkDown(let node): trunkDown(node)
        case .media(let event): media(event)
        case .pinVerified(let check, let matches): pinVerified(check, matches)
        case .stored(let token, let isStored): stored(token, isStored)
        case .logout(let device): endSession(on: device, reason: .administrator)
        case .unlockDevice(let device): unlock(device)
        case .unlockExtension(let number): unlock(number)
        case .closingTime: closingTime()
        case .measure: measureCalls()
        case .phoneFetched(let device, let version): tellPhone(device, .fetched(version))
        case .reload(let configuration): reload(configuration)
        case .tick: advance()
        }
    }

    private mutating func advance() {
        transactions.advance(to: now, into: &pending)
        while let timer = timers.popDue(at: now) {
            perform(timer)
            drainTransactions()
        }
    }

    private mutating func perform(_ timer: EdgeTimer) {
        switch timer {
        case .localCall(let key): localCallTick(key)
        case .registration(let subject): registrationDue(subject)
        case .loginRegistration(let key): loginRegistrationTimedOut(key)
        case .emergencyPatience(let client): emergencyPatienceOver(client)
        case .ringing(let client): ringingTooLong(client)
        case .callRecord(let session): qualityMissing(session)
        case .phoneRefresh(let device): refreshDue(device)
        case .portsMissing(let server): portsMissing(server)
        case .storeCalls: storeCalls()
        case .restoredCall(let key): restoredCallDue(key)
        case .nodeQuestion(let node, let flow): askNode(node, flow)
        case .housekeeping: housekeeping()
        }
    }

    mutating func identifier() -> UInt64 {
        defer { nextIdentifier &+= 1 }
        return nextIdentifier
    }

    /// An unguessable token of so many bytes, in hexadecimal.
    mutating func token(_ bytes: Int) -> String { random.token(bytes) }

    /// A From or To tag (RFC 3261 §19.3).
    mutating func newTag() -> String { random.token(6) }

    mutating func randomNumber() -> UInt64 { random.next() }

    mutating func audit(
        _ kind: AuditEntry.Kind, device: String = "", extension number: String = "", request: String = "", detail: String = ""
    ) {
        out.append(.audit(AuditEntry(at: now, kind: kind, device: device, extension: number, request: request, detail: detail)))
    }

    mutating func log(_ level: LogLevel, _ text: String) { out.append(.log(level, text)) }
}

/// What a deadline is for.
enum EdgeTimer: Sendable {
    case localCall(LocalCallKey)
    case registration(RegistrationSubject)
    case loginRegistration(LocalCallKey)
    case emergencyPatience(ClientTransactionID)
    /// RFC 3261 §16.6 timer C: an INVITE that rings for ever.
    case ringing(ClientTransactionID)
    /// The record of a call has waited for the quality of its media for long enough.
    case callRecord(MediaSessionID)
    case phoneRefresh(DeviceName)
    /// A call has waited for media ports for long enough.
    case portsMissing(ServerTransactionID)
    /// Calls are to be written.
    case storeCalls
    /// By now somebody should have been heard in a call from before the restart.
    case restoredCall(CallKey)
    /// A PBX node is asked whether it is there.
    case nodeQuestion(TrunkNode, Flow)
    case housekeeping
}
