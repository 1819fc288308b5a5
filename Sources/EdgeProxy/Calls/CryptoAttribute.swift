import CoreTypes
import CryptoPrimitives
import Media
import SIPMessage

/// `a=crypto` (RFC 4568 §9.1), as far as it can be taken: one master key, no key identifier.
struct CryptoAttribute: Sendable, Equatable {
    /// One to nine digits, kept as written: the answer repeats it.
    var tag: String
    var key: SRTPKey

    init(tag: String, key: SRTPKey) {
        self.tag = tag
        self.key = key
    }

    /// `tag SP crypto-suite SP key-params [SP session-params]`. Nil for what cannot be read, and for what we must not
    /// accept since we do not do it (§6.3): several keys, key identifiers, unencrypted or unauthenticated streams.
    init?(_ value: String) {
        let fields = value.split(separator: " ", omittingEmptySubsequences: true)
        guard fields.count >= 3, (1...9).contains(fields[0].utf8.count), fields[0].utf8.allSatisfy({ 0x30...0x39 ~= $0 }),
            let suite = SRTPSuite(rawValue: fields[1].uppercased()), let material = Self.material(fields[2], suite),
            fields.dropFirst(3).allSatisfy({ $0.uppercased().hasPrefix("WSH=") }), let key = SRTPKey(suite: suite, material: material)
        else { return nil }
        self.init(tag: String(fields[0]), key: key)
    }

    /// `inline:<base64> ["|" lifetime]`. A lifetime bounds how long the far end may use its key, which it minds itself.
    private static func material(_ text: Substring, _ suite: SRTPSuite) -> [UInt8]? {
        let parts = text.split(separator: "|", omittingEmptySubsequences: false)
        guard let first = parts.first, first.lowercased().hasPrefix("inline:"), parts.count <= 2 else { return nil }
        if parts.count == 2, parts[1].contains(":") { return nil }
        // Some leave the padding out.
        var encoded = String(first.dropFirst("inline:".count)).filter { $0 != "=" }
        guard encoded.utf8.count <= 64 else { return nil }
        while encoded.utf8.count % 4 != 0 { encoded += "=" }
        return Base64.decode(encoded)
    }

    var attribute: SDPAttribute {
        SDPAttribute("crypto", "\(tag) \(key.suite.rawValue) inline:\(Base64.encode(key.material.exposed))")
    }
}

extension MediaDescription {
    /// What it offers or answers, in its order.
    var cryptoAttributes: [CryptoAttribute] {
        attributes.compactMap { $0.name == "crypto" ? $0.value.flatMap { CryptoAttribute($0) } : nil }
    }

    /// RTP/SAVP and RTP/SAVPF (RFC 3711 §12, RFC 5124).
    var isSecureProfile: Bool { transport == "RTP/SAVP" || transport == "RTP/SAVPF" }

    /// Profiles the relay can be an end of: with SRTP or without, with early feedback or without; no DTLS.
    var isKnownProfile: Bool { isSecureProfile || transport == "RTP/AVP" || transport == "RTP/AVPF" }

    /// The same profile, secured or not.
    mutating func setProfile(secure: Bool) {
        let hasFeedback = transport.utf8.last == UInt8(ascii: "F")
        transport = (secure ? "RTP/SAVP" : "RTP/AVP") + (hasFeedback ? "F" : "")
    }

    /// Takes out every way of agreeing on keys: what the far end has said is for us, not for the other side.
    mutating func dropKeyAttributes() {
        attributes.removeAll { $0.namesKeys }
        otherLines.removeAll { $0.type == UInt8(ascii: "k") }
    }
}

extension SDPAttribute {
    /// SDES, MIKEY, DTLS and ZRTP.
    var namesKeys: Bool {
        guard let first = name.utf8.first, "ckfszt".utf8.contains(first) else { return false }
        return ["crypto", "key-mgmt", "fingerprint", "setup", "zrtp-hash", "tls-id"].contains(name)
    }
}
