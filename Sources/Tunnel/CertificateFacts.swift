internal import COpenSSL

/// What an administrator needs to know of a certificate to find out why it was refused, or when to renew it.
public struct CertificateFacts: Hashable, Sendable, CustomStringConvertible {
    /// Distinguished names as RFC 2253 text: "CN=pbx.example".
    public var subject: String
    public var issuer: String
    /// The subject alternative names: "DNS:pbx.example, IP Address:192.0.2.1"; "" where it has none.
    public var names: String
    /// Seconds since the Unix epoch; -1 where the certificate's field makes no sense.
    public var notBefore: Int64
    public var notAfter: Int64

    public init(subject: String, issuer: String, names: String, notBefore: Int64, notAfter: Int64) {
        self.subject = subject
        self.issuer = issuer
        self.names = names
        self.notBefore = notBefore
        self.notAfter = notAfter
    }

    /// Reads an `X509 *`; nil gives empty facts.
    init(_ certificate: OpaquePointer?) {
        guard let certificate else {
            self.init(subject: "unknown", issuer: "unknown", names: "", notBefore: -1, notAfter: -1)
            return
        }
        self.init(
            subject: written { shim_X509_NAME_print($0, X509_get_subject_name(certificate)) },
            issuer: written { shim_X509_NAME_print($0, X509_get_issuer_name(certificate)) },
            names: Self.alternativeNames(of: certificate),
            notBefore: shim_ASN1_TIME_to_unix(X509_get0_notBefore(certificate)),
            notAfter: shim_ASN1_TIME_to_unix(X509_get0_notAfter(certificate)))
    }

    public var description: String { subject.isEmpty ? "without a subject" : subject }

    private static func alternativeNames(of certificate: OpaquePointer) -> String {
        let place = X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1)
        guard place >= 0, let field = X509_get_ext(certificate, place) else { return "" }
        return written { X509V3_EXT_print($0, field, 0, 0) }
    }
}

/// What a function of OpenSSL printed into a BIO, at most 512 characters of it, fit for one line of a log.
private func written(_ print: (OpaquePointer) -> Int32) -> String {
    guard let bio = BIO_new(BIO_s_mem()) else { return "" }
    defer { BIO_free(bio) }
    guard print(bio) >= 0 else { return "" }
    let bytes = [UInt8](unsafeUninitializedCapacity: 512) { buffer, count in
        count = max(0, Int(BIO_read(bio, buffer.baseAddress, 512)))
    }
    return printable(String(decoding: bytes, as: UTF8.self))
}

/// The text with everything but printable ASCII replaced: what a peer chose must not move a terminal's cursor.
func printable(_ text: String) -> String {
    String(decoding: text.utf8.prefix(512).map { (0x20...0x7E).contains($0) ? $0 : 0x3F }, as: UTF8.self)
}

/// "2026-03-01 12:00:00 UTC" for seconds since the Unix epoch, in the proleptic Gregorian calendar.
func utcText(_ seconds: Int64) -> String {
    let day = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
    let clock = seconds - day * 86_400
    // Years counted from 1 March of year 0, so that the leap day is the last of its year.
    let shifted = day + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
    return "\(year)-\(two(month))-\(two(dayOfYear - (153 * marchMonth + 2) / 5 + 1)) "
        + "\(two(clock / 3600)):\(two(clock / 60 % 60)):\(two(clock % 60)) UTC"
}
