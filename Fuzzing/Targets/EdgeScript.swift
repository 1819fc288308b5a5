import CoreTypes
import EdgeProxy
import HotDeskPolicy
import Media
import SIPMessage

extension FuzzTarget {
    /// The whole edge core, driven by a script of events; every action is judged by the reference model. The first
    /// byte says how far the day at the branch has got when the script begins.
    public static let edge = FuzzTarget("edge", maximumLength: 96) { bytes in
        var choices = Choices(bytes)
        var script = EdgeScript.mornings[choices.below(EdgeScript.mornings.count)]
        script.play(choices)
        return script.problems.first
    }
}

/// A branch to which anything happens: phones that behave and phones that do not, a PBX that says what it likes, lost
/// connections, wrong PINs, and bytes that are no message at all.
public struct EdgeScript: Sendable {
    var edge: EdgeProxy
    public internal(set) var model = ReferenceModel()
    var choices = Choices([])
    var now = Instant(nanoseconds: 1_800_000_000_000_000_000)
    var phones: [ScriptPhone]
    /// What was sent lately, on either side: what answers, repetitions and mutations are made of.
    var recent: [(message: SIPMessage, flow: Flow)] = []
    var recentBytes: [[UInt8]] = []
    var announced: [MediaSessionID] = []
    var waitingPINs: [(PINCheckID, Bool, String?)] = []
    var waitingStores: [StoreToken] = []
    public internal(set) var problems: [String] = []
    var number = 0
    var nextPort: UInt16 = 20_000

    /// Where a script may begin, each made once and copied: nobody is in yet; people sit at two desks; they talk;
    /// an idle desk is in a call for help, and a desk is locked after wrong PINs.
    public static let mornings: [EdgeScript] = {
        let empty = EdgeScript(seed: 1)
        var seated = empty
        seated.logIn(0, "100")
        seated.logIn(1, "101")
        var talking = seated
        talking.talk(0, "19005550100")
        talking.pbxInvites("101")
        talking.answerLast(200)
        var helped = seated
        helped.talk(2, "911")
        var locked = empty
        for _ in 0..<4 { locked.logIn(2, "102", pin: "0000") }
        locked.logIn(1, "100")
        return [empty, seated, talking, helped, locked]
    }()

    /// Three desks that have registered, one of them over TCP, and one PBX node.
    public init(seed: UInt8) {
        edge = EdgeProxy(
            configuration: ScriptSite.configuration(nodes: 2), seed: Array(repeating: seed, count: 32), restoring: nil, now: now)
        phones = (1...3).map(ScriptPhone.init)
        handle(.trunkUp(TrunkNode(index: 0), ScriptSite.pbx), .elsewhere)
        for index in phones.indices { register(index) }
    }

    /// Plays until the decisions are used up, or something is wrong.
    public mutating func play(_ bytes: [UInt8]) { play(Choices(bytes)) }

    mutating func play(_ choices: Choices) {
        self.choices = choices
        while !self.choices.isOver, problems.isEmpty { step() }
    }

    private mutating func step() {
        switch choices.below(100) {
        case 0..<22: freshRequest()
        case 22..<34: insideRequest()
        case 34..<58: mutated()
        case 58..<62: written()
        case 62..<82: answer()
        case 82..<85: pbxRequest()
        case 85..<88: logIn()
        case 88..<90: type("4711#", choices.below(4) > 0 ? announced.last : choices.pick(announced))
        case 90..<94: settlePINs()
        case 94..<95: disturb()
        default: wait()
        }
    }

    // MARK: The shell

    mutating func handle(_ event: EdgeEvent, _ origin: ReferenceModel.Origin) {
        var actions: [EdgeAction] = []
        let before = model.seating
        edge.handle(event, now: now, into: &actions)
        for action in actions { perform(action, origin, before) }
        if recent.count > 96 { recent.removeFirst(48) }
        if recentBytes.count > 96 { recentBytes.removeFirst(48) }
    }

    private mutating func perform(_ action: EdgeAction, _ origin: ReferenceModel.Origin, _ before: ReferenceModel.Seating) {
        if case .transmit(let bytes, let flow) = action { return transmitted(bytes, flow, origin, before) }
        if case .media(let command) = action { return perform(command) }
        if case .verifyPIN(let check, let pin, let hash) = action {
            let isRight = ScriptSite.pins.contains { hash == "hash-of-\($0.key)" && pin.exposed == $0.value }
            return waitingPINs.append((check, isRight, hash))
        }
        if case .store(let change, let token) = action {
            if let token { waitingStores.append(token) }
            if let problem = model.stored(change, isAsked: token != nil) { problems.append(problem) }
        }
    }

    private mutating func transmitted(_ bytes: [UInt8], _ flow: Flow, _ origin: ReferenceModel.Origin, _ before: ReferenceModel.Seating) {
        recentBytes.append(bytes)
        guard case .message(let message) = SIPMessage.parse(bytes, framing: .stream) else {
            return problems.append("not to be parsed: \(String(decoding: bytes, as: UTF8.self))")
        }
        recent.append((message, flow))
        guard case .request(let request) = message, flow == ScriptSite.pbx || flow == ScriptSite.secondPBX else { return }
        if let problem = model.leaves(request, from: origin, before: before) { problems.append(problem) }
    }

    private mutating func perform(_ command: MediaCommand) {
        if case .reserve(let count, let family) = command, family == .v4 {
            let pairs = (0..<count).map { _ in
                nextPort = nextPort < 60_000 ? nextPort + 2 : 20_000
                return MediaPorts(id: UInt32(nextPort), address: ScriptSite.address, rtp: nextPort)
            }
            handle(.media(.portsReady(pairs)), .elsewhere)
        }
        if case .announce(let session, _, _) = command { announced = announced.suffix(5) + [session] }
    }

    // MARK: Time and disturbances

    mutating func disturb() {
        switch choices.below(7) {
        case 0: if let device = ScriptSite.device(choices.below(3) + 1) { handle(.logout(device), .elsewhere) }
        case 1:
            let index = choices.below(phones.count)
            if phones[index].flow.transport.isReliable {
                handle(.flowClosed(phones[index].flow), .elsewhere)
                phones[index].flow.connection += 10
            } else {
                phones[index].flow.remote.port = UInt16(5060 + choices.below(3))
            }
            register(index)
        case 2: handle(.trunkDown(TrunkNode(index: choices.below(2))), .elsewhere)
        case 3: handle(.trunkUp(TrunkNode(index: 1), ScriptSite.secondPBX), .elsewhere)
        case 4: handle(.closingTime, .elsewhere)
        case 5: handle(.reload(ScriptSite.configuration(nodes: 1 + choices.below(2))), .elsewhere)
        default: handle(.trunkUp(TrunkNode(index: 0), ScriptSite.pbx), .elsewhere)
        }
    }

    mutating func wait() {
        let end = now + .milliseconds(Int64(choices.pick([1, 20, 200, 600, 4_000, 40_000]) ?? 1))
        var steps = 0
        while let due = edge.nextDeadline, due <= end, steps < 60 {
            now = max(now, due)
            handle(.tick, .elsewhere)
            steps += 1
        }
        now = max(now, end)
        handle(.tick, .elsewhere)
    }
}
