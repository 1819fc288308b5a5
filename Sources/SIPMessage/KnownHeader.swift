/// Headers that the message model has a place of their own for. The numbers are those of `KnownHeader`.
enum StructuralHeader: UInt8, CaseIterable, Hashable, Sendable {
    case via, from, to, callID, cseq, maxForwards, contact, route, recordRoute, contentType, contentLength
}

/// Header names with a number, so that most messages are read without making text of a name.
enum KnownHeader: UInt8, CaseIterable, Hashable, Sendable {
    case via, from, to, callID, cseq, maxForwards, contact, route, recordRoute, contentType, contentLength
    case accept, acceptContact, acceptEncoding, acceptLanguage, alertInfo, allow, allowEvents, answerMode, authenticationInfo
    case authorization, callInfo, contentDisposition, contentEncoding, contentLanguage, date, diversion, errorInfo, event
    case expires, flowTimer, geolocation, geolocationRouting, historyInfo, identity, identityInfo, infoPackage, inReplyTo, join
    case mimeVersion, minExpires, minSE, organization, pAccessNetworkInfo, pAssertedIdentity, pChargingVector, pPreferredIdentity
    case path, priority, privacy, proxyAuthenticate, proxyAuthorization, proxyRequire, rAck, reason, recvInfo, referSub, referTo
    case referredBy, rejectContact, remotePartyID, replaces, replyTo, requestDisposition, require, resourcePriority, retryAfter
    case rSeq, server, serviceRoute, sessionExpires, sipETag, sipIfMatch, subject, subscriptionState, supported, targetDialog
    case timestamp, unsupported, userAgent, warning, wwwAuthenticate

    /// Its place in the message model; nil for what stands among `Headers.others`.
    @inline(__always)
    var structural: StructuralHeader? { StructuralHeader(rawValue: rawValue) }

    /// Whether it may stand once only and something is decided by it.
    var isSingle: Bool {
        switch self {
        case .from, .to, .callID, .cseq, .maxForwards, .contentType, .contentLength, .contentDisposition, .date, .event, .expires,
            .minExpires, .minSE, .rAck, .referSub, .referTo, .referredBy, .replaces, .retryAfter, .rSeq, .sessionExpires, .sipETag,
            .sipIfMatch, .subscriptionState, .targetDialog, .join:
            return true
        case .via, .contact, .route, .recordRoute, .accept, .acceptContact, .acceptEncoding, .acceptLanguage, .alertInfo, .allow,
            .allowEvents, .answerMode, .authenticationInfo, .authorization, .callInfo, .contentEncoding, .contentLanguage, .diversion,
            .errorInfo, .flowTimer, .geolocation, .geolocationRouting, .historyInfo, .identity, .identityInfo, .infoPackage,
            .inReplyTo, .mimeVersion, .organization, .pAccessNetworkInfo, .pAssertedIdentity, .pChargingVector, .pPreferredIdentity,
            .path, .priority, .privacy, .proxyAuthenticate, .proxyAuthorization, .proxyRequire, .reason, .recvInfo, .rejectContact,
            .remotePartyID, .replyTo, .requestDisposition, .require, .resourcePriority, .server, .serviceRoute, .subject, .supported,
            .timestamp, .unsupported, .userAgent, .warning, .wwwAuthenticate:
            return false
        }
    }

    /// The canonical spelling.
    var name: StaticString {
        switch self {
        case .via: return "Via"
        case .from: return "From"
        case .to: return "To"
        case .callID: return "Call-ID"
        case .cseq: return "CSeq"
        case .maxForwards: return "Max-Forwards"
        case .contact: return "Contact"
        case .route: return "Route"
        case .recordRoute: return "Record-Route"
        case .contentType: return "Content-Type"
        case .contentLength: return "Content-Length"
        case .accept: return "Accept"
        case .acceptContact: return "Accept-Contact"
        case .acceptEncoding: return "Accept-Encoding"
        case .acceptLanguage: return "Accept-Language"
        case .alertInfo: return "Alert-Info"
        case .allow: return "Allow"
        case .allowEvents: return "Allow-Events"
        case .answerMode: return "Answer-Mode"
        case .authenticationInfo: return "Authentication-Info"
        case .authorization: return "Authorization"
        case .callInfo: return "Call-Info"
        case .contentDisposition: return "Content-Disposition"
        case .contentEncoding: return "Content-Encoding"
        case .contentLanguage: return "Content-Language"
        case .date: return "Date"
        case .diversion: return "Diversion"
        case .errorInfo: return "Error-Info"
        case .event: return "Event"
        case .expires: return "Expires"
        case .flowTimer: return "Flow-Timer"
        case .geolocation: return "Geolocation"
        case .geolocationRouting: return "Geolocation-Routing"
        case .historyInfo: return "History-Info"
        case .identity: return "Identity"
        case .identityInfo: return "Identity-Info"
        case .infoPackage: return "Info-Package"
        case .inReplyTo: return "In-Reply-To"
        case .join: return "Join"
        case .mimeVersion: return "MIME-Version"
        case .minExpires: return "Min-Expires"
        case .minSE: return "Min-SE"
        case .organization: return "Organization"
        case .pAccessNetworkInfo: return "P-Access-Network-Info"
        case .pAssertedIdentity: return "P-Asserted-Identity"
        case .pChargingVector: return "P-Charging-Vector"
        case .pPreferredIdentity: return "P-Preferred-Identity"
        case .path: return "Path"
        case .priority: return "Priority"
        case .privacy: return "Privacy"
        case .proxyAuthenticate: return "Proxy-Authenticate"
        case .proxyAuthorization: return "Proxy-Authorization"
        case .proxyRequire: return "Proxy-Require"
        case .rAck: return "RAck"
        case .reason: return "Reason"
        case .recvInfo: return "Recv-Info"
        case .referSub: return "Refer-Sub"
        case .referTo: return "Refer-To"
        case .referredBy: return "Referred-By"
        case .rejectContact: return "Reject-Contact"
        case .remotePartyID: return "Remote-Party-ID"
        case .replaces: return "Replaces"
        case .replyTo: return "Reply-To"
        case .requestDisposition: return "Request-Disposition"
        case .require: return "Require"
        case .resourcePriority: return "Resource-Priority"
        case .retryAfter: return "Retry-After"
        case .rSeq: return "RSeq"
        case .server: return "Server"
        case .serviceRoute: return "Service-Route"
        case .sessionExpires: return "Session-Expires"
        case .sipETag: return "SIP-ETag"
        case .sipIfMatch: return "SIP-If-Match"
        case .subject: return "Subject"
        case .subscriptionState: return "Subscription-State"
        case .supported: return "Supported"
        case .targetDialog: return "Target-Dialog"
        case .timestamp: return "Timestamp"
        case .unsupported: return "Unsupported"
        case .userAgent: return "User-Agent"
        case .warning: return "Warning"
        case .wwwAuthenticate: return "WWW-Authenticate"
        }
    }

    /// The compact form's header (RFC 3261 §7.3.3 and the registry of SIP header fields).
    init?(compact letter: UInt8) {
        switch ByteClass.lowercased(letter) {
        case UInt8(ascii: "v"): self = .via
        case UInt8(ascii: "f"): self = .from
        case UInt8(ascii: "t"): self = .to
        case UInt8(ascii: "i"): self = .callID
        case UInt8(ascii: "m"): self = .contact
        case UInt8(ascii: "c"): self = .contentType
        case UInt8(ascii: "l"): self = .contentLength
        case UInt8(ascii: "a"): self = .acceptContact
        case UInt8(ascii: "b"): self = .referredBy
        case UInt8(ascii: "d"): self = .requestDisposition
        case UInt8(ascii: "e"): self = .contentEncoding
        case UInt8(ascii: "j"): self = .rejectContact
        case UInt8(ascii: "k"): self = .supported
        case UInt8(ascii: "n"): self = .identityInfo
        case UInt8(ascii: "o"): self = .event
        case UInt8(ascii: "r"): self = .referTo
        case UInt8(ascii: "s"): self = .subject
        case UInt8(ascii: "u"): self = .allowEvents
        case UInt8(ascii: "x"): self = .sessionExpires
        case UInt8(ascii: "y"): self = .identity
        default: return nil
        }
    }

    /// The header of this name or compact form, letters in any case.
    init?(_ name: ByteCursor) {
        if name.count == 1 {
            guard let letter = name.next, let header = KnownHeader(compact: letter) else { return nil }
            self = header
            return
        }
        guard let header = KnownHeaderTable.shared.find(name) else { return nil }
        self = header
    }
}

/// Finds names by their length and three of their letters.
private struct KnownHeaderTable: Sendable {
    static let shared = KnownHeaderTable()

    /// For each hash the first header, and for each header the next with its hash; 255 for none.
    private var heads = [UInt8](repeating: 255, count: 256)
    private var chain = [UInt8](repeating: 255, count: KnownHeader.allCases.count)
    /// All names in lower case one after the other, and where each begins and the last ends.
    private var text: [UInt8] = []
    private var offsets: [Int] = [0]

    private init() {
        for header in KnownHeader.allCases {
            let spelling = UnsafeBufferPointer(start: header.name.utf8Start, count: header.name.utf8CodeUnitCount)
            let name = spelling.map(ByteClass.lowercased)
            text += name
            offsets.append(text.count)
            let slot = name.withUnsafeBufferPointer { KnownHeaderTable.slot(ByteCursor($0)) }
            chain[Int(header.rawValue)] = heads[slot]
            heads[slot] = header.rawValue
        }
    }

    func find(_ name: ByteCursor) -> KnownHeader? {
        let bytes = name.buffer
        var candidate = heads[KnownHeaderTable.slot(name)]
        while candidate != 255 {
            let start = offsets[Int(candidate)]
            if matches(bytes, start, offsets[Int(candidate) + 1] - start) { return KnownHeader(rawValue: candidate) }
            candidate = chain[Int(candidate)]
        }
        return nil
    }

    private func matches(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int, _ count: Int) -> Bool {
        guard bytes.count == count else { return false }
        for index in 0..<count where ByteClass.lowercased(bytes[index]) != text[start + index] { return false }
        return true
    }

    private static func slot(_ name: ByteCursor) -> Int {
        let first = Int((name.next ?? 0) | 0x20)
        let middle = Int((name.peek(name.count / 2) ?? 0) | 0x20)
        let last = Int((name.peek(name.count - 1) ?? 0) | 0x20)
        return (name.count &* 31 &+ first &* 7 &+ middle &* 13 &+ last &* 5) & 255
    }
}
