public import CoreTypes
internal import CryptoPrimitives

/// Nonces of digest authentication (RFC 7616 §3.3) that need no memory.
///
/// A nonce carries its own time and a keyed hash, so a flood of strangers costs nothing; only one that was used with a
/// right answer is remembered, with the highest nonce count seen, so that no answer works twice.
public struct DigestNonces: Sendable {
    private struct Use: Sendable {
        var expires: Instant
        var highestCount: UInt32
    }

    /// How long a nonce may be used.
    public static let lifetime = Duration.seconds(300)
    private static let maximumCount = 16_384

    private let key: [UInt8]
    private var uses: [String: Use] = [:]

    /// - Parameter key: unpredictable bytes.
    public init(key: [UInt8]) { self.key = key }

    public func nonce(issued: Instant, salt: String) -> String {
        let text = String(issued.nanoseconds, radix: 16) + "." + salt
        return text + "." + seal(text)
    }

    /// Whether we made it, whenever that was.
    public func made(_ nonce: String) -> Bool { issueTime(of: nonce) != nil }

    /// Takes note of a right answer with this nonce. False: the nonce has had its time, or the count was used before; the
    /// client may try again with another.
    public mutating func use(_ nonce: String, count: UInt32, now: Instant) -> Bool {
        guard let issued = issueTime(of: nonce), now - issued < Self.lifetime, issued <= now else { return false }
        if let use = uses[nonce], count <= use.highestCount { return false }
        if uses.count >= Self.maximumCount { forgetExpired(at: now) }
        guard uses.count < Self.maximumCount else { return false }
        uses[nonce] = Use(expires: issued + Self.lifetime, highestCount: count)
        return true
    }

    public mutating func forgetExpired(at now: Instant) { uses = uses.filter { $0.value.expires > now } }

    private func issueTime(of nonce: String) -> Instant? {
        guard nonce.utf8.count <= 96 else { return nil }
        let parts = nonce.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3, let time = Int64(String(decoding: parts[0], as: UTF8.self), radix: 16) else { return nil }
        let text = String(decoding: parts[0], as: UTF8.self) + "." + String(decoding: parts[1], as: UTF8.self)
        guard constantTimeEqual(Array(seal(text).utf8), Array(parts[2])) else { return nil }
        return Instant(nanoseconds: time)
    }

    private func seal(_ text: String) -> String { hexadecimal(Array(Hash.hmacSHA256(key: key, Array(text.utf8)).prefix(12))) }
}
