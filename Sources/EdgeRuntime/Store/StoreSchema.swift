import GRDB

/// The tables, and how an older file becomes a current one.
enum StoreSchema {
    /// Kept in `PRAGMA user_version`.
    static let version = 5

    /// Brings a new or older file to `version`, in one transaction.
    static func prepare(_ db: Database, path: String) throws {
        let found = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        guard found <= version else { throw StoreProblem.newerSchema(path: path, version: found) }
        guard found < version else { return }
        try db.inTransaction(.immediate) {
            for (index, step) in steps.enumerated() where index >= found { try db.execute(sql: step) }
            try db.execute(sql: "PRAGMA user_version = \(version)")
            return .commit
        }
    }

    /// `steps[n]` leads from version n to version n + 1.
    private static let steps = [
        """
        CREATE TABLE sessions (
            device TEXT NOT NULL PRIMARY KEY,
            extension TEXT NOT NULL UNIQUE,
            since INTEGER NOT NULL,
            generation INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE bindings (
            device TEXT NOT NULL PRIMARY KEY,
            contact TEXT NOT NULL,
            transport INTEGER NOT NULL,
            local TEXT NOT NULL,
            remote TEXT NOT NULL,
            expires INTEGER NOT NULL,
            user_agent TEXT NOT NULL
        ) STRICT;
        CREATE TABLE attempts (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            snapshot TEXT NOT NULL
        ) STRICT;
        CREATE TABLE emergency_pins (
            device TEXT NOT NULL PRIMARY KEY,
            identity TEXT NOT NULL,
            until INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE audit (
            id INTEGER PRIMARY KEY,
            at INTEGER NOT NULL,
            kind TEXT NOT NULL,
            device TEXT NOT NULL,
            extension TEXT NOT NULL,
            request TEXT NOT NULL,
            detail TEXT NOT NULL
        ) STRICT;
        CREATE TABLE health (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            written INTEGER NOT NULL
        ) STRICT;
        """,
        """
        CREATE TABLE calls (
            id INTEGER PRIMARY KEY,
            party TEXT NOT NULL,
            extension TEXT NOT NULL,
            direction TEXT NOT NULL,
            emergency INTEGER NOT NULL,
            caller TEXT NOT NULL,
            callee TEXT NOT NULL,
            began INTEGER NOT NULL,
            answered INTEGER,
            ended INTEGER NOT NULL,
            reason TEXT NOT NULL,
            media TEXT
        ) STRICT;
        """,
        """
        CREATE TABLE phones (
            device TEXT NOT NULL PRIMARY KEY,
            session INTEGER NOT NULL,
            revision INTEGER NOT NULL,
            delivered INTEGER
        ) STRICT;
        CREATE TABLE deliveries (
            device TEXT NOT NULL PRIMARY KEY,
            armed_until INTEGER NOT NULL,
            current BLOB,
            current_used INTEGER NOT NULL,
            issued INTEGER NOT NULL,
            previous BLOB,
            previous_until INTEGER NOT NULL,
            must_rotate INTEGER NOT NULL
        ) STRICT;
        """,
        """
        CREATE TABLE calls_up (
            key INTEGER PRIMARY KEY,
            call TEXT NOT NULL
        ) STRICT;
        CREATE TABLE plain_bindings (
            token TEXT NOT NULL PRIMARY KEY,
            user TEXT NOT NULL,
            contact TEXT NOT NULL,
            local TEXT NOT NULL,
            remote TEXT NOT NULL,
            expires INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        """,
        """
        CREATE TABLE redirects (
            mac TEXT NOT NULL PRIMARY KEY,
            device TEXT NOT NULL,
            service TEXT NOT NULL,
            wanted TEXT,
            registered TEXT,
            tries INTEGER NOT NULL,
            next_try INTEGER NOT NULL,
            problem TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
        """,
    ]
}
