import CoreTypes

/// Brings the segments of TCP connections (RFC 9293) into order, each direction by itself.
struct StreamAssembler {
    struct Direction: Hashable {
        let source: Endpoint
        let destination: Endpoint
    }

    struct Segment {
        let at: Instant
        let sequence: UInt32
        let begins: Bool
        let ends: Bool
        let payload: [UInt8]
    }

    private struct Stream {
        var expected: UInt32?
        /// Segments from beyond a gap, in no order.
        var early: [Segment] = []
        var earlyBytes = 0
    }

    private static let maximumStreams = 4_096
    private static let maximumEarlySegments = 256
    private static let maximumEarlyBytes = 1 << 20

    private var streams: [Direction: Stream] = [:]
    /// Oldest first; may name what is gone already.
    private var order: [Direction] = []

    /// Hands on what is in order now.
    mutating func add(_ segment: Segment, _ direction: Direction, into packets: inout [CapturedPacket]) {
        if streams[direction] == nil { makeRoom(for: direction, into: &packets) }
        var stream = streams.removeValue(forKey: direction) ?? Stream()
        if segment.begins {
            Self.giveUpGaps(&stream, direction, &packets)
            stream.expected = segment.sequence &+ 1
        }
        let start = segment.begins ? segment.sequence &+ 1 : segment.sequence
        if !segment.payload.isEmpty {
            let data = Segment(at: segment.at, sequence: start, begins: false, ends: false, payload: segment.payload)
            if !Self.deliver(data, &stream, direction, &packets) {
                stream.early.append(data)
                stream.earlyBytes += data.payload.count
            }
            Self.drain(&stream, direction, &packets)
            if stream.early.count > Self.maximumEarlySegments || stream.earlyBytes > Self.maximumEarlyBytes {
                Self.giveUpGaps(&stream, direction, &packets)
            }
        }
        if segment.ends, stream.early.isEmpty { return }
        streams[direction] = stream
    }

    /// The capture is over: what waits behind a gap is handed on.
    mutating func finish(into packets: inout [CapturedPacket]) {
        for direction in order {
            guard var stream = streams.removeValue(forKey: direction) else { continue }
            Self.giveUpGaps(&stream, direction, &packets)
        }
        order = []
    }

    private mutating func makeRoom(for direction: Direction, into packets: inout [CapturedPacket]) {
        if order.count >= Self.maximumStreams {
            order.removeAll { streams[$0] == nil }
            if order.count >= Self.maximumStreams, let oldest = order.first {
                if var stream = streams.removeValue(forKey: oldest) { Self.giveUpGaps(&stream, oldest, &packets) }
                order.removeFirst()
            }
        }
        order.append(direction)
    }

    /// - Returns: false where something before it is missing.
    private static func deliver(
        _ segment: Segment, _ stream: inout Stream, _ direction: Direction, _ packets: inout [CapturedPacket]
    ) -> Bool {
        let expected = stream.expected ?? segment.sequence
        let ahead = Int(Int32(bitPattern: segment.sequence &- expected))
        guard ahead <= 0 else { return false }
        stream.expected = expected
        let fresh = segment.payload.dropFirst(-ahead)
        guard !fresh.isEmpty else { return true }
        stream.expected = expected &+ UInt32(truncatingIfNeeded: fresh.count)
        packets.append(
            CapturedPacket(
                at: segment.at, transport: .tcp, source: direction.source, destination: direction.destination,
                payload: Array(fresh)))
        return true
    }

    private static func drain(_ stream: inout Stream, _ direction: Direction, _ packets: inout [CapturedPacket]) {
        var isMoving = !stream.early.isEmpty
        while isMoving {
            isMoving = false
            for (index, segment) in stream.early.enumerated() where deliver(segment, &stream, direction, &packets) {
                stream.earlyBytes -= segment.payload.count
                stream.early.remove(at: index)
                isMoving = !stream.early.isEmpty
                break
            }
        }
    }

    /// The capture has lost what is missing: goes on behind each gap.
    private static func giveUpGaps(_ stream: inout Stream, _ direction: Direction, _ packets: inout [CapturedPacket]) {
        while let expected = stream.expected,
            let nearest = stream.early.map({ $0.sequence }).min(by: { $0 &- expected < $1 &- expected })
        {
            stream.expected = nearest
            drain(&stream, direction, &packets)
        }
        stream.earlyBytes = 0
    }
}
