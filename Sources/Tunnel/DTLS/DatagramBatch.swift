/// Datagrams in the order they came or are to be sent, end to end in one block of memory.
public struct DatagramBatch: Hashable, Sendable {
    /// All datagrams, one behind the other.
    public private(set) var bytes: [UInt8] = []
    /// How long each of them is, in bytes.
    public private(set) var lengths: [Int] = []

    public init() {}

    public var isEmpty: Bool { lengths.isEmpty }
    public var count: Int { lengths.count }

    /// Each by itself.
    public var datagrams: [[UInt8]] {
        var place = 0
        return lengths.map { length in
            defer { place += length }
            return Array(bytes[place..<place + length])
        }
    }

    public mutating func append(_ datagram: [UInt8]) {
        bytes += datagram
        lengths.append(datagram.count)
    }

    public mutating func append(_ others: DatagramBatch) {
        bytes += others.bytes
        lengths += others.lengths
    }

    /// Writes one datagram of at most `room` bytes where it will stay; `body` gives its length, 0 where there is none.
    mutating func append(room: Int, _ body: (UnsafeMutableRawBufferPointer) -> Int) {
        let start = bytes.count
        let written = bytes.append(room: room, body)
        if written > 0 { lengths.append(bytes.count - start) }
    }

    /// Writes bytes that `cut` divides into datagrams: it is given what was written, and gives the lengths.
    mutating func append(room: Int, _ body: (UnsafeMutableRawBufferPointer) -> Int, cut: (ArraySlice<UInt8>) -> [Int]) {
        let start = bytes.count
        guard bytes.append(room: room, body) > 0 else { return }
        lengths += cut(bytes[start...])
    }

    /// Those from number `first` on.
    func from(_ first: Int) -> [[UInt8]] { Array(datagrams.dropFirst(first)) }

    public mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        lengths.removeAll(keepingCapacity: true)
    }

    /// Calls `body` for each run of datagrams of one length that lie side by side, at most `maximumCount` and
    /// `maximumBytes` of them together. The last of a run may be shorter: so UDP_SEGMENT wants it (udp(7)).
    public func forEachRun(maximumCount: Int, maximumBytes: Int, _ body: (_ place: Range<Int>, _ segment: Int) -> Void) {
        var index = 0
        var place = 0
        while index < lengths.count {
            let segment = lengths[index]
            let start = place
            var taken = 0
            repeat {
                let length = lengths[index]
                index += 1
                taken += 1
                place += length
                if length < segment { break }
            } while index < lengths.count && lengths[index] <= segment && taken < maximumCount && place - start + segment <= maximumBytes
            body(start..<place, segment)
        }
    }
}

extension [UInt8] {
    /// Has `body` write up to `room` bytes at the end; gives how many it wrote.
    fileprivate mutating func append(room: Int, _ body: (UnsafeMutableRawBufferPointer) -> Int) -> Int {
        guard room > 0 else { return 0 }
        return withUnsafeTemporaryAllocation(byteCount: room, alignment: 1) { free in
            let written = Swift.min(Swift.max(0, body(free)), room)
            append(contentsOf: UnsafeRawBufferPointer(rebasing: free[..<written]))
            return written
        }
    }
}
