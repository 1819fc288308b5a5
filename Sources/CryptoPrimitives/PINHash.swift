internal import COpenSSL

/// A PIN as it may be stored: its scrypt hash (RFC 7914) with the parameters it was made by.
///
/// Text form: `scrypt:<log2N>:<r>:<p>:<salt base64>:<hash base64>`.
public struct PINHash: Hashable, Sendable {
    /// log2 of the cost: 10...18. Memory is 128 * r * 2^log2N bytes: 16 MiB at the values `make` takes.
    let log2N: Int
    /// Block size: 1...16.
    let r: Int
    /// Parallelisation: 1...4.
    let p: Int
    let salt: [UInt8]
    /// 32 bytes from `make`, 16...64 from a text. Empty: nothing matches.
    let hash: [UInt8]

    /// Hashes with N = 2^14, r = 8, p = 1. The salt should be 16 random bytes.
    ///
    /// Where memory is too short to hash, the result matches no PIN and its text does not parse.
    public static func make(pin: String, salt: [UInt8]) -> PINHash {
        PINHash(log2N: 14, r: 8, p: 1, salt: salt, hash: scrypt(pin, salt: salt, log2N: 14, r: 8, p: 1, count: 32) ?? [])
    }

    private init(log2N: Int, r: Int, p: Int, salt: [UInt8], hash: [UInt8]) {
        self.log2N = log2N
        self.r = r
        self.p = p
        self.salt = salt
        self.hash = hash
    }

    /// Nil for another scheme, parameters out of bounds, a salt that is not 8...64 bytes or broken base64.
    public init?(parsing text: String) {
        let fields = text.split(separator: ":", omittingEmptySubsequences: false)
        guard fields.count == 6, fields[0] == "scrypt",
            let log2N = Self.number(fields[1], within: 10...18), let r = Self.number(fields[2], within: 1...16),
            let p = Self.number(fields[3], within: 1...4),
            let salt = Base64.decode(fields[4]), (8...64).contains(salt.count),
            let hash = Base64.decode(fields[5]), (16...64).contains(hash.count)
        else { return nil }
        self.init(log2N: log2N, r: r, p: p, salt: salt, hash: hash)
    }

    public var text: String { "scrypt:\(log2N):\(r):\(p):\(Base64.encode(salt)):\(Base64.encode(hash))" }

    /// Hashes `pin` and compares in constant time. Takes tens of milliseconds: never on an event loop.
    public func matches(_ pin: String) -> Bool {
        guard !hash.isEmpty, let other = Self.scrypt(pin, salt: salt, log2N: log2N, r: r, p: p, count: hash.count) else {
            return false
        }
        return constantTimeEqual(hash, other)
    }

    /// Decimal digits without sign or leading zero.
    private static func number(_ text: Substring, within range: ClosedRange<Int>) -> Int? {
        guard let value = Int(text), range.contains(value), String(value) == text else { return nil }
        return value
    }

    private static func scrypt(_ pin: String, salt: [UInt8], log2N: Int, r: Int, p: Int, count: Int) -> [UInt8]? {
        let cost = UInt64(1) << UInt64(log2N)
        // V, B and the working blocks (RFC 7914 §5, §6), and a little for libcrypto itself.
        let memory = 128 * UInt64(r) * (cost + UInt64(p) + 4) + 1_048_576
        // With a byte behind it, so that even an empty PIN has an address: a nil password means "only check the parameters".
        let password = Array(pin.utf8) + [0]
        var output = [UInt8](repeating: 0, count: count)
        let done = password.withUnsafeBytes { text in
            EVP_PBE_scrypt(
                text.baseAddress?.assumingMemoryBound(to: CChar.self), text.count - 1,
                salt, salt.count, cost, UInt64(r), UInt64(p), memory, &output, count)
        }
        return done == 1 ? output : nil
    }
}
