import CoreTypes
import EdgeProxy
import FoundationEssentials
import GRDB
import HotDeskPolicy
import PhoneDelivery

/// The SQLite file: what is in it and how it is changed. Blocks; used from the store's own queue.
struct StoreFile {
    let database: DatabaseQueue
    let path: String

    /// How many entries of the audit are kept.
    static let auditCapacity: Int64 = 100_000

    /// Opens or makes the file: write-ahead log, each commit on disk before it returns (`synchronous=FULL`).
    /// - Parameter patience: seconds to wait for another process's lock.
    init(path: String, patience: Double) throws(StoreProblem) {
        self.path = path
        var configuration = Configuration()
        configuration.busyMode = .timeout(patience)
        configuration.prepareDatabase { db in
            try db.execute(sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -512")
        }
        do {
            database = try DatabaseQueue(path: path, configuration: configuration)
            try database.writeWithoutTransaction { db in try StoreSchema.prepare(db, path: path) }
        } catch {
            throw StoreProblem(error, path: path)
        }
    }

    /// All or nothing, and on disk when it returns.
    func write(
        _ changes: [StoreChange], audit: [AuditEntry], calls: [CallRecord] = [], deliveries: [DeliveryRecord] = [], redirects: [RedirectChange] = [],
        now: Instant
    ) throws(StoreProblem) {
        do {
            try database.write { db in
                for change in changes { try Self.apply(change, db) }
                for entry in audit { try Self.append(entry, db) }
                if !audit.isEmpty { try Self.prune(db) }
                for record in calls { try Self.append(record, db) }
                if !calls.isEmpty { try Self.pruneCalls(db) }
                for record in deliveries { try Self.put(record, db) }
                for change in redirects { try Self.apply(change, db) }
                if changes.isEmpty, audit.isEmpty, calls.isEmpty, deliveries.isEmpty, redirects.isEmpty { try Self.prove(db, now) }
            }
        } catch {
            throw StoreProblem(error, path: path)
        }
    }

    /// Everything but the audit and the calls. Rows that no longer read as what they should be are left out.
    func load() throws(StoreProblem) -> EdgeSnapshot {
        do {
            return try database.read { db in
                var snapshot = EdgeSnapshot()
                snapshot.sessions = try Row.fetchAll(db, sql: "SELECT * FROM sessions").compactMap(Session.init(row:))
                snapshot.bindings = try Row.fetchAll(db, sql: "SELECT * FROM bindings").compactMap(BindingRecord.init(row:))
                snapshot.emergencyPins = try Row.fetchAll(db, sql: "SELECT * FROM emergency_pins").compactMap(EmergencyPin.init(row:))
                snapshot.phones = try Row.fetchAll(db, sql: "SELECT * FROM phones").compactMap(PhoneRecord.init(row:))
                snapshot.attempts = try String.fetchOne(db, sql: "SELECT snapshot FROM attempts").flatMap {
                    try? JSONDecoder().decode(PINAttempts.Snapshot.self, from: Data($0.utf8))
                }
                snapshot.calls = try Self.callsUp(db)
                snapshot.plainBindings = try Row.fetchAll(db, sql: "SELECT * FROM plain_bindings").compactMap(PlainBindingRecord.init(row:))
                return snapshot
            }
        } catch {
            throw StoreProblem(error, path: path)
        }
    }

    /// The newest entries of the audit, newest first.
    func recentAudit(_ count: Int) throws(StoreProblem) -> [AuditEntry] {
        do {
            return try database.read { db in
                try Row.fetchAll(db, sql: "SELECT * FROM audit ORDER BY id DESC LIMIT ?", arguments: [count])
                    .compactMap(AuditEntry.init(row:))
            }
        } catch {
            throw StoreProblem(error, path: path)
        }
    }

    /// Runs SQL of a test's own: a page limit, an older version.
    func execute(_ sql: String) throws { try database.writeWithoutTransaction { try $0.execute(sql: sql) } }

    /// Holds the lock of a writer while a test looks at what others do.
    func withLock(_ body: () throws -> Void) throws {
        try database.writeWithoutTransaction { db in
            try db.inTransaction(.immediate) {
                try body()
                return .rollback
            }
        }
    }

    // MARK: One change

    static func run(_ db: Database, _ sql: String, _ arguments: StatementArguments) throws {
        try db.cachedStatement(sql: sql).execute(arguments: arguments)
    }

    private static func apply(_ change: StoreChange, _ db: Database) throws {
        switch change {
        case .session(let session):
            // One person, one desk: whatever order the changes came in.
            try run(db, "DELETE FROM sessions WHERE extension = ?", [session.extension.text])
            try run(
                db, "INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?)",
                [
                    session.device.text, session.extension.text, session.since.nanoseconds,
                    Int64(bitPattern: session.generation),
                ])
        case .sessionEnded(let device): try run(db, "DELETE FROM sessions WHERE device = ?", [device.text])
        case .binding(let record):
            try run(
                db, "INSERT OR REPLACE INTO bindings VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    record.device.text, record.contact, Int64(record.transport.rawValue), record.local.description,
                    record.remote.description, record.expires.nanoseconds, record.userAgent,
                ])
        case .bindingRemoved(let device): try run(db, "DELETE FROM bindings WHERE device = ?", [device.text])
        case .attempts(let snapshot):
            let json = String(decoding: [UInt8](try JSONEncoder().encode(snapshot)), as: UTF8.self)
            try run(db, "INSERT OR REPLACE INTO attempts VALUES (1, ?)", [json])
        case .emergencyPin(let pin):
            try run(
                db, "INSERT OR REPLACE INTO emergency_pins VALUES (?, ?, ?)",
                [pin.device.text, pin.identity, pin.until.nanoseconds])
        case .emergencyPinRemoved(let device):
            try run(db, "DELETE FROM emergency_pins WHERE device = ?", [device.text])
        case .phone(let record):
            try run(
                db, "INSERT OR REPLACE INTO phones VALUES (?, ?, ?, ?)",
                [
                    record.device.text, Int64(bitPattern: record.session), Int64(bitPattern: record.revision),
                    record.delivered.map { Int64(bitPattern: $0) },
                ])
        case .call, .callRemoved, .plainBinding, .plainBindingRemoved: try applyGoingOn(change, db)
        }
    }

    private static func append(_ entry: AuditEntry, _ db: Database) throws {
        try run(
            db, "INSERT INTO audit (at, kind, device, extension, request, detail) VALUES (?, ?, ?, ?, ?, ?)",
            [entry.at.nanoseconds, entry.kind.rawValue, entry.device, entry.extension, entry.request, entry.detail])
    }

    private static func prune(_ db: Database) throws {
        try run(db, "DELETE FROM audit WHERE id <= ?", [db.lastInsertedRowID - auditCapacity])
    }

    /// A write that changes nothing anybody reads: whether writing works at all.
    private static func prove(_ db: Database, _ now: Instant) throws {
        try run(db, "INSERT OR REPLACE INTO health VALUES (1, ?)", [now.nanoseconds])
    }
}

// MARK: Rows

extension Session {
    fileprivate init?(row: Row) {
        guard let device = DeviceName(row["device"]), let number = ExtensionNumber(row["extension"]) else { return nil }
        self.init(
            device: device, extension: number, since: Instant(nanoseconds: row["since"]),
            generation: UInt64(bitPattern: row["generation"] as Int64))
    }
}

extension BindingRecord {
    fileprivate init?(row: Row) {
        guard let device = DeviceName(row["device"]), let local = Endpoint(row["local"] as String),
            let remote = Endpoint(row["remote"] as String),
            let transport = UInt8(exactly: row["transport"] as Int64).flatMap(TransportProtocol.init(rawValue:))
        else { return nil }
        self.init(
            device: device, contact: row["contact"], transport: transport, local: local, remote: remote,
            expires: Instant(nanoseconds: row["expires"]), userAgent: row["user_agent"])
    }
}

extension EmergencyPin {
    fileprivate init?(row: Row) {
        guard let device = DeviceName(row["device"]) else { return nil }
        self.init(device: device, identity: row["identity"], until: Instant(nanoseconds: row["until"]))
    }
}

extension PhoneRecord {
    fileprivate init?(row: Row) {
        guard let device = DeviceName(row["device"]) else { return nil }
        self.init(
            device: device, session: UInt64(bitPattern: row["session"] as Int64), revision: UInt64(bitPattern: row["revision"] as Int64),
            delivered: (row["delivered"] as Int64?).map { UInt64(bitPattern: $0) })
    }
}

extension AuditEntry {
    fileprivate init?(row: Row) {
        guard let kind = Kind(rawValue: row["kind"]) else { return nil }
        self.init(
            at: Instant(nanoseconds: row["at"]), kind: kind, device: row["device"], extension: row["extension"],
            request: row["request"], detail: row["detail"])
    }
}
