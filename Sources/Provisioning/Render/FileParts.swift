import CoreTypes
public import HotDeskPolicy

/// What the files of all vendors say, each in its own words.
struct FileParts {
    let configuration: PhoneConfiguration
    let plan: KeyPlan

    init(_ configuration: PhoneConfiguration) {
        self.configuration = configuration
        plan = configuration.keyPlan
    }

    var site: PhoneSite { configuration.site }
    var model: PhoneModel { configuration.model }
    var proxy: PhoneProxy { configuration.proxy }
    var url: String { configuration.url.exposed }
    var secret: String { configuration.secret.exposed }
    /// SIP user and name for authentication, whoever sits here.
    var user: String { configuration.device.text }
    /// Accounts beyond the first, which nobody may use.
    var otherAccounts: [Int] { model.accounts > 1 ? Array(2...model.accounts) : [] }

    /// What stands on the screen: the desk's name, or the person's number.
    var screenLabel: String { configuration.person?.number.text ?? user }
    /// The caller's name: the desk's, or the person's.
    var displayName: String {
        guard let person = configuration.person else { return user }
        let name = DisplayText.label(person.name, limit: 64)
        return name.isEmpty ? person.number.text : name
    }
    var language: String { configuration.person?.language ?? site.language }

    var origin: String { "edgeproxy \(user) generation \(configuration.generation)" }

    /// A label of a key, without what its syntax uses.
    func label(_ text: String, stripping stripped: String = "") -> String {
        DisplayText.label(text, stripping: stripped, asciiOnly: model.quirks.contains(.asciiLabels))
    }

    /// Digit maps of the common syntax (RFC 3435 §2.1.5, as handsets have it): the codes, the emergency numbers, then anything.
    func digitMap(anything: [String]) -> String {
        let codes = [site.logoutCode, "\(site.loginCode)x.*", site.loginCode]
        return (codes + site.emergencyNumbers + anything).joined(separator: "|")
    }
}

/// The parts of a base address `http://host[:port]/path/`.
struct AddressParts {
    /// "http" or "https".
    var scheme = "http"
    /// With its port.
    var authority = ""
    /// Without slashes at its ends.
    var path = ""

    init(_ url: String) {
        var rest = Substring(url)
        if let end = rest.firstRange(of: "://") {
            scheme = String(rest[..<end.lowerBound])
            rest = rest[end.upperBound...]
        }
        authority = String(rest.prefix { $0 != "/" })
        path = String(rest.dropFirst(authority.count).split(separator: "/").joined(separator: "/"))
    }

    var isSecure: Bool { scheme == "https" }
    /// Path and file, relative to the authority.
    func path(of file: String) -> String { path.isEmpty ? file : "\(path)/\(file)" }
}

extension MACAddress {
    /// Twelve hexadecimal digits in lower case.
    var bare: String { String(text.filter { $0 != ":" }) }
}

extension Vendor {
    /// The device's own file at its own address: the name the phone is told, or asks for by itself.
    public func fileName(of mac: MACAddress) -> String {
        switch self {
        case .yealink, .fanvil: return "\(mac.bare).cfg"
        case .snom: return "\(mac.bare.uppercased()).xml"
        case .grandstream: return "cfg\(mac.bare).xml"
        case .poly: return "\(mac.bare)-edge.cfg"
        case .cisco: return "\(mac.bare).xml"
        }
    }
}
