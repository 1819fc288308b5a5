import CoreTypes
import HotDeskPolicy
import SIPMessage
import Testing

/// The rules of the tests' site.
let site = PolicyRules(
    dialCodes: DialCodes(),
    emergency: EmergencyRules(numbers: ["112", "911", "999"], outsidePrefixes: ["9", "0"]),
    pin: PINRules(attempts: 3, within: .seconds(300), lock: .seconds(900)))

func device(_ text: String) throws -> DeviceName { try #require(DeviceName(text)) }
func number(_ text: String) throws -> ExtensionNumber { try #require(ExtensionNumber(text)) }
func second(_ count: Int64) -> Instant { Instant(nanoseconds: (1_700_000_000 + count) * 1_000_000_000) }

/// Who may ask, by name, so that tables can say it.
enum Who: String, CaseIterable, Sendable {
    case idle, loggedIn, plain, unknown

    func requester() throws -> Requester {
        let desk = try device("HD0001")
        switch self {
        case .idle: return .device(desk, nil)
        case .loggedIn: return .device(desk, Session(device: desk, extension: try number("100"), since: second(0), generation: 1))
        case .plain: return .plain
        case .unknown: return .unknown
        }
    }
}

let everyMethod: [Method] = [
    .invite, .ack, .bye, .cancel, .register, .options, .info, .update, .prack, .subscribe, .notify, .refer, .message, .publish,
    .other("invite"), .other("FROBNICATE"),
]

extension Verdict {
    /// The reason of a refusal.
    var reason: RefusalReason? {
        guard case .refuse(let refusal) = self else { return nil }
        return refusal.reason
    }

    var status: Int? {
        guard case .refuse(let refusal) = self else { return nil }
        return refusal.status
    }
}
