import Glibc
import HotDeskPolicy
import Logging
import Testing

@testable import EdgeRuntime

@Suite struct PhoneLogsTests {
    /// A disk that takes nothing: the event loop is not held up by it, and no more waits for it than is allowed.
    @Test(.timeLimit(.minutes(1))) func nobodyWaitsForTheDisk() throws {
        let folder = TestFolder()
        let pipe = folder.file("HD0001-app.log.new")
        // Whoever opens it to write waits until somebody reads.
        #expect(mkfifo(pipe, 0o600) == 0)
        let logs = PhoneLogs(folder: folder.path, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let device = try #require(DeviceName("HD0001"))
        let kept = (0...PhoneLogs.maximumWaiting).map { _ in logs.keep([0x61], named: "64167faabb01-app.log", of: device) }
        #expect(kept == Array(repeating: true, count: PhoneLogs.maximumWaiting) + [false])
        let reader = open(pipe, O_RDONLY)
        var byte: UInt8 = 0
        #expect(read(reader, &byte, 1) == 1 && byte == 0x61)
        close(reader)
    }
}
