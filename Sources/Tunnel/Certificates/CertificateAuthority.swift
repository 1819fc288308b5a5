internal import COpenSSL
public import CoreTypes

/// Signs the certificates of headends and sites. Whoever holds its key can be any of them.
public final class CertificateAuthority: @unchecked Sendable {
    /// What a certificate is for.
    public enum Purpose: Hashable, Sendable {
        /// A headend, under these names: "DNS:headend.example", "IP:192.0.2.1".
        case headend(names: [String])
        /// The edge of a site, known by its name.
        case site(String)
    }

    private let certificate: OpaquePointer
    private let key: PrivateKey
    /// PEM.
    public let certificatePEM: [UInt8]

    private static let lifetime: Int64 = 20 * 365 * 86_400

    /// One that is kept somewhere.
    public init(certificate: PEMSource, key: PEMSource) throws(TLSError) {
        let found = try PEMReader(certificate, what: "CA certificate").certificates()
        for extra in found.dropFirst() { X509_free(extra) }
        guard let own = found.first else { throw .noCertificate(what: "CA certificate") }
        do throws(TLSError) {
            self.key = try PrivateKey(key, what: "CA key")
        } catch {
            X509_free(own)
            throw error
        }
        self.certificate = own
        certificatePEM = writtenToMemory { PEM_write_bio_X509($0, own) } ?? []
        guard X509_check_private_key(own, self.key.pointer) == 1 else {
            throw .keyMismatch(certificate: "CA certificate", key: "CA key")
        }
    }

    /// A new one.
    public init(name: String, key: PrivateKey, now: Instant) throws(TLSError) {
        self.key = key
        certificate = try Self.blank(subject: name, key.pointer, from: now.unixSeconds, to: now.unixSeconds + Self.lifetime)
        try Self.extend(certificate, certificate, [(NID_basic_constraints, "critical,CA:TRUE,pathlen:0"), (NID_key_usage, "critical,keyCertSign,cRLSign"),
            (NID_subject_key_identifier, "hash")])
        guard X509_set_issuer_name(certificate, X509_get_subject_name(certificate)) == 1,
            X509_sign(certificate, key.pointer, EVP_sha256()) > 0
        else { throw .library(why: reason(of: ERR_peek_error())) }
        let own = certificate
        certificatePEM = writtenToMemory { PEM_write_bio_X509($0, own) } ?? []
    }

    deinit { X509_free(certificate) }

    /// Signs what a request asks for, but under the name and for the purpose given here: a request has no say in that.
    /// Returns the certificate in PEM, the authority's behind it.
    public func sign(request: [UInt8], as purpose: Purpose, from start: Instant, days: Int) throws(TLSError) -> [UInt8] {
        ERR_clear_error()
        let parsed: OpaquePointer? = request.withUnsafeBufferPointer { buffer in
            var place = buffer.baseAddress
            return d2i_X509_REQ(nil, &place, buffer.count)
        }
        guard let parsed, let asked = X509_REQ_get0_pubkey(parsed) else { throw .damagedCertificate(what: "request", why: reason(of: ERR_peek_error())) }
        defer { X509_REQ_free(parsed) }
        // Whoever asks has the key, or anybody could have a certificate made for another's.
        guard X509_REQ_verify(parsed, asked) == 1, EVP_PKEY_get_bits(asked) >= 224 else {
            throw .damagedCertificate(what: "request", why: "it is not signed by its own key")
        }
        return try sign(asked, as: purpose, from: start, days: days)
    }

    /// A certificate for a key that is here.
    public func sign(_ key: PrivateKey, as purpose: Purpose, from start: Instant, days: Int) throws(TLSError) -> [UInt8] {
        try sign(key.pointer, as: purpose, from: start, days: days)
    }

    private func sign(_ key: OpaquePointer, as purpose: Purpose, from start: Instant, days: Int) throws(TLSError) -> [UInt8] {
        let subject: String
        let usage: String
        let names: String
        switch purpose {
        case .headend(let given):
            subject = given.first.map { String($0.drop { $0 != ":" }.dropFirst()) } ?? "headend"
            (usage, names) = ("serverAuth", given.joined(separator: ","))
        case .site(let name): (subject, usage, names) = (name, "clientAuth", "DNS:\(name)")
        }
        let made = try Self.blank(subject: subject, key, from: start.unixSeconds, to: start.unixSeconds + Int64(days) * 86_400)
        defer { X509_free(made) }
        try Self.extend(made, certificate, [(NID_basic_constraints, "critical,CA:FALSE"), (NID_key_usage, "critical,digitalSignature"),
            (NID_ext_key_usage, usage), (NID_subject_alt_name, names)])
        guard X509_set_issuer_name(made, X509_get_subject_name(certificate)) == 1, X509_sign(made, self.key.pointer, EVP_sha256()) > 0 else {
            throw .library(why: reason(of: ERR_peek_error()))
        }
        return (writtenToMemory { PEM_write_bio_X509($0, made) } ?? []) + certificatePEM
    }

    private static func blank(subject: String, _ key: OpaquePointer, from start: Int64, to end: Int64) throws(TLSError) -> OpaquePointer {
        guard let made = X509_new() else { throw .library(why: "no memory for a certificate") }
        var serial: UInt64 = 0
        let name = Array(subject.utf8)
        let isMade = withUnsafeMutableBytes(of: &serial) { RAND_bytes($0.baseAddress?.assumingMemoryBound(to: UInt8.self), 8) } == 1
            && X509_set_version(made, 2) == 1 && ASN1_INTEGER_set_uint64(X509_get_serialNumber(made), serial >> 1 | 1) == 1
            && ASN1_TIME_set(X509_getm_notBefore(made), time_t(start)) != nil && ASN1_TIME_set(X509_getm_notAfter(made), time_t(end)) != nil
            && X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_UTF8, name, Int32(clamping: name.count), -1, 0) == 1
            && X509_set_pubkey(made, key) == 1
        guard isMade else {
            X509_free(made)
            throw .library(why: reason(of: ERR_peek_error()))
        }
        return made
    }

    private static func extend(_ certificate: OpaquePointer, _ issuer: OpaquePointer, _ fields: [(Int32, String)]) throws(TLSError) {
        for (kind, value) in fields where shim_X509_add_extension(certificate, issuer, kind, value) != 1 {
            throw .library(why: reason(of: ERR_peek_error()))
        }
    }
}

extension CertificateFacts {
    /// The first certificate of a PEM text.
    public static func reading(_ source: PEMSource, what: String = "certificate") throws(TLSError) -> CertificateFacts {
        let found = try PEMReader(source, what: what).certificates()
        defer { for certificate in found { X509_free(certificate) } }
        return CertificateFacts(found.first)
    }

    /// The one site a certificate names: its only DNS name. Nil where it names none or several.
    public var siteName: String? {
        let all = names.split(separator: ",").map { $0.drop { $0 == " " } }
        guard all.count == 1, let only = all.first, only.hasPrefix("DNS:") else { return nil }
        return String(only.dropFirst(4)).lowercased()
    }
}
