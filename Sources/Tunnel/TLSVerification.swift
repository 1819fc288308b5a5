internal import COpenSSL

/// What is asked of the far end's certificate, and which certificate failed at what.
///
/// Lives as long as its session; OpenSSL holds an unretained pointer to it.
final class Verification {
    let now: Int64
    let peerName: PeerName?
    private(set) var failure: (code: Int32, certificate: CertificateFacts)?

    init(now: Int64, peerName: PeerName?) {
        self.now = now
        self.peerName = peerName
    }

    func attach(to ssl: OpaquePointer) {
        SSL_set_ex_data(ssl, 0, Unmanaged.passUnretained(self).toOpaque())
        X509_VERIFY_PARAM_set_time(SSL_get0_param(ssl), time_t(now))
    }

    /// Sets the name the certificate must be valid for, and SNI where it is a host name. False: the name is unusable.
    func expectPeer(of ssl: OpaquePointer) -> Bool {
        let parameters = SSL_get0_param(ssl)
        switch peerName {
        case .host(let name):
            X509_VERIFY_PARAM_set_hostflags(parameters, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
            return X509_VERIFY_PARAM_set1_host(parameters, name, 0) == 1 && shim_SSL_set_tlsext_host_name(ssl, name) == 1
        case .address(let text):
            return X509_VERIFY_PARAM_set1_ip_asc(parameters, text) == 1
        case nil:
            return false
        }
    }

    /// Keeps the first failure; never turns one into a success.
    static let callback: @convention(c) (Int32, OpaquePointer?) -> Int32 = { isValid, store in
        guard isValid != 1 else { return 1 }
        guard let store, let ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()),
            let pointer = SSL_get_ex_data(OpaquePointer(ssl), 0)
        else { return 0 }
        let verification = Unmanaged<Verification>.fromOpaque(pointer).takeUnretainedValue()
        if verification.failure == nil {
            let certificate = X509_STORE_CTX_get_current_cert(store) ?? X509_STORE_CTX_get0_cert(store)
            verification.failure = (X509_STORE_CTX_get_error(store), CertificateFacts(certificate))
        }
        return 0
    }

    var error: TLSError? {
        guard let (code, facts) = failure else { return nil }
        switch code {
        case X509_V_ERR_CERT_HAS_EXPIRED: return .certificateExpired(facts)
        case X509_V_ERR_CERT_NOT_YET_VALID: return .certificateNotYetValid(facts, now: now)
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
            X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
            X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, X509_V_ERR_CERT_UNTRUSTED:
            return .unknownAuthority(facts)
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
            return .nameMismatch(expected: peerName?.text ?? "", facts)
        default:
            return .certificateRejected(why: String(cString: X509_verify_cert_error_string(Int(code))), facts)
        }
    }
}

/// Who is at the far end, for `edgeproxy status`.
public struct TLSPeer: Hashable, Sendable {
    /// "TLSv1.3"
    public var version: String
    /// "TLS_AES_256_GCM_SHA384"
    public var cipher: String
    /// Nil where the far end showed no certificate.
    public var certificate: CertificateFacts?

    /// Subject of the certificate, or "".
    public var subject: String { certificate?.subject ?? "" }
    /// End of the certificate in seconds since the Unix epoch.
    public var notAfter: Int64? { certificate?.notAfter }

    public init(version: String, cipher: String, certificate: CertificateFacts?) {
        self.version = version
        self.cipher = cipher
        self.certificate = certificate
    }

    init(_ ssl: OpaquePointer) {
        version = SSL_get_version(ssl).map { String(cString: $0) } ?? ""
        cipher = SSL_CIPHER_get_name(SSL_get_current_cipher(ssl)).map { String(cString: $0) } ?? ""
        certificate = SSL_get0_peer_certificate(ssl).map { CertificateFacts($0) }
    }
}

extension TLSError {
    /// Tells what OpenSSL's first error of a failed call means.
    init(libraryError error: UInt, ssl: OpaquePointer, verification: Verification) {
        let code = shim_ERR_GET_REASON(error)
        guard shim_ERR_GET_LIB(error) == ERR_LIB_SSL else {
            self = error == 0 ? .corrupted(why: "unexpected end") : .corrupted(why: reason(of: error))
            return
        }
        if code > SSL_AD_REASON_OFFSET, let alert = UInt8(exactly: code - SSL_AD_REASON_OFFSET) {
            self = .refusedByPeer(TLSAlert(code: alert))
            return
        }
        switch code {
        case SSL_R_CERTIFICATE_VERIFY_FAILED:
            self = verification.error ?? .certificateRejected(why: "verification failed", CertificateFacts(nil))
        case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: self = .certificateMissing
        case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_VERSION_TOO_LOW, SSL_R_VERSION_TOO_HIGH, SSL_R_NO_PROTOCOLS_AVAILABLE,
            SSL_R_WRONG_SSL_VERSION, SSL_R_UNKNOWN_PROTOCOL:
            self = .protocolVersion
        case SSL_R_NO_SHARED_CIPHER: self = .noCommonCipher
        case SSL_R_WRONG_VERSION_NUMBER, SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST: self = .notTLS
        default: self = .corrupted(why: reason(of: error))
        }
    }
}

