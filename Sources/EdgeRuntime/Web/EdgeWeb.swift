import NIOHTTP1

/// Sorts what comes over HTTP: phones' files, and the administrator's interface.
final class EdgeWeb: WebService {
    private let phones: PhoneWeb?
    private let admin: AdminWeb?

    init(phones: PhoneWeb?, admin: AdminWeb?) {
        self.phones = phones
        self.admin = admin
    }

    /// Only phones' logs are kept.
    func wantsBody(_ request: WebRequest) -> Bool { phones?.wantsBody(request) ?? false }

    func answer(_ request: WebRequest, _ reply: @escaping (WebResponse) -> Void) {
        switch request.parts.first {
        case "api", "metrics":
            guard let admin else { return reply(.missing) }
            admin.answer(request, reply)
        default:
            guard let phones else { return reply(.missing) }
            phones.answer(request, reply)
        }
    }
}
