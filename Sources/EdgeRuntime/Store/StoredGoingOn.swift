import CoreTypes
import EdgeProxy
import FoundationEssentials
import GRDB

/// What goes on at the moment and must outlive the process: calls that are up, and where plain phones are.
extension StoreFile {
    static func applyGoingOn(_ change: StoreChange, _ db: Database) throws {
        switch change {
        case .call(let call):
            let json = String(decoding: [UInt8](try JSONEncoder().encode(call)), as: UTF8.self)
            try run(db, "INSERT OR REPLACE INTO calls_up VALUES (?, ?)", [Int64(bitPattern: call.key), json])
        case .callRemoved(let key): try run(db, "DELETE FROM calls_up WHERE key = ?", [Int64(bitPattern: key)])
        case .plainBinding(let record):
            try run(
                db, "INSERT OR REPLACE INTO plain_bindings VALUES (?, ?, ?, ?, ?, ?)",
                [
                    record.token, record.user, record.contact, record.local.description, record.remote.description,
                    record.expires.nanoseconds,
                ])
        case .plainBindingRemoved(let token): try run(db, "DELETE FROM plain_bindings WHERE token = ?", [token])
        case .session, .sessionEnded, .binding, .bindingRemoved, .attempts, .emergencyPin, .emergencyPinRemoved, .phone: break
        }
    }

    /// Calls of another version, or that read as none, are left out.
    static func callsUp(_ db: Database) throws -> [StoredCall] {
        try String.fetchAll(db, sql: "SELECT call FROM calls_up ORDER BY key").compactMap {
            try? JSONDecoder().decode(StoredCall.self, from: Data($0.utf8))
        }
    }
}

extension PlainBindingRecord {
    init?(row: Row) {
        guard let local = Endpoint(row["local"] as String), let remote = Endpoint(row["remote"] as String) else { return nil }
        self.init(
            token: row["token"], user: row["user"], contact: row["contact"], local: local, remote: remote,
            expires: Instant(nanoseconds: row["expires"]))
    }
}
