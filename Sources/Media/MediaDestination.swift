public import CoreTypes

/// Where media may be sent at all, whatever an SDP says.
public enum MediaDestination {
    /// Refuses port 0, the unspecified address, multicast, broadcast and reserved ranges, IPv4 dressed as
    /// IPv6, another family than `local`, and loopback unless `local` itself is loopback.
    public static func isAllowed(_ remote: Endpoint, from local: IPAddress) -> Bool {
        let address = remote.address
        guard remote.port != 0, address.family == local.family else { return false }
        if address.isUnspecified || address.isMulticast || isReserved(address) { return false }
        return !address.isLoopback || local.isLoopback
    }

    /// 0.0.0.0/8 and 240.0.0.0/4 (RFC 6890 §2.2.2), ::ffff:0:0/96 and ::/96 (RFC 4291 §2.5.5) but ::1.
    private static func isReserved(_ address: IPAddress) -> Bool {
        switch address.family {
        case .v4: return address.low >> 24 == 0 || address.low >> 28 == 0xF
        case .v6:
            guard address.high == 0, !address.isLoopback else { return false }
            return address.low >> 32 == 0xFFFF || address.low >> 32 == 0
        }
    }
}
