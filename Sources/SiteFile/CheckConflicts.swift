import CoreTypes
import EdgeProxy
import HotDeskPolicy

/// Numbers and codes that would take each other's calls.
extension SiteChecker {
    func checkDialConflicts(_ extensions: [ExtensionSection]) {
        let login = shape.dialCodes.login?.value ?? DialCodes().login
        let logout = shape.dialCodes.logout?.value ?? DialCodes().logout
        let codes = ServiceCodes(login: login, logout: logout)
        checkPBXCodes(codes)
        checkEmergencyAgainstCodes(codes)
        let emergency = emergencyTargets()
        for section in extensions {
            guard let number = section.number else { continue }
            if let reading = codes.logoutReading(of: number.value) {
                problems.error(
                    number.path, "an extension \(number.value) cannot log in: its login code \(reading) is the logout code",
                    "give the extension another number, or change logout in [dial_codes]")
            }
            if let meaning = emergency[number.value] {
                problems.error(
                    number.path, "the extension \(number.value) is \(meaning)",
                    "give the extension another number: emergency calls come first")
            }
        }
    }

    /// What dials an emergency call, and why: the numbers themselves, and each behind an outside-line prefix.
    private func emergencyTargets() -> [String: String] {
        var targets: [String: String] = [:]
        let numbers = shape.emergency.numbers?.value.map(\.value) ?? []
        for prefix in shape.emergency.outsidePrefixes?.value ?? [] {
            for number in numbers {
                targets[prefix.value + number] = "the outside prefix \(prefix.value) and the emergency number \(number)"
            }
        }
        for number in numbers { targets[number] = "also an emergency number" }
        return targets
    }

    private func checkPBXCodes(_ codes: ServiceCodes) {
        for code in shape.dialCodes.pbx?.value ?? [] {
            guard let clash = codes.clash(with: code.value) else { continue }
            problems.error(
                code.path,
                "the PBX's code \(code.value) begins like the \(clash.name) code \(clash.code): the PBX or the phone may take one for the other",
                "change it at the PBX so that it does not begin with \(clash.beginning), or change [dial_codes]")
        }
    }

    private func checkEmergencyAgainstCodes(_ codes: ServiceCodes) {
        for number in shape.emergency.numbers?.value ?? [] {
            for (name, code) in [("login", codes.login), ("logout", codes.logout)]
            where code.hasPrefix(number.value) || number.value.hasPrefix(code) {
                problems.error(number.path, "the \(name) code \(code) begins like the emergency number \(number.value)", "begin the code with *")
            }
            for code in shape.dialCodes.pbx?.value ?? [] where !code.value.isEmpty {
                reportPBXCode(code, against: number)
            }
        }
    }

    private func reportPBXCode(_ code: Placed<String>, against number: Placed<String>) {
        if code.value == number.value {
            problems.error(
                code.path, "the PBX's code \(code.value) is also an emergency number",
                "take the code away at the PBX: emergency calls come first")
        } else if code.value.hasPrefix(number.value) {
            problems.error(
                code.path, "the PBX's code \(code.value) begins with the emergency number \(number.value)",
                "change it at the PBX: whoever dials it slowly calls \(number.value)")
        } else if number.value.hasPrefix(code.value) {
            problems.warning(
                code.path, "the emergency number \(number.value) begins with the PBX's code \(code.value)",
                "change it at the PBX; if it is the outside line, list it in outside_prefixes instead")
        }
    }

    /// The site's own account speaks for the site, never for a person.
    func checkAccount(_ account: EdgeConfiguration.Account?, against extensions: [Extension]) {
        guard let account, let section = shape.pbx.account?.user else { return }
        if extensions.contains(where: { $0.number.text == account.user }) {
            problems.error(
                section.path, "the site's account \(account.user) is also an extension: emergency calls would come from that person",
                "give the site an account of its own at the PBX")
        }
    }
}

/// The codes the edge itself answers.
private struct ServiceCodes {
    var login: String
    var logout: String

    /// The login code of the extension, where it cannot be told from the logout code.
    func logoutReading(of number: String) -> String? {
        let reading = login + number
        return reading == Self.withoutStars(logout) || reading + "*" == logout ? reading + "*" : nil
    }

    private static func withoutStars(_ code: String) -> String {
        var code = Substring(code)
        while code.hasSuffix("*") { code.removeLast() }
        return String(code)
    }

    /// A phone and a PBX tell codes apart by their beginning: a star and the first digit.
    func clash(with code: String) -> (name: String, code: String, beginning: String)? {
        for (name, own) in [("login", login), ("logout", logout)] {
            let beginning = String(own.prefix(2))
            if !code.isEmpty, code.hasPrefix(beginning) || own.hasPrefix(code) { return (name, own, beginning) }
        }
        return nil
    }
}
