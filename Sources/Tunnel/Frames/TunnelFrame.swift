public import CoreTypes

/// One frame of the stream lane: head, 16-bit length, payload. docs/tunnel-protocol.md is the specification.
public enum TunnelFrame: Hashable, Sendable {
    case hello(TunnelHello)
    case ping(PingStamp)
    case pong(PingStamp)
    /// How many counted frames have been received in this session.
    case acknowledge(UInt64)
    case laneReport(LaneReport)
    case goAway(GoAwayReason, retryAfter: UInt32)
    case standing(Standing)
    case signal(SignalFlow, [UInt8])
    case open(StreamBinding)
    /// The RTP address the headend has bound for a stream; RTCP is on the port above.
    case opened(StreamID, Endpoint)
    case refused(StreamID, StreamEnd)
    case update(StreamUpdate)
    case close(StreamID, StreamEnd)
    /// One of the headend's ways to the PBX, up or gone.
    case way(SignalWay)
    /// A PKCS #10 request in DER (RFC 2986): the edge wants its certificate renewed.
    case renew([UInt8])
    /// The certificate that came of it: PEM, its authority's behind it.
    case certificate([UInt8])
    case media(MediaChannel, ArraySlice<UInt8>)
    /// Skipped; counted where its type says so.
    case unknown(UInt8)
}

/// Comes back as it was sent; the time is the sender's own and means nothing to the receiver.
public struct PingStamp: Hashable, Sendable {
    public var number: UInt32
    /// Nanoseconds on the sender's clock.
    public var time: UInt64

    public init(number: UInt32, time: UInt64) {
        self.number = number
        self.time = time
    }
}

/// What one side has seen of the lanes since the session began, and by which lane it sends.
public struct LaneReport: Hashable, Sendable {
    public var datagramsReceived: UInt64 = 0
    public var streamMediaReceived: UInt32 = 0
    /// Dropped as late, by the sender's queue or on arrival.
    public var late: UInt32 = 0
    public var duplicates: UInt32 = 0
    /// Milliseconds since the last datagram, while they had been coming steadily; 0 where nothing is amiss.
    public var datagramSilence: UInt16 = 0
    public var sending: Lane = .stream
    public init() {}
}

/// Frame types. Those from 0x10 on are counted in both directions, known or not: acknowledged and sent again on
/// the session's next connection.
enum FrameType: UInt8, CaseIterable {
    case hello = 0x01, ping, pong, acknowledge, laneReport, goAway, standing
    case signal = 0x10, open, opened, refused, update, close, way, renew, certificate

    static let counted: Range<UInt8> = 0x10..<0x20
}

extension TunnelFrame {
    /// Whether it has a number in its session.
    public var isCounted: Bool {
        switch self {
        case .signal, .open, .opened, .refused, .update, .close, .way, .renew, .certificate: return true
        case .unknown(let type): return FrameType.counted.contains(type)
        case .hello, .ping, .pong, .acknowledge, .laneReport, .goAway, .standing, .media: return false
        }
    }

    /// The frame as it goes over the stream. A payload over 65 535 bytes cannot be said and gives no bytes.
    public var encoded: [UInt8] {
        let (head, payload) = parts
        guard let length = UInt16(exactly: payload.count) else { return [] }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(payload.count + 4)
        FrameHead.append(head, to: &bytes)
        bytes.appendInteger(length)
        bytes += payload
        return bytes
    }

    private var parts: (head: UInt16, payload: [UInt8]) {
        switch self {
        case .media(let channel, let packet): return (channel.head, Array(packet))
        case .unknown(let type): return (UInt16(type), [])
        case .hello(let hello): return (.init(FrameType.hello.rawValue), hello.payload)
        case .ping(let stamp): return (.init(FrameType.ping.rawValue), stamp.payload)
        case .pong(let stamp): return (.init(FrameType.pong.rawValue), stamp.payload)
        case .acknowledge(let count): return (.init(FrameType.acknowledge.rawValue), make { $0.appendInteger(count) })
        case .laneReport(let report): return (.init(FrameType.laneReport.rawValue), report.payload)
        case .goAway(let reason, let delay):
            return (.init(FrameType.goAway.rawValue), make { $0.append(reason.rawValue); $0.appendInteger(delay) })
        case .standing(let standing): return (.init(FrameType.standing.rawValue), [standing.rawValue])
        case .signal(let flow, let message):
            return (.init(FrameType.signal.rawValue), make { $0.appendInteger(flow.rawValue); $0 += message })
        case .open(let binding):
            return (.init(FrameType.open.rawValue), make { $0.appendInteger(binding.id.rawValue); $0.appendInteger(binding.clockRate) })
        case .opened(let id, let endpoint):
            return (.init(FrameType.opened.rawValue), make { $0.appendInteger(id.rawValue); $0.appendEndpoint(endpoint) })
        case .refused(let id, let why):
            return (.init(FrameType.refused.rawValue), make { $0.appendInteger(id.rawValue); $0.append(why.rawValue) })
        case .update(let update):
            return (
                .init(FrameType.update.rawValue),
                make { $0.appendInteger(update.id.rawValue); $0.appendEndpoint(update.rtp); $0.appendEndpoint(update.rtcp) }
            )
        case .way(let way): return (.init(FrameType.way.rawValue), way.payload)
        case .renew(let request): return (.init(FrameType.renew.rawValue), request)
        case .certificate(let chain): return (.init(FrameType.certificate.rawValue), chain)
        case .close(let id, let why):
            return (.init(FrameType.close.rawValue), make { $0.appendInteger(id.rawValue); $0.append(why.rawValue) })
        }
    }

    private func make(_ body: (inout [UInt8]) -> Void) -> [UInt8] {
        var bytes: [UInt8] = []
        body(&bytes)
        return bytes
    }
}

extension SignalWay {
    var payload: [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendInteger(flow.rawValue)
        bytes.append(isUp ? 1 : 0)
        bytes.append(transport.code)
        bytes.appendEndpoint(local)
        bytes.appendEndpoint(remote)
        return bytes
    }

    init?(_ reader: inout WireReader) {
        guard let flow = reader.integer(UInt32.self), flow > 0, let state = reader.integer(UInt8.self),
            let transport = reader.integer(UInt8.self).flatMap(TransportProtocol.init(code:)), let local = reader.endpoint(),
            let remote = reader.endpoint()
        else { return nil }
        self.init(flow: SignalFlow(rawValue: flow), isUp: state & 1 == 1, transport: transport, local: local, remote: remote)
    }
}

extension TransportProtocol {
    /// As it is written in a `way`.
    fileprivate var code: UInt8 {
        switch self {
        case .udp: return 0
        case .tcp: return 1
        case .tls: return 2
        }
    }

    fileprivate init?(code: UInt8) {
        guard let found = Self.allCases.first(where: { $0.code == code }) else { return nil }
        self = found
    }
}

extension PingStamp {
    var payload: [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendInteger(number)
        bytes.appendInteger(time)
        return bytes
    }

    init?(_ reader: inout WireReader) {
        guard let number = reader.integer(UInt32.self), let time = reader.integer(UInt64.self) else { return nil }
        self.init(number: number, time: time)
    }
}

extension LaneReport {
    var payload: [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendInteger(datagramsReceived)
        bytes.appendInteger(streamMediaReceived)
        bytes.appendInteger(late)
        bytes.appendInteger(duplicates)
        bytes.appendInteger(datagramSilence)
        bytes.append(sending.rawValue)
        return bytes
    }

    init?(_ reader: inout WireReader) {
        guard let datagrams = reader.integer(UInt64.self), let media = reader.integer(UInt32.self), let late = reader.integer(UInt32.self),
            let duplicates = reader.integer(UInt32.self), let silence = reader.integer(UInt16.self),
            let sending = reader.integer(UInt8.self)
        else { return nil }
        datagramsReceived = datagrams
        streamMediaReceived = media
        self.late = late
        self.duplicates = duplicates
        datagramSilence = silence
        self.sending = Lane(rawValue: sending) ?? .stream
    }
}
