import CoreTypes
import EdgeProxy
import HotDeskPolicy
import SIPMessage

/// `[dial_codes]`, `[hotdesk]`, `[emergency]`, `[[gateway]]`: the rules of the house.
extension SiteChecker {
    func dialCodes() -> DialCodes {
        var codes = DialCodes()
        if let login = shape.dialCodes.login, isServiceCode(login) { codes.login = login.value }
        if let logout = shape.dialCodes.logout, isServiceCode(logout) { codes.logout = logout.value }
        if codes.login == codes.logout, let place = shape.dialCodes.logout ?? shape.dialCodes.login {
            problems.error(place.path, "the codes for login and logout are the same", "write login = \"*77*\", logout = \"*77*5*\"")
        }
        codes.pbx = (shape.dialCodes.pbx?.value ?? []).compactMap { code in
            if ValueText.isDialable(code.value) { return code.value }
            problems.error(code.path, "\"\(code.value)\" cannot be dialled", "use digits, * and #, at most 16")
            return nil
        }
        return codes
    }

    /// A code of the edge begins with a star, so that no number of a person is ever one, and ends with one, so
    /// that it is plain where an extension begins.
    private func isServiceCode(_ code: Placed<String>) -> Bool {
        let isGood = ValueText.isDialable(code.value) && code.value.utf8.count >= 3 && code.value.hasPrefix("*") && code.value.hasSuffix("*")
        if !isGood {
            problems.error(code.path, "\"\(code.value)\" is no usable code", "begin and end it with *, digits between, as in \"*77*\"")
        }
        return isGood
    }

    func pinRules() -> PINRules {
        let section = shape.hotDesk
        var rules = PINRules()
        rules.attempts = number(section.pinAttempts, within: 1...20, or: 3)
        rules.triesPerCall = number(section.pinTriesPerCall, within: 1...10, or: 3)
        rules.within = duration(section.pinWithin, within: .seconds(10)...(.seconds(86400)), example: "5m", or: .seconds(300))
        rules.lock = duration(section.pinLock, within: .seconds(10)...(.seconds(86400)), example: "15m", or: .seconds(900))
        return rules
    }

    func secondLogin() -> SecondLogin {
        guard let text = shape.hotDesk.secondLogin else { return .move }
        switch text.value {
        case "move": return .move
        case "refuse": return .refuse
        default:
            problems.error(text.path, "\"\(text.value)\" is no rule", "write \"move\" (the person moves to the new desk) or \"refuse\"")
            return .move
        }
    }

    func autoLogout() -> AutoLogout {
        var rule = AutoLogout(at: nil, afterIdle: nil)
        if let at = shape.hotDesk.autoLogoutAt {
            rule.at = ValueText.timeOfDay(at.value)
            if rule.at == nil { problems.error(at.path, "\"\(at.value)\" is no time of day", "write it as in \"19:00\"") }
        }
        if let idle = shape.hotDesk.autoLogoutAfterIdle {
            rule.afterIdle = duration(idle, within: .seconds(60)...(.seconds(7 * 86400)), example: "2h", or: .seconds(7200))
        }
        return rule
    }

    /// Numbers of the company beyond the site's own extensions.
    func internalNumbers() -> [NumberPattern] {
        (shape.hotDesk.internalNumbers?.value ?? []).compactMap { text in
            if let pattern = NumberPattern(text.value) { return pattern }
            problems.error(
                text.path, "\"\(text.value)\" is no shape of a number",
                "write digits, x for any digit, and . at the end for whatever follows, as in \"2xx\"")
            return nil
        }
    }

    func deviceExpires() -> ClosedRange<UInt32> {
        let longest = duration(shape.hotDesk.deviceExpires, within: .seconds(60)...(.seconds(86400)), example: "1h", or: .seconds(3600))
        return 60...max(60, UInt32(clamping: longest.components.seconds))
    }

    /// What devices are challenged with, most preferred first.
    func deviceDigest() -> [DigestAlgorithm] {
        shape.hotDesk.deviceDigest.map { digestAlgorithms($0, key: "device_digest") } ?? [.md5]
    }

    /// In order of preference.
    func digestAlgorithms(_ list: Placed<[Placed<String>]>, key: String) -> [DigestAlgorithm] {
        let remedy = "write \(key) = [\"md5\"], or [\"sha-256\", \"md5\"] where every phone knows both"
        if list.value.isEmpty { problems.error(list.path, "the list is empty", remedy) }
        return list.value.compactMap { text in
            switch text.value.lowercased() {
            case "md5": return .md5
            case "sha-256", "sha256": return .sha256
            default:
                problems.error(text.path, "\"\(text.value)\" is no digest algorithm of this edge", remedy)
                return nil
            }
        }
    }

    // MARK: Emergency

    func emergencyRules() -> EmergencyRules {
        let section = shape.emergency
        if !problems.hasError(at: section.path.key("numbers")), section.numbers?.value.isEmpty ?? true {
            problems.error(
                section.numbers?.path ?? section.path.key("numbers"), "there is no emergency number: an idle desk could call nobody",
                "write the numbers of your country, as in numbers = [\"112\", \"911\"]")
        }
        let numbers = unique(section.numbers, "emergency number") { text in
            if (2...16).contains(text.utf8.count), ValueText.isDigits(text) { return nil }
            return "use 2 to 16 digits and nothing else"
        }
        let prefixes = unique(section.outsidePrefixes, "prefix") { ValueText.isDialable($0) ? nil : "use digits, * and #, as in \"9\"" }
        let window = duration(section.callBackWindow, within: .seconds(300)...(.seconds(86400)), example: "60m", or: .seconds(3600))
        return EmergencyRules(numbers: numbers, outsidePrefixes: prefixes, callBackWindow: window)
    }

    /// The texts of a list that are well formed, each once.
    private func unique(
        _ list: Placed<[Placed<String>]>?, _ name: String, _ remedy: (String) -> String?
    ) -> [String] {
        var values: [String] = []
        for text in list?.value ?? [] {
            if let remedy = remedy(text.value) {
                problems.error(text.path, "\"\(text.value)\" is no \(name)", remedy)
            } else if values.contains(text.value) {
                problems.warning(text.path, "\(text.value) is listed twice", "take one of the two out")
            } else {
                values.append(text.value)
            }
        }
        return values
    }

    func emergencyRoutes() -> [EdgeConfiguration.EmergencyRoute] {
        let gateways = gateways()
        let path = shape.emergency.path.key("routes")
        let routes = shape.emergency.routes
        if routes?.value.isEmpty ?? true, !problems.hasError(at: path) {
            problems.error(routes?.path ?? path, "emergency calls have no way out", "write routes = [\"pbx\"], or name a gateway too")
        }
        return (routes?.value ?? []).compactMap { text in
            if text.value == "pbx" { return .pbx }
            guard text.value.hasPrefix("gateway:") else {
                problems.error(text.path, "\"\(text.value)\" is no route", "write \"pbx\" or \"gateway:NAME\"")
                return nil
            }
            let name = String(text.value.dropFirst("gateway:".count))
            if let endpoint = gateways[name] { return endpoint.map { .gateway(name: name, $0) } }
            let near = Spelling.nearest(to: name, among: gateways.keys.sorted()).map { "did you mean \"gateway:\($0)\"?" }
            problems.error(
                text.path, "there is no gateway \"\(name)\"",
                near ?? "add [[gateway]] with name = \"\(name)\" and its address")
            return nil
        }
    }

    /// By name; nil where the address is wrong, which has been reported.
    private func gateways() -> [String: Endpoint?] {
        var gateways: [String: Endpoint?] = [:]
        for section in shape.gateways {
            let endpoint = required(section.address, "address", in: section.path, "write address = \"192.0.2.20:5060\"").flatMap(gatewayAddress)
            guard let name = required(section.name, "name", in: section.path, "write name = \"fxo\"") else { continue }
            if gateways.keys.contains(name.value) {
                problems.error(name.path, "there are two gateways \"\(name.value)\"", "rename one of the two")
            }
            gateways[name.value] = endpoint
        }
        return gateways
    }

    private func gatewayAddress(_ text: Placed<String>) -> Endpoint? {
        if let endpoint = Endpoint(text.value), endpoint.port != 0, !endpoint.address.isUnspecified, !endpoint.address.isMulticast {
            return endpoint
        }
        problems.error(
            text.path, "\"\(text.value)\" is no address and port",
            "write an IP address, not a name: it must work without DNS, as in \"192.0.2.20:5060\"")
        return nil
    }
}
