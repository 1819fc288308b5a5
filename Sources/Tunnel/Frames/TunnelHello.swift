/// The first frame each side sends on a connection.
public struct TunnelHello: Hashable, Sendable {
    /// "EDGE": whoever connects to the wrong port is told apart from a wrong version.
    static let magic: [UInt8] = [0x45, 0x44, 0x47, 0x45]
    /// The version this code speaks.
    public static let version: UInt8 = 1

    /// Versions offered; an answer names the one chosen.
    public var versions: ClosedRange<UInt8> = version...version
    public var capabilities: TunnelCapabilities = [.datagramLane, .bundles]
    /// From the edge: the session to go on with. From the headend: the session there is.
    public var token: SessionToken?
    /// How many counted frames of that session have been received.
    public var received: UInt64 = 0
    /// The longest signalling frame taken.
    public var maximumSignal: UInt16 = .max
    public var maximumStreams: UInt16 = 0
    /// The longest datagram payload taken.
    public var datagramPayload: UInt16 = 0
    public var standing: Standing = .active
    public init() {}

    private enum Field: UInt8 {
        case capabilities = 1, token = 2, received = 3, maximumSignal = 4, maximumStreams = 5, datagramPayload = 6, standing = 7
    }

    var payload: [UInt8] {
        var bytes = Self.magic + [versions.lowerBound, versions.upperBound]
        func add(_ field: Field, _ value: [UInt8]) { bytes += [field.rawValue, UInt8(truncatingIfNeeded: value.count)] + value }
        add(.capabilities, Self.bytes(of: capabilities.rawValue))
        if let token { add(.token, token.bytes) }
        add(.received, Self.bytes(of: received))
        add(.maximumSignal, Self.bytes(of: maximumSignal))
        add(.maximumStreams, Self.bytes(of: maximumStreams))
        add(.datagramPayload, Self.bytes(of: datagramPayload))
        add(.standing, [standing.rawValue])
        return bytes
    }

    /// Nil where it is no hello, or a field has the wrong length. Unknown fields are skipped; of a repeated one the
    /// last counts.
    init?(payload: ArraySlice<UInt8>) {
        var reader = WireReader(payload)
        guard let magic = reader.take(4), Array(magic) == Self.magic, let low = reader.integer(UInt8.self),
            let high = reader.integer(UInt8.self), low <= high
        else { return nil }
        versions = low...high
        capabilities = []
        while reader.remaining > 0 {
            guard let tag = reader.integer(UInt8.self), let length = reader.integer(UInt8.self), let value = reader.take(Int(length))
            else { return nil }
            guard let field = Field(rawValue: tag) else { continue }
            guard set(field, value) else { return nil }
        }
    }

    private mutating func set(_ field: Field, _ value: ArraySlice<UInt8>) -> Bool {
        switch field {
        case .capabilities: return Self.read(value) { capabilities = TunnelCapabilities(rawValue: $0) }
        case .token:
            token = SessionToken(bytes: value)
            return token != nil
        case .received: return Self.read(value) { received = $0 }
        case .maximumSignal: return Self.read(value) { maximumSignal = $0 }
        case .maximumStreams: return Self.read(value) { maximumStreams = $0 }
        case .datagramPayload: return Self.read(value) { datagramPayload = $0 }
        case .standing: return Self.read(value) { (code: UInt8) in standing = Standing(rawValue: code) ?? .active }
        }
    }

    private static func bytes(of value: some FixedWidthInteger & UnsignedInteger) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendInteger(value)
        return bytes
    }

    private static func read<Value: FixedWidthInteger & UnsignedInteger>(_ bytes: ArraySlice<UInt8>, _ body: (Value) -> Void) -> Bool {
        var reader = WireReader(bytes)
        guard bytes.count == Value.bitWidth / 8, let value = reader.integer(Value.self) else { return false }
        body(value)
        return true
    }
}

/// What a side can do besides carrying SIP and media on the stream. Unknown bits mean nothing.
public struct TunnelCapabilities: OptionSet, Hashable, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    /// DTLS 1.2 on the same port number over UDP.
    public static let datagramLane = TunnelCapabilities(rawValue: 1)
    /// Datagrams of several packets are understood.
    public static let bundles = TunnelCapabilities(rawValue: 2)
}
