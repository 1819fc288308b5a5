import EdgeProxy
import EdgeRuntime

/// The state of a site as a person reads it.
struct StatusTable {
    let text: String

    init(_ status: ControlStatus) {
        var lines = [Self.summary(status), ""]
        let header = ["DEVICE", "MODEL", "LOCATION", "STATE", "SINCE", "REGISTERED", "CALLS"]
        lines += Self.aligned([header] + Self.tree(status.devices).map(Self.row))
        if !status.inProgress.isEmpty {
            lines += [""] + Self.aligned([["CALL", "EXTENSION", "WITH", "SINCE", "MOS PHONE", "MOS PBX", "LANE"]] + status.inProgress.map(Self.row))
        }
        lines += ["", "PBX nodes:"]
        lines += Self.aligned(status.nodes.map { ["  \($0.name)", $0.up ? "up" : "DOWN"] })
        if let headends = status.headends {
            lines += ["", "Headends:"]
            lines += Self.aligned(headends.map { headend in
                let trip = (headend.datagramRoundTrip ?? headend.streamRoundTrip).map { "\($0) ms" } ?? "-"
                let lost = headend.datagramLoss.map { "\(Double($0) / 10) % lost" + (headend.isRepeating ? ", each packet twice" : "") }
                return ["  \(headend.name)", headend.state, "\(headend.lane) lane", trip, lost ?? ""]
            })
        }
        lines += Self.redirects(status)
        if !status.degraded.isEmpty {
            lines += ["", "Degraded:"] + status.degraded.map { "  \($0)" }
        }
        text = lines.joined(separator: "\n")
    }

    /// What vendors' redirect services are still to be told, and how many phones they know.
    private static func redirects(_ status: ControlStatus) -> [String] {
        let all = status.devices.compactMap(\.redirect) + (status.leavingRedirects ?? [])
        guard !all.isEmpty else { return [] }
        let open = all.filter { $0.state != "registered" }
        let rows = open.map { ["  \($0.device)", $0.service, $0.state, $0.nextTry.map { "next try \(Console.localTime($0))" } ?? "", $0.problem] }
        return ["", "Redirect services: \(all.count - open.count) of \(all.count) phones registered"] + aligned(rows)
    }

    /// Phones behind a router phone come right after it, and are set in.
    static func tree(_ devices: [ControlStatus.Device]) -> [ControlStatus.Device] {
        let names = Set(devices.map(\.name))
        func isChild(_ device: ControlStatus.Device) -> Bool { device.router.map { $0 != device.name && names.contains($0) } ?? false }
        return devices.filter { !isChild($0) }.flatMap { device -> [ControlStatus.Device] in
            let children = devices.filter { isChild($0) && $0.router == device.name }.map { child in
                var child = child
                child.name = "  \(child.name)"
                return child
            }
            return [device] + children
        }
    }

    private static func summary(_ status: ControlStatus) -> String {
        let sessions = status.devices.count { $0.extension != nil }
        let registered = status.devices.count { $0.registered }
        return "\(status.site): \(status.devices.count) devices, \(registered) registered, \(sessions) logged in, "
            + "\(status.calls) calls, \(status.freeMediaPorts) media ports free\(status.mediaWay.map { " (\($0))" } ?? ""), running since \(Console.localTime(status.started))"
    }

    private static func row(_ device: ControlStatus.Device) -> [String] {
        var registered = device.registered ? (device.address.isEmpty ? "yes" : device.address) : "no"
        if device.registeredAtPBX == false { registered += " (extension not at the PBX)" }
        if let phone = device.phone, phone == "waiting" || phone == "notified" || phone == "overdue" { registered += " (screen \(phone))" }
        var calls = device.calls == 0 ? "-" : "\(device.calls)"
        if let pinned = device.pinnedUntil { calls += " (emergency call-back until \(Console.localTime(pinned)))" }
        return [device.name, device.model, device.location, state(device), device.since.map(Console.localTime) ?? "-", registered, calls]
    }

    private static func row(_ call: ControlStatus.Call) -> [String] {
        let other = (call.direction == CallRecord.Direction.outbound.rawValue ? "to " : "from ") + call.other
        return [
            call.party.isEmpty ? "-" : call.party, call.extension.isEmpty ? "-" : call.extension,
            call.emergency ? "\(other) (emergency)" : other,
            call.answered.map(Console.localTime) ?? "\(Console.localTime(call.began)) (rings)",
            CallList.opinion(call.phone), CallList.opinion(call.pbx), call.lane ?? "",
        ]
    }

    private static func state(_ device: ControlStatus.Device) -> String {
        guard let number = device.extension else { return "idle" }
        return device.person.isEmpty ? number : "\(number) \(device.person)"
    }

    /// Columns two spaces apart, without spaces at the ends of lines.
    static func aligned(_ rows: [[String]]) -> [String] {
        var widths: [Int] = []
        for row in rows {
            for (column, cell) in row.enumerated() {
                if column == widths.count { widths.append(0) }
                widths[column] = max(widths[column], cell.count)
            }
        }
        return rows.map { row in
            var line = ""
            for (cell, width) in zip(row, widths) {
                line += cell + String(repeating: " ", count: width - cell.count + 2)
            }
            while line.last == " " { line.removeLast() }
            return line
        }
    }
}
