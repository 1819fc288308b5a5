import CoreTypes
import HotDeskPolicy

/// `<mac>-edge.cfg` of Poly UCS: attributes of one element. Line keys are assigned one by one: a key is the line, a
/// macro that dials, an entry of the attendant's list, or unassigned.
struct PolyFile {
    private let parts: FileParts
    private var attributes: XMLText.Attributes = []

    var text: String {
        var xml = XMLText()
        xml.comment(parts.origin)
        xml.attributes("edge", attributes)
        return xml.text
    }

    init(_ configuration: PhoneConfiguration) {
        parts = FileParts(configuration)
        delivery()
        account()
        dialling()
        house()
        person()
        keys()
    }

    /// The master file, which names the device's. What a user changes at the phone is not kept at the edge.
    static func index(_ mac: MACAddress) -> String {
        var xml = XMLText()
        xml.attributes(
            "APPLICATION",
            [
                ("APP_FILE_PATH", ""), ("CONFIG_FILES", Vendor.poly.fileName(of: mac)), ("MISC_FILES", ""), ("LOG_FILE_DIRECTORY", ""),
                ("OVERRIDES_DIRECTORY", ""), ("CONTACTS_DIRECTORY", ""), ("LICENSE_DIRECTORY", ""),
            ])
        return xml.text
    }

    static func bootstrap(_ bootstrap: Bootstrap) -> String {
        let address = AddressParts(bootstrap.url.exposed)
        var attributes: XMLText.Attributes = [
            ("device.set", "1"), ("device.prov.serverType.set", "1"), ("device.prov.serverType", address.isSecure ? "HTTPS" : "HTTP"),
            ("device.prov.serverName.set", "1"), ("device.prov.serverName", address.authority + "/" + address.path),
        ]
        attributes += fetching(bootstrap.fetch)
        if let authority = bootstrap.authorityURL {
            attributes += [("sec.TLS.customCaCert.1", authority), ("sec.TLS.profileSelection.provisioning", "PlatformProfile1")]
        }
        var xml = XMLText()
        xml.attributes("edge", attributes)
        return xml.text
    }

    private static func fetching(_ fetch: FetchCredentials?) -> XMLText.Attributes {
        guard let fetch else { return [] }
        return [
            ("device.prov.user.set", "1"), ("device.prov.user", fetch.user), ("device.prov.password.set", "1"),
            ("device.prov.password", fetch.password.exposed),
        ]
    }

    private mutating func set(_ name: SettingName, _ value: String) { attributes.append((name, value)) }

    private mutating func delivery() {
        let address = AddressParts(parts.url)
        set("device.set", "1")
        set("device.prov.serverType.set", "1")
        set("device.prov.serverType", address.isSecure ? "HTTPS" : "HTTP")
        set("device.prov.serverName.set", "1")
        set("device.prov.serverName", address.authority + "/" + address.path)
        attributes += Self.fetching(parts.configuration.fetch)
        set("device.prov.tagSerialNo.set", "1")
        set("device.prov.tagSerialNo", "1")
        set("prov.polling.enabled", "1")
        set("prov.polling.mode", "rel")
        set("prov.polling.period", "\(max(3600, parts.site.pollMinutes * 60))")
        // 0 applies what changed, and reboots only for what cannot be changed otherwise.
        set("voIpProt.SIP.specialEvent.checkSync.alwaysReboot", "0")
    }

    private mutating func account() {
        set("reg.1.address", parts.user)
        set("reg.1.auth.userId", parts.user)
        set("reg.1.auth.password", parts.secret)
        set("reg.1.server.1.address", parts.site.domain)
        set("reg.1.server.1.port", "5060")
        set("reg.1.server.1.register", "1")
        let way = parts.proxy.named(udp: "UDPOnly", tcp: "TCPOnly", tls: "TLS")
        set("reg.1.server.1.transport", way)
        set("reg.1.server.1.expires", "\(parts.site.registrationExpires)")
        set("reg.1.server.1.subscribe.expires", "1800")
        set("reg.1.outboundProxy.address", parts.proxy.host)
        set("reg.1.outboundProxy.port", "\(parts.proxy.port)")
        set("reg.1.outboundProxy.transport", way)
        set("reg.1.lineKeys", "1")
        for other in parts.otherAccounts { set("reg.\(other).address", "") }
    }

    private mutating func dialling() {
        set("dialplan.digitmap", parts.digitMap(anything: ["*x.T", "x.T", "+x.T"]))
        set("dialplan.routing.server.1.address", parts.proxy.host)
        set("dialplan.routing.server.1.port", "\(parts.proxy.port)")
        for (index, number) in parts.site.emergencyNumbers.enumerated() {
            set("dialplan.routing.emergency.\(index + 1).value", number)
            set("dialplan.routing.emergency.\(index + 1).server.1", "1")
        }
        set("phoneLock.enabled", "0")
        set("call.directedCallPickupString", parts.site.pickupCode)
        set("call.directedCallPickupMethod", "legacy")
    }

    private mutating func house() {
        set("prov.login.enabled", "0")
        set("feature.callList.enabled", "0")
        set("feature.enhancedFeatureKeys.enabled", "1")
        set("feature.EFKLineKey.enabled", "1")
        set("qos.ip.callControl.dscp", "\(parts.site.signallingDSCP)")
        set("qos.ip.rtp.dscp", "\(parts.site.mediaDSCP)")
        if let password = parts.site.adminPassword {
            set("device.auth.localAdminPassword.set", "1")
            set("device.auth.localAdminPassword", password.exposed)
        }
        if let server = parts.site.timeServer {
            set("tcpIpApp.sntp.address", server)
            set("tcpIpApp.sntp.address.overrideDHCP", "1")
        }
        // Seconds.
        if let offset = parts.site.utcOffset { set("tcpIpApp.sntp.gmtOffset", "\(offset * 60)") }
    }

    private mutating func person() {
        set("reg.1.label", parts.label(parts.screenLabel))
        set("reg.1.displayName", parts.label(parts.displayName))
        set("lcl.ml.lang", Self.language(parts.language))
        let service = parts.configuration.person == nil ? ("Login", parts.site.loginCode) : ("Logout", parts.site.logoutCode)
        set("softkey.1.enable", "1")
        set("softkey.1.label", service.0)
        set("softkey.1.action", dialling(service.1))
        set("softkey.1.use.idle", "1")
    }

    private static func language(_ code: String) -> String {
        switch code {
        case "es": return "Spanish_Spain"
        case "fr": return "French_France"
        case "it": return "Italian_Italy"
        case "ru": return "Russian_Russia"
        default: return "English_United_States"
        }
    }

    /// A macro that dials; some releases want a caret in front.
    private func dialling(_ number: String) -> String { (parts.model.quirks.contains(.caretMacro) ? "^" : "") + "\(number)$Tinvite$" }

    private mutating func keys() {
        set("lineKey.reassignment.enabled", "1")
        for (index, key) in parts.plan.keys.enumerated() { write(key, index + 1) }
    }

    /// Entry n of each list belongs to key n, so that every place is written every time.
    private mutating func write(_ key: PhoneKey, _ number: Int) {
        var category = "Unassigned"
        var (target, macro, label) = ("", "", "")
        switch key {
        case .line: category = "Line"
        case .service(let text, let code): (category, macro, label) = ("EFK", code, text)
        case .speedDial(let to, let text): (category, macro, label) = ("EFK", to, text)
        case .watch(let to, let text): (category, target, label) = ("BLF", to, text)
        case .empty: break
        }
        label = parts.label(label)
        set("lineKey.\(number).category", category)
        set("lineKey.\(number).index", key == .empty ? "0" : "\(number)")
        set("efk.efklist.\(number).status", macro.isEmpty ? "0" : "1")
        set("efk.efklist.\(number).mname", macro.isEmpty ? "" : "key\(number)")
        set("efk.efklist.\(number).label", macro.isEmpty ? "" : label)
        set("efk.efklist.\(number).action.string", macro.isEmpty ? "" : dialling(macro))
        set("attendant.resourceList.\(number).address", target)
        set("attendant.resourceList.\(number).label", target.isEmpty ? "" : label)
        set("attendant.resourceList.\(number).type", target.isEmpty ? "" : "normal")
    }
}
