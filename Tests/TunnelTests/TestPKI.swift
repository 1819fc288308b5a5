import CoreTypes
import Foundation
import Testing
import Tunnel

/// Authorities, certificates and keys made anew for each run with the `openssl` command.
struct TestPKI: Sendable {
    struct Failure: Error, CustomStringConvertible { let description: String }

    struct Identity: Sendable {
        var certificate: String
        var key: String

        var tls: TLSIdentity { TLSIdentity(certificateChain: source(certificate), privateKey: source(key)) }
        var trust: TLSTrust { .certificates([source(certificate)]) }
    }

    let authority: Identity
    let otherAuthority: Identity
    /// For pbx.example, *.wild.example, 192.0.2.1 and 2001:db8::1; ends long before its authority.
    let server: Identity
    /// Has no alternative names: CN=old.example only.
    let plainServer: Identity
    /// Signed by an intermediate authority, which stands behind it in the chain.
    let chainedServer: Identity
    let intermediate: Identity
    let client: Identity
    let strangerClient: Identity
    let selfSigned: Identity
    let encryptedKey: String
    /// A minute after all this was made.
    let now: Instant

    static let shared = Result { try TestPKI() }

    private init() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("tunnel-tests-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let maker = Maker(folder: folder)
        try maker.write("pki.cnf", Self.extensions)
        authority = try maker.identity("ca", subject: "/CN=Test Authority", extensions: "authority", days: 3650)
        otherAuthority = try maker.identity("other", subject: "/CN=Other Authority", extensions: "authority", days: 3650)
        intermediate = try maker.identity("middle", subject: "/CN=Middle Authority", extensions: "authority", days: 3650, issuer: "ca")
        server = try maker.identity("server", subject: "/CN=pbx.example", extensions: "server", days: 30, issuer: "ca")
        plainServer = try maker.identity("plain", subject: "/CN=old.example", extensions: "plain", days: 30, issuer: "ca")
        var chained = try maker.identity("chained", subject: "/CN=pbx.example", extensions: "server", days: 30, issuer: "middle")
        chained.certificate += intermediate.certificate
        chainedServer = chained
        client = try maker.identity("client", subject: "/CN=branch-01", extensions: "client", days: 30, issuer: "ca")
        strangerClient = try maker.identity("stranger", subject: "/CN=stranger", extensions: "client", days: 30, issuer: "other")
        selfSigned = try maker.identity("self", subject: "/CN=pbx.example", extensions: "server", days: 30)
        try maker.openssl(["pkey", "-in", "server.key", "-out", "locked.key", "-aes256", "-passout", "pass:secret"])
        encryptedKey = try maker.read("locked.key")
        now = Instant(nanoseconds: (Int64(Date().timeIntervalSince1970) + 60) * 1_000_000_000)
    }

    private static let extensions = """
        [req]
        distinguished_name = name
        [name]
        [authority]
        basicConstraints = critical, CA:TRUE
        keyUsage = critical, keyCertSign, cRLSign
        [server]
        basicConstraints = CA:FALSE
        extendedKeyUsage = serverAuth
        subjectAltName = DNS:pbx.example, DNS:*.wild.example, IP:192.0.2.1, IP:2001:db8::1
        [plain]
        basicConstraints = CA:FALSE
        [client]
        basicConstraints = CA:FALSE
        extendedKeyUsage = clientAuth
        """

    private struct Maker {
        let folder: URL

        func identity(_ name: String, subject: String, extensions: String, days: Int, issuer: String? = nil) throws -> Identity {
            var arguments = [
                "req", "-x509", "-config", "pki.cnf", "-extensions", extensions, "-subj", subject, "-days", "\(days)", "-sha256",
                "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "\(name).key", "-out", "\(name).pem",
            ]
            if let issuer { arguments += ["-CA", "\(issuer).pem", "-CAkey", "\(issuer).key"] }
            try openssl(arguments)
            return Identity(certificate: try read("\(name).pem"), key: try read("\(name).key"))
        }

        func openssl(_ arguments: [String]) throws {
            let process = Process()
            let complaints = Pipe()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments = ["openssl"] + arguments
            process.currentDirectoryURL = folder
            process.standardError = complaints
            try process.run()
            let words = complaints.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            guard process.terminationStatus == 0 else {
                throw Failure(description: "openssl \(arguments.joined(separator: " ")): \(String(decoding: words, as: UTF8.self))")
            }
        }

        func write(_ name: String, _ text: String) throws {
            try Data(text.utf8).write(to: folder.appendingPathComponent(name))
        }

        func read(_ name: String) throws -> String {
            String(decoding: try Data(contentsOf: folder.appendingPathComponent(name)), as: UTF8.self)
        }
    }
}

func source(_ text: String) -> PEMSource { .text(Personal(Array(text.utf8))) }

extension TestPKI {
    func clientContext(
        _ name: String = "pbx.example", trust: TLSTrust? = nil, identity: TLSIdentity? = nil,
        versions: ClosedRange<TLSVersion> = .tls12 ... .tls13
    ) throws -> TLSContext {
        try TLSContext(
            TLSConfiguration(
                role: .client(serverName: name, trust: trust ?? authority.trust), identity: identity, versions: versions))
    }

    func serverContext(
        _ identity: Identity? = nil, clients: TLSTrust? = nil, versions: ClosedRange<TLSVersion> = .tls12 ... .tls13
    ) throws -> TLSContext {
        try TLSContext(
            TLSConfiguration(
                label: "listener", role: .server(clients: clients), identity: (identity ?? server).tls, versions: versions))
    }
}

/// A client and a server that talk in memory.
final class TLSPair {
    var client: TLSSession
    var server: TLSSession
    /// What each has read so far.
    var atClient: [UInt8] = []
    var atServer: [UInt8] = []

    init(client: TLSContext, server: TLSContext, now: Instant) throws {
        self.client = try TLSSession(context: client, now: now)
        self.server = try TLSSession(context: server, now: now)
    }

    var clientState: TLSSession.State { client.state }
    var serverState: TLSSession.State { server.state }
    var isOpen: Bool { client.state == .open && server.state == .open }

    /// Carries bytes both ways, `step` at a time, until nothing is left; `alter` may change what is on its way.
    func run(step: Int = .max, alter: (inout [UInt8]) -> Void = { _ in }) {
        for _ in 0..<1000 {
            var toServer = client.takeOutput()
            var toClient = server.takeOutput()
            guard !toServer.isEmpty || !toClient.isEmpty else { return }
            alter(&toServer)
            alter(&toClient)
            for part in parts(of: toServer, step) {
                server.receive(part)
                atServer += server.takePlaintext()
            }
            for part in parts(of: toClient, step) {
                client.receive(part)
                atClient += client.takePlaintext()
            }
        }
        Issue.record("the two never come to rest")
    }

    private func parts(of bytes: [UInt8], _ step: Int) -> [[UInt8]] {
        guard step < bytes.count else { return bytes.isEmpty ? [] : [bytes] }
        return stride(from: 0, to: bytes.count, by: step).map { Array(bytes[$0..<min($0 + step, bytes.count)]) }
    }
}

extension TLSSession.State {
    var failure: TLSError? {
        guard case .closed(.failed(let error)) = self else { return nil }
        return error
    }
}
