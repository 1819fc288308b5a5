/// Media packets in the order they came, end to end in one block of memory: what a turn of one loop hands to another.
public struct PacketBatch: Hashable, Sendable {
    public struct Entry: Hashable, Sendable {
        /// To which stream the packet belongs, by a number both loops know.
        public var stream: UInt32
        /// RTCP.
        public var isControl: Bool
        /// Where the packet is in `bytes`.
        public internal(set) var place: Range<Int>
    }

    public private(set) var bytes: [UInt8] = []
    public private(set) var entries: [Entry] = []

    public init() {}

    public var isEmpty: Bool { entries.isEmpty }
    public var count: Int { entries.count }

    /// The packet of an entry of this batch.
    public func packet(_ entry: Entry) -> ArraySlice<UInt8> { bytes[entry.place] }

    public mutating func append(stream: UInt32, isControl: Bool, _ packet: UnsafeRawBufferPointer) {
        let start = bytes.count
        bytes.append(contentsOf: packet)
        entries.append(Entry(stream: stream, isControl: isControl, place: start..<bytes.count))
    }

    public mutating func append(stream: UInt32, isControl: Bool, _ packet: ArraySlice<UInt8>) {
        packet.withUnsafeBytes { append(stream: stream, isControl: isControl, $0) }
    }

    public mutating func append(_ others: PacketBatch) {
        let start = bytes.count
        bytes += others.bytes
        for entry in others.entries {
            var moved = entry
            moved.place = entry.place.lowerBound + start..<entry.place.upperBound + start
            entries.append(moved)
        }
    }

    /// Sets bits of every packet's number: those that tell the sites of a headend apart, for one.
    public mutating func mark(_ bits: UInt32) {
        guard bits != 0 else { return }
        for index in entries.indices { entries[index].stream |= bits }
    }

    /// What is kept for the next turn at most, in bytes.
    private static let keptCapacity = 65_536

    /// Keeps the memory, unless an unusual turn has made it large.
    public mutating func removeAll() {
        guard bytes.capacity <= Self.keptCapacity else {
            self = PacketBatch()
            return
        }
        bytes.removeAll(keepingCapacity: true)
        entries.removeAll(keepingCapacity: true)
    }
}
