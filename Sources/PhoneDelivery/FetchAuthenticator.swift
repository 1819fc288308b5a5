public import CoreTypes
import CryptoPrimitives
public import SIPMessage

/// Digest authentication of phones that fetch by their URLs (RFC 7616): a URL that leaked is then worth nothing by
/// itself. Only who has the right URL is ever challenged.
public struct FetchAuthenticator: Sendable {
    public enum Outcome: Equatable, Sendable {
        case proven
        /// No credentials, or such as prove nothing; the values of WWW-Authenticate, the preferred one first.
        case challenge([String])
        /// An answer to a challenge of ours with another password: challenged as well.
        case wrongPassword([String])
    }

    /// What is said to phones of who asks.
    public static let realm = "edgeproxy"

    private let algorithms: [DigestAlgorithm]
    private var nonces: DigestNonces
    private var random: RandomStream

    /// - Parameters:
    ///   - algorithms: in order of preference (RFC 7616 §3.7); at least one.
    ///   - seed: 32 unpredictable bytes.
    public init(algorithms: [DigestAlgorithm], seed: [UInt8]) {
        self.algorithms = algorithms
        random = RandomStream(seed: seed)
        nonces = DigestNonces(key: random.bytes(32))
    }

    /// Judges the Authorization of a request.
    ///
    /// - Parameter target: of the request line, path and query.
    public mutating func check(
        _ authorization: String?, method: String, target: String, user: String, password: String, now: Instant
    ) -> Outcome {
        guard let authorization, authorization.utf8.count <= 2048, let credentials = try? DigestCredentials(parsing: authorization),
            credentials.realm == Self.realm, credentials.username == user, algorithms.contains(credentials.algorithm),
            credentials.qop != nil, let count = credentials.nonceCount, Self.names(credentials.uri, target), nonces.made(credentials.nonce)
        else { return .challenge(challenges(stale: false, now)) }
        guard credentials.matches(method: Method(method), password: password) else {
            return .wrongPassword(challenges(stale: false, now))
        }
        return nonces.use(credentials.nonce, count: count, now: now) ? .proven : .challenge(challenges(stale: true, now))
    }

    private mutating func challenges(stale: Bool, _ now: Instant) -> [String] {
        let nonce = nonces.nonce(issued: now, salt: random.token(8))
        return algorithms.map { DigestChallenge(realm: Self.realm, nonce: nonce, algorithm: $0, offersAuth: true, stale: stale).headerValue }
    }

    /// RFC 7616 §3.4.6: the same resource; some phones write the whole URL.
    private static func names(_ uri: String, _ target: String) -> Bool {
        if uri == target { return true }
        guard uri.hasPrefix("http://") || uri.hasPrefix("https://"), let authority = uri.firstRange(of: "://") else { return false }
        return uri[authority.upperBound...].drop { $0 != "/" } == target
    }
}
