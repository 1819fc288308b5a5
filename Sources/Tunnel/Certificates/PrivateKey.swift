internal import COpenSSL
public import CoreTypes

/// A private key on P-256 (RFC 5480), made here and never sent anywhere.
public final class PrivateKey: @unchecked Sendable {
    let pointer: OpaquePointer

    /// A new one.
    public init() throws(TLSError) {
        guard let made = shim_EVP_PKEY_generate() else { throw .library(why: "no key can be made") }
        pointer = made
    }

    /// One that is kept somewhere.
    public init(_ source: PEMSource, what: String = "private key") throws(TLSError) {
        pointer = try PEMReader(source, what: what).privateKey()
    }

    deinit { EVP_PKEY_free(pointer) }

    /// PKCS #8, unencrypted.
    public var pem: Personal<[UInt8]> {
        Personal(writtenToMemory { PEM_write_bio_PKCS8PrivateKey($0, pointer, nil, nil, 0, nil, nil) } ?? [])
    }

    /// A request for a certificate of this key (RFC 2986), in DER.
    public func request(commonName: String) throws(TLSError) -> [UInt8] {
        guard let request = X509_REQ_new() else { throw .library(why: "no memory for a request") }
        defer { X509_REQ_free(request) }
        guard let subject = X509_NAME_new() else { throw .library(why: "no memory for a name") }
        defer { X509_NAME_free(subject) }
        let name = Array(commonName.utf8)
        guard X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, name, Int32(clamping: name.count), -1, 0) == 1,
            X509_REQ_set_subject_name(request, subject) == 1, X509_REQ_set_pubkey(request, pointer) == 1,
            X509_REQ_sign(request, pointer, EVP_sha256()) > 0
        else { throw .library(why: reason(of: ERR_peek_error())) }
        return derBytes { i2d_X509_REQ(request, $0) }
    }
}

/// Both halves of `i2d_…`: how long it is, then the bytes.
func derBytes(_ write: (UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?) -> Int32) -> [UInt8] {
    let length = write(nil)
    guard length > 0 else { return [] }
    return [UInt8](unsafeUninitializedCapacity: Int(length)) { buffer, count in
        var place = buffer.baseAddress
        count = max(0, Int(write(&place)))
    }
}

/// What OpenSSL writes into a BIO; nil where it fails.
func writtenToMemory(_ write: (OpaquePointer) -> Int32) -> [UInt8]? {
    guard let bio = BIO_new(BIO_s_mem()) else { return nil }
    defer { BIO_free(bio) }
    guard write(bio) == 1 else { return nil }
    let waiting = Int(BIO_ctrl_pending(bio))
    return [UInt8](unsafeUninitializedCapacity: waiting) { buffer, count in
        count = max(0, Int(BIO_read(bio, buffer.baseAddress, Int32(clamping: waiting))))
    }
}
