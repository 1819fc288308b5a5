import NIOHTTP1
import PhoneDelivery

/// Sorts what comes over HTTP: phones' files, and the administrator's interface.
final class EdgeWeb: WebService {
    private let phones: PhoneWeb?
    private let admin: AdminWeb?
    private let clock: EdgeClock
    /// Of requests to the administrator's interface, with the right token or not; phones have theirs.
    private var budget: RequestBudget

    init(phones: PhoneWeb?, admin: AdminWeb?, clock: EdgeClock) {
        self.phones = phones
        self.admin = admin
        self.clock = clock
        budget = RequestBudget(now: clock.now)
    }

    /// Only phones' logs are kept.
    func wantsBody(_ request: WebRequest) -> Bool { phones?.wantsBody(request) ?? false }

    func answer(_ request: WebRequest, _ reply: @escaping (WebResponse) -> Void) {
        switch request.parts.first {
        case "api", "metrics":
            guard budget.take(request.source, now: clock.now) else { return reply(.busy) }
            guard let admin else { return reply(.missing) }
            admin.answer(request, reply)
        default:
            guard let phones else { return reply(.missing) }
            phones.answer(request, reply)
        }
    }
}
