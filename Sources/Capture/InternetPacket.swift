import CoreTypes

/// What an IP packet says of its payload.
struct InternetPacket {
    static let tcp: UInt8 = 6
    static let udp: UInt8 = 17

    /// Where the payload belongs in a datagram that came in pieces.
    struct Fragment {
        let identification: UInt32
        /// Bytes.
        let offset: Int
        let isLast: Bool

        init(identification: UInt32, offset: Int, isLast: Bool) {
            self.identification = identification
            self.offset = offset
            self.isLast = isLast
        }

        /// RFC 8200 §4.5; nil for a datagram in one piece (RFC 6946).
        init?(v6 header: PacketBytes) {
            guard let position = header.word(2), let identification = header.double(4), position & 0xFFF9 != 0 else { return nil }
            self.init(identification: identification, offset: Int(position & 0xFFF8), isLast: position & 1 == 0)
        }
    }

    let source: IPAddress
    let destination: IPAddress
    let transport: UInt8
    let fragment: Fragment?
    let payload: PacketBytes
    /// The capture cut the packet short.
    let isTruncated: Bool

    init?(_ packet: PacketBytes) {
        switch packet.byte(0).map({ $0 >> 4 }) {
        case 4: self.init(v4: packet)
        case 6: self.init(v6: packet)
        default: return nil
        }
    }

    /// RFC 791 §3.1.
    private init?(v4 packet: PacketBytes) {
        guard let first = packet.byte(0), let total = packet.word(2), let identification = packet.word(4),
            let position = packet.word(6), let transport = packet.byte(9), let source = packet.address(12, .v4),
            let destination = packet.address(16, .v4)
        else { return nil }
        let header = Int(first & 0x0F) * 4
        // Zero where the network card was to fill it in.
        let length = total == 0 ? packet.count : Int(total)
        guard header >= 20, length >= header, let all = packet.rest(header) else { return nil }
        let wanted = length - header
        let hasMore = position & 0x2000 != 0
        let offset = Int(position & 0x1FFF) * 8
        self.source = source
        self.destination = destination
        self.transport = transport
        isTruncated = all.count < wanted
        payload = all.part(0, count: min(all.count, wanted)) ?? all
        fragment =
            hasMore || offset > 0
            ? Fragment(identification: UInt32(identification), offset: offset, isLast: !hasMore) : nil
    }

    /// RFC 8200 §3 and §4.
    private init?(v6 packet: PacketBytes) {
        guard let length = packet.word(4), var next = packet.byte(6), let source = packet.address(8, .v6),
            let destination = packet.address(24, .v6), let all = packet.rest(40)
        else { return nil }
        let wanted = length == 0 ? all.count : Int(length)
        isTruncated = all.count < wanted
        var rest = all.part(0, count: min(all.count, wanted)) ?? all
        var fragment: Fragment?
        for _ in 0..<8 {
            guard let size = InternetPacket.extensionSize(next, rest) else { break }
            guard let following = rest.byte(0), let inner = rest.rest(size) else { return nil }
            if next == 44 { fragment = Fragment(v6: rest) }
            next = following
            rest = inner
            if fragment != nil { break }
        }
        self.source = source
        self.destination = destination
        self.fragment = fragment
        transport = next
        payload = rest
    }

    /// Bytes of an extension header; nil for what is none.
    private static func extensionSize(_ kind: UInt8, _ header: PacketBytes) -> Int? {
        switch kind {
        case 0, 43, 60: return header.byte(1).map { (Int($0) + 1) * 8 }
        case 44: return 8
        case 51: return header.byte(1).map { (Int($0) + 2) * 4 }
        default: return nil
        }
    }
}
