import CPcap

/// What is around an IP packet in a capture.
enum LinkLayer: Sendable {
    case ethernet
    /// "Linux cooked": what the `any` device gives.
    case linuxCooked
    case linuxCooked2
    case raw
    /// BSD loopback: four bytes of address family before the packet.
    case loopback

    init(_ type: Int32) throws(CaptureError) {
        switch type {
        case DLT_EN10MB: self = .ethernet
        case DLT_LINUX_SLL: self = .linuxCooked
        case DLT_LINUX_SLL2: self = .linuxCooked2
        case DLT_RAW, DLT_IPV4, DLT_IPV6: self = .raw
        case DLT_NULL, DLT_LOOP: self = .loopback
        default: throw .unknownLinkType(type)
        }
    }

    /// The IP packet in a frame; nil where it carries something else.
    func packet(in frame: PacketBytes) -> PacketBytes? {
        switch self {
        case .ethernet: return LinkLayer.afterType(at: 12, header: 14, in: frame)
        case .linuxCooked: return LinkLayer.afterType(at: 14, header: 16, in: frame)
        case .linuxCooked2: return LinkLayer.afterType(at: 0, header: 20, in: frame)
        case .raw: return frame
        case .loopback: return frame.rest(4)
        }
    }

    /// At most four VLAN tags (IEEE 802.1Q, 802.1ad) stand between type and packet.
    private static func afterType(at offset: Int, header: Int, in frame: PacketBytes) -> PacketBytes? {
        guard var type = frame.word(offset), var packet = frame.rest(header) else { return nil }
        for _ in 0..<4 {
            guard type == 0x8100 || type == 0x88A8 || type == 0x9100 else { break }
            guard let inner = packet.word(2), let rest = packet.rest(4) else { return nil }
            type = inner
            packet = rest
        }
        switch type {
        case 0x0800, 0x86DD: return packet
        case 0x8864: return insidePPPoE(packet)
        default: return nil
        }
    }

    /// RFC 2516 §4, a session's data: six bytes of its own, then PPP's protocol number.
    private static func insidePPPoE(_ session: PacketBytes) -> PacketBytes? {
        guard let code = session.byte(1), code == 0, let type = session.word(6), type == 0x0021 || type == 0x0057 else {
            return nil
        }
        return session.rest(8)
    }
}
