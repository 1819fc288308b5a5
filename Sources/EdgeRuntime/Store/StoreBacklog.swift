import EdgeProxy
import HotDeskPolicy
import PhoneDelivery

/// Changes that could not be written yet and must be, once the store works again: the last of each row.
///
/// A session somebody waits for is no debt: the core was told that it is not on disk and refused it.
struct StoreBacklog {
    enum Row: Hashable {
        case session(DeviceName), binding(DeviceName), attempts, emergencyPin(DeviceName), phone(DeviceName), call(UInt64)
        case plainBinding(String)
    }

    private var changes: [Row: StoreChange] = [:]
    private var order: [Row] = []
    private(set) var audit: [AuditEntry] = []
    private(set) var calls: [CallRecord] = []
    private var deliveryOf: [DeviceName: DeliveryRecord] = [:]
    private var redirectOf: [MACAddress: RedirectChange] = [:]

    /// Audit entries held while the store is down; the oldest go first.
    static let auditCapacity = 2_000
    /// Records of calls held while the store is down; the oldest go first.
    static let callCapacity = 2_000

    var isEmpty: Bool { changes.isEmpty && audit.isEmpty && calls.isEmpty && deliveryOf.isEmpty && redirectOf.isEmpty }

    /// Oldest first.
    var inOrder: [StoreChange] { order.compactMap { changes[$0] } }

    mutating func add(_ change: StoreChange) {
        let row = Self.row(of: change)
        if changes.updateValue(change, forKey: row) != nil { order.removeAll { $0 == row } }
        order.append(row)
    }

    mutating func add(_ entries: [AuditEntry]) {
        audit += entries
        if audit.count > Self.auditCapacity { audit.removeFirst(audit.count - Self.auditCapacity) }
    }

    mutating func add(_ records: [CallRecord]) {
        calls += records
        if calls.count > Self.callCapacity { calls.removeFirst(calls.count - Self.callCapacity) }
    }

    var deliveries: [DeliveryRecord] { Array(deliveryOf.values) }

    mutating func add(_ record: DeliveryRecord) { deliveryOf[record.device] = record }

    var redirects: [RedirectChange] { Array(redirectOf.values) }

    mutating func add(_ change: RedirectChange) { redirectOf[change.mac] = change }

    mutating func clear() { self = StoreBacklog() }

    private static func row(of change: StoreChange) -> Row {
        switch change {
        case .session(let session): return .session(session.device)
        case .sessionEnded(let device): return .session(device)
        case .binding(let record): return .binding(record.device)
        case .bindingRemoved(let device): return .binding(device)
        case .attempts: return .attempts
        case .emergencyPin(let pin): return .emergencyPin(pin.device)
        case .emergencyPinRemoved(let device): return .emergencyPin(device)
        case .phone(let record): return .phone(record.device)
        case .call(let call): return .call(call.key)
        case .callRemoved(let key): return .call(key)
        case .plainBinding(let record): return .plainBinding(record.token)
        case .plainBindingRemoved(let token): return .plainBinding(token)
        }
    }
}
