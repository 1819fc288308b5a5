public import CoreTypes
internal import CryptoPrimitives

/// How an edge without a certificate gets one: over TLS 1.3 with the headend, by a token both know.
///
/// Neither end trusts the certificates of that connection. Each shows that it knows the token by a keyed hash over a secret
/// exported from this very connection (RFC 8446 §7.5): whoever sits between two connections has two different secrets, and
/// learns nothing of the token. docs/tunnel-protocol.md gives the bytes.
public enum TunnelEnrolment {
    public static let label = "EXPORTER-branch-edge-enrolment"
    static let requestType: UInt8 = 0x08
    static let answerType: UInt8 = 0x09
    static let exportedBytes = 32
    private static let maximum = 16_384

    /// What a site's administrator carries from the headend to the edge.
    public struct Token: Sendable, Equatable {
        public let secret: Personal<[UInt8]>

        public init(secret: [UInt8]) { self.secret = Personal(secret) }

        /// The text of `add-site`: 32 hexadecimal digits in groups of four.
        public init?(_ text: String) {
            let digits = text.utf8.filter { $0 != 0x2D && $0 != 0x20 }.map { (0x41...0x46).contains($0) ? $0 | 0x20 : $0 }
            guard let bytes = SessionToken(hexadecimal: digits)?.bytes else { return nil }
            secret = Personal(bytes)
        }

        public var text: String {
            let digits = Array(hexadecimal(secret.exposed))
            return stride(from: 0, to: digits.count, by: 4).map { String(digits[$0..<min($0 + 4, digits.count)]) }.joined(separator: "-")
        }

        /// By this the headend finds the token; it tells nothing of the secret.
        public var name: [UInt8] { Array(Hash.hmacSHA256(key: secret.exposed, Array("branch-edge token name".utf8)).prefix(16)) }
    }

    public struct Request: Hashable, Sendable {
        public var tokenName: [UInt8]
        public var proof: [UInt8]
        /// PKCS #10, DER.
        public var certificateRequest: [UInt8]
    }

    public struct Answer: Hashable, Sendable {
        /// The site's name at the headend.
        public var site: String
        /// PEM: the certificate, and the authority's behind it.
        public var chain: [UInt8]

        public init(site: String, chain: [UInt8]) {
            self.site = site
            self.chain = chain
        }
    }

    // MARK: Edge

    public static func request(_ token: Token, exported: [UInt8], certificateRequest: [UInt8]) -> [UInt8] {
        let proof = Hash.hmacSHA256(key: token.secret.exposed, Array("edge".utf8) + exported + certificateRequest)
        return frame(requestType, token.name + proof + certificateRequest)
    }

    /// Reads the headend's answer; `needMore` until it is whole.
    public static func readAnswer(_ bytes: [UInt8], _ token: Token, exported: [UInt8]) -> Reading<Answer> {
        switch payload(of: bytes, answerType) {
        case .needMore: return .needMore
        case .refused(let reason): return .refused(reason)
        case .broken: return .broken
        case .value(let payload):
            guard payload.count > 33, let length = payload.dropFirst(32).first, payload.count > 33 + Int(length) else { return .broken }
            let proof = Array(payload.prefix(32))
            let rest = Array(payload.dropFirst(32))
            guard constantTimeEqual(proof, Hash.hmacSHA256(key: token.secret.exposed, Array("headend".utf8) + exported + rest)) else { return .broken }
            let name = rest.dropFirst().prefix(Int(length))
            return .value(Answer(site: String(decoding: name, as: UTF8.self), chain: Array(rest.dropFirst(1 + Int(length)))))
        }
    }

    // MARK: Headend

    /// What stands first on a connection without a certificate.
    public static func readRequest(_ bytes: [UInt8]) -> Reading<Request> {
        switch payload(of: bytes, requestType) {
        case .needMore: return .needMore
        case .refused(let reason): return .refused(reason)
        case .broken: return .broken
        case .value(let payload):
            guard payload.count > 48 else { return .broken }
            return .value(
                Request(
                    tokenName: Array(payload.prefix(16)), proof: Array(payload.dropFirst(16).prefix(32)),
                    certificateRequest: Array(payload.dropFirst(48))))
        }
    }

    public static func proves(_ request: Request, _ token: Token, exported: [UInt8]) -> Bool {
        constantTimeEqual(
            request.proof, Hash.hmacSHA256(key: token.secret.exposed, Array("edge".utf8) + exported + request.certificateRequest))
    }

    public static func answer(_ answer: Answer, _ token: Token, exported: [UInt8]) -> [UInt8] {
        let name = Array(answer.site.utf8.prefix(255))
        let rest = [UInt8(truncatingIfNeeded: name.count)] + name + answer.chain
        return frame(answerType, Hash.hmacSHA256(key: token.secret.exposed, Array("headend".utf8) + exported + rest) + rest)
    }

    // MARK: Bytes

    public enum Reading<Value: Hashable & Sendable>: Hashable, Sendable {
        case needMore
        case value(Value)
        /// The far end said goodbye instead.
        case refused(GoAwayReason)
        case broken
    }

    private static func frame(_ type: UInt8, _ payload: [UInt8]) -> [UInt8] {
        var bytes = [type]
        bytes.appendInteger(UInt16(clamping: payload.count))
        return bytes + payload
    }

    private static func payload(of bytes: [UInt8], _ type: UInt8) -> Reading<[UInt8]> {
        var reader = WireReader(bytes)
        guard let head = reader.integer(UInt8.self) else { return .needMore }
        guard head == type || head == FrameType.goAway.rawValue else { return .broken }
        guard let length = reader.integer(UInt16.self) else { return .needMore }
        guard Int(length) <= maximum else { return .broken }
        guard let payload = reader.take(Int(length)) else { return .needMore }
        guard head == type else { return .refused(payload.first.flatMap(GoAwayReason.init(rawValue:)) ?? .other) }
        return .value(Array(payload))
    }
}

extension TLSSession {
    /// The secret an enrolment is bound to. Throws `notOpen` before the handshake is over.
    public func enrolmentSecret() throws(TLSError) -> [UInt8] { try exported(TunnelEnrolment.label, TunnelEnrolment.exportedBytes) }
}
