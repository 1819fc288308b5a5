public import Capture
public import CoreTypes
public import EdgeProxy
public import HotDeskPolicy
import Media
import SIPMessage

/// Runs a capture through the edge core in virtual time: what would this site have done with it?
///
/// The phones' requests go in as they were; the PBX is played from what the capture shows it to have answered.
public struct Replayer: Sendable {
    public var configuration: EdgeConfiguration
    /// What was typed at each PIN prompt, in order, each with or without its `#`. Captures hold no PIN of ours.
    public var pins: [String]
    /// Whether the PBX can be reached.
    public var trunkUp: Bool
    /// The edge's SIP endpoints in the capture; empty: found out by looking at it.
    public var edge: [Endpoint] = []
    /// Who was logged in when the capture began.
    public var sessions: [DeviceName: ExtensionNumber] = [:]
    /// Judges a PIN in place of its hash: the PIN, and the hash of the extension or nil for one that nobody has.
    public var checkPIN: (@Sendable (String, String?) -> Bool)?

    public init(configuration: EdgeConfiguration, pins: [String] = [], trunkUp: Bool = true) {
        self.configuration = configuration
        self.pins = pins
        self.trunkUp = trunkUp
    }

    public func run(_ packets: [CapturedPacket]) -> ReplayResult {
        let messages = MessageReader.read(packets)
        let side = EdgeSide(messages, configuration, forced: edge)
        var run = ReplayRun(self, CaptureIndex(messages, side), side)
        run.replay()
        return run.result
    }
}

/// One replay under way.
struct ReplayRun {
    let replayer: Replayer
    let index: CaptureIndex
    let side: EdgeSide
    var edge: EdgeProxy
    var result = ReplayResult()

    /// Virtual time: the capture's, without going back and without gaps of more than a day.
    var now: Instant
    private var skipped: Duration = .zero
    /// Of the message that was replayed last: what lies behind it is still to come.
    var position = -1
    /// What is to happen by itself: prompts that end.
    private var delayed: [(at: Instant, event: EdgeEvent)] = []

    var phones = PhoneSide()
    var trunk: TrunkSide
    var typing: TypingTable
    private var nextPort: UInt16 = 10_000
    private var portPair: UInt32 = 0

    init(_ replayer: Replayer, _ index: CaptureIndex, _ side: EdgeSide) {
        self.replayer = replayer
        self.index = index
        self.side = side
        now = index.messages.first?.at ?? Instant(nanoseconds: 0)
        var snapshot = EdgeSnapshot()
        for (number, (device, person)) in replayer.sessions.sorted(by: { $0.key < $1.key }).enumerated() {
            snapshot.sessions.append(Session(device: device, extension: person, since: now, generation: UInt64(number) + 1))
        }
        edge = .replaying(replayer.configuration, restoring: snapshot, now: now)
        trunk = TrunkSide(replayer.configuration)
        typing = TypingTable(pins: replayer.pins)
        result.edge = side.endpoints.sorted { $0.order < $1.order }
    }

    // MARK: The capture, packet by packet

    mutating func replay() {
        noteSide()
        feed(.tick)
        if replayer.trunkUp {
            feed(.trunkUp(TrunkNode(index: 0), trunk.flow))
            feed(.tick)
        }
        for place in index.messages.indices {
            let message = index.messages[place]
            advance(to: virtual(message))
            position = place
            replay(message, index.legs[place])
        }
        position = index.messages.count
        advance(to: now + .seconds(2))
        result.status = edge.status(now: now)
        noteAssumptions()
    }

    private mutating func replay(_ message: CapturedMessage, _ leg: Leg) {
        switch leg {
        case .fromPhone:
            if mediaKey(message) { return }
            fromPhone(message)
        case .toPhone: toPhoneInCapture(message)
        case .fromTrunk:
            if mediaKey(message) { return }
            fromTrunkInCapture(message)
        case .toTrunk: break
        case .elsewhere:
            if mediaKey(message) { return }
            guard message.request != nil || message.looksLikeRequest else { return }
            result.requests.append(row(message, origin: .elsewhere, verdict: .elsewhere, reason: "between others"))
        }
    }

    private mutating func virtual(_ message: CapturedMessage) -> Instant {
        let at = message.at + (.zero - skipped)
        let gap = at - now
        guard gap > .seconds(86_400) else { return max(now, at) }
        skipped += gap - .seconds(86_400)
        result.notes.append("a gap of more than a day before packet \(message.number) was shortened to a day")
        return now + .seconds(86_400)
    }

    /// Lets time pass: the core's deadlines and our own, in order.
    private mutating func advance(to end: Instant) {
        var guardRail = 0
        while guardRail < 100_000 {
            guardRail += 1
            let own = delayed.indices.min { delayed[$0].at < delayed[$1].at }
            let core = edge.nextDeadline
            if let own, delayed[own].at <= end, core.map({ delayed[own].at <= $0 }) ?? true {
                let item = delayed.remove(at: own)
                now = max(now, item.at)
                feed(item.event)
            } else if let core, core <= end {
                now = max(now, core)
                feed(.tick)
            } else {
                break
            }
        }
        now = max(now, end)
    }

    // MARK: The core

    /// Gives the core an event and performs all that follows from it at once. Gives what it asked for first.
    @discardableResult
    mutating func feed(_ event: EdgeEvent) -> [EdgeAction] {
        var first: [EdgeAction] = []
        edge.handle(event, now: now, into: &first)
        var queue: [EdgeEvent] = []
        for action in first { queue += perform(action) }
        var next = 0
        while next < queue.count, next < 10_000 {
            var actions: [EdgeAction] = []
            edge.handle(queue[next], now: now, into: &actions)
            next += 1
            for action in actions { queue += perform(action) }
        }
        return first
    }

    private mutating func perform(_ action: EdgeAction) -> [EdgeEvent] {
        switch action {
        case .transmit(let bytes, let flow): return transmitted(bytes, flow)
        case .close: return []
        case .media(let command): return perform(command)
        case .verifyPIN(let check, let pin, let hash): return [.pinVerified(check, judge(pin.exposed, hash))]
        case .store(_, let token): return token.map { [.stored($0, true)] } ?? []
        case .audit(let entry):
            result.audit.append(entry)
            noteLogin(entry)
            return []
        case .callEnded: return []
        case .log(_, let text):
            result.logs.append(text)
            return []
        }
    }

    private mutating func transmitted(_ bytes: [UInt8], _ flow: Flow) -> [EdgeEvent] {
        guard case .message(let message) = SIPMessage.parse(bytes, framing: flow.transport.isReliable ? .stream : .datagram) else {
            return []
        }
        let isTrunk = trunk.owns(flow)
        switch message {
        case .request(let request): return isTrunk ? sentToPBX(request, flow) : sentToPhone(request, flow)
        case .response(let response):
            isTrunk ? answeredPBX(response) : answeredPhone(response)
            return []
        }
    }

    private mutating func perform(_ command: MediaCommand) -> [EdgeEvent] {
        switch command {
        case .reserve(let count, let family):
            let address = replayer.configuration.mediaAddresses.first { $0.family == family }
            guard let address else { return [.media(.portsReady([]))] }
            return [.media(.portsReady((0..<min(max(0, count), 256)).map { _ in port(address) }))]
        case .announce(let session, let leg, _):
            listen(session, leg)
            return []
        case .play(let session, let phrases, _, _, let token): return played(session, phrases, token)
        case .sensitive(let session, let isSensitive):
            typing.change(session) { $0.isSensitive = isSensitive }
            return []
        case .close(let session):
            typing.remove(session)
            return []
        case .relay, .restore, .press, .measure, .reserveStreams: return []
        }
    }

    /// Numbers alone: nothing is bound in a replay, and a number may come again.
    private mutating func port(_ address: IPAddress) -> MediaPorts {
        portPair &+= 1
        nextPort = nextPort >= 65_000 ? 10_000 : nextPort + 2
        return MediaPorts(id: portPair, address: address, rtp: nextPort)
    }

    /// A prompt that asks for digits takes its time, so that patience is counted as it was; anything else ends at once.
    private mutating func played(_ session: MediaSessionID, _ phrases: [Phrase], _ token: UInt32) -> [EdgeEvent] {
        guard phrases.contains(.enterPIN) || phrases.contains(.enterExtension) else { return [.media(.played(session, token: token))] }
        delayed.append((now + .seconds(Int64(3 * phrases.count)), .media(.played(session, token: token))))
        return prompted(session, isPIN: phrases.contains(.enterPIN))
    }
}
