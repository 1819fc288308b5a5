import CoreTypes
import HotDeskPolicy
import SIPMessage

/// Digest authentication of devices at the edge (RFC 7616, RFC 3261 §22).
struct DeviceAuthenticator: Sendable {
    enum Outcome: Equatable {
        case proven
        /// No credentials for us, or ones that prove nothing: challenge again.
        case challenge(stale: Bool)
        /// An answer to a challenge of ours with the wrong password.
        case wrongPassword
    }

    var realm: String
    /// A capture is being replayed: its nonces are another process's, so credentials are taken at their word.
    var trustsCredentials = false
    let key: [UInt8]
    private var nonces: DigestNonces

    init(realm: String, key: [UInt8]) {
        self.realm = realm
        self.key = key
        nonces = DigestNonces(key: key)
    }

    func challenge(algorithm: DigestAlgorithm, stale: Bool, salt: String, now: Instant) -> DigestChallenge {
        DigestChallenge(
            realm: realm, nonce: nonces.nonce(issued: now, salt: salt), opaque: nil, algorithm: algorithm, offersAuth: true, stale: stale)
    }

    /// Checks credentials for a request that `device` is said to have sent.
    mutating func check(_ credentials: DigestCredentials, method: Method, uri: URI, device: Device, now: Instant) -> Outcome {
        guard credentials.realm == realm, credentials.username == device.name.text else { return .challenge(stale: false) }
        if trustsCredentials { return .proven }
        guard nonces.made(credentials.nonce) else { return .challenge(stale: false) }
        // Without qop the count is no part of what was hashed, so that anybody could count on.
        guard credentials.qop != nil, let count = credentials.nonceCount, Self.names(credentials.uri, uri) else { return .challenge(stale: false) }
        guard credentials.matches(method: method, password: device.secret.exposed) else { return .wrongPassword }
        // The answer is right; from here on a refusal means only that the nonce has had its time.
        return nonces.use(credentials.nonce, count: count, now: now) ? .proven : .challenge(stale: true)
    }

    mutating func forgetExpired(at now: Instant) { nonces.forgetExpired(at: now) }

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
}
