public import CoreTypes

/// Speaks recordings into one RTP stream: 160 bytes every 20 ms.
///
/// The marker is set on the first packet after silence (RFC 3551 §4.1), the timestamp counts the silence
/// too, the sequence number does not (RFC 3550 §5.1).
public struct Announcement: Equatable, Sendable {
    /// What one tick made.
    public struct Packet: Hashable, Sendable {
        /// Bytes of the packet, 0 where nothing is to be sent.
        public var size: Int
        /// The play that has just ended.
        public var finished: UInt32?
    }

    /// Bounds what plays that wait may hold.
    public static let maximumQueue = 8
    /// Bytes of a packet: header and 20 ms.
    public static let packetSize = RTPHeader.size + G711.samplesPerPacket
    public static let interval = Duration.milliseconds(20)

    private struct Play: Equatable, Sendable {
        var clips: [[UInt8]]
        var bargeIn: Bool
        var token: UInt32
        var clip = 0
        var offset = 0
    }

    public let format: AudioFormat
    private let source: UInt32
    private var sequenceNumber: UInt16
    private var timestamp: UInt32
    private var isTalking = false
    private var plays: [Play] = []
    /// When the next packet is due; where nothing is played, when the last stream ended.
    private var due: Instant?

    /// SSRC, first sequence number and first timestamp should be random (RFC 3550 §5.1): they are given.
    public init(format: AudioFormat, source: UInt32, sequenceNumber: UInt16, timestamp: UInt32) {
        self.format = format
        self.source = source
        self.sequenceNumber = sequenceNumber
        self.timestamp = timestamp
    }

    public var isPlaying: Bool { !plays.isEmpty }
    /// When `tick` should be called next.
    public var nextDeadline: Instant? { isPlaying ? due : nil }

    /// Says recordings, encoded in `format`, one after the other, behind what is being said.
    ///
    /// - Returns: the token of a play that had to be dropped because too many wait.
    public mutating func play(_ clips: [[UInt8]], bargeIn: Bool, token: UInt32, now: Instant) -> UInt32? {
        if plays.isEmpty { resume(at: now) }
        let dropped = plays.count >= Self.maximumQueue ? plays.removeLast().token : nil
        plays.append(Play(clips: clips, bargeIn: bargeIn, token: token))
        return dropped
    }

    /// A key was pressed: ends what may be interrupted, up to the first play that may not.
    ///
    /// - Returns: the tokens of the plays that ended.
    public mutating func interrupt() -> [UInt32] {
        let cut = plays.prefix { $0.bargeIn }
        plays.removeFirst(cut.count)
        if plays.isEmpty { isTalking = false }
        return cut.map(\.token)
    }

    /// Writes the packet of the next 20 ms. The last packet of a play is filled up with silence.
    public mutating func tick(into packet: inout MutableSpan<UInt8>) -> Packet {
        guard packet.count >= Self.packetSize, !plays.isEmpty else { return Packet(size: 0, finished: nil) }
        let isTalkspurt = !isTalking
        let filled = fill(&packet)
        let finished = finishIfDone()
        defer {
            timestamp &+= UInt32(G711.samplesPerPacket)
            due = due.map { $0 + Self.interval }
        }
        guard filled > 0 else { return Packet(size: 0, finished: finished) }
        let header = RTPHeader(
            marker: isTalkspurt, payloadType: format.payloadType, sequenceNumber: sequenceNumber, timestamp: timestamp,
            source: source)
        sequenceNumber &+= 1
        isTalking = isPlaying
        return Packet(size: header.write(into: &packet) ? Self.packetSize : 0, finished: finished)
    }

    /// The timestamp moves on by the silence since the last packet, in whole packets.
    private mutating func resume(at now: Instant) {
        isTalking = false
        if let ended = due, now > ended {
            let packets = (now - ended).clampedNanoseconds / Self.interval.clampedNanoseconds
            timestamp &+= UInt32(truncatingIfNeeded: packets &* Int64(G711.samplesPerPacket))
        }
        due = now
    }

    /// Copies up to 20 ms of the first play behind the header; clips follow without a gap.
    private mutating func fill(_ packet: inout MutableSpan<UInt8>) -> Int {
        var filled = 0
        while filled < G711.samplesPerPacket, plays[0].clip < plays[0].clips.count {
            let clip = plays[0].clips[plays[0].clip]
            let offset = plays[0].offset
            let count = min(clip.count - offset, G711.samplesPerPacket - filled)
            let bytes = clip.span
            for index in 0..<count { packet[RTPHeader.size + filled + index] = bytes[offset + index] }
            filled += count
            plays[0].offset += count
            if plays[0].offset >= clip.count {
                plays[0].clip += 1
                plays[0].offset = 0
            }
        }
        for index in filled..<G711.samplesPerPacket { packet[RTPHeader.size + index] = format.silence }
        return filled
    }

    private mutating func finishIfDone() -> UInt32? {
        guard let play = plays.first, play.clip >= play.clips.count else { return nil }
        plays.removeFirst()
        return play.token
    }
}
