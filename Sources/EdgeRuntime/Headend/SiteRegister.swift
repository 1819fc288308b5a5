import CryptoPrimitives
import Tunnel

/// Which sites may enrol and which are revoked: a file of one line each in the headend's state folder, rewritten whole.
///
///     token NAME SECRET EXPIRES
///     revoked NAME SINCE
public struct SiteRegister: Sendable, Equatable {
    struct Pending: Sendable, Equatable {
        var site: String
        var secret: [UInt8]
        var expires: Int64
    }

    private(set) var pending: [Pending] = []
    /// Certificates of the site that began before are void.
    private(set) var revoked: [String: Int64] = [:]

    public init() {}

    // MARK: Changes

    /// A token for a site, as its text; an earlier one of it is void. `secret`: 16 unpredictable bytes.
    public mutating func add(site: String, secret: [UInt8], until expires: Int64) -> String {
        pending.removeAll { $0.site == site }
        pending.append(Pending(site: site, secret: secret, expires: expires))
        return TunnelEnrolment.Token(secret: secret).text
    }

    /// No certificate made until now is good for the site any more, and its token is void.
    public mutating func revoke(site: String, now: Int64) {
        pending.removeAll { $0.site == site }
        revoked[site] = now + 1
    }

    /// The site and token of a name in an enrolment; nil where there is none or it is too late.
    func token(named name: [UInt8], now: Int64) -> (site: String, token: TunnelEnrolment.Token)? {
        for entry in pending where entry.expires > now {
            let token = TunnelEnrolment.Token(secret: entry.secret)
            if constantTimeEqual(token.name, name) { return (entry.site, token) }
        }
        return nil
    }

    mutating func used(site: String) { pending.removeAll { $0.site == site } }

    func isRevoked(_ site: String, _ certificate: CertificateFacts) -> Bool { revoked[site].map { certificate.notBefore < $0 } ?? false }

    /// When a new certificate may begin, so that it is not of the revoked ones.
    func firstMoment(of site: String, now: Int64) -> Int64 { max(now, revoked[site] ?? now) }

    // MARK: File

    var text: String {
        let tokens = pending.map { "token \($0.site) \(hexadecimal($0.secret)) \($0.expires)\n" }
        let gone = revoked.sorted { $0.key < $1.key }.map { "revoked \($0.key) \($0.value)\n" }
        return (tokens + gone).joined()
    }

    /// Lines that make no sense are left out.
    init(text: String) {
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 4, words[0] == "token", let secret = SessionToken(hexadecimal: words[2].utf8)?.bytes, let expires = Int64(words[3]) {
                pending.append(Pending(site: String(words[1]), secret: secret, expires: expires))
            } else if words.count == 3, words[0] == "revoked", let since = Int64(words[2]) {
                revoked[String(words[1])] = since
            }
        }
    }

    private static func path(in folder: String) -> String { folder + "/sites" }

    /// An absent file is an empty register.
    public static func read(from folder: String) throws(HeadendError) -> SiteRegister {
        switch StateFolder.read(path(in: folder)) {
        case .success(let bytes): return SiteRegister(text: String(decoding: bytes ?? [], as: UTF8.self))
        case .failure(let error): throw .state(reason: error.description)
        }
    }

    public func write(to folder: String) throws(HeadendError) {
        StateFolder.make(folder)
        do throws(PrivateFile.Failure) {
            try PrivateFile.replace(Self.path(in: folder), with: Array(text.utf8))
        } catch {
            throw .state(reason: error.description)
        }
    }
}
