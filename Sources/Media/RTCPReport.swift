/// What a compound RTCP packet says about streams (RFC 3550 §6.4).
public enum RTCPReport: Hashable, Sendable {
    case sender(SenderReport)
    case block(ReceptionReport)

    /// Reads the reports of a packet that `RTCPCompound.check` has passed, in order; nothing is allocated. A block that
    /// reaches over the end of its part, and every part of another type, is left out.
    public static func read(_ bytes: Span<UInt8>, _ body: (RTCPReport) -> Void) {
        var offset = 0
        while offset + 4 <= bytes.count {
            let end = offset + 4 + 4 * Int(bytes.networkUInt16(at: offset + 2))
            guard end <= bytes.count else { return }
            readPart(bytes.extracting(offset..<end), body)
            offset = end
        }
    }

    private static func readPart(_ part: Span<UInt8>, _ body: (RTCPReport) -> Void) {
        var offset: Int
        switch part[1] {
        case RTCPCompound.senderReport:
            guard part.count >= SenderReport.end else { return }
            body(.sender(SenderReport(source: part.networkUInt32(at: 4), time: part.networkUInt32(at: 10))))
            offset = SenderReport.end
        case RTCPCompound.receiverReport: offset = 8
        default: return
        }
        for _ in 0..<Int(part[0] & 0x1F) {
            guard offset + ReceptionReport.size <= part.count else { return }
            body(.block(ReceptionReport(part.extracting(offset..<(offset + ReceptionReport.size)))))
            offset += ReceptionReport.size
        }
    }
}

/// A sender report, as far as a relay needs it (RFC 3550 §6.4.1).
public struct SenderReport: Hashable, Sendable {
    /// Where its report blocks begin.
    static let end = 28

    public var source: UInt32
    /// The middle 32 bits of its NTP timestamp, which a receiver gives back as LSR.
    public var time: UInt32

    public init(source: UInt32, time: UInt32) {
        self.source = source
        self.time = time
    }
}

/// A report block: what a receiver says of one stream (RFC 3550 §6.4.1).
public struct ReceptionReport: Hashable, Sendable {
    static let size = 24

    /// SSRC of the stream it is about.
    public var source: UInt32
    /// Lost since the report before, in 1/256.
    public var fractionLost: UInt8
    /// In units of the stream's clock.
    public var jitter: UInt32
    /// LSR: the middle 32 bits of the last sender report's NTP timestamp; 0: none has come.
    public var lastSenderReport: UInt32
    /// DLSR: how long ago that was, in 1/65536 s.
    public var delay: UInt32

    public init(source: UInt32, fractionLost: UInt8, jitter: UInt32, lastSenderReport: UInt32 = 0, delay: UInt32 = 0) {
        self.source = source
        self.fractionLost = fractionLost
        self.jitter = jitter
        self.lastSenderReport = lastSenderReport
        self.delay = delay
    }

    /// The caller has made sure of `size` bytes.
    fileprivate init(_ bytes: Span<UInt8>) {
        self.init(
            source: bytes.networkUInt32(at: 0), fractionLost: bytes[4], jitter: bytes.networkUInt32(at: 12),
            lastSenderReport: bytes.networkUInt32(at: 16), delay: bytes.networkUInt32(at: 20))
    }
}
