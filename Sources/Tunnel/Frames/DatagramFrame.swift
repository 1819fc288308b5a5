/// One datagram of the DTLS lane: the head, then a packet to the end. There is no length: DTLS keeps the bounds.
public enum DatagramFrame: Hashable, Sendable {
    case media(MediaChannel, [UInt8])
    /// `sent`: datagrams the sender has sent on its lane, this one among them.
    case probe(PingStamp, sent: UInt64)
    /// The probe's stamp, and how many datagrams its receiver had received on its lane by then.
    case echo(PingStamp, received: UInt64)
    /// To be skipped: a type of a later version.
    case unknown

    private static let probeHead: UInt16 = 1
    private static let echoHead: UInt16 = 2

    public var encoded: [UInt8] {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return bytes
    }

    func append(to bytes: inout [UInt8]) {
        switch self {
        case .media(let channel, let packet):
            FrameHead.append(channel.head, to: &bytes)
            bytes += packet
        case .probe(let stamp, let count), .echo(let stamp, let count):
            bytes.append(UInt8(truncatingIfNeeded: isProbe ? Self.probeHead : Self.echoHead))
            bytes += stamp.payload
            bytes.appendInteger(count)
        case .unknown: break
        }
    }

    private var isProbe: Bool {
        switch self {
        case .probe: return true
        case .media, .echo, .unknown: return false
        }
    }

    /// Nil where it makes no sense; it is then dropped, as one forged or damaged would be.
    public init?(_ bytes: ArraySlice<UInt8>) {
        guard case .value(let head, let length) = FrameHead.read(bytes) else { return nil }
        let rest = bytes.dropFirst(length)
        guard head < FrameHead.firstMedia else {
            guard let channel = MediaChannel(head: head), !rest.isEmpty else { return nil }
            self = .media(channel, Array(rest))
            return
        }
        guard head == Self.probeHead || head == Self.echoHead else {
            self = .unknown
            return
        }
        var reader = WireReader(rest)
        guard let stamp = PingStamp(&reader), let count = reader.integer(UInt64.self) else { return nil }
        self = head == Self.probeHead ? .probe(stamp, sent: count) : .echo(stamp, received: count)
    }

    public init?(_ bytes: [UInt8]) { self.init(bytes[...]) }
}
