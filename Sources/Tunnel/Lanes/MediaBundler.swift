/// Puts packets that leave at the same time into as few datagrams as hold them. Nothing waits here longer than a turn.
struct MediaBundler: Sendable {
    private var packets: [MediaPacket] = []
    private var size = 0

    /// What a bundle takes besides its packets.
    private static let head = 2

    /// Adds a packet; gives the datagram that had no room for it.
    ///
    /// - Parameter limit: the longest bundle; what is longer, and everything where it is 0, goes by itself.
    mutating func append(_ packet: MediaPacket, limit: Int) -> DatagramFrame? {
        let added = packet.bytes.count + MediaPacket.overhead
        let isFull = packets.count >= DatagramFrame.maximumBundle || Self.head + size + added > limit
        let full = isFull ? take() : nil
        packets.append(packet)
        size += added
        return full
    }

    /// What has gathered; nil where nothing has.
    mutating func take() -> DatagramFrame? {
        guard let first = packets.first else { return nil }
        defer {
            packets.removeAll(keepingCapacity: true)
            size = 0
        }
        return packets.count == 1 ? .media(first) : .bundle(packets)
    }
}
