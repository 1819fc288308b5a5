public import CoreTypes

/// The two pitches of a key (ITU-T Q.23), sample by sample at 8000 Hz.
public struct KeyTone: Equatable, Sendable {
    /// A sine by its recurrence, sin(n·w) = 2·cos(w)·sin((n-1)·w) - sin((n-2)·w).
    private struct Pitch: Equatable, Sendable {
        let twiceCosine: Double
        var current = 0.0
        var before: Double

        init(_ pitch: (twiceCosine: Double, sine: Double)) {
            twiceCosine = pitch.twiceCosine
            before = -pitch.sine
        }

        mutating func next() -> Double {
            defer { (before, current) = (current, twiceCosine * current - before) }
            return current
        }
    }

    /// 2·cos(2πf/8000) and sin(2πf/8000) of 697, 770, 852 and 941 Hz.
    private static let low: [(twiceCosine: Double, sine: Double)] = [
        (1.7077378093489017, 0.5204881301528917),
        (1.6452810360417196, 0.5685618507342639),
        (1.56868698386682, 0.620326757976556),
        (1.4782045682401759, 0.6735932107796729),
    ]
    /// Of 1209, 1336, 1477 and 1633 Hz.
    private static let high: [(twiceCosine: Double, sine: Double)] = [
        (1.1641040230273316, 0.8131515577633086),
        (0.9963702106789817, 0.86707070116449),
        (0.7986183892266362, 0.9168163213519179),
        (0.568532706775202, 0.9587453469674393),
    ]
    private static let rows: [[UInt8]] = ["123A", "456B", "789C", "*0#D"].map { Array($0.utf8) }

    private var low: Pitch
    private var high: Pitch

    /// Nil for bytes that are no key.
    public init?(key: UInt8) {
        guard let row = Self.rows.firstIndex(where: { $0.contains(key) }), let column = Self.rows[row].firstIndex(of: key) else { return nil }
        low = Pitch(Self.low[row])
        high = Pitch(Self.high[column])
    }

    /// The next samples: -8 dBm0 and -6 dBm0, since lines weaken the upper pitch more.
    public mutating func samples(_ count: Int) -> [Int16] { (0..<max(0, count)).map { _ in Int16(low.next() * 6500 + high.next() * 8000) } }
}

/// Puts keys into the stream that goes to a far end: the audio packets that pass meanwhile become packets of the key,
/// with their sequence numbers and at their pace, so that nothing behind them needs another number.
///
/// Keys go by RFC 4733 where the far end takes that, else as tones in its audio.
public struct KeySender: Equatable, Sendable {
    public enum Form: Hashable, Sendable {
        case event(payloadType: UInt8)
        case tone(AudioFormat)
    }

    private struct Press: Equatable, Sendable {
        var key: UInt8
        /// In samples.
        var length: UInt32
        var asked: Instant
        /// Timestamp of its first packet.
        var began: UInt32?
        var sent: UInt32 = 0
        var ends = 0
        /// The whole tone with the silence behind it, as it goes onto the wire.
        var tone: [UInt8] = []
    }

    /// Keys that may wait.
    public static let maximumQueue = 32
    /// A key that could not go for so long, since there was no audio, is of no use any more.
    public static let patience = Duration.seconds(2)
    /// The last packet of a key goes three times (RFC 4733 §2.5.1.4).
    private static let ends = 3
    /// Silence behind a tone, in samples, so that the next key is one of its own.
    private static let gap: UInt32 = 480

    private var presses: [Press] = []

    public init() {}

    public var isIdle: Bool { presses.isEmpty }

    /// - Parameter duration: how long the key is down; brought within 80 ms and 2 s. False for what is no key.
    @discardableResult
    public mutating func press(_ key: UInt8, for duration: Duration, now: Instant) -> Bool {
        guard KeyTone(key: key) != nil, presses.count < Self.maximumQueue else { return false }
        let length = min(max(duration, .milliseconds(80)), .seconds(2)).clampedNanoseconds / 125_000
        presses.append(Press(key: key, length: UInt32(clamping: length), asked: now))
        return true
    }

    /// What goes in the place of an audio packet with this header and so many bytes of payload; nil: the packet itself.
    public mutating func replace(
        _ header: RTPHeader, size: Int, form: Form, now: Instant, patience: Duration = Self.patience
    ) -> (RTPHeader, [UInt8])? {
        while let first = presses.first, first.began == nil, now - first.asked > patience { presses.removeFirst() }
        guard var press = presses.first else { return nil }
        let isFirst = press.began == nil
        let began = press.began ?? header.timestamp
        press.began = began
        var header = header
        header.marker = isFirst
        let payload: [UInt8]
        switch form {
        case .event(let payloadType):
            header.payloadType = payloadType
            let elapsed = min(header.timestamp &- began &+ UInt32(clamping: size), press.length)
            press.sent = max(press.sent, elapsed)
            let isEnd = press.sent >= press.length
            if isEnd { press.ends += 1 }
            header.timestamp = began
            payload = TelephoneEvent(
                event: TelephoneEvent.code(of: press.key) ?? 0, isEnd: isEnd, duration: UInt16(clamping: press.sent)).bytes
        case .tone(let format):
            header.payloadType = format.payloadType
            // In one piece, since a coder such as G.722 remembers.
            if isFirst, var tone = KeyTone(key: press.key) {
                press.tone = format.encode(tone.samples(Int(press.length)) + [Int16](repeating: 0, count: Int(Self.gap)))
            }
            let part = press.tone.dropFirst(Int(press.sent)).prefix(size)
            payload = Array(part) + [UInt8](repeating: format.silence, count: size - part.count)
            press.sent += UInt32(clamping: size)
            if Int(press.sent) >= press.tone.count { press.ends = Self.ends }
        }
        if press.ends >= Self.ends { presses.removeFirst() } else { presses[0] = press }
        return (header, payload)
    }
}

/// Turns the packets of a key (RFC 4733) into tones, for a far end that does not take them. Belongs to one thread.
public final class KeyToneWriter {
    /// A packet of a key covers no more than that, in samples.
    private static let maximumStep: UInt32 = 1600

    private var source: UInt32 = 0
    private var timestamp: UInt32 = 0
    private var key: UInt8 = 0
    private var written: UInt32 = 0
    private var isEnded = false
    private var tone: KeyTone?
    private var wideband = G722Encoder()

    public init() {}

    /// Whether audio of this time would fall into the tone: some phones go on with their audio beside the key, and what is heard
    /// must be the key alone.
    public func covers(_ header: RTPHeader) -> Bool {
        guard tone != nil, header.source == source else { return false }
        let elapsed = Int64(Int32(bitPattern: header.timestamp &- timestamp))
        // Where the end was lost, audio comes back after a while.
        return elapsed >= 0 && elapsed < Int64(written) + (isEnded ? 0 : Int64(Self.maximumStep))
    }

    /// The packet that takes the event's place; nil where it says nothing new.
    public func write(_ event: TelephoneEvent, _ header: RTPHeader, format: AudioFormat) -> (RTPHeader, [UInt8])? {
        guard let key = event.key else { return nil }
        if tone == nil || header.source != source || header.timestamp != timestamp || key != self.key {
            tone = KeyTone(key: key)
            wideband = G722Encoder()
            (source, timestamp, self.key, written, isEnded) = (header.source, header.timestamp, key, 0, false)
        }
        isEnded = isEnded || event.isEnd
        let due = UInt32(event.duration)
        guard due > written, let samples = tone?.samples(Int(min(due - written, Self.maximumStep))) else { return nil }
        var header = header
        header.payloadType = format.payloadType
        header.timestamp = timestamp &+ (due - UInt32(samples.count))
        written = due
        switch format {
        case .pcmu, .pcma: return (header, format.encode(samples))
        case .g722: return (header, wideband.encode(samples))
        }
    }
}
