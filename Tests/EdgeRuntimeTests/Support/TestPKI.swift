import Foundation

/// Certificates made by the `openssl` command for one test run.
struct TestPKI: Sendable {
    let folder = TestFolder()
    var authority: String { folder.file("ca.pem") }
    var certificate: String { folder.file("cert.pem") }
    var key: String { folder.file("key.pem") }
    /// An authority that has signed nothing.
    var stranger: String { folder.file("stranger.pem") }

    init() throws {
        let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        try Self.openssl(
            ["req", "-x509"] + curve + ["-subj", "/CN=Test CA", "-keyout", folder.file("ca.key"), "-out", authority])
        try Self.openssl(
            ["req", "-x509"] + curve + ["-subj", "/CN=Other CA", "-keyout", folder.file("other.key"), "-out", stranger])
        try Self.openssl(
            ["req", "-x509"] + curve + [
                "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext",
                "basicConstraints=critical,CA:FALSE", "-CA", authority, "-CAkey", folder.file("ca.key"), "-keyout", key,
                "-out", certificate,
            ])
    }

    struct Failed: Error { var arguments: [String] }

    private static func openssl(_ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/openssl")
        process.arguments = arguments
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failed(arguments: arguments) }
    }
}
