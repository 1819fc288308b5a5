import CoreTypes
import HotDeskPolicy

/// `<MAC>.xml` of Snom: settings, function keys counted from 0, and an empty phone book that replaces what was there.
struct SnomFile {
    private let parts: FileParts
    private var xml = XMLText()

    var text: String { xml.text }

    init(_ configuration: PhoneConfiguration) {
        parts = FileParts(configuration)
        let parts = parts
        let file = configuration.url.exposed + Vendor.snom.fileName(of: configuration.mac)
        xml.comment(parts.origin)
        xml.element("settings") { xml in
            xml.element("phone-settings", [("e", "2")]) { xml in
                Self.delivery(file, configuration.fetch, minutes: parts.site.pollMinutes, &xml)
                Self.account(parts, &xml)
                Self.house(parts, &xml)
                Self.person(parts, &xml)
            }
            xml.element("functionKeys", [("e", "2")]) { Self.keys(parts, &$0) }
            xml.element("tbook", [("e", "2"), ("complete", "true")]) { _ in }
        }
    }

    static func bootstrap(_ bootstrap: Bootstrap) -> String {
        var xml = XMLText()
        xml.element("settings") { xml in
            xml.element("phone-settings", [("e", "2")]) { xml in
                set("setting_server", bootstrap.url.exposed + Vendor.snom.fileName(of: bootstrap.mac), &xml)
                set(bootstrap.fetch, &xml)
            }
            guard let authority = bootstrap.authorityURL else { return }
            xml.element("certificates") { $0.element("certificate", [("url", authority)]) { _ in } }
        }
        return xml.text
    }

    private static func set(_ name: SettingName, _ value: String, _ xml: inout XMLText) { xml.element(name, [("perm", "R")], value) }

    private static func setFirst(_ name: SettingName, _ value: String, _ xml: inout XMLText) {
        xml.element(name, [("idx", "1"), ("perm", "R")], value)
    }

    private static func set(_ fetch: FetchCredentials?, _ xml: inout XMLText) {
        guard let fetch else { return }
        set("http_client_user", fetch.user, &xml)
        set("http_client_pass", fetch.password.exposed, &xml)
    }

    private static func delivery(_ file: String, _ fetch: FetchCredentials?, minutes: Int, _ xml: inout XMLText) {
        set("setting_server", file, &xml)
        set(fetch, &xml)
        set("pnp_config", "off", &xml)
        set("settings_refresh_timer", "\(minutes * 60)", &xml)
    }

    private static func account(_ parts: FileParts, _ xml: inout XMLText) {
        setFirst("user_active", "on", &xml)
        setFirst("user_name", parts.user, &xml)
        setFirst("user_pname", parts.user, &xml)
        setFirst("user_pass", parts.secret, &xml)
        setFirst("user_host", parts.site.domain, &xml)
        let way = parts.proxy.named(udp: "udp", tcp: "tcp", tls: "tls")
        setFirst("user_outbound", "\(parts.proxy.host):\(parts.proxy.port);transport=\(way)", &xml)
        setFirst("user_expiry", "\(parts.site.registrationExpires)", &xml)
        setFirst("user_dtmf_info", "off", &xml)
        // Whoever sits down next must not read whom the person before has called.
        for list in ["record_dialed_calls", "record_missed_calls", "record_received_calls"] as [SettingName] { setFirst(list, "off", &xml) }
        // No plan: everything typed is dialled as it is, stars too.
        setFirst("user_dp_str", "", &xml)
        for other in parts.otherAccounts {
            xml.element("user_active", [("idx", "\(other)"), ("perm", "R")], "off")
        }
    }

    private static func house(_ parts: FileParts, _ xml: inout XMLText) {
        set("mac_info_in_sip_register", "on", &xml)
        set("filter_registrar", "on", &xml)
        set("auto_dial", "5", &xml)
        set("keyboard_lock_emergency", parts.site.emergencyNumbers.joined(separator: " "), &xml)
        set("enable_keyboard_lock", "off", &xml)
        set("status_msgs_that_are_blocked", "EmergencyCallNumbersMisconfigured", &xml)
        // A DSCP stands in the upper six bits of the TOS byte.
        set("signaling_tos", "\(Int(parts.site.signallingDSCP) << 2)", &xml)
        set("codec_tos", "\(Int(parts.site.mediaDSCP) << 2)", &xml)
        if let server = parts.site.timeServer { set("ntp_server", server, &xml) }
        if let offset = parts.site.utcOffset { set("utc_offset", "\(offset * 60)", &xml) }
        set("admin_mode", "off", &xml)
        if let password = parts.site.adminPassword {
            set("admin_mode_password", password.exposed, &xml)
            set("http_user", "admin", &xml)
            set("http_pass", password.exposed, &xml)
        }
    }

    private static func person(_ parts: FileParts, _ xml: inout XMLText) {
        setFirst("user_realname", parts.label(parts.displayName), &xml)
        setFirst("user_idle_text", parts.label(parts.screenLabel), &xml)
        setFirst("user_idle_number", parts.label(parts.screenLabel), &xml)
        set("language", language(parts.language), &xml)
        set("web_language", language(parts.language), &xml)
    }

    private static func language(_ code: String) -> String {
        switch code {
        case "es": return "Español"
        case "fr": return "Français"
        case "it": return "Italiano"
        case "ru": return "Русский"
        default: return "English"
        }
    }

    private static func keys(_ parts: FileParts, _ xml: inout XMLText) {
        for (index, key) in parts.plan.keys.enumerated() {
            let (value, label) = setting(key, parts)
            let clean = parts.label(label, stripping: "|")
            let attributes: XMLText.Attributes = [
                ("idx", "\(index)"), ("context", "active"), ("label", clean), ("short_label", clean), ("perm", "R"),
            ]
            xml.element("fkey", attributes, value)
        }
    }

    private static func setting(_ key: PhoneKey, _ parts: FileParts) -> (value: String, label: String) {
        switch key {
        case .line: return ("line", "")
        case .service(let label, let code): return ("speed \(code)", label)
        case .speedDial(let number, let label): return ("speed \(number)", label)
        case .watch(let target, let label): return ("blf <sip:\(target)@\(parts.site.domain)>|\(parts.site.pickupCode)", label)
        case .empty: return ("none", "")
        }
    }
}
