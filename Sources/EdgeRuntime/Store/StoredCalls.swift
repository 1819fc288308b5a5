import CoreTypes
import EdgeProxy
import FoundationEssentials
import GRDB

/// Records of calls in the store.
extension StoreFile {
    /// How many are kept.
    static let callCapacity: Int64 = 20_000

    static func append(_ record: CallRecord, _ db: Database) throws {
        let call = ControlCall(record)
        let legs = [call.phone, call.pbx].compactMap { $0 }
        let media = legs.isEmpty ? nil : String(decoding: [UInt8](try JSONEncoder().encode(legs)), as: UTF8.self)
        try run(
            db,
            """
            INSERT INTO calls (party, extension, direction, emergency, caller, callee, began, answered, ended, reason, media)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                call.party, call.extension, call.direction, call.emergency, call.from, call.to, record.began.nanoseconds,
                record.answered?.nanoseconds, record.ended.nanoseconds, call.reason, media,
            ])
    }

    static func pruneCalls(_ db: Database) throws {
        try run(db, "DELETE FROM calls WHERE id <= ?", [db.lastInsertedRowID - callCapacity])
    }

    /// The newest records, newest first.
    func recentCalls(_ count: Int) throws(StoreProblem) -> [ControlCall] {
        do {
            return try database.read { db in
                try Row.fetchAll(db, sql: "SELECT * FROM calls ORDER BY id DESC LIMIT ?", arguments: [count]).map(ControlCall.init(row:))
            }
        } catch {
            throw StoreProblem(error, path: path)
        }
    }
}

extension ControlCall {
    fileprivate init(row: Row) {
        let answered = (row["answered"] as Int64?).map(Instant.init(nanoseconds:))
        let ended = Instant(nanoseconds: row["ended"])
        let legs = (row["media"] as String?).flatMap { try? JSONDecoder().decode([ControlLeg].self, from: Data($0.utf8)) }
        self.init(
            party: row["party"], extension: row["extension"], direction: row["direction"], emergency: row["emergency"],
            from: row["caller"], to: row["callee"], began: Instant(nanoseconds: row["began"]).unixSeconds,
            answered: answered?.unixSeconds, ended: ended.unixSeconds, talked: answered.map { (ended - $0).components.seconds } ?? 0,
            reason: row["reason"], legs: legs ?? [])
    }
}
