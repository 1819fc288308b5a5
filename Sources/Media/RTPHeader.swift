/// Why bytes are not an RTP packet (RFC 3550 §5.1, A.1).
public enum RTPProblem: Error, Hashable, Sendable {
    /// Shorter than the twelve fixed bytes.
    case tooShort
    /// The version is not 2.
    case version
    /// The contributors, the extension or the padding reach over the end.
    case length
}

/// The fixed header of an RTP packet (RFC 3550 §5.1), without contributors and extension.
public struct RTPHeader: Hashable, Sendable {
    /// Bytes of the fixed header, which is all that `write` makes.
    public static let size = 12

    public var marker: Bool
    /// 0...127.
    public var payloadType: UInt8
    public var sequenceNumber: UInt16
    /// In units of the payload's clock; 8000 Hz for G.711 and for telephone-event beside it.
    public var timestamp: UInt32
    /// SSRC, the synchronisation source.
    public var source: UInt32

    public init(marker: Bool, payloadType: UInt8, sequenceNumber: UInt16, timestamp: UInt32, source: UInt32) {
        self.marker = marker
        self.payloadType = payloadType & 0x7F
        self.sequenceNumber = sequenceNumber
        self.timestamp = timestamp
        self.source = source
    }

    /// Writes version 2, no padding, no extension, no contributors.
    ///
    /// - Returns: false, with nothing written, where fewer than `size` bytes are there.
    public func write(into bytes: inout MutableSpan<UInt8>) -> Bool {
        guard bytes.count >= Self.size else { return false }
        bytes[0] = 0x80
        bytes[1] = (marker ? 0x80 : 0) | payloadType & 0x7F
        bytes[2] = UInt8(truncatingIfNeeded: sequenceNumber >> 8)
        bytes[3] = UInt8(truncatingIfNeeded: sequenceNumber)
        for index in 0..<4 {
            let shift = UInt32(24 - 8 * index)
            bytes[4 + index] = UInt8(truncatingIfNeeded: timestamp >> shift)
            bytes[8 + index] = UInt8(truncatingIfNeeded: source >> shift)
        }
        return true
    }
}

/// A packet that was found to be RTP: its header and where its payload lies.
public struct RTPPacket: Hashable, Sendable {
    public var header: RTPHeader
    /// Place of the payload in the packet, padding cut off.
    public var payload: Range<Int>

    /// Checks the packet as RFC 3550 A.1 asks: version, and contributors, extension and padding inside it.
    public static func parse(_ bytes: Span<UInt8>) throws(RTPProblem) -> RTPPacket {
        guard bytes.count >= RTPHeader.size else { throw .tooShort }
        let first = bytes[0]
        guard first >> 6 == 2 else { throw .version }
        let start = try payloadStart(bytes, flags: first)
        let end = try payloadEnd(bytes, start: start, isPadded: first & 0x20 != 0)
        let header = RTPHeader(
            marker: bytes[1] & 0x80 != 0,
            payloadType: bytes[1] & 0x7F,
            sequenceNumber: bytes.networkUInt16(at: 2),
            timestamp: bytes.networkUInt32(at: 4),
            source: bytes.networkUInt32(at: 8))
        return RTPPacket(header: header, payload: start..<end)
    }

    /// Behind the contributors (RFC 3550 §5.1) and the extension (§5.3.1).
    private static func payloadStart(_ bytes: Span<UInt8>, flags: UInt8) throws(RTPProblem) -> Int {
        var start = RTPHeader.size + 4 * Int(flags & 0x0F)
        guard start <= bytes.count else { throw .length }
        if flags & 0x10 != 0 {
            guard start + 4 <= bytes.count else { throw .length }
            start += 4 + 4 * Int(bytes.networkUInt16(at: start + 2))
            guard start <= bytes.count else { throw .length }
        }
        return start
    }

    /// Before the padding, whose last byte counts it, itself included.
    private static func payloadEnd(_ bytes: Span<UInt8>, start: Int, isPadded: Bool) throws(RTPProblem) -> Int {
        guard isPadded else { return bytes.count }
        let padding = Int(bytes[bytes.count - 1])
        guard padding > 0, bytes.count - padding >= start else { throw .length }
        return bytes.count - padding
    }
}

extension Span<UInt8> {
    /// Two bytes in network order; the span checks the bounds.
    func networkUInt16(at offset: Int) -> UInt16 { UInt16(self[offset]) << 8 | UInt16(self[offset + 1]) }

    /// Four bytes in network order; the span checks the bounds.
    func networkUInt32(at offset: Int) -> UInt32 {
        UInt32(networkUInt16(at: offset)) << 16 | UInt32(networkUInt16(at: offset + 2))
    }
}
