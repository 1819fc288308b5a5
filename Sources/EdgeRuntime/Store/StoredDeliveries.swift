import CoreTypes
import FoundationEssentials
import GRDB
import HotDeskPolicy
import PhoneDelivery

/// What was delivered to which phone. URLs are kept as hashes.
extension StoreFile {
    static func put(_ record: DeliveryRecord, _ db: Database) throws {
        try run(
            db, "INSERT OR REPLACE INTO deliveries VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                record.device.text, record.armedUntil.nanoseconds, record.current.map { Data($0.bytes) }, record.isCurrentUsed,
                record.issued.nanoseconds, record.previous.map { Data($0.bytes) }, record.previousUntil.nanoseconds, record.mustRotate,
            ])
    }

    func deliveries() throws(StoreProblem) -> [DeliveryRecord] {
        do {
            return try database.read { db in
                try Row.fetchAll(db, sql: "SELECT * FROM deliveries").compactMap(DeliveryRecord.init(row:))
            }
        } catch {
            throw StoreProblem(error, path: path)
        }
    }
}

extension DeliveryRecord {
    fileprivate init?(row: Row) {
        guard let device = DeviceName(row["device"]) else { return nil }
        self.init(
            device: device, armedUntil: Instant(nanoseconds: row["armed_until"]), issued: Instant(nanoseconds: row["issued"]))
        current = (row["current"] as Data?).flatMap { TokenHash(bytes: [UInt8]($0)) }
        isCurrentUsed = row["current_used"]
        previous = (row["previous"] as Data?).flatMap { TokenHash(bytes: [UInt8]($0)) }
        previousUntil = Instant(nanoseconds: row["previous_until"])
        mustRotate = row["must_rotate"]
    }
}
