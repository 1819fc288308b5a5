internal import CryptoPrimitives

/// Authorization or Proxy-Authorization with the Digest scheme (RFC 7616 §3.4). It holds no secret.
public struct DigestCredentials: Hashable, Sendable {
    public var username: String
    public var realm: String
    public var nonce: String
    /// The digest-uri as the client wrote it.
    public var uri: String
    /// Lower-case hexadecimal digits, 32 or 64.
    public var response: String
    public var algorithm: DigestAlgorithm
    public var cnonce: String?
    /// How often this nonce was used, from 1.
    public var nonceCount: UInt32?
    public var opaque: String?
    /// "auth", or nil for the older form of RFC 2069.
    public var qop: String?

    public init(
        username: String, realm: String, nonce: String, uri: String, response: String, algorithm: DigestAlgorithm = .md5,
        cnonce: String? = nil, nonceCount: UInt32? = nil, opaque: String? = nil, qop: String? = nil
    ) {
        self.username = username
        self.realm = realm
        self.nonce = nonce
        self.uri = uri
        self.response = response
        self.algorithm = algorithm
        self.cnonce = cnonce
        self.nonceCount = nonceCount
        self.opaque = opaque
        self.qop = qop
    }

    /// Reads a header value. Throws for other schemes and algorithms, a qop other than "auth", and where a part
    /// that the qop needs is missing.
    public init(parsing text: String) throws(SIPSyntaxError) {
        let parameters = try DigestParameters(text)
        username = try parameters.required("username")
        realm = try parameters.required("realm")
        nonce = try parameters.required("nonce")
        uri = try parameters.required("uri")
        response = try parameters.required("response").lowercased()
        algorithm = try DigestAlgorithm(parameters["algorithm"])
        opaque = parameters["opaque"]
        cnonce = parameters["cnonce"]
        qop = parameters["qop"]?.lowercased()
        nonceCount = try parameters["nc"].map(DigestCredentials.count)
        guard qop == nil || qop == "auth" else { throw SIPSyntaxError(.digestQuality) }
        guard qop == nil || (cnonce != nil && nonceCount != nil) else { throw SIPSyntaxError(.digestParameter) }
    }

    /// The answer to a challenge (RFC 7616 §3.4.1). With qop "auth" the client nonce and count are part of it.
    public static func answering(
        _ challenge: DigestChallenge, method: Method, uri: String, username: String, password: String, cnonce: String,
        nonceCount: UInt32
    ) -> DigestCredentials {
        var credentials = DigestCredentials(
            username: username, realm: challenge.realm, nonce: challenge.nonce, uri: uri, response: "",
            algorithm: challenge.algorithm, opaque: challenge.opaque)
        if challenge.offersAuth {
            credentials.qop = "auth"
            credentials.cnonce = cnonce
            credentials.nonceCount = nonceCount
        }
        credentials.response = credentials.expectedResponse(method: method, password: password)
        return credentials
    }

    /// Whether these credentials were made with this password. Takes the same time wherever they differ. Nonce,
    /// count, realm and digest-uri are the caller's to judge.
    public func matches(method: Method, password: String) -> Bool {
        constantTimeEqual(Array(expectedResponse(method: method, password: password).utf8), Array(response.utf8))
    }

    public var headerValue: String {
        var writer = DigestWriter()
        writer.quoted("username", username)
        writer.quoted("realm", realm)
        writer.quoted("nonce", nonce)
        writer.quoted("uri", uri)
        writer.quoted("response", response)
        writer.bare("algorithm", algorithm.name)
        if let cnonce { writer.quoted("cnonce", cnonce) }
        if let opaque { writer.quoted("opaque", opaque) }
        if let qop { writer.bare("qop", qop) }
        if let nonceCount { writer.bare("nc", DigestCredentials.text(nonceCount)) }
        return writer.text
    }

    /// KD(H(A1), …H(A2)) of RFC 7616 §3.4.1, or of RFC 2069 where there is no qop.
    private func expectedResponse(method: Method, password: String) -> String {
        let first = hash("\(username):\(realm):\(password)")
        let second = hash("\(method.name):\(uri)")
        guard let qop else { return hash("\(first):\(nonce):\(second)") }
        return hash("\(first):\(nonce):\(DigestCredentials.text(nonceCount ?? 0)):\(cnonce ?? ""):\(qop):\(second)")
    }

    private func hash(_ text: String) -> String {
        switch algorithm {
        case .md5: return hexadecimal(Hash.md5(Array(text.utf8)))
        case .sha256: return hexadecimal(Hash.sha256(Array(text.utf8)))
        }
    }

    /// `8LHEX`
    private static func count(_ text: String) throws(SIPSyntaxError) -> UInt32 {
        guard text.utf8.count == 8, text.utf8.allSatisfy({ ByteClass.hexadecimalValue($0) != nil }), let count = UInt32(text, radix: 16)
        else { throw SIPSyntaxError(.digestParameter) }
        return count
    }

    private static func text(_ count: UInt32) -> String {
        let digits = String(count, radix: 16)
        return String(repeating: "0", count: Swift.max(0, 8 - digits.utf8.count)) + digits
    }
}
