import CoreTypes

/// An IP packet around a UDP payload, as if it had been on a wire (RFC 791, RFC 8200, RFC 768).
enum SyntheticDatagram {
    /// What fits into an IPv4 packet beside its headers (65535 - 20 - 8); used for both versions.
    static let maximumPayload = 65_507
    private static let udp: UInt8 = 17

    /// A payload over `maximumPayload` is cut.
    static func make(
        _ payload: UnsafeRawBufferPointer, from source: Endpoint, to destination: Endpoint, identification: UInt16
    ) -> [UInt8] {
        let payload = UnsafeRawBufferPointer(rebasing: payload.prefix(maximumPayload))
        let udpLength = UInt16(truncatingIfNeeded: 8 + payload.count)
        let isV4 = source.address.family == .v4 && destination.address.family == .v4
        let sourceAddress = isV4 ? source.address.bytes : asV6(source.address)
        let destinationAddress = isV4 ? destination.address.bytes : asV6(destination.address)

        var packet: [UInt8] = []
        packet.reserveCapacity((isV4 ? 20 : 40) + 8 + payload.count)
        if isV4 {
            appendV4(udpLength, identification, sourceAddress + destinationAddress, to: &packet)
        } else {
            packet += [0x60, 0, 0, 0] + bytes(udpLength) + [udp, 64] + sourceAddress + destinationAddress
        }
        let header = bytes(source.port) + bytes(destination.port) + bytes(udpLength)
        var checksum = InternetChecksum()
        checksum.add(sourceAddress)
        checksum.add(destinationAddress)
        checksum.add(UInt16(udp))
        checksum.add(udpLength)
        checksum.add(header)
        checksum.add(payload)
        // RFC 768: zero would mean that there is none.
        packet += header + bytes(checksum.value == 0 ? 0xFFFF : checksum.value)
        packet.append(contentsOf: payload)
        return packet
    }

    private static func appendV4(_ udpLength: UInt16, _ identification: UInt16, _ addresses: [UInt8], to packet: inout [UInt8]) {
        let head = [0x45, 0] + bytes(udpLength &+ 20) + bytes(identification) + [0x40, 0, 64, udp]
        var checksum = InternetChecksum()
        checksum.add(head)
        checksum.add(addresses)
        packet += head + bytes(checksum.value) + addresses
    }

    /// IPv4-mapped (RFC 4291 §2.5.5.2) where only one end is IPv4.
    private static func asV6(_ address: IPAddress) -> [UInt8] {
        switch address.family {
        case .v4: return Array(repeating: 0, count: 10) + [0xFF, 0xFF] + address.bytes
        case .v6: return address.bytes
        }
    }

    private static func bytes(_ word: UInt16) -> [UInt8] {
        [UInt8(truncatingIfNeeded: word >> 8), UInt8(truncatingIfNeeded: word)]
    }
}
