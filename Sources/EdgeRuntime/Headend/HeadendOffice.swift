import CoreTypes
public import SiteFile
import Tunnel

/// What an administrator does beside a headend: makes its authority, lets sites in, and sends them away.
public enum HeadendOffice {
    /// Makes the authority and the headend's own certificate where they are missing; what was made.
    ///
    /// `names`: how edges reach the headend, host names and addresses.
    public static func initialize(
        authority: String, authorityKey: String, certificate: String, key: String, names: [String]
    ) throws -> [String] {
        let now = Instant(nanoseconds: EdgeClock().now.unixSeconds * 1_000_000_000)
        var made: [String] = []
        if try StateFolder.read(authority).get() == nil {
            let fresh = try PrivateKey()
            let ca = try CertificateAuthority(name: "edgeproxy headend CA", key: fresh, now: now)
            for path in [authority, authorityKey] { StateFolder.make(folder(of: path)) }
            try PrivateFile.replace(authorityKey, with: fresh.pem.exposed)
            try PrivateFile.replace(authority, with: ca.certificatePEM)
            made += [authority, authorityKey]
        }
        if try StateFolder.read(certificate).get() == nil {
            let ca = try CertificateAuthority(certificate: .file(authority), key: .file(authorityKey))
            let own = try PrivateKey()
            let alternatives = names.map { (IPAddress($0) == nil ? "DNS:" : "IP:") + $0 }
            let chain = try ca.sign(own, as: .headend(names: alternatives), from: now, days: 3650)
            for path in [certificate, key] { StateFolder.make(folder(of: path)) }
            try PrivateFile.replace(key, with: own.pem.exposed)
            try PrivateFile.replace(certificate, with: chain)
            made += [certificate, key]
        }
        return made
    }

    private static func folder(of path: String) -> String {
        path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    }

    /// A token by which the edge of a site can enrol once.
    public static func addSite(_ name: String, _ settings: HeadendSettings) throws(HeadendError) -> String {
        let site = try checked(name)
        guard settings.authorityKeyPath != nil else { throw .refused("enrol.ca_key is not set: certificates of sites are made elsewhere") }
        return try StateFolder.locked(settings.statePath) { () throws(HeadendError) in
            var register = try SiteRegister.read(from: settings.statePath)
            let expires = EdgeClock().now.unixSeconds + settings.tokenLife.components.seconds
            let text = register.add(site: site, secret: SystemRandom.bytes(16), until: expires)
            try register.write(to: settings.statePath)
            return text
        }
    }

    /// Voids all certificates of a site that were made until now. A running headend must be told (`reload`).
    public static func revokeSite(_ name: String, _ settings: HeadendSettings) throws(HeadendError) {
        let site = try checked(name)
        try StateFolder.locked(settings.statePath) { () throws(HeadendError) in
            var register = try SiteRegister.read(from: settings.statePath)
            register.revoke(site: site, now: EdgeClock().now.unixSeconds)
            try register.write(to: settings.statePath)
        }
    }

    /// What can stand in a certificate as a DNS name.
    private static func checked(_ name: String) throws(HeadendError) -> String {
        let isGood = (1...63).contains(name.utf8.count)
            && name.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) || "-_.".utf8.contains($0) }
        guard isGood else { throw .refused("\"\(name)\" cannot name a site: use letters, digits, \"-\", \"_\" and \".\", at most 63") }
        return name.lowercased()
    }
}
