/// When to give memory back: after a busy time, once it is over.
struct HeapTrimmer {
    /// Messages between two looks from which on the heap may have grown.
    static let busy = 3_000

    private var seen = 0
    private var isDue = false

    /// Called once a minute with the count of messages so far; true where trimming is worth it.
    mutating func look(_ messages: Int) -> Bool {
        let done = messages &- seen
        seen = messages
        guard done > Self.busy else {
            defer { isDue = false }
            return isDue
        }
        isDue = true
        return false
    }
}
