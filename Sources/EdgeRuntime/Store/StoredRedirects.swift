import CoreTypes
import GRDB
import HotDeskPolicy
import PhoneDelivery

/// What the vendors' redirect services know. The addresses in it hold no secret.
enum RedirectChange: Sendable {
    case put(RedirectRecord)
    case removed(MACAddress)

    var mac: MACAddress {
        switch self {
        case .put(let record): return record.mac
        case .removed(let mac): return mac
        }
    }
}

extension StoreFile {
    static func apply(_ change: RedirectChange, _ db: Database) throws {
        switch change {
        case .put(let record):
            try run(
                db, "INSERT OR REPLACE INTO redirects VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    record.mac.text, record.device.text, record.service.rawValue, record.wanted, record.registered, Int64(record.tries),
                    record.nextTry.nanoseconds, record.problem,
                ])
        case .removed(let mac): try run(db, "DELETE FROM redirects WHERE mac = ?", [mac.text])
        }
    }

    func redirects() throws(StoreProblem) -> [RedirectRecord] {
        do {
            return try database.read { db in
                try Row.fetchAll(db, sql: "SELECT * FROM redirects").compactMap(RedirectRecord.init(row:))
            }
        } catch {
            throw StoreProblem(error, path: path)
        }
    }
}

extension RedirectRecord {
    fileprivate init?(row: Row) {
        guard let mac = MACAddress(row["mac"] as String), let device = DeviceName(row["device"]),
            let service = RedirectService(rawValue: row["service"])
        else { return nil }
        self.init(
            mac: mac, device: device, service: service, wanted: row["wanted"], registered: row["registered"],
            tries: Int(clamping: row["tries"] as Int64), nextTry: Instant(nanoseconds: row["next_try"]), problem: row["problem"])
    }
}
