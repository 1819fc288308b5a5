/// The payload of a telephone-event packet (RFC 4733 §2.3).
public struct TelephoneEvent: Hashable, Sendable {
    /// Bytes of the payload.
    public static let size = 4

    /// 0-9 digits, 10 star, 11 hash, 12-15 A-D; above them no keys.
    public var event: UInt8
    /// The key is up again.
    public var isEnd: Bool
    /// Power level in -dBm0: 0...63.
    public var volume: UInt8
    /// In timestamp units, since the packet's timestamp.
    public var duration: UInt16

    public init(event: UInt8, isEnd: Bool, volume: UInt8 = 10, duration: UInt16) {
        self.event = event
        self.isEnd = isEnd
        self.volume = volume & 0x3F
        self.duration = duration
    }

    /// Reads the first event of a payload; nil where it is too short.
    public init?(payload: Span<UInt8>) {
        guard payload.count >= Self.size else { return nil }
        self.init(
            event: payload[0], isEnd: payload[1] & 0x80 != 0, volume: payload[1] & 0x3F,
            duration: payload.networkUInt16(at: 2))
    }

    /// The payload in network order.
    public var bytes: [UInt8] {
        [event, (isEnd ? 0x80 : 0) | volume, UInt8(truncatingIfNeeded: duration >> 8), UInt8(truncatingIfNeeded: duration)]
    }

    /// The event of a key; nil for bytes that are no key.
    public static func code(of key: UInt8) -> UInt8? {
        switch key {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): return key - UInt8(ascii: "0")
        case UInt8(ascii: "*"): return 10
        case UInt8(ascii: "#"): return 11
        case UInt8(ascii: "A")...UInt8(ascii: "D"): return key - UInt8(ascii: "A") + 12
        default: return nil
        }
    }

    /// The key as ASCII (RFC 4733 table 7), nil for events that are no keys.
    public var key: UInt8? {
        switch event {
        case 0...9: return UInt8(ascii: "0") + event
        case 10: return UInt8(ascii: "*")
        case 11: return UInt8(ascii: "#")
        case 12...15: return UInt8(ascii: "A") + event - 12
        default: return nil
        }
    }
}

/// Finds keys in telephone-event packets, each once, whatever was lost or doubled.
///
/// All packets of one key press carry its first timestamp (RFC 4733 §2.5.1.1), so the first packet that
/// is seen, be it the last one sent, reports the key and the others are silent. A press longer than a duration can say
/// goes on under a new timestamp that begins where the old segment ended (§2.5.1.3): still one key.
public struct TelephoneEventDecoder: Equatable, Sendable {
    private struct Press: Equatable, Sendable {
        var source: UInt32
        var timestamp: UInt32
        var event: UInt8
        var duration: UInt16
        var isEnded: Bool
    }

    private var last: Press?

    public init() {}

    /// Takes one packet's event; the key as ASCII if this packet is the first of its press.
    public mutating func receive(_ event: TelephoneEvent, header: RTPHeader) -> UInt8? {
        guard let key = event.key else { return nil }
        if var press = last, press.source == header.source {
            let age = Int32(bitPattern: header.timestamp &- press.timestamp)
            if age < 0 { return nil }
            if age == 0, press.event == event.event {
                press.duration = max(press.duration, event.duration)
                press.isEnded = press.isEnded || event.isEnd
                last = press
                return nil
            }
            if continues(press, with: event, at: header.timestamp) {
                last = Self.press(event, header)
                return nil
            }
        }
        last = Self.press(event, header)
        return key
    }

    private static func press(_ event: TelephoneEvent, _ header: RTPHeader) -> Press {
        Press(
            source: header.source, timestamp: header.timestamp, event: event.event, duration: event.duration,
            isEnded: event.isEnd)
    }

    /// Whether the event is the next segment of a press that did not end; the last packets of the old segment may be lost.
    private func continues(_ press: Press, with event: TelephoneEvent, at timestamp: UInt32) -> Bool {
        !press.isEnded && press.event == event.event && timestamp == press.timestamp &+ UInt32(UInt16.max)
    }
}
