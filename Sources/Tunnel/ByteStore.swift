/// Bytes that a C function writes at the end of and a reader takes from the front all at once.
///
/// An array could not be filled past its count without a copy; this keeps its room from one use to the next.
struct ByteStore: ~Copyable {
    private var start: UnsafeMutableRawPointer?
    private var capacity = 0
    private(set) var count = 0

    /// What an emptied store keeps; more than that is given back.
    private static let keptCapacity = 65_536

    deinit { start?.deallocate() }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: count) }

    /// Gives `body` at least `room` bytes at the end; it returns how many it wrote.
    mutating func append(room: Int, _ body: (UnsafeMutableRawBufferPointer) -> Int) -> Int {
        reserve(room)
        guard let start else { return 0 }
        let free = UnsafeMutableRawBufferPointer(start: start + count, count: capacity - count)
        let written = min(max(0, body(free)), free.count)
        count += written
        return written
    }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        _ = append(room: bytes.count) { free in
            free.copyMemory(from: bytes)
            return bytes.count
        }
    }

    mutating func removeAll() {
        count = 0
        guard capacity > Self.keptCapacity else { return }
        start?.deallocate()
        start = nil
        capacity = 0
    }

    private mutating func reserve(_ room: Int) {
        guard capacity - count < room else { return }
        let larger = max(capacity * 2, count + room, 4096)
        let moved = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 16)
        if let start {
            moved.copyMemory(from: start, byteCount: count)
            start.deallocate()
        }
        start = moved
        capacity = larger
    }
}
