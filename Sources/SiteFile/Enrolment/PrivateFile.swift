import Glibc

/// Writes files so that each is either the old one or the whole new one.
public enum PrivateFile {
    public struct Failure: Error, Sendable, CustomStringConvertible {
        public var path: String
        public var reason: String
        public var description: String { "\(path) cannot be written: \(reason)" }
    }

    /// A secret, readable by whoever may read the site file, but never by everybody: its owner and group, mode 600, or 640
    /// where the site file's group may read that. The folder is made where it is new.
    public static func writeSecret(_ text: String, to path: String, like siteFile: String) throws(Failure) {
        var status = stat()
        guard stat(siteFile, &status) == 0 else { throw Failure(path: siteFile, reason: reason()) }
        let owner = (status.st_uid, status.st_gid)
        let forGroup = status.st_mode & S_IRGRP != 0
        let folder = SitePaths.folder(of: path)
        if !folder.isEmpty {
            if mkdir(folder, forGroup ? 0o750 : 0o700) == 0 {
                if chown(folder, owner.0, owner.1) != 0, geteuid() == 0 { throw Failure(path: folder, reason: reason()) }
            } else if errno != EEXIST {
                throw Failure(path: folder, reason: reason())
            }
        }
        try replace(path, with: text, mode: forGroup ? 0o640 : 0o600, owner: owner)
    }

    /// A file that is there: its mode and owner stay, and a link to it goes on leading to it.
    public static func replace(_ path: String, with text: String) throws(Failure) {
        var status = stat()
        guard stat(path, &status) == 0 else { throw Failure(path: path, reason: reason()) }
        var target = path
        if let real = realpath(path, nil) {
            target = String(cString: real)
            free(real)
        }
        try replace(target, with: text, mode: status.st_mode & 0o7777, owner: (status.st_uid, status.st_gid))
    }

    private static func replace(_ path: String, with text: String, mode: mode_t, owner: (uid_t, gid_t)) throws(Failure) {
        let temporary = "\(path).\(getpid()).new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Failure(path: temporary, reason: reason()) }
        var failure = write(text, to: descriptor) ? nil : reason()
        if failure == nil, fchown(descriptor, owner.0, owner.1) != 0, geteuid() == 0 { failure = reason() }
        if failure == nil, fchmod(descriptor, mode) != 0 || fsync(descriptor) != 0 { failure = reason() }
        close(descriptor)
        if failure == nil, rename(temporary, path) != 0 { failure = reason() }
        if let failure {
            unlink(temporary)
            throw Failure(path: path, reason: failure)
        }
    }

    private static func write(_ text: String, to descriptor: CInt) -> Bool {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    private static func reason() -> String { String(cString: strerror(errno)) }
}
