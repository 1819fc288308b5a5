import CoreTypes
import EdgeProxy
import HotDeskPolicy
import Provisioning

/// Rows of the 3CX V20 bulk format. A row with `HotDesk` 1 is a shared phone, every other a person; `VMPIN` is what the
/// person logs in with.
struct BulkRowReader: RowReader {
    static let columns = [
        "Number", "FirstName", "LastName", "EmailAddress", "MobileNumber", "OutboundCallerID", "DID", "Role", "Department", "ClickToCallAuth",
        "WMApprove", "WebMeetingFriendlyName", "MAC", "Template", "Model", "Router", "Language", "Ringtone", "QRingtone", "VMEnable",
        "VMLanguage", "VMPlayMsgDateTime", "VMPIN", "VMEmailOptions", "VMNoPin", "VMPlayCallerID", "RecordCalls", "RecordExternal",
        "RecordCanSee", "RecordCanDelete", "RecordStartStop", "RecordNotify", "Disabled", "HideFWrules", "DisableExternalCalls",
        "HideInPhonebook", "CallScreening", "PinProtected", "PinTimeout", "Transcription", "AllowLanOnly", "SIPID", "DeliverAudio",
        "HotDesk", "SRTPMode", "EmailMissedCalls", "MS365SignInDisabled", "MS365CalendarDisabled", "MS365ContactsDisabled",
        "MS365TeamsDisabled", "GoogleSignInDisabled", "GoogleContactsDisabled", "GoogleCalendarDisabled", "BLF",
    ]

    private let context: ImportList.Context
    /// Every hot desk by its MAC: of the site, and of this file.
    private var desks: [MACAddress: DeviceName] = [:]

    init(_ context: ImportList.Context, _ rows: ArraySlice<CSV.Row>, _ columns: [String]) {
        self.context = context
        for device in context.site.configuration.devices { desks[device.mac] = device.name }
        for row in rows where row.fields.count == columns.count {
            let values = Dictionary(zip(columns, row.fields.map(ValueText.trimmed)), uniquingKeysWith: { first, _ in first })
            guard values["HotDesk"] == "1", let mac = MACAddress(values["MAC"] ?? ""), let name = Self.deviceName(values["Number"] ?? "") else { continue }
            desks[mac] = desks[mac] ?? name
        }
    }

    func row(_ values: [String: String], line: Int) -> ImportList.Row {
        func value(_ key: String) -> String { values[key] ?? "" }
        let name = ValueText.trimmed("\(value("FirstName")) \(value("LastName"))")
        var row = ImportList.Row(line: line, number: value("Number"), name: name, outcome: .bad(""))
        for flag in ["Disabled", "HotDesk", "PinProtected"] where !["", "0", "1"].contains(value(flag)) {
            row.outcome = .bad("\(flag) is \"\(value(flag))\", but must be 0 or 1")
            return row
        }
        if value("Disabled") == "1" {
            row.outcome = .kept("is disabled at the PBX")
        } else if value("HotDesk") == "1" {
            device(values, &row)
        } else {
            person(values, &row)
        }
        return row
    }

    /// `HD0001` as it is; a number gets HD and zeros in front: 201 is HD0201.
    private static func deviceName(_ number: String) -> DeviceName? {
        if let name = DeviceName(number) { return name }
        guard ExtensionNumber(number) != nil, number.utf8.count <= 8 else { return nil }
        return DeviceName("HD" + String(repeating: "0", count: max(0, 4 - number.utf8.count)) + number)
    }

    // MARK: Shared phones

    private func device(_ values: [String: String], _ row: inout ImportList.Row) {
        func value(_ key: String) -> String { values[key] ?? "" }
        guard let name = Self.deviceName(value("Number")) else {
            row.outcome = .bad("\"\(value("Number"))\" names no hot desk: HD and 1 to 8 letters or digits, or a number")
            return
        }
        guard let mac = MACAddress(value("MAC")) else {
            row.outcome = .bad("\"\(value("MAC"))\" is no MAC address")
            return
        }
        if context.site.configuration.devices.contains(where: { $0.name == name || $0.mac == mac }) {
            row.outcome = .kept("\(name) or its MAC is there already")
            return
        }
        guard let model = model(value("Model")) else {
            row.outcome = .bad("\"\(value("Model"))\" is no model known here; \"edgeproxy models\" lists them")
            return
        }
        guard model.canHotDesk else {
            row.outcome = .bad("a \(model.title) cannot be a hot desk")
            return
        }
        var device = Enrolment.NewDevice(name: name, mac: mac, model: model.name, address: context.addresses[name], location: row.name.isEmpty ? nil : row.name)
        switch router(value("Router"), mac) {
        case .none: break
        case .some(.failure(let problem)):
            row.outcome = .bad(problem.what)
            return
        case .some(.success(let router)):
            device.connection = "router"
            device.router = router == name ? nil : router
            if router == name, !model.canBeRouter {
                row.outcome = .bad("a \(model.title) cannot be a router phone")
                return
            }
        }
        if name.text != value("Number") { row.notes.append("enrolled as \(name)") }
        row.outcome = .device(device)
    }

    private struct Unknown: Error { var what: String }

    /// Nil: through the edge itself, which is what an empty column and the name of an SBC come to.
    private func router(_ text: String, _ own: MACAddress) -> Result<DeviceName, Unknown>? {
        if text.lowercased() == "stun" {
            return .failure(Unknown(what: "STUN is refused: such a phone reaches the PBX past the edge, which could neither keep it idle nor carry its emergency calls"))
        }
        guard text.utf8.count == 12, let mac = MACAddress(text) else { return nil }
        if let name = desks[mac] { return .success(name) }
        return .failure(Unknown(what: mac == own ? "is its own router phone, but no hot desk" : "its router phone \(mac) is no hot desk of this site or file"))
    }

    private func model(_ text: String) -> PhoneModel? {
        let wanted = text.lowercased()
        return context.site.provisioning.catalogue.models.first { $0.title.lowercased() == wanted || $0.name == wanted }
    }

    // MARK: People

    private func person(_ values: [String: String], _ row: inout ImportList.Row) {
        func value(_ key: String) -> String { values[key] ?? "" }
        guard let number = ExtensionNumber(value("Number")) else {
            row.outcome = .bad("\"\(value("Number"))\" is no extension: 1 to 16 digits")
            return
        }
        if context.isKnown(number) {
            row.outcome = .kept("\(number) is there already")
            return
        }
        guard !row.name.isEmpty, ValueText.isLabel(row.name) else {
            row.outcome = .bad("has no name a screen can show")
            return
        }
        let list: KeyListXML
        do {
            list = try KeyListXML(value("BLF"))
        } catch {
            row.outcome = .bad("BLF \(error.what)")
            return
        }
        let (hash, problem) = context.pinHash(value("VMPIN"), number)
        if let problem {
            row.outcome = .bad("VMPIN: \(problem)")
            return
        }
        // Seconds, as at the PBX.
        let timeout = value("PinProtected") == "1" ? Int(value("PinTimeout").isEmpty ? "300" : value("PinTimeout")) ?? -1 : nil
        if let timeout, !(0...86400).contains(timeout) {
            row.outcome = .bad("PinTimeout \"\(value("PinTimeout"))\" is no number of seconds up to a day")
            return
        }
        let person = Enrolment.NewExtension(
            number: number, name: row.name, pinHash: hash, hasSecret: context.hasSecretFile(number.text), blf: list.keys, pinTimeout: timeout)
        row.outcome = .person(person)
        row.notes = person.missing + list.notes
        if !value("MAC").isEmpty { row.notes.append("the person's own phone is not enrolled: it is no hot desk") }
    }
}
