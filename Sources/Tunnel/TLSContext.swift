internal import COpenSSL
internal import CoreTypes

/// Certificates, trust and rules that many connections share: an `SSL_CTX`.
///
/// Immutable once made; OpenSSL counts references to it with atomics, so any thread may start sessions from it.
public final class TLSContext: @unchecked Sendable {
    public let configuration: TLSConfiguration
    /// When our own certificate ends, in seconds since the Unix epoch; nil without a certificate.
    public let identityNotAfter: Int64?
    /// What it says of us.
    public let identityFacts: CertificateFacts?

    let pointer: OpaquePointer
    let peerName: PeerName?

    /// Reads every file named in the configuration.
    ///
    /// Throws: what is missing, unreadable or does not fit together, with its path.
    public init(_ configuration: TLSConfiguration) throws(TLSError) {
        self.configuration = configuration
        let isServer: Bool
        switch configuration.role {
        case .client(let serverName, _):
            peerName = try PeerName(serverName)
            isServer = false
        case .server:
            peerName = nil
            isServer = true
        }
        guard let pointer = SSL_CTX_new(isServer ? TLS_server_method() : TLS_client_method()) else {
            throw .library(why: "no memory for a context")
        }
        do throws(TLSError) {
            Self.setRules(pointer, configuration)
            try Self.setTrust(pointer, configuration)
            identityFacts = try Self.setIdentity(pointer, configuration)
            identityNotAfter = identityFacts?.notAfter
        } catch {
            SSL_CTX_free(pointer)
            ERR_clear_error()
            throw error
        }
        self.pointer = pointer
    }

    deinit { SSL_CTX_free(pointer) }

    private static func setRules(_ context: OpaquePointer, _ configuration: TLSConfiguration) {
        _ = shim_SSL_CTX_set_min_proto_version(context, configuration.versions.lowerBound.number)
        _ = shim_SSL_CTX_set_max_proto_version(context, configuration.versions.upperBound.number)
        _ = SSL_CTX_set_options(context, UInt64(shim_SSL_OP_NO_COMPRESSION() | shim_SSL_OP_NO_RENEGOTIATION()))
        // An idle connection keeps no record buffers: 34 kB less for each of a thousand phones.
        shim_SSL_CTX_set_mode(context, Int(SSL_MODE_RELEASE_BUFFERS))
        shim_SSL_CTX_set_session_cache_mode(context, Int(SSL_SESS_CACHE_OFF))
        let name = Array(configuration.label.utf8.prefix(Int(SSL_MAX_SSL_SESSION_ID_LENGTH)))
        _ = SSL_CTX_set_session_id_context(context, name, UInt32(name.count))
    }

    // MARK: Trust

    private static func setTrust(_ context: OpaquePointer, _ configuration: TLSConfiguration) throws(TLSError) {
        let trust: TLSTrust
        switch configuration.role {
        case .client(_, let authorities): trust = authorities
        case .server(clients: .some(let authorities), _): trust = authorities
        case .server(clients: .none, _): return SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nil)
        }
        switch trust {
        case .system:
            guard SSL_CTX_set_default_verify_paths(context) == 1 else {
                throw .library(why: "the system's CA certificates cannot be read")
            }
        case .nobody: return
        case .certificates(let sources):
            guard !sources.isEmpty else { throw .noTrust(what: "\(configuration.label) CA") }
            for source in sources { try add(source, to: context, what: "\(configuration.label) CA") }
        }
        // An intermediate or the far end's own certificate may be what the administrator trusts.
        _ = X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), UInt(X509_V_FLAG_PARTIAL_CHAIN))
    }

    private static func add(_ source: PEMSource, to context: OpaquePointer, what: String) throws(TLSError) {
        let certificates = try PEMReader(source, what: what).certificates()
        defer { certificates.forEach { X509_free($0) } }
        let store = SSL_CTX_get_cert_store(context)
        for certificate in certificates {
            guard X509_STORE_add_cert(store, certificate) == 1 else { throw .library(why: "\(what): \(reason(of: ERR_peek_error()))") }
            // Names a server lists in its request for a certificate; of no effect for a client.
            _ = SSL_CTX_add_client_CA(context, certificate)
        }
    }

    // MARK: Identity

    private static func setIdentity(_ context: OpaquePointer, _ configuration: TLSConfiguration) throws(TLSError) -> CertificateFacts? {
        guard let identity = configuration.identity else {
            if case .server = configuration.role { throw .noIdentity(what: configuration.label) }
            return nil
        }
        let chain = try PEMReader(identity.certificateChain, what: "\(configuration.label) certificate")
        let certificates = try chain.certificates()
        defer { certificates.forEach { X509_free($0) } }
        let keyReader = try PEMReader(identity.privateKey, what: "\(configuration.label) private key")
        let key = try keyReader.privateKey()
        defer { EVP_PKEY_free(key) }

        ERR_clear_error()
        guard let own = certificates.first, SSL_CTX_use_certificate(context, own) == 1 else {
            throw .damagedCertificate(what: chain.what, why: reason(of: ERR_peek_error()))
        }
        for intermediate in certificates.dropFirst() where shim_SSL_CTX_add1_chain_cert(context, intermediate) != 1 {
            throw .damagedCertificate(what: chain.what, why: reason(of: ERR_peek_error()))
        }
        guard X509_check_private_key(own, key) == 1 else { throw .keyMismatch(certificate: chain.what, key: keyReader.what) }
        guard SSL_CTX_use_PrivateKey(context, key) == 1 else {
            throw .unusableKey(what: keyReader.what, why: reason(of: ERR_peek_error()))
        }
        return CertificateFacts(own)
    }
}

extension TLSVersion {
    fileprivate var number: Int32 {
        switch self {
        case .tls12: return TLS1_2_VERSION
        case .tls13: return TLS1_3_VERSION
        }
    }
}

/// The name or address a server's certificate must be valid for.
enum PeerName: Hashable, Sendable {
    case host(String)
    case address(String)

    init(_ text: String) throws(TLSError) {
        let isBracketed = text.hasPrefix("[") && text.hasSuffix("]")
        let bare = isBracketed ? String(text.dropFirst().dropLast()) : text
        guard bare.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { throw .badServerName(text) }
        if let address = a2i_IPADDRESS(bare) {
            ASN1_OCTET_STRING_free(address)
            self = .address(bare)
            return
        }
        ERR_clear_error()
        let host = bare.hasSuffix(".") ? String(bare.dropLast()) : bare
        guard !isBracketed, Self.isHostName(host) else { throw .badServerName(text) }
        self = .host(host.lowercased())
    }

    var text: String {
        switch self {
        case .host(let name), .address(let name): return name
        }
    }

    /// Labels of 1...63 letters, digits, hyphens or underscores, 253 characters in all, the last label not a
    /// number (RFC 1123 §2.1).
    private static func isHostName(_ text: String) -> Bool {
        let labels = text.utf8.split(separator: 0x2E, omittingEmptySubsequences: false)
        guard text.utf8.count <= 253, let last = labels.last, !last.allSatisfy({ (0x30...0x39).contains($0) }) else { return false }
        return labels.allSatisfy { label in
            (1...63).contains(label.count)
                && label.allSatisfy { byte in
                    switch byte {
                    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x5F: return true
                    default: return false
                    }
                }
        }
    }
}
