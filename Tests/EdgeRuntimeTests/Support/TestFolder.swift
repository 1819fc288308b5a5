import Foundation

/// A folder of its own that is gone when the test is over. The name is short: a Unix socket's path has 107 bytes.
final class TestFolder: Sendable {
    let path: String

    init() {
        path = "/tmp/edge-" + String(UInt32.random(in: .min ... .max), radix: 36)
        try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { "\(path)/\(name)" }
}
