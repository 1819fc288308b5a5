/// Why bytes are not a compound RTCP packet (RFC 3550 A.2).
public enum RTCPProblem: Error, Hashable, Sendable {
    /// Shorter than one header.
    case tooShort
    /// A part has another version than 2.
    case version
    /// The first part is neither a sender nor a receiver report.
    case firstType
    /// A part that is not the last is padded.
    case padding
    /// The parts' lengths do not add up to the packet.
    case length
}

/// Compound RTCP packets (RFC 3550 §6.1).
public enum RTCPCompound {
    /// Sender report.
    static let senderReport: UInt8 = 200
    /// Receiver report.
    static let receiverReport: UInt8 = 201

    /// Checks what RFC 3550 A.2 asks of a compound packet; says nothing of what its parts contain.
    public static func check(_ bytes: Span<UInt8>) throws(RTCPProblem) {
        guard bytes.count >= 8 else { throw .tooShort }
        guard bytes[0] >> 6 == 2 else { throw .version }
        guard bytes[1] == senderReport || bytes[1] == receiverReport else { throw .firstType }
        var offset = 0
        while offset < bytes.count {
            guard offset + 4 <= bytes.count else { throw .length }
            guard bytes[offset] >> 6 == 2 else { throw .version }
            let isPadded = bytes[offset] & 0x20 != 0
            offset += 4 + 4 * Int(bytes.networkUInt16(at: offset + 2))
            guard offset <= bytes.count else { throw .length }
            guard !isPadded || offset == bytes.count else { throw .padding }
        }
    }
}
