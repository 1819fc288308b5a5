import CoreTypes
import HotDeskPolicy
import PhoneDelivery

extension ControlStatus {
    /// A phone at its vendor's redirect service.
    public struct Redirect: Codable, Sendable, Equatable {
        public var service: String
        /// "waiting", "registered", "failed" or "leaving".
        public var state: String
        /// Why the last try failed, or "".
        public var problem: String
        public var nextTry: Int64?
        /// As the service knows it: one that left the site is in no other list.
        public var device: String
        public var mac: String

        init(_ entry: RedirectWorker.Entry) {
            service = entry.record.service.title
            state = entry.state.rawValue
            problem = entry.problem
            nextTry = entry.nextTry?.unixSeconds
            device = entry.record.device.text
            mac = entry.record.mac.text
        }
    }

    /// Puts each to its device.
    mutating func note(_ redirects: [RedirectWorker.Entry]) {
        let current = redirects.filter { $0.record.state != .leaving }
        let byDevice = Dictionary(current.map { ($0.record.device.text, Redirect($0)) }, uniquingKeysWith: { first, _ in first })
        for index in devices.indices { devices[index].redirect = byDevice[devices[index].name] }
        let leaving = redirects.filter { $0.record.state == .leaving }.map(Redirect.init)
        if !leaving.isEmpty { leavingRedirects = leaving }
    }
}
