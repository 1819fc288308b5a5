/// Deadlines in order of time: a binary heap whose entries are forgotten lazily.
///
/// An owner that no longer wants a deadline simply ignores it when it comes up; nothing is searched.
public struct DeadlineQueue<Element: Sendable>: Sendable {
    @usableFromInline
    struct Entry: Sendable {
        @usableFromInline var due: Instant
        @usableFromInline var element: Element

        @inlinable
        init(due: Instant, element: Element) {
            self.due = due
            self.element = element
        }
    }

    @usableFromInline var heap: [Entry] = []

    @inlinable
    public init() {}

    @inlinable public var isEmpty: Bool { heap.isEmpty }
    @inlinable public var count: Int { heap.count }

    /// When the earliest entry is due.
    @inlinable public var next: Instant? { heap.first?.due }

    @inlinable
    public mutating func schedule(_ element: Element, at due: Instant) {
        heap.append(Entry(due: due, element: element))
        siftUp(from: heap.count - 1)
    }

    /// Takes the earliest entry that is due at `now`, or nothing.
    @inlinable
    public mutating func popDue(at now: Instant) -> Element? {
        guard let first = heap.first, first.due <= now, let last = heap.popLast() else { return nil }
        if !heap.isEmpty {
            heap[0] = last
            siftDown(from: 0)
        }
        return first.element
    }

    @inlinable
    mutating func siftUp(from start: Int) {
        var child = start
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].due < heap[parent].due else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    @inlinable
    mutating func siftDown(from start: Int) {
        var parent = start
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child].due < heap[least].due {
                least = child
            }
            guard least != parent else { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
