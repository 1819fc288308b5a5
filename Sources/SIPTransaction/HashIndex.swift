/// Finds slots by the hash of their key. Slots with one hash are chained; the caller compares keys, so that a
/// collision costs time and never correctness. Keys themselves are kept once, in the slots.
struct HashIndex: Sendable {
    private static let none = UInt32.max
    private var heads: [Int: UInt32] = [:]
    /// By slot: the next slot with the same hash.
    private var following: [UInt32] = []

    var isEmpty: Bool { heads.isEmpty }

    mutating func insert(_ slot: UInt32, hash: Int) {
        while following.count <= Int(slot) { following.append(Self.none) }
        following[Int(slot)] = heads.updateValue(slot, forKey: hash) ?? Self.none
    }

    /// The first slot of that hash for which `matches` holds; the newest is asked first.
    @inline(__always)
    func first(hash: Int, where matches: (UInt32) -> Bool) -> UInt32? {
        var slot = heads[hash] ?? Self.none
        while slot != Self.none {
            if matches(slot) { return slot }
            slot = following[Int(slot)]
        }
        return nil
    }

    mutating func remove(_ slot: UInt32, hash: Int) {
        guard let head = heads[hash] else { return }
        if head == slot {
            let next = following[Int(slot)]
            if next == Self.none { heads[hash] = nil } else { heads[hash] = next }
            return
        }
        var previous = head
        while following[Int(previous)] != Self.none {
            if following[Int(previous)] == slot {
                following[Int(previous)] = following[Int(slot)]
                return
            }
            previous = following[Int(previous)]
        }
    }
}
