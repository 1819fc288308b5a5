import CoreTypes
import Glibc
import SiteFile
import Tunnel

/// The certificate by which headends know a site, its key, and the authority by which the site knows them. Read anew for
/// each connection: a renewal replaces them.
struct TunnelFiles: Sendable {
    let authority: String
    let certificate: String
    let key: String

    init(_ files: TrunkTLS) {
        authority = files.authorityPath ?? ""
        certificate = files.certificatePath ?? ""
        key = files.keyPath ?? ""
    }

    init(authority: String, certificate: String, key: String) {
        self.authority = authority
        self.certificate = certificate
        self.key = key
    }

    func context(for host: String) throws(TLSError) -> TLSContext {
        try TLSContext(
            TLSConfiguration(
                label: "tunnel", role: .client(serverName: host, trust: .certificates([.file(authority)])),
                identity: TLSIdentity(certificateChain: .file(certificate), privateKey: .file(key)), versions: .tls13 ... .tls13))
    }

    var facts: CertificateFacts? { try? CertificateFacts.reading(.file(certificate)) }

    /// Puts a new certificate and its key in place of the present ones. The key goes first: should the machine stop between the
    /// two, the old pair is still there beside them, under its second name.
    func replace(certificate chain: [UInt8], key pem: Personal<[UInt8]>) throws(PrivateFile.Failure) {
        try PrivateFile.write(chain, to: certificate + ".new")
        try PrivateFile.write(pem.exposed, to: key + ".new")
        try PrivateFile.move(key + ".new", to: key)
        try PrivateFile.move(certificate + ".new", to: certificate)
    }
}

/// Files of mode 0600 that are there whole or not at all.
enum PrivateFile {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    static func write(_ bytes: [UInt8], to path: String) throws(Failure) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Failure(description: "\(path): \(SystemError.text(errno))") }
        defer { close(descriptor) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw Failure(description: "\(path): \(SystemError.text(errno))") }
            rest = rest.dropFirst(count)
        }
        guard fsync(descriptor) == 0 else { throw Failure(description: "\(path): \(SystemError.text(errno))") }
    }

    static func move(_ path: String, to other: String) throws(Failure) {
        guard rename(path, other) == 0 else { throw Failure(description: "\(other): \(SystemError.text(errno))") }
    }

    /// Written beside its place first, then moved there.
    static func replace(_ path: String, with bytes: [UInt8]) throws(Failure) {
        try write(bytes, to: path + ".new")
        try move(path + ".new", to: path)
    }
}
