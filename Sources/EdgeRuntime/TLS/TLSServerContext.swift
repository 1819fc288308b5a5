import SiteFile
import Synchronization
import Tunnel

/// The files a TLS server of ours shows and trusts.
struct TLSServerFiles: Sendable, Hashable {
    /// Whether clients are asked for a certificate of their own.
    enum Clients: Sendable, Hashable {
        case notAsked
        /// A client may show a certificate; one that these authorities do not vouch for ends the handshake.
        case asked(authorityPath: String)
        case required(authorityPath: String)
    }

    /// PEM: the certificate, then its intermediates.
    var certificatePath: String
    var keyPath: String
    var clients: Clients = .notAsked
}

/// The certificate of a TLS server and the rules for its clients, replaceable while connections come and go:
/// a connection keeps what it began with.
final class TLSServerContext: Sendable {
    /// What the server is called in messages: "phones".
    let label: String
    private let held: Mutex<TLSContext>

    /// Reads the files. Throws: what is missing, unreadable or does not fit together, with its path.
    init(label: String, files: TLSServerFiles) throws(TLSError) {
        self.label = label
        held = Mutex(try Self.read(label, files))
    }

    var current: TLSContext { held.withLock { $0 } }

    /// Reads the files again, as after the renewal of a certificate. Where that fails, what was in use stays in use.
    func reload(_ files: TLSServerFiles) throws(TLSError) {
        let context = try Self.read(label, files)
        held.withLock { $0 = context }
    }

    private static func read(_ label: String, _ files: TLSServerFiles) throws(TLSError) -> TLSContext {
        let role: TLSConfiguration.Role
        switch files.clients {
        case .notAsked: role = .server(clients: nil)
        case .asked(let path): role = .server(clients: .certificates([.file(path)]), isClientRequired: false)
        case .required(let path): role = .server(clients: .certificates([.file(path)]))
        }
        let identity = TLSIdentity(certificateChain: .file(files.certificatePath), privateKey: .file(files.keyPath))
        return try TLSContext(TLSConfiguration(label: label, role: role, identity: identity))
    }
}

extension TLSServerFiles {
    /// For HTTPS where phones are asked for a certificate of their own; nil where they are not.
    init?(web site: Site) {
        guard let files = site.serverTLS, site.web.https != nil, let path = site.web.phoneAuthorityPath else { return nil }
        self.init(certificatePath: files.certificatePath, keyPath: files.keyPath, clients: .asked(authorityPath: path))
    }

    init(_ files: ServerTLS) { self.init(certificatePath: files.certificatePath, keyPath: files.keyPath) }
}

extension TLSServerContext {
    /// For HTTPS, at start.
    convenience init(web files: TLSServerFiles) throws(EdgeServerError) {
        do throws(TLSError) {
            try self.init(label: "https", files: files)
        } catch {
            throw .certificate(reason: error.description)
        }
    }

    /// For the listener of phones, at start.
    convenience init(phones files: ServerTLS) throws(EdgeServerError) {
        do throws(TLSError) {
            try self.init(label: "phones", files: TLSServerFiles(files))
        } catch {
            throw .certificate(reason: error.description)
        }
    }
}
