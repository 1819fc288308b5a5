/// Names of answered transactions, oldest first. A name may outlive what it names; nothing is searched.
struct LingeringQueue: Sendable {
    private var names: [TimerName] = []
    private var head = 0

    mutating func append(_ name: TimerName) { names.append(name) }

    var first: TimerName? { head < names.count ? names[head] : nil }

    mutating func removeFirst() {
        guard head < names.count else { return }
        head += 1
        guard head > 64, head > names.count / 2 else { return }
        names.removeFirst(head)
        head = 0
    }
}

/// Either kind of transaction by its name, in one word.
struct TimerName: Hashable, Sendable {
    private static let serverBit: UInt64 = 1 << 63
    private let word: UInt64

    init(client name: UInt64) { word = name & ~Self.serverBit }
    init(server name: UInt64) { word = name | Self.serverBit }

    var isServer: Bool { word & Self.serverBit != 0 }
    var name: UInt64 { word & ~Self.serverBit }
}
