/// Which connection each slot uses, close together in memory: a closed connection is found by one pass over
/// numbers, and no message pays for it.
struct ConnectionIndex: Sendable {
    private var bySlot: [UInt64] = []

    mutating func set(_ connection: UInt64, for slot: UInt32) {
        while bySlot.count <= Int(slot) { bySlot.append(0) }
        bySlot[Int(slot)] = connection
    }

    /// Slots that use the connection, or used it last; for 0 also those that use none.
    func slots(on connection: UInt64) -> [UInt32] {
        var found: [UInt32] = []
        for (slot, candidate) in bySlot.enumerated() where candidate == connection {
            found.append(UInt32(truncatingIfNeeded: slot))
        }
        return found
    }
}
