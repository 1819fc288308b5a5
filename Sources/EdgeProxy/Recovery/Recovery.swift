import CoreTypes
import HotDeskPolicy
import SIPMessage
import SIPTransaction

/// One request that the PBX gets when the site has it back.
enum RecoveryStep: Hashable, Sendable {
    /// A call's new way to the edge.
    case refreshTarget(DialogKey)
    /// A call's media at another headend.
    case offer(CallKey)
    case register(RegistrationSubject)
    /// The REGISTER of a plain phone, held here meanwhile.
    case plain(ServerTransactionID)
}

/// The return of a site after an outage, paced: a PBX that has just come up is not buried under all its sites at once, and
/// who called for help does not stand in a queue behind who did not.
struct Recovery: Sendable {
    struct Registration: Sendable {
        var request: SIPRequest
        var flow: Flow
    }

    /// REGISTERs of plain phones held at most; more are asked to come again later.
    static let maximumHeld = 1024
    /// Plain phones that were known before are waited for so long.
    static let patience = Duration.seconds(120)

    var queue: RecoveryQueue<RecoveryStep>
    var held: [ServerTransactionID: Registration] = [:]
    /// Plain phones whose registration went by a connection that is gone.
    var awaited: Set<String> = []
    /// Until then the REGISTERs of plain phones wait for their turn.
    var ends: Instant?

    init(pace: RecoveryPace, now: Instant) { queue = RecoveryQueue(pace: pace, now: now) }
}

extension EdgeProxy {
    /// The connection to the PBX is another than before: plain phones will come, each in its own time.
    mutating func awaitPlainPhones() {
        guard let flow = trunk.up.first?.flow else { return }
        recovery.awaited = plainBindings.tokens { $0.trunk != flow }
        recovery.ends = recovery.awaited.isEmpty ? nil : now + Recovery.patience
    }

    mutating func plainPhoneIsBack(_ binding: PlainBinding) {
        guard recovery.awaited.remove(binding.token) != nil, recovery.awaited.isEmpty else { return }
        recovery.ends = nil
    }

    /// Whether the REGISTER of a plain phone has been taken here, to go on when its turn comes.
    mutating func hold(_ request: SIPRequest, _ server: ServerTransactionID, _ flow: Flow) -> Bool {
        guard let ends = recovery.ends, now < ends else { return false }
        guard recovery.held.count < Recovery.maximumHeld else {
            var response = request.response(503, "Returning from an outage", toTag: newTag())
            response.headers[.retryAfter] = String(5 + randomNumber() % 25)
            respond(server, response)
            return true
        }
        recovery.held[server] = .init(request: request, flow: flow)
        recovery.queue.add(.plain(server), rank(of: .plain(request.headers.to.uri.user ?? "")))
        return true
    }

    /// No PBX can be reached: plain phones that wait are told. What the edge itself has to say keeps its place.
    mutating func recoveryInterrupted() {
        let held = recovery.held
        recovery.held = [:]
        for (server, registration) in held { refuse(server, registration.request, 503, "PBX unreachable") }
        recovery.ends = nil
    }

    var recoveryDeadline: Instant? { trunk.isUp ? recovery.queue.nextDeadline : nil }

    /// Sends what has its turn now.
    mutating func recover() {
        for step in recovery.queue.take(now: now) {
            switch step {
            case .refreshTarget(let key): refreshTarget(key)
            case .offer(let key): offerAgain(key)
            case .register(let subject): registerAfresh(subject)
            case .plain(let server):
                guard let held = recovery.held.removeValue(forKey: server) else { continue }
                registerPlain(held.request, server, held.flow, isItsTurn: true)
            }
        }
    }

    // MARK: Ranks

    func rank(of call: Boxed<Call>) -> RecoveryRank { call.purpose == .emergency ? .emergencyCall : .inCall }

    func rank(of party: Party) -> RecoveryRank { calls.calls.values.filter { $0.party == party }.map(rank(of:)).min() ?? .other }

    func rank(of subject: RegistrationSubject) -> RecoveryRank {
        switch subject {
        case .site: return .emergencyCapable
        case .person(let number):
            if emergencyPins.values.contains(where: { $0.identity == number.text && $0.until > now }) { return .emergencyCall }
            guard let device = sessions.session(of: number)?.device else { return .other }
            return min(rank(of: .device(device)), .occupied)
        }
    }
}
