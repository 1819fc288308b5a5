internal import COpenSSL
internal import CoreTypes

/// Reads certificates and keys out of PEM text (RFC 7468), saying which one is at fault.
struct PEMReader {
    /// The certificate or key as messages name it: "trunk certificate pki/edge.pem".
    let what: String
    private let bytes: [UInt8]

    /// A CA bundle of a distribution has about 220 kB.
    private static let maximumBytes = 4_194_304

    init(_ source: PEMSource, what: String) throws(TLSError) {
        switch source {
        case .file(let path):
            self.what = "\(what) \(path)"
            bytes = try Self.contents(of: path, what: self.what)
        case .text(let text):
            self.what = "\(what) (given as text)"
            bytes = text.exposed
        }
    }

    /// All certificates in the order they stand, at least one. The caller frees them.
    func certificates() throws(TLSError) -> [OpaquePointer] {
        guard let bio = BIO_new_mem_buf(bytes, Int32(clamping: bytes.count)) else { throw .library(why: "out of memory") }
        defer { BIO_free(bio) }
        ERR_clear_error()
        var found: [OpaquePointer] = []
        while let certificate = PEM_read_bio_X509(bio, nil, refusePassword, nil) { found.append(certificate) }
        let error = ERR_peek_last_error()
        ERR_clear_error()
        let isEnd = shim_ERR_GET_LIB(error) == ERR_LIB_PEM && shim_ERR_GET_REASON(error) == PEM_R_NO_START_LINE
        guard isEnd, !found.isEmpty else {
            found.forEach { X509_free($0) }
            throw isEnd ? .noCertificate(what: what) : .damagedCertificate(what: what, why: reason(of: error))
        }
        return found
    }

    /// The private key. The caller frees it.
    func privateKey() throws(TLSError) -> OpaquePointer {
        guard let bio = BIO_new_mem_buf(bytes, Int32(clamping: bytes.count)) else { throw .library(why: "out of memory") }
        defer { BIO_free(bio) }
        ERR_clear_error()
        if let key = PEM_read_bio_PrivateKey(bio, nil, refusePassword, nil) { return key }
        let text = String(decoding: bytes, as: UTF8.self)
        ERR_clear_error()
        let isEncrypted = text.contains("ENCRYPTED")
        throw .unusableKey(
            what: what,
            why: isEncrypted
                ? "is protected by a pass phrase; store it without one (openssl pkey -in … -out …), readable by the service only"
                : "holds no usable private key in PEM form (-----BEGIN PRIVATE KEY-----)")
    }

    private static func contents(of path: String, what: String) throws(TLSError) -> [UInt8] {
        ERR_clear_error()
        guard let file = BIO_new_file(path, "r") else {
            let number = shim_ERR_GET_REASON(ERR_peek_error())
            ERR_clear_error()
            throw number == 2 ? .noSuchFile(what: what) : .unreadable(what: what, why: String(cString: shim_strerror(number)))
        }
        defer { BIO_free(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        defer { chunk.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) } }
        while true {
            let count = Int(BIO_read(file, &chunk, Int32(chunk.count)))
            guard count != 0 else { return bytes }
            guard count > 0 else {
                ERR_clear_error()
                throw .unreadable(what: what, why: "it is no plain file, or the disk failed")
            }
            bytes.append(contentsOf: chunk.prefix(count))
            guard bytes.count <= maximumBytes else { throw .unreadable(what: what, why: "it is larger than 4 MiB") }
        }
    }
}

/// Answers OpenSSL's wish for a pass phrase, which would otherwise be asked for at the terminal.
private let refusePassword: @convention(c) (UnsafeMutablePointer<CChar>?, Int32, Int32, UnsafeMutableRawPointer?) -> Int32 = {
    _, _, _, _ in -1
}

/// OpenSSL's words for an error code.
func reason(of error: UInt) -> String {
    guard let text = ERR_reason_error_string(error) else { return "error \(String(error, radix: 16))" }
    return String(cString: text)
}

/// OpenSSL's words for an alert, in lower case: "unknown CA".
func alertName(_ code: UInt8) -> String {
    guard let text = SSL_alert_desc_string_long(Int32(code)) else { return "unknown alert" }
    return String(cString: text)
}
