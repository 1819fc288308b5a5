import CoreTypes
import CryptoPrimitives
import HotDeskPolicy
import SIPMessage

/// Digest authentication of devices at the edge (RFC 7616, RFC 3261 §22).
///
/// A nonce carries its own time and a keyed hash, so a flood of strangers costs no memory; only a nonce that
/// was used with a right answer is remembered, with the highest nonce count seen.
struct DeviceAuthenticator: Sendable {
    enum Outcome: Equatable {
        case proven
        /// No credentials for us, or ones that prove nothing: challenge again.
        case challenge(stale: Bool)
        /// An answer to a challenge of ours with the wrong password.
        case wrongPassword
    }

    private struct Use: Sendable {
        var expires: Instant
        var highestCount: UInt32
    }

    var realm: String
    /// A capture is being replayed: its nonces are another process's, so credentials are taken at their word.
    var trustsCredentials = false
    let key: [UInt8]
    let lifetime = Duration.seconds(300)
    private let maximumNonces = 16_384
    private var uses: [String: Use] = [:]

    init(realm: String, key: [UInt8]) {
        self.realm = realm
        self.key = key
    }

    func challenge(algorithm: DigestAlgorithm, stale: Bool, salt: String, now: Instant) -> DigestChallenge {
        DigestChallenge(
            realm: realm, nonce: nonce(issued: now, salt: salt), opaque: nil, algorithm: algorithm, offersAuth: true, stale: stale)
    }

    /// Checks credentials for a request that `device` is said to have sent.
    mutating func check(_ credentials: DigestCredentials, method: Method, uri: URI, device: Device, now: Instant) -> Outcome {
        guard credentials.realm == realm, credentials.username == device.name.text else { return .challenge(stale: false) }
        if trustsCredentials { return .proven }
        guard let issued = issueTime(of: credentials.nonce) else { return .challenge(stale: false) }
        // Without qop the count is no part of what was hashed, so that anybody could count on.
        guard credentials.qop != nil, let count = credentials.nonceCount, Self.names(credentials.uri, uri) else { return .challenge(stale: false) }
        guard credentials.matches(method: method, password: device.secret.exposed) else { return .wrongPassword }
        // The answer is right; from here on a refusal means only that the nonce has had its time.
        guard now - issued < lifetime, issued <= now else { return .challenge(stale: true) }
        if let use = uses[credentials.nonce], count <= use.highestCount { return .challenge(stale: true) }
        if uses.count >= maximumNonces { forgetExpired(at: now) }
        guard uses.count < maximumNonces else { return .challenge(stale: true) }
        uses[credentials.nonce] = Use(expires: issued + lifetime, highestCount: count)
        return .proven
    }

    mutating func forgetExpired(at now: Instant) {
        uses = uses.filter { $0.value.expires > now }
    }

    /// Whether the `uri` of the credentials names the Request-URI (RFC 7616 §3.4.6: "equivalent").
    private static func names(_ text: String, _ uri: URI) -> Bool {
        guard let claimed = try? URI(parsing: text) else { return false }
        switch (claimed, uri) {
        case (.sip(let claimed), .sip(let uri)): return claimed.user == uri.user && claimed.host == uri.host
        case (.tel(let claimed), .tel(let uri)): return claimed.number == uri.number
        case (.other(let scheme, let opaque), .other(let scheme2, let opaque2)): return scheme == scheme2 && opaque == opaque2
        case (.sip, _), (.tel, _), (.other, _): return false
        }
    }

    private func nonce(issued: Instant, salt: String) -> String {
        let text = String(issued.nanoseconds, radix: 16) + "." + salt
        return text + "." + seal(text)
    }

    private func issueTime(of nonce: String) -> Instant? {
        guard nonce.utf8.count <= 96 else { return nil }
        let parts = nonce.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3, let time = Int64(String(decoding: parts[0], as: UTF8.self), radix: 16) else { return nil }
        let text = String(decoding: parts[0], as: UTF8.self) + "." + String(decoding: parts[1], as: UTF8.self)
        guard constantTimeEqual(Array(seal(text).utf8), Array(parts[2])) else { return nil }
        return Instant(nanoseconds: time)
    }

    private func seal(_ text: String) -> String {
        hexadecimal(Array(Hash.hmacSHA256(key: key, Array(text.utf8)).prefix(12)))
    }
}
