import CoreTypes
import Media
import SIPMessage

/// Keys that are pressed in a call.
extension EdgeProxy {
    /// Presses the key of an INFO by RFC 4733, where the other leg takes that; false where the INFO is to go on as it is.
    mutating func pressesKey(_ request: SIPRequest, _ call: Boxed<Call>, from side: Side) -> Bool {
        guard let media = call.media, let press = InfoDigit(request) else { return false }
        let isFromPhone = side == .phone
        guard (isFromPhone ? media.trunk : media.phone).telephoneEvent != nil else { return false }
        out.append(.media(.press(media.id, leg: isFromPhone ? 1 : 0, key: press.key, press.duration)))
        return true
    }
}
