import CoreTypes
import CryptoPrimitives
import EdgeProxy
import HotDeskPolicy
import Media
import SIPMessage

/// What is typed into one login call of the replay.
struct Typing: Sendable {
    let callID: CallID
    /// Of the call's INVITE and of its last message in the capture.
    let positions: ClosedRange<Int>
    let invite: SIPRequest
    /// Payload type of telephone-event.
    var telephoneEvent: UInt8?
    /// Where the phone's media comes from by its own offer, and where it goes to by the captured answer.
    var source: Endpoint?
    var destination: Endpoint?
    /// The keys the capture shows, masked or not.
    var keys: [UInt8] = []
    var isSensitive = false
    var decoder = TelephoneEventDecoder()
    /// What is left to type at this prompt; nil: nothing was typed yet.
    var rest: ArraySlice<UInt8>?
    var lastKey: Instant?
    /// The PIN is not known: what the capture shows decides whether it was right.
    var isGuess = false

    /// The capture was not masked.
    var isReadable: Bool { keys.contains { $0 != UInt8(ascii: "0") } }

    func hears(_ message: CapturedMessage) -> Bool {
        if let destination { return message.destination == destination }
        return source != nil && message.source == source
    }

    /// The key of a telephone-event packet, at the first packet of its press.
    mutating func key(_ message: CapturedMessage) -> UInt8? {
        let bytes = message.bytes.span
        guard let packet = try? RTPPacket.parse(bytes), packet.header.payloadType == telephoneEvent ?? 101 else { return nil }
        guard let event = TelephoneEvent(payload: bytes.extracting(packet.payload)) else { return nil }
        return decoder.receive(event, header: packet.header)
    }
}

/// The login calls that are up, and the PINs still to be typed.
struct TypingTable: Sendable {
    private(set) var byMedia: [MediaSessionID: Typing] = [:]
    private var pins: ArraySlice<[UInt8]>
    /// Where the last key went: a PIN is verified because of it.
    var last: Typing?

    init(pins: [String]) {
        self.pins = pins.flatMap { $0.utf8.split(separator: UInt8(ascii: "#")).map(Array.init) }[...]
    }

    subscript(_ session: MediaSessionID) -> Typing? { byMedia[session] }

    mutating func insert(_ typing: Typing, _ session: MediaSessionID) { byMedia[session] = typing }

    mutating func change(_ session: MediaSessionID, _ body: (inout Typing) -> Void) {
        guard let place = byMedia.index(forKey: session) else { return }
        body(&byMedia.values[place])
    }

    mutating func remove(_ session: MediaSessionID) { byMedia[session] = nil }

    mutating func nextPIN() -> [UInt8]? { pins.popFirst().map { $0 + [UInt8(ascii: "#")] } }

    func session(of callID: CallID) -> MediaSessionID? { byMedia.first { $0.value.callID == callID }?.key }
}

extension ReplayRun {
    // MARK: Where digits are to be found

    /// The core has opened its end of a local call's media: looks for what is typed into it.
    mutating func listen(_ session: MediaSessionID, _ leg: MediaLeg) {
        if typing[session] != nil { return typing.change(session) { $0.source = leg.remote } }
        guard index.messages.indices.contains(position), let invite = index.messages[position].request else { return }
        let end = index.messages.indices.dropFirst(position).first { place in
            let request = index.messages[place].request
            return request?.method == .bye && request?.headers.callID == invite.headers.callID
        }
        var new = Typing(
            callID: invite.headers.callID, positions: position...max(position, end ?? index.messages.count - 1), invite: invite,
            telephoneEvent: leg.telephoneEvent, source: leg.remote)
        new.destination = index.answeredMedia(new.callID)
        var scan = new
        for place in new.positions where index.messages.indices.contains(place) {
            let message = index.messages[place]
            if case .other = message.content, scan.hears(message), let key = scan.key(message) { new.keys.append(key) }
            guard let request = message.request, request.headers.callID == new.callID else { continue }
            if let key = InfoKey.parse(request) { new.keys.append(key) }
        }
        typing.insert(new, session)
    }

    /// Takes a datagram of a login call's media; whether it was one.
    mutating func mediaKey(_ message: CapturedMessage) -> Bool {
        guard case .other = message.content, let session = typing.byMedia.first(where: { $0.value.hears(message) })?.key else {
            return false
        }
        var key: UInt8?
        typing.change(session) { key = $0.key(message) }
        if let key { for event in press(key, session) { feed(event) } }
        return true
    }

    // MARK: What is typed

    /// A key of the capture, as it is to be typed in the replay: a masked one becomes the next of the PIN.
    mutating func press(_ key: UInt8, _ session: MediaSessionID) -> [EdgeEvent] {
        guard var current = typing[session] else { return [] }
        let lastKey = current.lastKey
        current.lastKey = now
        var typed: [UInt8] = [key]
        if current.isSensitive {
            if current.rest == nil, !current.isGuess, let pin = typing.nextPIN() { current.rest = pin[...] }
            if current.rest != nil, !current.isGuess {
                typed = current.rest?.popFirst().map { [$0] } ?? []
            } else if !current.isReadable {
                let isNext = lastKey.map { now - $0 > .milliseconds(2_500) } ?? true
                typed = isNext ? guess(&current) : []
            }
        }
        typing.insert(current, session)
        typing.last = current
        return typed.map { .media(.digit(session, $0)) }
    }

    /// A prompt has begun. Where the capture shows no digits at all, the PIN is typed at once.
    mutating func prompted(_ session: MediaSessionID, isPIN: Bool) -> [EdgeEvent] {
        guard var current = typing[session] else { return [] }
        current.rest = nil
        var typed: [UInt8] = []
        if isPIN, current.keys.isEmpty {
            if let pin = typing.nextPIN() {
                typed = pin
            } else if current.isGuess || wasRight(current) {
                typed = current.isGuess ? [] : guess(&current)
            }
        }
        typing.insert(current, session)
        typing.last = current
        return typed.map { .media(.digit(session, $0)) }
    }

    /// Stands for a PIN that nobody knows.
    private func guess(_ current: inout Typing) -> [UInt8] {
        current.isGuess = true
        let count = max(1, replayer.configuration.policy.pin.minLength)
        return Array(repeating: UInt8(ascii: "0"), count: count) + [UInt8(ascii: "#")]
    }

    // MARK: Whether it was right

    mutating func judge(_ pin: String, _ hash: String?) -> Bool {
        if let check = replayer.checkPIN { return check(pin, hash) }
        if let last = typing.last, last.isGuess {
            let isRight = wasRight(last)
            result.notes.append(
                "packet \(index.messages[last.positions.lowerBound].number): the PIN is not in the capture; taken as "
                    + (isRight ? "right" : "wrong") + ", as the capture goes on")
            return isRight
        }
        return hash.flatMap { PINHash(parsing: $0) }?.matches(pin) ?? false
    }

    /// Whether a login succeeded, by what the capture shows behind it.
    private func wasRight(_ login: Typing) -> Bool {
        wasRegistered(login) ?? nextCallSucceeded(login) ?? wasEndedByEdge(login)
    }

    /// The extension was registered at the PBX during the call or right after it.
    private func wasRegistered(_ login: Typing) -> Bool? {
        guard case .login(let number) = replayer.configuration.policy.classify(login.invite.uri) else { return nil }
        let begin = index.messages[login.positions.lowerBound].at
        let end = index.messages[login.positions.upperBound].at + .seconds(5)
        let isThere = index.registers.contains { place in
            let message = index.messages[place]
            guard let request = message.request, message.at >= begin, message.at <= end, request.headers.expires != 0 else { return false }
            let user = request.headers.to.uri.userPart
            return number.map { $0.text == user } ?? replayer.configuration.extensions.contains { $0.number.text == user }
        }
        return isThere ? true : nil
    }

    /// What became of the device's next call to an ordinary number.
    private func nextCallSucceeded(_ login: Typing) -> Bool? {
        let caller = login.invite.headers.from.uri.userPart
        for place in index.calls where place > login.positions.upperBound {
            guard let request = index.messages[place].request, request.headers.from.uri.userPart == caller,
                let status = index.finalStatus(RequestKey(request.headers)), status != 401, status != 407
            else { continue }
            switch replayer.configuration.policy.classify(request.uri) {
            case .number: return status != 403
            case .login, .logout: return nil
            case .emergency, .malformed, .foreign: continue
            }
        }
        return nil
    }

    private func wasEndedByEdge(_ login: Typing) -> Bool {
        let end = index.messages[login.positions.upperBound]
        return index.legs[login.positions.upperBound] == .toPhone && end.request?.method == .bye
    }
}

/// A digit in the body of a SIP INFO request: `application/dtmf-relay` or `application/dtmf`.
enum InfoKey {
    static func parse(_ request: SIPRequest) -> UInt8? {
        guard request.method == .info, let type = request.headers.contentType?.lowercased(), type.hasPrefix("application/dtmf") else {
            return nil
        }
        let lines = request.body.split(whereSeparator: { $0 == 0x0D || $0 == 0x0A })
        for line in lines {
            let text = String(decoding: line, as: UTF8.self).lowercased().filter { $0 != " " }
            if text.hasPrefix("signal=") { return key(String(text.dropFirst(7))) }
        }
        return type.hasPrefix("application/dtmf-relay") ? nil : lines.first.flatMap { key(String(decoding: $0, as: UTF8.self)) }
    }

    private static func key(_ text: String) -> UInt8? {
        let bytes = text.uppercased().utf8.filter { $0 > 0x20 }
        switch String(decoding: bytes, as: UTF8.self) {
        case "10": return UInt8(ascii: "*")
        case "11": return UInt8(ascii: "#")
        default: break
        }
        guard bytes.count == 1, let byte = bytes.first else { return nil }
        return "0123456789*#ABCD".utf8.contains(byte) ? byte : nil
    }
}
