public import CoreTypes

/// Who sends media (RFC 8866 §6.7).
public enum MediaDirection: String, Hashable, Sendable, CaseIterable {
    case sendrecv, sendonly, recvonly, inactive

    /// The same seen from the other end.
    public var reversed: MediaDirection {
        switch self {
        case .sendrecv, .inactive: return self
        case .sendonly: return .recvonly
        case .recvonly: return .sendonly
        }
    }
}

/// What a payload type is (RFC 8866 §6.6).
public struct RTPMap: Hashable, Sendable {
    /// Lower case: "pcmu", "pcma", "telephone-event".
    public var encoding: String
    /// Hertz.
    public var clockRate: UInt32
    public var channels: UInt8

    public init(encoding: String, clockRate: UInt32, channels: UInt8 = 1) {
        self.encoding = encoding
        self.clockRate = clockRate
        self.channels = channels
    }

    /// "PCMU/8000" or "opus/48000/2"
    init?(_ value: ByteCursor) {
        var rest = value
        let encoding = rest.takeWhile { $0 != UInt8(ascii: "/") }
        guard !encoding.isAtEnd, rest.take(UInt8(ascii: "/")) else { return nil }
        guard let rate = rest.takeWhile(ByteClass.isDigit).decimal(maximum: UInt64(UInt32.max)), rate > 0 else { return nil }
        self.init(encoding: encoding.lowercasedText, clockRate: UInt32(rate))
        if rest.take(UInt8(ascii: "/")) {
            guard let channels = rest.takeWhile(ByteClass.isDigit).decimal(maximum: 255), channels > 0 else { return nil }
            self.channels = UInt8(channels)
        }
        guard rest.isAtEnd else { return nil }
    }

    /// The value of an `a=rtpmap`, where it is about this payload type; the inner nil is a map that cannot be read.
    fileprivate static func of(_ format: String, in value: String) -> RTPMap?? {
        var (format, value) = (format, value)
        return format.withUTF8 { format in
            value.withUTF8 { value in
                var rest = ByteCursor(value)
                guard rest.field().buffer.elementsEqual(format), !rest.isAtEnd else { return .none }
                rest.skip()
                return .some(RTPMap(rest))
            }
        }
    }

    /// RFC 3551 §6, those that need no `a=rtpmap` and that phones use.
    static func fixed(_ format: String) -> RTPMap? {
        switch format {
        case "0": return RTPMap(encoding: "pcmu", clockRate: 8_000)
        case "3": return RTPMap(encoding: "gsm", clockRate: 8_000)
        case "4": return RTPMap(encoding: "g723", clockRate: 8_000)
        case "8": return RTPMap(encoding: "pcma", clockRate: 8_000)
        case "9": return RTPMap(encoding: "g722", clockRate: 8_000)
        case "13": return RTPMap(encoding: "cn", clockRate: 8_000)
        case "18": return RTPMap(encoding: "g729", clockRate: 8_000)
        default: return nil
        }
    }
}

/// `a=rtcp` (RFC 3605).
public struct RTCPAttribute: Hashable, Sendable {
    /// 1...65535
    public var port: UInt16
    /// Nil: the address of RTP.
    public var address: IPAddress?

    public init(port: UInt16, address: IPAddress? = nil) {
        self.port = port
        self.address = address
    }

    init?(_ text: String) {
        let fields = text.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: true)
        guard let first = fields.first, let port = UInt16(first), port > 0 else { return nil }
        self.init(port: port)
        guard fields.count == 2 else { return }
        guard let address = SDPText.address(String(fields[1])) else { return nil }
        self.address = address
    }

    var text: String { address.map { "\(port) \(SDPText.connection($0))" } ?? "\(port)" }
}

/// One "m=" line and what belongs to it (RFC 8866 §5.14).
public struct MediaDescription: Hashable, Sendable {
    /// "audio", "video", …
    public var kind: String
    /// 0: refused or ended.
    public var port: UInt16
    /// The number behind "/", 1 where there is none.
    public var portCount: UInt16
    /// "RTP/AVP", "RTP/SAVP", …
    public var transport: String
    /// Payload types, as text.
    public var formats: [String]
    /// The value of its own "c=" line as written.
    public var connectionText: String?
    public var attributes: [SDPAttribute]
    /// All other lines, in order: "i=" first.
    public var otherLines: [SDPLine]
    /// The session's direction, where the session has one and this is read from a description.
    public var sessionDirection: MediaDirection?

    public init(
        kind: String, port: UInt16, transport: String = "RTP/AVP", formats: [String], connection: IPAddress? = nil,
        attributes: [SDPAttribute] = [], portCount: UInt16 = 1
    ) {
        self.kind = kind
        self.port = port
        self.portCount = portCount
        self.transport = transport
        self.formats = formats
        self.connectionText = connection.map(SDPText.connection)
        self.attributes = attributes
        otherLines = []
    }

    /// Its own address; nil where there is none or it is a name.
    public var connection: IPAddress? {
        get { connectionText.flatMap(SDPText.address) }
        set { connectionText = newValue.map(SDPText.connection) }
    }

    /// The value of the first attribute of this name; "" where it has none.
    public func attribute(_ name: String) -> String? {
        attributes.first { $0.name == name }.map { $0.value ?? "" }
    }

    /// Its own direction, else the session's, else both ways. Setting writes it here.
    public var direction: MediaDirection {
        get { MediaDirection.last(in: attributes) ?? sessionDirection ?? .sendrecv }
        set {
            attributes.removeAll { MediaDirection(rawValue: $0.name) != nil }
            attributes.append(SDPAttribute(newValue.rawValue))
        }
    }

    /// `a=rtcp`, where it is there and valid. Setting replaces or removes it.
    public var rtcp: RTCPAttribute? {
        get { attribute("rtcp").flatMap(RTCPAttribute.init) }
        set {
            attributes.removeAll { $0.name == "rtcp" }
            if let newValue { attributes.append(SDPAttribute("rtcp", newValue.text)) }
        }
    }

    /// `a=rtcp-mux`
    public var isMultiplexed: Bool { attribute("rtcp-mux") != nil }

    /// What a payload type is: by its `a=rtpmap`, else by RFC 3551.
    public func rtpMap(_ format: String) -> RTPMap? {
        for attribute in attributes where attribute.name == "rtpmap" {
            if let value = attribute.value, let map = RTPMap.of(format, in: value) { return map }
        }
        return RTPMap.fixed(format)
    }

    /// The first payload type with this encoding, in lower case, and clock rate.
    public func format(of encoding: String, clockRate: UInt32 = 8_000) -> String? {
        formats.first { format in
            guard let map = rtpMap(format) else { return false }
            return map.encoding == encoding && map.clockRate == clockRate
        }
    }
}

extension MediaDirection {
    static func last(in attributes: [SDPAttribute]) -> MediaDirection? {
        attributes.lazy.compactMap { $0.value == nil ? MediaDirection(rawValue: $0.name) : nil }.last
    }
}
