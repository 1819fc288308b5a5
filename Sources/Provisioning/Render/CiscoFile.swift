import CoreTypes
import HotDeskPolicy

/// `<mac>.xml` of Cisco's multiplatform phones: one element per setting, read-only to the user.
struct CiscoFile {
    private let parts: FileParts
    private var xml = XMLText()

    var text: String { xml.text }

    init(_ configuration: PhoneConfiguration) {
        parts = FileParts(configuration)
        let parts = parts
        xml.comment(parts.origin)
        xml.element("flat-profile") { xml in
            Self.delivery(Self.rule(configuration.url, configuration.fetch), minutes: parts.site.pollMinutes, &xml)
            Self.account(parts, &xml)
            Self.codes(parts, &xml)
            Self.house(parts, &xml)
            Self.person(parts, &xml)
            Self.keys(parts, &xml)
        }
    }

    static func bootstrap(_ bootstrap: Bootstrap) -> String {
        var xml = XMLText()
        xml.element("flat-profile") { xml in
            if let authority = bootstrap.authorityURL { set("Custom_CA_Rule", authority, &xml) }
            set("Profile_Rule", rule(bootstrap.url, bootstrap.fetch), &xml)
        }
        return xml.text
    }

    private static func set(_ name: SettingName, _ value: String, _ xml: inout XMLText) { xml.element(name, [("ua", "na")], value) }

    /// The phone fills its MAC in; options stand in brackets before the address.
    private static func rule(_ url: Personal<String>, _ fetch: FetchCredentials?) -> String {
        let options = fetch.map { "[--uid \($0.user) --pwd \($0.password.exposed)]" } ?? ""
        return options + url.exposed + "$MA.xml"
    }

    private static func delivery(_ rule: String, minutes: Int, _ xml: inout XMLText) {
        set("Provision_Enable", "Yes", &xml)
        set("Profile_Rule", rule, &xml)
        set("Resync_On_Reset", "Yes", &xml)
        set("Resync_Periodic", "\(minutes * 60)", &xml)
        set("Resync_From_SIP", "Yes", &xml)
        set("Resync_Error_Retry_Delay", "60", &xml)
        // How long a phone in use may put off a fetch it was asked for.
        set("Forced_Resync_Delay", "60", &xml)
    }

    private static func account(_ parts: FileParts, _ xml: inout XMLText) {
        set("Line_Enable_1_", "Yes", &xml)
        set("Register_1_", "Yes", &xml)
        set("User_ID_1_", parts.user, &xml)
        set("Auth_ID_1_", parts.user, &xml)
        set("Use_Auth_ID_1_", "Yes", &xml)
        set("Password_1_", parts.secret, &xml)
        set("Proxy_1_", parts.site.domain, &xml)
        set("Outbound_Proxy_1_", "\(parts.proxy.host):\(parts.proxy.port)", &xml)
        set("Use_Outbound_Proxy_1_", "Yes", &xml)
        set("Use_OB_Proxy_In_Dialog_1_", "Yes", &xml)
        set("SIP_Transport_1_", parts.proxy.named(udp: "UDP", tcp: "TCP", tls: "TLS"), &xml)
        set("Register_Expires_1_", "\(parts.site.registrationExpires)", &xml)
        set("Subscription_Expires_1_", "1800", &xml)
        set("DTMF_Tx_Method_1_", "AVT", &xml)
        // Else the phone answers 401 to the NOTIFY that asks it to fetch.
        set("Auth_Resync-Reboot_1_", "No", &xml)
        for other in parts.otherAccounts { set("Line_Enable_\(other)_", "No", &xml) }
    }

    /// Every code of the phone's own is blank: one of them is `*77` from the factory.
    private static func codes(_ parts: FileParts, _ xml: inout XMLText) {
        for code in ownCodes { set(code, "", &xml) }
        set("Call_Pickup_Code", parts.site.pickupCode, &xml)
        let numbers = parts.site.emergencyNumbers
        set("Dial_Plan_1_", "(" + (numbers.map { "\($0)S0" } + ["*xx.", "+x.", "x."]).joined(separator: "|") + ")", &xml)
        set("Emergency_Number_1_", numbers.joined(separator: ","), &xml)
    }

    private static let ownCodes: [SettingName] = [
        "Block_ANC_Act_Code", "Block_ANC_Deact_Code", "Block_CID_Act_Code", "Block_CID_Deact_Code", "Block_CID_Per_Call_Act_Code",
        "Block_CID_Per_Call_Deact_Code", "Call_Return_Code", "Blind_Transfer_Code", "Cfwd_All_Act_Code", "Cfwd_All_Deact_Code",
        "Cfwd_Busy_Act_Code", "Cfwd_Busy_Deact_Code", "Cfwd_No_Ans_Act_Code", "Cfwd_No_Ans_Deact_Code", "CW_Act_Code", "CW_Deact_Code",
        "CW_Per_Call_Act_Code", "CW_Per_Call_Deact_Code", "DND_Act_Code", "DND_Deact_Code", "Secure_All_Call_Act_Code",
        "Secure_No_Call_Act_Code", "Secure_One_Call_Act_Code", "Secure_One_Call_Deact_Code", "Paging_Code", "Call_Park_Code",
        "Call_Unpark_Code", "Group_Call_Pickup_Code",
    ]

    private static func house(_ parts: FileParts, _ xml: inout XMLText) {
        set("Enable_Broadsoft_Hoteling_1_", "No", &xml)
        // The TOS byte in hexadecimal, the DSCP in its upper six bits.
        set("SIP_TOS_DiffServ_Value_1_", tos(parts.site.signallingDSCP), &xml)
        set("RTP_TOS_DiffServ_Value_1_", tos(parts.site.mediaDSCP), &xml)
        if let server = parts.site.timeServer { set("Primary_NTP_Server", server, &xml) }
        if let offset = parts.site.utcOffset { set("Time_Zone", zone(offset), &xml) }
        guard let password = parts.site.adminPassword else { return }
        set("Admin_Password", password.exposed, &xml)
    }

    private static func tos(_ dscp: UInt8) -> String {
        let byte = dscp << 2
        return "0x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }

    /// `GMT+01:00`
    private static func zone(_ minutes: Int) -> String {
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "GMT\(minutes < 0 ? "-" : "+")\(two(abs(minutes) / 60)):\(two(abs(minutes) % 60))"
    }

    private static func person(_ parts: FileParts, _ xml: inout XMLText) {
        set("Station_Name", parts.label(parts.displayName), &xml)
        set("Station_Display_Name", parts.label(parts.screenLabel), &xml)
        set("Display_Name_1_", parts.label(parts.displayName), &xml)
        set("Short_Name_1_", parts.label(parts.screenLabel), &xml)
        set("Language_Selection", language(parts.language), &xml)
    }

    private static func language(_ code: String) -> String {
        switch code {
        case "es": return "Spanish"
        case "fr": return "French"
        case "it": return "Italian"
        case "ru": return "Russian"
        default: return "English-US"
        }
    }

    private static func keys(_ parts: FileParts, _ xml: inout XMLText) {
        for (position, key) in parts.plan.placed {
            switch position.bank {
            case .module:
                set("Unit_\(position.page)_Key_\(position.key)_", function(key, parts), &xml)
            case .line, .side, .function, .virtual, .multi:
                set("Extension_\(position.number)_", key == .line ? "1" : "Disabled", &xml)
                if position.number > 1 { set("Short_Name_\(position.number)_", "", &xml) }
                set("Extended_Function_\(position.number)_", function(key, parts), &xml)
            }
        }
    }

    private static func function(_ key: PhoneKey, _ parts: FileParts) -> String {
        switch key {
        case .line, .empty: return ""
        case .service(let label, let code): return speedDial(code, label, parts)
        case .speedDial(let number, let label): return speedDial(number, label, parts)
        case .watch(let target, let label): return "fnc=sd+blf+cp;sub=\(target)@$PROXY;nme=\(name(label, parts))"
        }
    }

    private static func speedDial(_ number: String, _ label: String, _ parts: FileParts) -> String {
        "fnc=sd;ext=\(number)@$PROXY;nme=\(name(label, parts))"
    }

    private static func name(_ label: String, _ parts: FileParts) -> String { parts.label(label, stripping: ";=@$") }
}
