import Dispatch
import Glibc
import HotDeskPolicy
import Logging

/// Keeps the logs phones put, in a folder of the administrator's: two files a device and kind, each cut at the bound of
/// a request's body, written away from the event loop.
final class PhoneLogs: @unchecked Sendable {
    private let folder: String
    private let logger: Logger
    private let queue = DispatchQueue(label: "edge.phonelogs", qos: .utility)
    /// Uploads that wait for the disk; more are turned away.
    private var waiting = 0
    private static let maximumWaiting = 16

    init(folder: String, logger: Logger) {
        self.folder = folder
        self.logger = logger
    }

    /// False where it is not kept. On the loop; `waiting` is counted under the queue's lock.
    func keep(_ request: WebRequest, of device: DeviceName) -> Bool {
        guard let name = request.parts.last, queue.sync(execute: { waiting < Self.maximumWaiting }) else { return false }
        let kind = name.lowercased().contains("boot") ? "boot" : "app"
        let path = "\(folder)/\(device.text)-\(kind).log"
        let bytes = request.body
        queue.sync { waiting += 1 }
        queue.async { [self] in
            waiting -= 1
            rename(path, path + ".old")
            write(bytes, to: path)
        }
        return true
    }

    private func write(_ bytes: [UInt8], to path: String) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { return logger.warning("the log of a phone cannot be kept: \(path): \(SystemError.text(errno))") }
        defer { close(descriptor) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard written > 0 else { return logger.warning("the log of a phone was cut: \(path): \(SystemError.text(errno))") }
            rest = rest.dropFirst(written)
        }
    }
}
