import CoreTypes
import HotDeskPolicy

/// `<mac>.cfg` of Yealink's T series. The account and the site's part are the same for everyone who sits here; what a
/// login changes comes after them.
struct YealinkFile {
    private let parts: FileParts
    private var ini = INIText()

    var text: String { ini.text }

    init(_ configuration: PhoneConfiguration) {
        parts = FileParts(configuration)
        ini.comment(parts.origin)
        delivery()
        account()
        dialling()
        house()
        person()
        keys()
    }

    /// What is absent or blank falls back to the factory's value, so nothing of the last person can stay.
    static func index(_ mac: MACAddress) -> String {
        var ini = INIText()
        ini.include(Vendor.yealink.fileName(of: mac))
        ini.set("overwrite_mode", 1)
        return ini.text
    }

    static func bootstrap(_ bootstrap: Bootstrap) -> String {
        var ini = INIText()
        if let authority = bootstrap.authorityURL { ini.set("static.trusted_certificates.url", authority) }
        ini.set("static.auto_provision.server.url", bootstrap.url.exposed)
        set(bootstrap.fetch, &ini)
        ini.set("static.auto_provision.power_on", true)
        ini.set("static.auto_provision.custom.protect", false)
        return ini.text
    }

    private static func set(_ fetch: FetchCredentials?, _ ini: inout INIText) {
        guard let fetch else { return }
        ini.set("static.auto_provision.server.username", fetch.user)
        ini.set("static.auto_provision.server.password", fetch.password.exposed)
    }

    private mutating func delivery() {
        ini.set("static.auto_provision.server.url", parts.url)
        Self.set(parts.configuration.fetch, &ini)
        ini.set("static.auto_provision.pnp_enable", false)
        ini.set("static.auto_provision.power_on", true)
        ini.set("static.auto_provision.repeat.enable", true)
        ini.set("static.auto_provision.repeat.minutes", parts.site.pollMinutes)
        ini.set("static.auto_provision.custom.protect", false)
        // Only check-sync;reboot=true may reboot: the factory's value reboots at every login.
        ini.set("sip.notify_reboot_enable", 0)
    }

    private mutating func account() {
        ini.set("account.1.enable", true)
        ini.set("account.1.user_name", parts.user)
        ini.set("account.1.auth_name", parts.user)
        ini.set("account.1.password", parts.secret)
        ini.set("account.1.sip_server.1.address", parts.site.domain)
        ini.set("account.1.sip_server.1.port", 5060)
        ini.set("account.1.sip_server.1.transport_type", parts.proxy.named(udp: 0, tcp: 1, tls: 2))
        ini.set("account.1.sip_server.1.expires", Int(parts.site.registrationExpires))
        ini.set("account.1.outbound_proxy_enable", true)
        ini.set("account.1.outbound_proxy.1.address", parts.proxy.host)
        ini.set("account.1.outbound_proxy.1.port", parts.proxy.port)
        ini.set("account.1.register_mac", true)
        ini.set("account.1.blf.subscribe_period", 1800)
        for other in parts.otherAccounts { ini.set("account.\(other).enable", false) }
    }

    private mutating func dialling() {
        // 2 would make the star of *77* send what was typed before it.
        ini.set("features.key_as_send", 1)
        ini.set("dialplan.digitmap.enable", true)
        ini.set("dialplan.digitmap.string", parts.digitMap(anything: ["*x.T", "x.T", "+x.T"]))
        ini.set("phone_setting.emergency.number", parts.site.emergencyNumbers.joined(separator: ","))
        ini.set("phone_setting.phone_lock.enable", false)
        ini.set("features.dnd.emergency_enable", true)
    }

    private mutating func house() {
        ini.set("features.direct_ip_call_enable", false)
        ini.set("features.save_call_history", false)
        ini.set("static.network.qos.signaltos", Int(parts.site.signallingDSCP))
        ini.set("static.network.qos.audiotos", Int(parts.site.mediaDSCP))
        if let password = parts.site.adminPassword { ini.set("static.security.user_password", "admin:\(password.exposed)") }
        if let server = parts.site.timeServer { ini.set("local_time.ntp_server1", server) }
        if let offset = parts.site.utcOffset { ini.set("local_time.time_zone", Self.zone(offset)) }
    }

    /// `+1`, `-3:30`.
    static func zone(_ minutes: Int) -> String {
        let (hours, rest) = (abs(minutes) / 60, abs(minutes) % 60)
        let sign = minutes < 0 ? "-" : "+"
        return rest == 0 ? "\(sign)\(hours)" : "\(sign)\(hours):\(rest < 10 ? "0" : "")\(rest)"
    }

    private mutating func person() {
        ini.set("account.1.label", parts.label(parts.screenLabel, stripping: "%"))
        ini.set("account.1.display_name", parts.label(parts.displayName, stripping: "%"))
        ini.set("lang.gui", Self.language(parts.language))
        ini.set("lang.wui", Self.language(parts.language))
    }

    private static func language(_ code: String) -> String {
        switch code {
        case "es": return "Spanish"
        case "fr": return "French"
        case "it": return "Italian"
        case "ru": return "Russian"
        default: return "English"
        }
    }

    private mutating func keys() {
        for (position, key) in parts.plan.placed {
            let name: SettingName
            switch position.bank {
            case .module: name = "expansion_module.\(position.page).key.\(position.key)"
            case .line, .side, .function, .virtual, .multi: name = "linekey.\(position.number)"
            }
            write(key, as: name)
        }
    }

    private mutating func write(_ key: PhoneKey, as name: SettingName) {
        switch key {
        case .line: write(name, type: 15, line: 1, value: "", label: "", pickup: "")
        case .service(let label, let code): write(name, type: 13, line: 1, value: code, label: label, pickup: "")
        case .speedDial(let number, let label): write(name, type: 13, line: 1, value: number, label: label, pickup: "")
        case .watch(let target, let label): write(name, type: 16, line: 1, value: target, label: label, pickup: parts.site.pickupCode)
        case .empty: write(name, type: 0, line: 0, value: "", label: "", pickup: "")
        }
    }

    private mutating func write(_ name: SettingName, type: Int, line: Int, value: String, label: String, pickup: String) {
        ini.set("\(name).type", type)
        ini.set("\(name).line", line)
        ini.set("\(name).value", value)
        ini.set("\(name).label", parts.label(label, stripping: "%"))
        ini.set("\(name).extension", pickup)
    }
}
