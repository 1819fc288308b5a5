import CoreTypes
import HotDeskPolicy

/// `cfg<mac>.xml` of Grandstream, configuration version 2: settings by their names, not by P numbers.
struct GrandstreamFile {
    private let parts: FileParts
    private var xml = XMLText()

    var text: String { xml.text }

    init(_ configuration: PhoneConfiguration) {
        parts = FileParts(configuration)
        let parts = parts
        xml.comment(parts.origin)
        xml.element("gs_provision", [("version", "1")]) { xml in
            xml.element("mac", [], configuration.mac.bare)
            xml.element("config", [("version", "2")]) { xml in
                Self.delivery(configuration.url.exposed, &xml)
                Self.account(parts, &xml)
                Self.house(parts, &xml)
                Self.person(parts, &xml)
                Self.keys(parts, &xml)
            }
        }
    }

    /// By P numbers, which every firmware knows.
    static func bootstrap(_ bootstrap: Bootstrap) -> String {
        let address = AddressParts(bootstrap.url.exposed)
        var xml = XMLText()
        xml.element("gs_provision", [("version", "1")]) { xml in
            xml.element("mac", [], bootstrap.mac.bare)
            xml.element("config", [("version", "1")]) { xml in
                // 1 is HTTP, 2 is HTTPS.
                xml.element("P212", [], address.isSecure ? "2" : "1")
                xml.element("P237", [], address.authority + "/" + address.path)
                // No call log of account 1: whoever sits down next must not read whom the person before has called.
                xml.element("P182", [], "2")
                // They stay as they are: files that follow have no name for them.
                guard let fetch = bootstrap.fetch else { return }
                xml.element("P1360", [], fetch.user)
                xml.element("P1361", [], fetch.password.exposed)
            }
        }
        return xml.text
    }

    private static func set(_ name: SettingName, _ value: String, _ xml: inout XMLText) { xml.element("item", [("name", name.text)], value) }

    private static func delivery(_ url: String, _ xml: inout XMLText) {
        let address = AddressParts(url)
        set("provisioning.config.protocol", address.isSecure ? "HTTPS" : "HTTP", &xml)
        set("provisioning.config.serverPath", address.authority + "/" + address.path, &xml)
        set("provisioning.auto.mode", "YesUpgradeHourOfDay", &xml)
        set("provisioning.auto.hour", "3", &xml)
        set("provisioning.auto.endHour", "4", &xml)
    }

    private static func account(_ parts: FileParts, _ xml: inout XMLText) {
        set("account.1.enable", "Yes", &xml)
        set("account.1.sip.registration", "Yes", &xml)
        set("account.1.sip.userid", parts.user, &xml)
        set("account.1.sip.subscriber.userid", parts.user, &xml)
        set("account.1.sip.subscriber.password", parts.secret, &xml)
        set("account.1.sip.server.1.address", parts.site.domain, &xml)
        set("account.1.sip.outboundProxy.1.address", "\(parts.proxy.host):\(parts.proxy.port)", &xml)
        set("account.1.sip.transport", parts.proxy.named(udp: "UDP", tcp: "TCP", tls: "TlsOrTcp"), &xml)
        // Whole minutes, at least one.
        set("account.1.sip.registerExpiration", "\(max(1, parts.site.registrationExpires / 60))", &xml)
        set("account.1.sip.unregisterOnReboot", "No", &xml)
        // Without it the phone refuses every NOTIFY that asks it to fetch.
        set("account.1.sip.allowSipReset", "Yes", &xml)
        set("sip.notify.challenge", "No", &xml)
        // The phone's own star codes would eat *77*.
        set("account.1.featureCodes.callFeatures", "No", &xml)
        set("account.1.call.dialplan", "{ [*x]+ | \\+x+ }", &xml)
        set("account.1.sip.blf.callPickup.prefix", parts.site.pickupCode, &xml)
        for other in parts.otherAccounts { set("account.\(other).enable", "No", &xml) }
    }

    private static func house(_ parts: FileParts, _ xml: inout XMLText) {
        set("hotdesking.enable", "No", &xml)
        set("keys.lock.enable", "No", &xml)
        set("keys.lock.emergency", parts.site.emergencyNumbers.joined(separator: ","), &xml)
        set("network.qos.forSip", "\(parts.site.signallingDSCP)", &xml)
        set("network.qos.forRtp", "\(parts.site.mediaDSCP)", &xml)
        if let password = parts.site.adminPassword { set("users.admin.password", password.exposed, &xml) }
        if let server = parts.site.timeServer { set("dateTime.ntp.server.1", server, &xml) }
        if let offset = parts.site.utcOffset { set("dateTime.timezone", "TZ\(posix(offset))", &xml) }
    }

    /// POSIX counts west of Greenwich: `-1`, `+3:30`.
    private static func posix(_ minutes: Int) -> String { YealinkFile.zone(-minutes) }

    private static func person(_ parts: FileParts, _ xml: inout XMLText) {
        set("account.1.name", parts.label(parts.screenLabel), &xml)
        set("account.1.sip.subscriber.name", parts.label(parts.displayName), &xml)
        set("language.gui", parts.language, &xml)
    }

    private static func keys(_ parts: FileParts, _ xml: inout XMLText) {
        for (position, key) in parts.plan.placed {
            switch position.bank {
            case .line, .virtual, .side, .function: write(key, "pks.vpk.\(position.number)", account: "0", parts, &xml)
            case .multi: write(key, "pks.mpk.\(position.number)", account: "Account1", parts, &xml)
            case .module: write(key, "pks.ext.\(position.number)", account: "Account1", parts, &xml)
            }
        }
    }

    private static func write(_ key: PhoneKey, _ name: SettingName, account: String, _ parts: FileParts, _ xml: inout XMLText) {
        let (mode, value, description) = setting(key)
        set("\(name).keyMode", mode, &xml)
        set("\(name).account", account, &xml)
        set("\(name).description", parts.label(description), &xml)
        set("\(name).value", value, &xml)
    }

    private static func setting(_ key: PhoneKey) -> (mode: String, value: String, description: String) {
        switch key {
        case .line: return ("Line", "", "")
        case .service(let label, let code): return ("SpeedDial", code, label)
        case .speedDial(let number, let label): return ("SpeedDial", number, label)
        case .watch(let target, let label): return ("BLF", target, label)
        case .empty: return ("None", "", "")
        }
    }
}
