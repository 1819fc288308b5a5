import CoreTypes

/// What the layer notes on a transaction for itself.
struct Bookkeeping: Sendable {
    /// Counted among those without a final response.
    var isCountedOpen = true
    /// When the queue will name it next; earlier entries than its deadline are harmless.
    var scheduled: Instant?
}
