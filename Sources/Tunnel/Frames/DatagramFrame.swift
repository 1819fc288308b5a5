/// One datagram of the DTLS lane: the head, then what it says to the end. DTLS keeps the bounds.
public enum DatagramFrame: Hashable, Sendable {
    case media(MediaPacket)
    /// Two packets or more, at most `maximumBundle`.
    case bundle([MediaPacket])
    /// `sent`: datagrams the sender has sent on its lane, this one among them. `padding`: bytes without a meaning behind it.
    case probe(PingStamp, sent: UInt64, padding: Int)
    /// The probe's stamp, and how many datagrams its receiver had received on its lane by then.
    case echo(PingStamp, received: UInt64)
    /// To be skipped: a type of a later version.
    case unknown

    /// The most packets of a bundle.
    static let maximumBundle = 64
    /// What a probe takes without padding.
    static let probeSize = 21
    private static let probeHead: UInt16 = 1
    private static let echoHead: UInt16 = 2
    private static let bundleHead: UInt16 = 3

    public var encoded: [UInt8] {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return bytes
    }

    func append(to bytes: inout [UInt8]) {
        switch self {
        case .media(let packet): packet.append(to: &bytes, withLength: false)
        case .bundle(let packets):
            FrameHead.append(Self.bundleHead, to: &bytes)
            bytes.append(UInt8(clamping: packets.count - 1))
            for index in packets.indices { packets[index].append(to: &bytes, withLength: index < packets.count - 1) }
        case .probe(let stamp, let count, let padding):
            Self.append(Self.probeHead, stamp, count, to: &bytes)
            bytes.append(contentsOf: repeatElement(0, count: max(0, padding)))
        case .echo(let stamp, let count): Self.append(Self.echoHead, stamp, count, to: &bytes)
        case .unknown: break
        }
    }

    private static func append(_ head: UInt16, _ stamp: PingStamp, _ count: UInt64, to bytes: inout [UInt8]) {
        FrameHead.append(head, to: &bytes)
        bytes += stamp.payload
        bytes.appendInteger(count)
    }

    /// Nil where it makes no sense; it is then dropped, as one forged or damaged would be.
    public init?(_ bytes: ArraySlice<UInt8>) {
        guard case .value(let head, let length) = FrameHead.read(bytes) else { return nil }
        let rest = bytes.dropFirst(length)
        switch head {
        case FrameHead.firstMedia...:
            guard let channel = MediaChannel(head: head), !rest.isEmpty else { return nil }
            self = .media(MediaPacket(channel, rest))
        case Self.bundleHead:
            guard let packets = Self.packets(of: rest) else { return nil }
            self = .bundle(packets)
        case Self.probeHead, Self.echoHead:
            var reader = WireReader(rest)
            guard let stamp = PingStamp(&reader), let count = reader.integer(UInt64.self) else { return nil }
            self = head == Self.probeHead ? .probe(stamp, sent: count, padding: reader.remaining) : .echo(stamp, received: count)
        default: self = .unknown
        }
    }

    public init?(_ bytes: [UInt8]) { self.init(bytes[...]) }

    private static func packets(of bytes: ArraySlice<UInt8>) -> [MediaPacket]? {
        guard let count = bytes.first, count > 0, count < maximumBundle else { return nil }
        var rest = bytes.dropFirst()
        var packets: [MediaPacket] = []
        packets.reserveCapacity(Int(count) + 1)
        for _ in 0..<count {
            guard let packet = MediaPacket(takenFrom: &rest) else { return nil }
            packets.append(packet)
        }
        guard case .value(let head, let length) = FrameHead.read(rest), let channel = MediaChannel(head: head) else { return nil }
        rest = rest.dropFirst(length)
        guard !rest.isEmpty else { return nil }
        packets.append(MediaPacket(channel, rest))
        return packets
    }
}

/// An RTP or RTCP packet of a stream.
public struct MediaPacket: Hashable, Sendable {
    public var channel: MediaChannel
    public var bytes: ArraySlice<UInt8>

    public init(_ channel: MediaChannel, _ bytes: ArraySlice<UInt8>) {
        self.channel = channel
        self.bytes = bytes
    }

    /// With its length in front, as in a bundle.
    init?(takenFrom rest: inout ArraySlice<UInt8>) {
        guard case .value(let head, let headLength) = FrameHead.read(rest), let channel = MediaChannel(head: head) else { return nil }
        rest = rest.dropFirst(headLength)
        guard rest.count > 2 else { return nil }
        let length = Int(rest[rest.startIndex]) << 8 | Int(rest[rest.startIndex + 1])
        rest = rest.dropFirst(2)
        guard length > 0, length <= rest.count else { return nil }
        self.init(channel, rest.prefix(length))
        rest = rest.dropFirst(length)
    }

    /// The most its head and length take.
    static let overhead = 4

    func append(to frame: inout [UInt8], withLength: Bool) {
        FrameHead.append(channel.head, to: &frame)
        if withLength { frame.appendInteger(UInt16(clamping: bytes.count)) }
        frame += bytes
    }
}
