import SIPMessage

/// A To tag for answers the layer gives by itself. The same request gets the same tag each time it comes
/// (RFC 3261 §8.2.7), with nothing remembered.
enum StatelessTag {
    static func make(for request: SIPRequest) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        mix(request.headers.callID.value, into: &hash)
        mix(request.headers.from.tag ?? "", into: &hash)
        mix(request.headers.via.first?.branch ?? "", into: &hash)
        mix(String(request.headers.cseq.number), into: &hash)
        return String(hash, radix: 16)
    }

    /// FNV-1a, with a byte between the parts.
    private static func mix(_ text: String, into hash: inout UInt64) {
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        hash = (hash ^ 0xff) &* 0x100_0000_01b3
    }
}
