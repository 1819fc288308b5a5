/// Takes what people typed out of packets before they are written. Lengths stay as they are, so that a capture
/// still shows when and how much was sent. What cannot be understood is masked rather than kept.
public enum CaptureMask {
    /// RFC 4733 §2.3: the event of each block becomes 0.
    ///
    /// - Parameters:
    ///   - packet: a whole RTP packet; one of another payload type is returned as it is.
    ///   - payloadType: that of `telephone-event`, 0...127.
    public static func maskTelephoneEvent(_ packet: [UInt8], payloadType: UInt8) -> [UInt8] {
        guard packet.count >= 2, packet[1] & 0x7F == payloadType else { return packet }
        guard let payload = RTPPayload.range(in: packet) else { return blanked(packet, from: 12, with: 0) }
        var masked = packet
        for index in stride(from: payload.lowerBound, to: payload.upperBound, by: 4) { masked[index] = 0 }
        return masked
    }

    /// Silence in place of the payload: µ-law and A-law zero for payload types 0 and 8, zero bytes for any other.
    public static func maskAudio(_ packet: [UInt8]) -> [UInt8] {
        guard packet.count >= 2 else { return packet }
        let silence: UInt8 = packet[1] & 0x7F == 0 ? 0xFF : packet[1] & 0x7F == 8 ? 0xD5 : 0
        guard let payload = RTPPayload.range(in: packet) else { return blanked(packet, from: 12, with: silence) }
        var masked = packet
        for index in payload { masked[index] = silence }
        return masked
    }

    /// What must not be kept of a SIP message: keys of SRTP in a session description (RFC 4568, RFC 4567 and `k=`), whose
    /// characters become "0", and digits.
    ///
    /// The digits of a SIP INFO become "0": those of `Signal=` in `application/dtmf-relay`, all of `application/dtmf`,
    /// and the value of every line of another body that names digits or DTMF in its type. Any other message is
    /// returned as it is.
    public static func maskSIP(_ message: [UInt8]) -> [UInt8] { KeyMask.mask(SIPDigitMask.mask(message)) }

    private static func blanked(_ packet: [UInt8], from start: Int, with byte: UInt8) -> [UInt8] {
        guard start < packet.count else { return packet }
        return Array(packet[..<start]) + Array(repeating: byte, count: packet.count - start)
    }
}

/// Where the payload is in an RTP packet (RFC 3550 §5.1).
enum RTPPayload {
    /// Padding counts as payload. Nil where the header goes beyond the packet.
    static func range(in packet: [UInt8]) -> Range<Int>? {
        guard packet.count >= 12, packet[0] >> 6 == 2 else { return nil }
        var start = 12 + Int(packet[0] & 0x0F) * 4
        if packet[0] & 0x10 != 0 {
            guard start + 4 <= packet.count else { return nil }
            start += 4 + (Int(packet[start + 2]) << 8 | Int(packet[start + 3])) * 4
        }
        return start <= packet.count ? start..<packet.count : nil
    }
}
