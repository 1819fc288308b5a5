/// The name of a header, in one spelling: letters in any case and the compact form come out the same
/// (RFC 3261 §7.3.1, §7.3.3).
public struct HeaderName: Hashable, Sendable, CustomStringConvertible {
    private enum Kind: Hashable, Sendable {
        case known(KnownHeader)
        /// "X-Some-Thing": first letters large, all others small.
        case other(String)
    }

    private let kind: Kind

    /// Bytes that cannot be in a name are left out.
    public init(_ text: String) {
        let clean = text.utf8.allSatisfy(ByteClass.isToken) ? text : String(decoding: text.utf8.filter(ByteClass.isToken), as: UTF8.self)
        self = clean.withCursor { HeaderName($0) }
    }

    @inline(__always)
    init(known header: KnownHeader) { kind = .known(header) }

    /// The whole of `part`, which is a token.
    init(_ part: ByteCursor) {
        if let header = KnownHeader(part) {
            kind = .known(header)
        } else {
            kind = .other(HeaderName.canonical(part))
        }
    }

    public var description: String {
        switch kind {
        case .known(let header): return header.name.description
        case .other(let name): return name
        }
    }

    /// "P-…": made for the inside of networks that trust each other (RFC 5727 §4).
    public var isPrivate: Bool {
        switch kind {
        case .known(let header): return header.name.description.utf8.starts(with: "P-".utf8)
        case .other(let name): return name.utf8.starts(with: "P-".utf8)
        }
    }

    var known: KnownHeader? {
        switch kind {
        case .known(let header): return header
        case .other: return nil
        }
    }

    private static func canonical(_ part: ByteCursor) -> String {
        var isFirst = true
        let bytes = part.buffer.map { byte in
            defer { isFirst = byte == UInt8(ascii: "-") }
            return isFirst ? ByteClass.uppercased(byte) : ByteClass.lowercased(byte)
        }
        return String(decoding: bytes.isEmpty ? [UInt8(ascii: "X")] : bytes, as: UTF8.self)
    }
}

extension HeaderName {
    public static var via: HeaderName { HeaderName(known: .via) }
    public static var from: HeaderName { HeaderName(known: .from) }
    public static var to: HeaderName { HeaderName(known: .to) }
    public static var callID: HeaderName { HeaderName(known: .callID) }
    public static var cseq: HeaderName { HeaderName(known: .cseq) }
    public static var maxForwards: HeaderName { HeaderName(known: .maxForwards) }
    public static var contact: HeaderName { HeaderName(known: .contact) }
    public static var route: HeaderName { HeaderName(known: .route) }
    public static var recordRoute: HeaderName { HeaderName(known: .recordRoute) }
    public static var contentType: HeaderName { HeaderName(known: .contentType) }
    public static var contentLength: HeaderName { HeaderName(known: .contentLength) }
    public static var accept: HeaderName { HeaderName(known: .accept) }
    public static var acceptContact: HeaderName { HeaderName(known: .acceptContact) }
    public static var acceptEncoding: HeaderName { HeaderName(known: .acceptEncoding) }
    public static var acceptLanguage: HeaderName { HeaderName(known: .acceptLanguage) }
    public static var alertInfo: HeaderName { HeaderName(known: .alertInfo) }
    public static var allow: HeaderName { HeaderName(known: .allow) }
    public static var allowEvents: HeaderName { HeaderName(known: .allowEvents) }
    public static var answerMode: HeaderName { HeaderName(known: .answerMode) }
    public static var authenticationInfo: HeaderName { HeaderName(known: .authenticationInfo) }
    public static var authorization: HeaderName { HeaderName(known: .authorization) }
    public static var callInfo: HeaderName { HeaderName(known: .callInfo) }
    public static var contentDisposition: HeaderName { HeaderName(known: .contentDisposition) }
    public static var contentEncoding: HeaderName { HeaderName(known: .contentEncoding) }
    public static var contentLanguage: HeaderName { HeaderName(known: .contentLanguage) }
    public static var date: HeaderName { HeaderName(known: .date) }
    public static var diversion: HeaderName { HeaderName(known: .diversion) }
    public static var errorInfo: HeaderName { HeaderName(known: .errorInfo) }
    public static var event: HeaderName { HeaderName(known: .event) }
    public static var expires: HeaderName { HeaderName(known: .expires) }
    public static var flowTimer: HeaderName { HeaderName(known: .flowTimer) }
    public static var geolocation: HeaderName { HeaderName(known: .geolocation) }
    public static var geolocationRouting: HeaderName { HeaderName(known: .geolocationRouting) }
    public static var historyInfo: HeaderName { HeaderName(known: .historyInfo) }
    public static var identity: HeaderName { HeaderName(known: .identity) }
    public static var identityInfo: HeaderName { HeaderName(known: .identityInfo) }
    public static var infoPackage: HeaderName { HeaderName(known: .infoPackage) }
    public static var inReplyTo: HeaderName { HeaderName(known: .inReplyTo) }
    public static var join: HeaderName { HeaderName(known: .join) }
    public static var mimeVersion: HeaderName { HeaderName(known: .mimeVersion) }
    public static var minExpires: HeaderName { HeaderName(known: .minExpires) }
    public static var minSE: HeaderName { HeaderName(known: .minSE) }
    public static var organization: HeaderName { HeaderName(known: .organization) }
    public static var pAccessNetworkInfo: HeaderName { HeaderName(known: .pAccessNetworkInfo) }
    public static var pAssertedIdentity: HeaderName { HeaderName(known: .pAssertedIdentity) }
    public static var pChargingVector: HeaderName { HeaderName(known: .pChargingVector) }
    public static var pPreferredIdentity: HeaderName { HeaderName(known: .pPreferredIdentity) }
    public static var path: HeaderName { HeaderName(known: .path) }
    public static var priority: HeaderName { HeaderName(known: .priority) }
    public static var privacy: HeaderName { HeaderName(known: .privacy) }
    public static var proxyAuthenticate: HeaderName { HeaderName(known: .proxyAuthenticate) }
    public static var proxyAuthorization: HeaderName { HeaderName(known: .proxyAuthorization) }
    public static var proxyRequire: HeaderName { HeaderName(known: .proxyRequire) }
    public static var rAck: HeaderName { HeaderName(known: .rAck) }
    public static var reason: HeaderName { HeaderName(known: .reason) }
    public static var recvInfo: HeaderName { HeaderName(known: .recvInfo) }
    public static var referSub: HeaderName { HeaderName(known: .referSub) }
    public static var referTo: HeaderName { HeaderName(known: .referTo) }
    public static var referredBy: HeaderName { HeaderName(known: .referredBy) }
    public static var rejectContact: HeaderName { HeaderName(known: .rejectContact) }
    public static var remotePartyID: HeaderName { HeaderName(known: .remotePartyID) }
    public static var replaces: HeaderName { HeaderName(known: .replaces) }
    public static var replyTo: HeaderName { HeaderName(known: .replyTo) }
    public static var requestDisposition: HeaderName { HeaderName(known: .requestDisposition) }
    public static var require: HeaderName { HeaderName(known: .require) }
    public static var resourcePriority: HeaderName { HeaderName(known: .resourcePriority) }
    public static var retryAfter: HeaderName { HeaderName(known: .retryAfter) }
    public static var rSeq: HeaderName { HeaderName(known: .rSeq) }
    public static var server: HeaderName { HeaderName(known: .server) }
    public static var serviceRoute: HeaderName { HeaderName(known: .serviceRoute) }
    public static var sessionExpires: HeaderName { HeaderName(known: .sessionExpires) }
    public static var sipETag: HeaderName { HeaderName(known: .sipETag) }
    public static var sipIfMatch: HeaderName { HeaderName(known: .sipIfMatch) }
    public static var subject: HeaderName { HeaderName(known: .subject) }
    public static var subscriptionState: HeaderName { HeaderName(known: .subscriptionState) }
    public static var supported: HeaderName { HeaderName(known: .supported) }
    public static var targetDialog: HeaderName { HeaderName(known: .targetDialog) }
    public static var timestamp: HeaderName { HeaderName(known: .timestamp) }
    public static var unsupported: HeaderName { HeaderName(known: .unsupported) }
    public static var userAgent: HeaderName { HeaderName(known: .userAgent) }
    public static var warning: HeaderName { HeaderName(known: .warning) }
    public static var wwwAuthenticate: HeaderName { HeaderName(known: .wwwAuthenticate) }
}

extension ByteWriter {
    mutating func headerName(_ name: HeaderName) {
        if let known = name.known {
            literal(known.name)
        } else {
            text(name.description)
        }
        literal(": ")
    }
}
