import GRDB

/// Why the store cannot be read or written at the moment.
enum StoreProblem: Error, Equatable, CustomStringConvertible {
    case full(path: String)
    case locked(path: String)
    case readOnly(path: String)
    case cannotOpen(path: String, reason: String)
    case damaged(path: String, reason: String)
    /// Made by a later version of the edge.
    case newerSchema(path: String, version: Int)
    case other(path: String, reason: String)

    init(_ error: any Error, path: String) {
        if let problem = error as? StoreProblem {
            self = problem
            return
        }
        guard let error = error as? DatabaseError else {
            self = .other(path: path, reason: "\(error)")
            return
        }
        let reason = error.message ?? "error \(error.extendedResultCode.rawValue)"
        switch error.resultCode {
        case .SQLITE_FULL: self = .full(path: path)
        case .SQLITE_BUSY, .SQLITE_LOCKED: self = .locked(path: path)
        case .SQLITE_READONLY, .SQLITE_PERM: self = .readOnly(path: path)
        case .SQLITE_CANTOPEN: self = .cannotOpen(path: path, reason: reason)
        case .SQLITE_CORRUPT, .SQLITE_NOTADB: self = .damaged(path: path, reason: reason)
        default: self = .other(path: path, reason: reason)
        }
    }

    var description: String {
        let effect = "nobody can log in until it works again"
        switch self {
        case .full(let path): return "\(path): the disk is full; \(effect): make room on it"
        case .locked(let path): return "\(path): the database is locked by another process; \(effect): end that process"
        case .readOnly(let path): return "\(path): the database cannot be written; \(effect): check its permissions and the mount"
        case .cannotOpen(let path, let reason):
            return "\(path): the database cannot be opened (\(reason)); \(effect): check that its folder exists and may be written"
        case .damaged(let path, let reason):
            return "\(path): the file is no database of ours or is damaged (\(reason)); \(effect): move it away and restart"
        case .newerSchema(let path, let version):
            return "\(path): the database is of a later version (\(version)); \(effect): run that version or move the file away"
        case .other(let path, let reason): return "\(path): the database fails (\(reason)); \(effect)"
        }
    }
}
