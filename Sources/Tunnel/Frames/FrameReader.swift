/// Cuts the bytes of a stream into frames. Holds at most one unfinished frame and what one read brought.
struct FrameReader: Sendable {
    enum Step: Equatable {
        case frame(TunnelFrame)
        case needMore
        case broken(FrameProblem)
    }

    private let limits: TunnelLimits
    private var buffer: [UInt8] = []
    private var place = 0
    private var problem: FrameProblem?

    init(limits: TunnelLimits) { self.limits = limits }

    /// Bytes held.
    var count: Int { buffer.count - place }

    mutating func append(_ bytes: [UInt8]) {
        guard problem == nil else { return }
        if place == buffer.count {
            buffer = bytes
            place = 0
            return
        }
        if place > 0 {
            buffer.removeFirst(place)
            place = 0
        }
        buffer += bytes
    }

    /// What is held and not read yet; the reader is then empty.
    mutating func takeRest() -> [UInt8] {
        defer {
            buffer = []
            place = 0
        }
        return Array(buffer[place...])
    }

    mutating func next() -> Step {
        if let problem { return .broken(problem) }
        switch FrameHead.read(buffer[place...]) {
        case .needMore: return .needMore
        case .broken: return fail(.badHead)
        case .value(let head, let headLength): return body(head, at: place + headLength)
        }
    }

    private mutating func body(_ head: UInt16, at start: Int) -> Step {
        guard buffer.count - start >= 2 else { return .needMore }
        let length = Int(buffer[start]) << 8 | Int(buffer[start + 1])
        guard length <= Self.maximum(head, limits) else { return fail(.tooLong(head: head, length: length)) }
        guard buffer.count - start - 2 >= length else { return .needMore }
        let payload = buffer[start + 2..<start + 2 + length]
        guard let frame = TunnelFrame(head: head, payload: payload) else { return fail(.malformed(head: head)) }
        place = start + 2 + length
        return .frame(frame)
    }

    private static func maximum(_ head: UInt16, _ limits: TunnelLimits) -> Int {
        if head >= FrameHead.firstMedia { return limits.maximumMedia }
        switch UInt8(exactly: head).flatMap(FrameType.init(rawValue:)) {
        case .signal: return min(limits.maximumSignal, 65_535)
        case .renew, .certificate: return limits.maximumCertificate
        case nil, .hello, .ping, .pong, .acknowledge, .laneReport, .goAway, .standing, .open, .opened, .refused, .update, .close, .way:
            return limits.maximumControl
        }
    }

    private mutating func fail(_ why: FrameProblem) -> Step {
        problem = why
        buffer = []
        place = 0
        return .broken(why)
    }
}

/// Why a stream cannot be read on; the connection is closed.
public enum FrameProblem: Error, Hashable, Sendable {
    /// A head of a reserved form.
    case badHead
    case tooLong(head: UInt16, length: Int)
    /// A known frame whose payload ends too soon or says what cannot be.
    case malformed(head: UInt16)
}

extension TunnelFrame {
    /// Nil where a known type's payload makes no sense. Bytes behind the last known field are left for later versions.
    init?(head: UInt16, payload: ArraySlice<UInt8>) {
        guard head < FrameHead.firstMedia else {
            guard let channel = MediaChannel(head: head) else { return nil }
            self = .media(channel, payload)
            return
        }
        guard let byte = UInt8(exactly: head), let type = FrameType(rawValue: byte) else {
            self = .unknown(UInt8(truncatingIfNeeded: head))
            return
        }
        var reader = WireReader(payload)
        guard let frame = Self.decode(type, &reader) else { return nil }
        self = frame
    }

    private static func decode(_ type: FrameType, _ reader: inout WireReader) -> TunnelFrame? {
        switch type {
        case .hello: return TunnelHello(payload: reader.rest()).map { .hello($0) }
        case .ping: return PingStamp(&reader).map { .ping($0) }
        case .pong: return PingStamp(&reader).map { .pong($0) }
        case .acknowledge: return reader.integer(UInt64.self).map { .acknowledge($0) }
        case .laneReport: return LaneReport(&reader).map { .laneReport($0) }
        case .goAway:
            guard let reason = reader.integer(UInt8.self), let delay = reader.integer(UInt32.self) else { return nil }
            return .goAway(GoAwayReason(rawValue: reason) ?? .other, retryAfter: delay)
        case .standing: return reader.integer(UInt8.self).flatMap(Standing.init(rawValue:)).map { .standing($0) }
        case .signal: return reader.integer(UInt32.self).map { .signal(SignalFlow(rawValue: $0), Array(reader.rest())) }
        case .way: return SignalWay(&reader).map { .way($0) }
        case .renew: return .renew(Array(reader.rest()))
        case .certificate: return .certificate(Array(reader.rest()))
        case .open, .opened, .refused, .update, .close: return decodeStream(type, &reader)
        }
    }

    private static func decodeStream(_ type: FrameType, _ reader: inout WireReader) -> TunnelFrame? {
        guard let id = reader.integer(UInt16.self).flatMap(StreamID.init(rawValue:)) else { return nil }
        switch type {
        case .open: return reader.integer(UInt32.self).map { .open(StreamBinding(id: id, clockRate: $0)) }
        case .opened: return reader.endpoint().map { .opened(id, $0) }
        case .refused: return reader.integer(UInt8.self).map { .refused(id, StreamEnd(rawValue: $0) ?? .other) }
        case .close: return reader.integer(UInt8.self).map { .close(id, StreamEnd(rawValue: $0) ?? .other) }
        case .update:
            guard let rtp = reader.endpoint(), let rtcp = reader.endpoint() else { return nil }
            return .update(StreamUpdate(id: id, rtp: rtp, rtcp: rtcp))
        case .hello, .ping, .pong, .acknowledge, .laneReport, .goAway, .standing, .signal, .way, .renew, .certificate: return nil
        }
    }
}
