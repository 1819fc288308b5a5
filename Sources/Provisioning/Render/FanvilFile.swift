import CoreTypes
import HotDeskPolicy

/// `<mac>.cfg` of Fanvil, form `sysConf`. The phone takes a file only if its `Version` is higher than that of the one it
/// has, so the version is the generation.
struct FanvilFile {
    private let parts: FileParts
    private var xml = XMLText()

    var text: String { xml.text }

    init(_ configuration: PhoneConfiguration) {
        parts = FileParts(configuration)
        let parts = parts
        xml.comment(parts.origin)
        xml.element("sysConf") { xml in
            // One more: the bootstrap file has version 0, and the first file must come after it.
            xml.element("Version", [], Self.version(configuration.generation &+ 1))
            Self.accounts(parts, &xml)
            Self.dialling(parts, &xml)
            Self.screen(parts, &xml)
            Self.house(parts, &xml)
            Self.keys(parts, &xml)
            Self.delivery(configuration.url.exposed, configuration.fetch, mac: configuration.mac, hours: 1, &xml)
        }
    }

    static func bootstrap(_ bootstrap: Bootstrap) -> String {
        var xml = XMLText()
        xml.element("sysConf") { xml in
            xml.element("Version", [], version(0))
            delivery(bootstrap.url.exposed, bootstrap.fetch, mac: bootstrap.mac, hours: 1, &xml)
        }
        return xml.text
    }

    /// `2.` and ten digits.
    static func version(_ generation: UInt64) -> String {
        let digits = String(generation % 10_000_000_000)
        return "2." + String(repeating: "0", count: 10 - digits.count) + digits
    }

    private static func accounts(_ parts: FileParts, _ xml: inout XMLText) {
        xml.element("sip") { xml in
            xml.element("NotifyReboot", [], "0")
            xml.element("line", [("index", "1")]) { xml in
                xml.element("PhoneNumber", [], parts.user)
                xml.element("RegisterUser", [], parts.user)
                xml.element("RegisterPswd", [], parts.secret)
                xml.element("RegisterAddr", [], parts.site.domain)
                xml.element("RegisterPort", [], "5060")
                xml.element("RegisterTTL", [], "\(parts.site.registrationExpires)")
                xml.element("ProxyAddr", [], parts.proxy.host)
                xml.element("ProxyPort", [], "\(parts.proxy.port)")
                xml.element("ProxyUser", [], parts.user)
                xml.element("ProxyPswd", [], parts.secret)
                xml.element("Transport", [], parts.proxy.named(udp: "0", tcp: "1", tls: "3"))
                xml.element("EnableReg", [], "1")
                xml.element("EnableRegisterMAC", [], "1")
                xml.element("DTMFMode", [], "1")
                xml.element("SubExpire", [], "1800")
                // Whoever sits down next must not read who has called the person before; for other lists there is no setting.
                xml.element("MissedCallLog", [], "0")
                // The phone itself must neither send nor eat a star code.
                for code in serviceCodes { xml.element(code, [], "") }
                xml.element("SipName", [], parts.label(parts.screenLabel))
                xml.element("DisplayName", [], parts.label(parts.displayName))
            }
            for other in parts.otherAccounts {
                xml.element("line", [("index", "\(other)")]) { $0.element("EnableReg", [], "0") }
            }
        }
    }

    private static let serviceCodes: [SettingName] = [
        "DNDOnSvcCode", "DNDOffSvcCode", "CFUOnSvcCode", "CFUOffSvcCode", "CFBOnSvcCode", "CFBOffSvcCode", "CFNOnSvcCode",
        "CFNOffSvcCode", "ANCOnSvcCode", "ANCOffSvcCode", "CWOnSvcCode", "CWOffSvcCode",
    ]

    private static func dialling(_ parts: FileParts, _ xml: inout XMLText) {
        xml.element("call") { xml in
            xml.element("basic") { xml in
                xml.element("DialbyPound", [], "1")
                xml.element("DialFixedLength", [], "0")
                xml.element("DialbyTimeout", [], "1")
                xml.element("DialTimeoutvalue", [], "4")
            }
            xml.element("port", [("index", "1")]) { $0.element("AllowIPCall", [], "0") }
        }
    }

    private static func screen(_ parts: FileParts, _ xml: inout XMLText) {
        xml.element("phone") { xml in
            if let password = parts.site.adminPassword { xml.element("MenuPassword", [], password.exposed) }
            xml.element("EmergencyCall", [], parts.site.emergencyNumbers.joined(separator: ","))
            xml.element("EnableKeyLock", [], "0")
            xml.element("display") { xml in
                xml.element("LCDTitle", [], parts.label(parts.screenLabel))
                xml.element("DefaultLanguage", [], parts.language)
            }
            if parts.site.timeServer == nil, parts.site.utcOffset == nil { return }
            xml.element("date") { xml in
                if let server = parts.site.timeServer {
                    xml.element("EnableSNTP", [], "1")
                    xml.element("SNTPServer", [], server)
                }
                // Quarters of an hour.
                if let offset = parts.site.utcOffset { xml.element("TimeZone", [], "\(offset / 15)") }
            }
        }
    }

    private static func house(_ parts: FileParts, _ xml: inout XMLText) {
        xml.element("qos") { xml in
            xml.element("EnablediffServ", [], "1")
            xml.element("SingallingDSCP", [], "\(parts.site.signallingDSCP)")
            xml.element("VoiceDSCP", [], "\(parts.site.mediaDSCP)")
        }
        guard let password = parts.site.adminPassword else { return }
        xml.element("web") { xml in
            xml.element("account", [("index", "1")]) { xml in
                xml.element("Name", [], "admin")
                xml.element("Password", [], password.exposed)
            }
        }
    }

    /// Side keys, then function keys, each page in an element of its own.
    private static func keys(_ parts: FileParts, _ xml: inout XMLText) {
        xml.element("dsskey") { xml in
            for (kind, pages, _) in banks {
                let count = parts.model.keys.banks.first { $0.kind == kind }?.pages
                if let count { xml.element(pages, [], "\(count)") }
            }
            for (kind, _, container) in banks {
                let keys = parts.plan.placed.filter { $0.position.bank == kind }
                for page in Set(keys.map(\.position.page)).sorted() {
                    xml.element(container, [("index", "\(page)")]) { xml in
                        for (position, key) in keys where position.page == page { write(key, position.key, parts, &xml) }
                    }
                }
            }
        }
    }

    private static let banks: [(KeyBank.Kind, SettingName, SettingName)] = [
        (.side, "SideKeyPageNum", "dssSide"), (.function, "FuncKeyPageNum", "internal"),
    ]

    private static func write(_ key: PhoneKey, _ index: Int, _ parts: FileParts, _ xml: inout XMLText) {
        let (type, value, title) = setting(key, parts)
        xml.element("Fkey", [("index", "\(index)")]) { xml in
            xml.element("Type", [], type)
            xml.element("Value", [], value)
            xml.element("Title", [], parts.label(title, stripping: "@/|"))
        }
    }

    private static func setting(_ key: PhoneKey, _ parts: FileParts) -> (type: String, value: String, title: String) {
        switch key {
        case .line: return ("2", "SIP1", "")
        case .service(let label, let code): return ("1", "\(code)@1/f", label)
        case .speedDial(let number, let label): return ("1", "\(number)@1/f", label)
        case .watch(let target, let label): return ("1", "\(target)@1/ba\(parts.site.pickupCode)\(target)", label)
        case .empty: return ("0", "", "")
        }
    }

    private static func delivery(_ url: String, _ fetch: FetchCredentials?, mac: MACAddress, hours: Int, _ xml: inout XMLText) {
        let address = AddressParts(url)
        xml.element("ap") { xml in
            if let fetch {
                xml.element("DefaultUsername", [], fetch.user)
                xml.element("DefaultPassword", [], fetch.password.exposed)
            }
            xml.element("DownloadCommonConf", [], "0")
            xml.element("FlashServerIP", [], address.authority)
            xml.element("FlashFileName", [], address.path(of: Vendor.fanvil.fileName(of: mac)))
            // 4 is HTTP, 5 is HTTPS.
            xml.element("FlashProtocol", [], address.isSecure ? "5" : "4")
            // At boot and at intervals.
            xml.element("FlashMode", [], "2")
            xml.element("FlashInterval", [], "\(hours)")
            xml.element("pnp") { $0.element("PNPEnable", [], "0") }
        }
    }
}
