public import CoreTypes

/// What protects the packets of one direction (RFC 4568 §6.2, RFC 6188, RFC 7714 §14), by the names SDP has for them.
public enum SRTPSuite: String, Hashable, Sendable, CaseIterable {
    case aes256GCM = "AEAD_AES_256_GCM"
    case aes128GCM = "AEAD_AES_128_GCM"
    case aes256SHA80 = "AES_256_CM_HMAC_SHA1_80"
    case aes256SHA32 = "AES_256_CM_HMAC_SHA1_32"
    case aes128SHA80 = "AES_CM_128_HMAC_SHA1_80"
    case aes128SHA32 = "AES_CM_128_HMAC_SHA1_32"

    /// Bytes of master key and master salt together.
    public var keyLength: Int {
        switch self {
        case .aes256GCM: return 32 + 12
        case .aes128GCM: return 16 + 12
        case .aes256SHA80, .aes256SHA32: return 32 + 14
        case .aes128SHA80, .aes128SHA32: return 16 + 14
        }
    }

    /// What the edge offers, best first: the short tags of the `_32` suites are taken where asked for only.
    public static let offered: [SRTPSuite] = [.aes256GCM, .aes256SHA80, .aes128SHA80]
}

/// The master key and salt of one sender. Neither is ever printed.
public struct SRTPKey: Hashable, Sendable {
    public let suite: SRTPSuite
    /// `suite.keyLength` bytes.
    public let material: Personal<[UInt8]>

    /// Nil where the length is not the suite's.
    public init?(suite: SRTPSuite, material: [UInt8]) {
        guard material.count == suite.keyLength else { return nil }
        self.suite = suite
        self.material = Personal(material)
    }

    /// A new key. The generator must be one that nobody can guess.
    public init(suite: SRTPSuite, from generator: inout some RandomNumberGenerator) {
        self.suite = suite
        material = Personal((0..<suite.keyLength).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
    }
}

/// SRTP on one leg: each end protects what it sends with a key of its own (RFC 4568 §6.1).
public struct SRTPTerms: Hashable, Sendable {
    /// Ours: what goes to the far end.
    public var send: SRTPKey
    /// The far end's: what comes from it.
    public var receive: SRTPKey

    public init(send: SRTPKey, receive: SRTPKey) {
        self.send = send
        self.receive = receive
    }
}
