import Dispatch
import Glibc
import HotDeskPolicy
import Logging
import Synchronization

/// Keeps the logs phones put, in a folder of the administrator's: two files a device and kind, each cut at the bound of
/// a request's body. The event loop waits for no disk, and a file is there whole or not at all.
final class PhoneLogs: Sendable {
    private let folder: String
    private let logger: Logger
    private let queue = DispatchQueue(label: "edge.phonelogs", qos: .utility)
    /// Uploads the disk does not have yet.
    private let waiting = Mutex(0)
    /// So many may wait; more are turned away.
    static let maximumWaiting = 16

    init(folder: String, logger: Logger) {
        self.folder = folder
        self.logger = logger
    }

    /// - Parameter name: as the phone calls it.
    /// - Returns: false where it is not kept.
    func keep(_ bytes: [UInt8], named name: Substring, of device: DeviceName) -> Bool {
        guard takePlace() else { return false }
        let kind = name.lowercased().contains("boot") ? "boot" : "app"
        let path = "\(folder)/\(device.text)-\(kind).log"
        queue.async { [self] in
            defer { waiting.withLock { $0 -= 1 } }
            let new = path + ".new"
            guard write(bytes, to: new) else { return _ = unlink(new) }
            rename(path, path + ".old")
            rename(new, path)
        }
        return true
    }

    private func takePlace() -> Bool {
        waiting.withLock { count in
            guard count < Self.maximumWaiting else { return false }
            count += 1
            return true
        }
    }

    private func write(_ bytes: [UInt8], to path: String) -> Bool {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { return fails(path) }
        defer { close(descriptor) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard written > 0 else { return fails(path) }
            rest = rest.dropFirst(written)
        }
        return true
    }

    private func fails(_ path: String) -> Bool {
        logger.warning("the log of a phone cannot be kept: \(path): \(SystemError.text(errno))")
        return false
    }
}
