/// Values in numbered slots, reused through a free list; a name is a slot and its generation, so that an old
/// name never reaches a new value. Everything is constant work and mutates in place.
struct SlotTable<Element: Sendable>: Sendable {
    private struct Slot: Sendable {
        /// Counts the uses of the slot.
        var generation: UInt32 = 0
        var element: Element?
    }

    private var slots: [Slot] = []
    private var free: [UInt32] = []
    private(set) var count = 0

    /// Indices that may hold something.
    var indices: Range<UInt32> { 0..<UInt32(truncatingIfNeeded: slots.count) }

    /// Stores what `make` builds from the index it will have.
    mutating func insert(_ element: Element) -> UInt32 {
        count += 1
        if let index = free.popLast() {
            slots[Int(index)].generation &+= 1
            slots[Int(index)].element = element
            return index
        }
        slots.append(Slot(generation: 0, element: element))
        return UInt32(truncatingIfNeeded: slots.count - 1)
    }

    /// Takes the value out and frees the slot.
    mutating func remove(_ index: UInt32) -> Element? {
        guard slots.indices.contains(Int(index)), let element = slots[Int(index)].element else { return nil }
        slots[Int(index)].element = nil
        free.append(index)
        count -= 1
        return element
    }

    subscript(index: UInt32) -> Element? {
        @inline(__always) _read {
            if slots.indices.contains(Int(index)) { yield slots[Int(index)].element } else { yield nil }
        }
        @inline(__always) _modify {
            if slots.indices.contains(Int(index)) {
                yield &slots[Int(index)].element
            } else {
                var none: Element?
                yield &none
            }
        }
    }

    /// The name of what is in the slot now: generation above, index below, 63 bits in all.
    func name(of index: UInt32) -> UInt64 {
        guard slots.indices.contains(Int(index)) else { return .max }
        return UInt64(slots[Int(index)].generation & 0x7FFF_FFFF) << 32 | UInt64(index)
    }

    /// The slot of a name, if what it named is still there.
    func index(of name: UInt64) -> UInt32? {
        let index = UInt32(truncatingIfNeeded: name)
        guard self[index] != nil, self.name(of: index) == name else { return nil }
        return index
    }
}
