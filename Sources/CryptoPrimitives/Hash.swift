internal import COpenSSL

/// One-shot digests of libcrypto.
public enum Hash {
    /// MD5 (RFC 1321): 16 bytes. Only for digest authentication with peers that know nothing better (RFC 7616 §3.2).
    public static func md5(_ bytes: [UInt8]) -> [UInt8] { Algorithm.md5.digest(bytes) }

    /// SHA-256 (FIPS 180-4): 32 bytes.
    public static func sha256(_ bytes: [UInt8]) -> [UInt8] { Algorithm.sha256.digest(bytes) }

    /// HMAC (RFC 2104) with SHA-256: 32 bytes.
    public static func hmacSHA256(key: [UInt8], _ bytes: [UInt8]) -> [UInt8] {
        let blockSize = 64
        let short = key.count > blockSize ? sha256(key) : key
        var text = short
        text.reserveCapacity(blockSize + max(bytes.count, 32))
        for _ in short.count..<blockSize { text.append(0) }
        for index in 0..<blockSize { text[index] ^= 0x36 }
        text += bytes
        let inner = sha256(text)
        text.removeSubrange(blockSize...)
        for index in 0..<blockSize { text[index] ^= 0x36 ^ 0x5C }
        return sha256(text + inner)
    }
}

/// A message digest fetched once: `EVP_MD_fetch` costs more than hashing a short text does.
struct Algorithm: @unchecked Sendable {
    /// Fetched digests are immutable and may be used by any thread.
    private let method: OpaquePointer
    private let size: Int

    static let md5 = Algorithm("MD5", size: 16)
    static let sha256 = Algorithm("SHA256", size: 32)

    /// A library context apart from the process's own, so that a system-wide policy that turns MD5 off for
    /// certificates does not take digest authentication with it.
    nonisolated(unsafe) private static let library: OpaquePointer? = OSSL_LIB_CTX_new()

    private init(_ name: String, size: Int) {
        guard let method = EVP_MD_fetch(Self.library, name, nil) else {
            fatalError("libcrypto offers no \(name): the installation of OpenSSL 3 is broken")
        }
        self.method = method
        self.size = size
    }

    func digest(_ bytes: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: size) { output, count in
            let done = bytes.withUnsafeBytes { EVP_Digest($0.baseAddress, $0.count, output.baseAddress, nil, method, nil) }
            guard done == 1 else { fatalError("libcrypto could not hash: out of memory") }
            count = size
        }
    }
}
