/// Hash functions of digest authentication that we speak (RFC 7616 §6.1, RFC 8760).
public enum DigestAlgorithm: Hashable, Sendable, CaseIterable {
    case md5, sha256

    public var name: String {
        switch self {
        case .md5: return "MD5"
        case .sha256: return "SHA-256"
        }
    }

    /// Letters in any case; MD5 where none is named.
    init(_ name: String?) throws(SIPSyntaxError) {
        switch name?.lowercased() {
        case nil, "md5": self = .md5
        case "sha-256": self = .sha256
        default: throw SIPSyntaxError(.digestAlgorithm)
        }
    }
}

/// WWW-Authenticate or Proxy-Authenticate with the Digest scheme (RFC 7616 §3.3).
public struct DigestChallenge: Hashable, Sendable {
    public var realm: String
    public var nonce: String
    public var opaque: String?
    public var algorithm: DigestAlgorithm
    /// Whether qop "auth" may be used; without it the older form of RFC 2069 is.
    public var offersAuth: Bool
    /// The credentials were right and only the nonce is too old.
    public var stale: Bool

    public init(
        realm: String, nonce: String, opaque: String? = nil, algorithm: DigestAlgorithm = .md5, offersAuth: Bool = true,
        stale: Bool = false
    ) {
        self.realm = realm
        self.nonce = nonce
        self.opaque = opaque
        self.algorithm = algorithm
        self.offersAuth = offersAuth
        self.stale = stale
    }

    /// Reads a header value. Throws for other schemes, unknown algorithms, and where only qop "auth-int" is offered.
    public init(parsing text: String) throws(SIPSyntaxError) {
        let parameters = try DigestParameters(text)
        realm = try parameters.required("realm")
        nonce = try parameters.required("nonce")
        opaque = parameters["opaque"]
        algorithm = try DigestAlgorithm(parameters["algorithm"])
        stale = parameters["stale"]?.lowercased() == "true"
        let qualities = parameters["qop"]?.split(separator: ",").map { $0.lowercased().filter { $0 != " " && $0 != "\t" } }
        offersAuth = qualities?.contains("auth") ?? false
        guard qualities == nil || offersAuth else { throw SIPSyntaxError(.digestQuality) }
    }

    public var headerValue: String {
        var writer = DigestWriter()
        writer.quoted("realm", realm)
        writer.quoted("nonce", nonce)
        if let opaque { writer.quoted("opaque", opaque) }
        writer.bare("algorithm", algorithm.name)
        if offersAuth { writer.quoted("qop", "auth") }
        if stale { writer.bare("stale", "true") }
        return writer.text
    }
}

/// The parameters of a digest header value: names once each, at most 32.
struct DigestParameters {
    private static let maximumCount = 32
    private var values: [Parameter] = []

    init(_ text: String) throws(SIPSyntaxError) {
        values = try text.withCursor { (cursor) throws(SIPSyntaxError) in
            cursor.skipWhitespace()
            guard cursor.takeWhile(ByteClass.isToken).equals(lowercase: "digest") else { throw SIPSyntaxError(.digestScheme) }
            guard let space = cursor.next, ByteClass.isWhitespace(space) else { throw SIPSyntaxError(.digestScheme) }
            return try DigestParameters.read(&cursor)
        }
    }

    /// `1#auth-param`; empty members are passed over, as lists of HTTP allow.
    private static func read(_ cursor: inout ByteCursor) throws(SIPSyntaxError) -> [Parameter] {
        var values: [Parameter] = []
        while true {
            cursor.skipWhitespace()
            if cursor.take(UInt8(ascii: ",")) { continue }
            guard !cursor.isAtEnd else { return values }
            let parameter = try cursor.headerParameter()
            guard parameter.value != nil, values.count < maximumCount else { throw SIPSyntaxError(.digestParameter) }
            guard values.parameter(parameter.name) == nil else { throw SIPSyntaxError(.repeatedParameter) }
            values.append(parameter)
            cursor.skipWhitespace()
            guard cursor.isAtEnd || cursor.take(UInt8(ascii: ",")) else { throw SIPSyntaxError(.digestParameter) }
        }
    }

    subscript(_ name: String) -> String? { values.parameter(name)?.value }

    func required(_ name: String) throws(SIPSyntaxError) -> String {
        guard let value = self[name] else { throw SIPSyntaxError(.digestParameter) }
        return value
    }
}

/// "Digest name=value, …"
struct DigestWriter: ~Copyable {
    private var writer = ByteWriter(capacity: 256)
    private var isFirst = true

    init() { writer.literal("Digest ") }

    var text: String { writer.string }

    mutating func quoted(_ name: StaticString, _ value: String) {
        begin(name)
        writer.quoted(value)
    }

    mutating func bare(_ name: StaticString, _ value: String) {
        begin(name)
        writer.token(value)
    }

    private mutating func begin(_ name: StaticString) {
        if !isFirst { writer.literal(", ") }
        isFirst = false
        writer.literal(name)
        writer.byte(UInt8(ascii: "="))
    }
}
