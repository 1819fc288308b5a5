import CoreTypes
import Glibc
import PhoneDelivery
import Provisioning

/// `[redirect]`: a table for each vendor whose service the site has an account at.
struct RedirectSection {
    struct Account {
        var vendor: Vendor
        var path: KeyPath
        var service, url, user, secretFile, secretVariable, plainSecret, authority, server: Placed<String>?

        init(_ vendor: Vendor, _ reader: TableReader) {
            self.vendor = vendor
            path = reader.path
            service = reader.string("service")
            url = reader.string("url")
            user = reader.string("user")
            secretFile = reader.string("secret_file")
            secretVariable = reader.string("secret_env")
            plainSecret = reader.string("secret")
            authority = reader.string("ca")
            server = reader.string("server")
            reader.finish()
        }
    }

    var accounts: [Account]

    /// The vendors that have such a service.
    static let vendors: [Vendor] = [.yealink, .snom, .fanvil]

    init(_ reader: TableReader) {
        accounts = Self.vendors.compactMap { vendor in reader.table(vendor.rawValue).map { Account(vendor, $0) } }
    }
}

extension SiteChecker {
    /// The accounts that can be used; nobody's where nothing is delivered.
    func redirects(isDelivering: Bool) -> [RedirectAccount] {
        if let first = shape.redirect.accounts.first, !isDelivering {
            problems.error(
                first.path, "phones would be sent to an edge that delivers nothing", "write networks = [\"192.0.2.0/24\"] in [provisioning], or take this out")
        }
        return shape.redirect.accounts.compactMap(redirect)
    }

    private func redirect(_ section: RedirectSection.Account) -> RedirectAccount? {
        let service = redirectService(section)
        let user = required(section.user, "user", in: section.path, "write user = \"…\", the account's name or the access key's")
        if let user, !ValueText.isAccountName(user.value) {
            problems.error(user.path, "\"\(user.value)\" cannot be a user's name there", "write it as the vendor gave it to you")
        }
        let (secret, isThere) = redirectSecret(section)
        let url = redirectURL(section, service)
        let authority = section.authority.flatMap(redirectAuthority)
        let server = redirectServer(section)
        guard let service, let user, let url, isThere else { return nil }
        return RedirectAccount(
            vendor: section.vendor, service: service, url: url, user: user.value, secret: secret,
            missingSecret: section.secretVariable.map { "the environment variable \($0.value) is not set" } ?? "",
            authorityPath: authority, server: server)
    }

    private func redirectService(_ section: RedirectSection.Account) -> RedirectService? {
        let known: [String: RedirectService]
        let usual: RedirectService
        switch section.vendor {
        case .yealink: (known, usual) = (["rps": .yealinkRPS, "xmlrpc": .yealinkXMLRPC], .yealinkRPS)
        case .snom: (known, usual) = (["sraps": .snomSRAPS, "xmlrpc": .snomXMLRPC], .snomSRAPS)
        case .fanvil: (known, usual) = (["fdps": .fanvilFDPS], .fanvilFDPS)
        case .grandstream, .poly, .cisco: return nil
        }
        guard let named = section.service else { return usual }
        if let service = known[named.value] { return service }
        let names = known.keys.sorted().map { "\"\($0)\"" }.joined(separator: " or ")
        problems.error(named.path, "\(section.vendor.title) has no service \"\(named.value)\"", "write \(names)")
        return nil
    }

    /// False where a secret that must be there is not, which was reported. One in the environment may be missing here
    /// and there where the edge runs.
    private func redirectSecret(_ section: RedirectSection.Account) -> (Personal<String>?, isThere: Bool) {
        if let variable = section.secretVariable {
            if let file = section.secretFile {
                problems.error(file.path, "there is secret_env, too", "keep one of the two")
            }
            guard let text = getenv(variable.value).map({ String(cString: $0) }), !text.isEmpty else {
                problems.warning(
                    variable.path, "the environment variable \(variable.value) is not set here", "set it for the edge, or write secret_file = \"secrets/\(section.vendor.rawValue)\"")
                return (nil, true)
            }
            return (Personal(text), true)
        }
        let secret = secret(
            SecretSection(path: section.path, file: section.secretFile, plain: section.plainSecret), example: "secrets/\(section.vendor.rawValue)")
        return (secret, secret != nil)
    }

    private func redirectURL(_ section: RedirectSection.Account, _ service: RedirectService?) -> String? {
        guard let url = section.url else { return service?.address }
        let rest = url.value.dropFirst("https://".utf8.count)
        let isGood = url.value.hasPrefix("https://") && !rest.isEmpty && rest.first != "/" && url.value.utf8.count <= 500
            && rest.utf8.allSatisfy { ASCII.isDigit($0) || ASCII.isLetter($0) || ".-_~:/[]?=&%".utf8.contains($0) }
        guard isGood else {
            problems.error(url.path, "\"\(url.value)\" is no address of HTTPS", "write it as in \"\(service?.address ?? "https://rps.example/")\", or take the key out")
            return nil
        }
        guard service?.hasPaths == true, !url.value.hasSuffix("/") else { return url.value }
        return url.value + "/"
    }

    private func redirectAuthority(_ file: Placed<String>) -> String? {
        let path = resolve(file.value)
        if case .file = content(of: path) { return path }
        problems.error(file.path, "there is no file \(path)", "name the PEM file of the authority behind the service's certificate, or take the key out")
        return nil
    }

    /// Names at Yealink are unique among all its customers, and at most 20 characters long there.
    private func redirectServer(_ section: RedirectSection.Account) -> String {
        let usual = String("edge-\(shape.site.name?.value ?? "")".prefix(20))
        guard let server = section.server else { return usual }
        guard (1...20).contains(server.value.utf8.count), ValueText.isLabel(server.value) else {
            problems.error(server.path, "\"\(server.value)\" cannot name a server there", "write up to 20 letters, digits, - and _")
            return usual
        }
        return server.value
    }
}
