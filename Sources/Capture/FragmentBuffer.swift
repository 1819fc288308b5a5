import CoreTypes

/// Puts datagrams that came in pieces together again, as long as they are few.
struct FragmentBuffer {
    struct Key: Hashable {
        let source: IPAddress
        let destination: IPAddress
        let identification: UInt32
        let transport: UInt8
    }

    private struct Datagram {
        var pieces: [(offset: Int, bytes: [UInt8])] = []
        var length: Int?
    }

    private static let maximumDatagrams = 64
    private static let maximumPieces = 128
    private static let maximumLength = 65_535

    private var datagrams: [Key: Datagram] = [:]
    /// Oldest first; may name what is done already.
    private var order: [Key] = []

    /// - Returns: the whole, once its last piece is there.
    mutating func add(_ fragment: InternetPacket.Fragment, _ bytes: [UInt8], key: Key) -> [UInt8]? {
        let end = fragment.offset + bytes.count
        guard end <= Self.maximumLength else { return nil }
        if datagrams[key] == nil {
            makeRoom()
            order.append(key)
        }
        var datagram = datagrams.removeValue(forKey: key) ?? Datagram()
        guard datagram.pieces.count < Self.maximumPieces else { return nil }
        datagram.pieces.append((fragment.offset, bytes))
        if fragment.isLast { datagram.length = end }
        if let length = datagram.length, let whole = Self.whole(datagram.pieces, length) { return whole }
        datagrams[key] = datagram
        return nil
    }

    private mutating func makeRoom() {
        guard order.count >= Self.maximumDatagrams else { return }
        order.removeAll { datagrams[$0] == nil }
        guard order.count >= Self.maximumDatagrams, let oldest = order.first else { return }
        datagrams[oldest] = nil
        order.removeFirst()
    }

    /// Nil while something is missing. Where pieces overlap, the one that begins earlier counts.
    private static func whole(_ pieces: [(offset: Int, bytes: [UInt8])], _ length: Int) -> [UInt8]? {
        var whole: [UInt8] = []
        whole.reserveCapacity(length)
        for piece in pieces.sorted(by: { $0.offset < $1.offset }) {
            guard piece.offset <= whole.count else { return nil }
            whole += piece.bytes.dropFirst(whole.count - piece.offset)
        }
        return whole.count >= length ? Array(whole.prefix(length)) : nil
    }
}
