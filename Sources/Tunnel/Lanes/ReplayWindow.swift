/// Which of the last 128 numbers have been seen: a sliding window as in RFC 6347 §4.1.2.6.
public struct ReplayWindow: Hashable, Sendable {
    public static let size: UInt64 = 128
    private var highest: UInt64 = 0
    /// Bit n of the pair: `highest - n` was seen.
    private var low: UInt64 = 0
    private var high: UInt64 = 0

    public enum Verdict: Hashable, Sendable { case fresh, seen, tooOld }

    public init() {}

    /// Judges a number and notes it.
    public mutating func accept(_ number: UInt64) -> Verdict {
        if low == 0 && high == 0 || number > highest {
            shift(by: low == 0 && high == 0 ? Self.size : number - highest)
            highest = number
            low |= 1
            return .fresh
        }
        let age = highest - number
        guard age < Self.size else { return .tooOld }
        let bit = UInt64(1) << (age & 63)
        if age < 64 {
            defer { low |= bit }
            return low & bit == 0 ? .fresh : .seen
        }
        defer { high |= bit }
        return high & bit == 0 ? .fresh : .seen
    }

    private mutating func shift(by count: UInt64) {
        switch count {
        case 0: return
        case 1..<64:
            high = high << count | low >> (64 - count)
            low <<= count
        case 64..<128:
            high = low << (count - 64)
            low = 0
        default:
            high = 0
            low = 0
        }
    }
}

/// Drops the second copy of an RTP packet that came by both lanes. Knows packets by SSRC and sequence number
/// (RFC 3550 §5.1); what is no RTP passes.
struct DuplicateFilter: Sendable {
    private var source: UInt32?
    private var highest: UInt64 = 0
    private var window = ReplayWindow()

    /// Whether the packet is to be delivered.
    mutating func accept(_ packet: RTPFields) -> Bool {
        guard packet.source == source else {
            restart(packet)
            return true
        }
        // The sequence number of 16 bits nearest to the highest so far (RFC 3711 §3.3.1).
        let step = Int64(Int16(bitPattern: packet.sequence &- UInt16(truncatingIfNeeded: highest)))
        guard let number = UInt64(exactly: Int64(clamping: highest) + step), step > -Self.farBack else {
            restart(packet)
            return true
        }
        highest = max(highest, number)
        return window.accept(number) != .seen
    }

    /// So far behind the newest that the source must have begun anew.
    private static let farBack: Int64 = 1024

    private mutating func restart(_ packet: RTPFields) {
        source = packet.source
        highest = 0x1_0000 + UInt64(packet.sequence)
        window = ReplayWindow()
        _ = window.accept(highest)
    }
}

/// What the tunnel reads of an RTP packet (RFC 3550 §5.1). Nothing of it is secret in SRTP either.
struct RTPFields: Hashable, Sendable {
    var payloadType: UInt8
    var sequence: UInt16
    var timestamp: UInt32
    var source: UInt32

    /// Nil where it is no RTP of version 2.
    init?(_ packet: ArraySlice<UInt8>) {
        let head = packet.withUnsafeBytes { bytes -> (UInt32, UInt32, UInt32)? in
            guard bytes.count >= 12 else { return nil }
            func word(_ place: Int) -> UInt32 { UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt32.self)) }
            return (word(0), word(4), word(8))
        }
        guard let (first, timestamp, source) = head, first >> 30 == 2 else { return nil }
        payloadType = UInt8(first >> 16 & 0x7F)
        sequence = UInt16(first & 0xFFFF)
        self.timestamp = timestamp
        self.source = source
    }
}
