public import SIPMessage

extension PolicyRules {
    /// What a Request-URI asks for.
    ///
    /// Parameters, visual separators (RFC 3966 §5.1.1) and whatever stands after the "@" are no part of the
    /// answer. Headers in a URI (RFC 3261 §19.1.1) make a target malformed, but for an emergency number: there they
    /// fall away like all the rest, for nothing but the number is ever sent on.
    public func classify(_ uri: URI) -> Target {
        switch uri {
        case .sip(let uri):
            guard let user = uri.user else { return .foreign("") }
            return classify(user: user, hasHeaders: !uri.headers.isEmpty)
        case .tel(let uri):
            return classify(user: uri.number, hasHeaders: false)
        case .other(let scheme, let opaque):
            return isEmergencyService(scheme: scheme, opaque: opaque) ? .emergency(emergency.numbers.first ?? "112") : .foreign(scheme)
        }
    }

    private func classify(user: String, hasHeaders: Bool) -> Target {
        guard let canonical = CanonicalUser(user) else { return .malformed("a byte that cannot be dialled") }
        guard !canonical.bytes.isEmpty else { return .foreign("") }
        if canonical.isDialable, let number = emergencyNumber(canonical.bytes) { return .emergency(number) }
        guard !hasHeaders else { return .malformed("headers in the address") }
        return dialCodes.match(canonical.bytes) ?? .number(String(decoding: canonical.bytes, as: UTF8.self))
    }

    /// The configured number this is, bare or behind a prefix for an outside line.
    private func emergencyNumber(_ dialled: [UInt8]) -> String? {
        if let number = emergency.numbers.first(where: { $0.utf8.elementsEqual(dialled) }) { return number }
        for prefix in emergency.outsidePrefixes where !prefix.isEmpty && dialled.starts(with: prefix.utf8) {
            let rest = dialled.dropFirst(prefix.utf8.count)
            if let number = emergency.numbers.first(where: { $0.utf8.elementsEqual(rest) }) { return number }
        }
        return nil
    }

    /// RFC 5031 §4.2 `urn:service:sos` and everything under it; letters in any case. Components that RFC 8141
    /// lets follow the name are left aside.
    private func isEmergencyService(scheme: String, opaque: String) -> Bool {
        guard scheme.lowercased() == "urn" else { return false }
        let name = opaque.lowercased().utf8.prefix { ![UInt8(ascii: "?"), UInt8(ascii: "#"), UInt8(ascii: ";")].contains($0) }
        let service = "service:sos".utf8
        guard name.starts(with: service) else { return false }
        let rest = name.dropFirst(service.count)
        return rest.isEmpty || rest.first == UInt8(ascii: ".")
    }
}

/// A user part in the one form it is judged and sent on in.
private struct CanonicalUser {
    /// Without parameters, and without visual separators where only a number is left then.
    let bytes: [UInt8]
    /// Whether it is all digits, "*", "#" and "+".
    let isDialable: Bool

    /// - Parameter user: with its escapes decoded.
    /// - Returns: nil where a byte is hidden in it that no user part may hold: a control, or an "@".
    init?(_ user: String) {
        let all = user.utf8
        guard !all.contains(where: { ASCII.isControl($0) || $0 == UInt8(ascii: "@") }) else { return nil }
        let name = all.prefix { $0 != UInt8(ascii: ";") }
        isDialable = name.allSatisfy { ASCII.isDialable($0) || ASCII.isVisualSeparator($0) }
        bytes = isDialable ? name.filter(ASCII.isDialable) : Array(name)
    }
}

extension DialCodes {
    /// What the site's codes make of a dialled string; nil where it begins with none of them.
    ///
    /// Stars and a "#" at the end do not count, in the codes and in what was dialled. The logout code goes before
    /// the login code. What stands behind the login code must be an extension.
    func match(_ dialled: [UInt8]) -> Target? {
        let typed = Self.trimmed(dialled[...])
        let login = Array(login.utf8)
        let loginStem = Self.trimmed(login[...])
        let logoutStem = Self.trimmed(Array(logout.utf8)[...])
        if !logoutStem.isEmpty, typed == logoutStem { return .logout }
        guard !loginStem.isEmpty else { return nil }
        if typed == loginStem { return .login(nil) }
        guard dialled.starts(with: login) else { return nil }
        let rest = typed.dropFirst(login.count).drop { $0 == UInt8(ascii: "*") }
        guard let number = ExtensionNumber(String(decoding: rest, as: UTF8.self)) else {
            return .malformed("no extension behind the login code")
        }
        return .login(number)
    }

    private static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var bytes = bytes
        while bytes.last == UInt8(ascii: "*") || bytes.last == UInt8(ascii: "#") { bytes.removeLast() }
        return bytes
    }
}
