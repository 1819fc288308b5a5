/// What an admin puts into the DHCP server of the phones' network, so that a phone out of its box finds the edge.
public struct DHCPOptions: Sendable, Equatable {
    public enum Server: String, Sendable, CaseIterable {
        case dnsmasq, isc, kea, windows, mikrotik

        public var title: String {
            switch self {
            case .dnsmasq: return "dnsmasq"
            case .isc: return "ISC dhcpd"
            case .kea: return "Kea DHCPv4"
            case .windows: return "Windows Server (PowerShell)"
            case .mikrotik: return "MikroTik RouterOS"
            }
        }
    }

    /// What one vendor's phones are sent.
    struct Group: Sendable, Equatable {
        var vendor: Vendor
        /// What option 60 of its phones begins with; nil: there is none to rely on.
        var vendorClass: String?
        var ouis: [String]
        /// In order: which options, and what they say.
        var options: [(code: Int, value: String)]

        static func == (left: Group, right: Group) -> Bool {
            left.vendor == right.vendor && left.vendorClass == right.vendorClass && left.ouis == right.ouis
                && left.options.map(\.code) == right.options.map(\.code) && left.options.map(\.value) == right.options.map(\.value)
        }
    }

    let groups: [Group]
    /// Base of the edge's bootstrap address, ends with "/".
    let url: String

    /// - Parameter url: the edge's own address for phones, without any token.
    public init(url: String, catalogue: Catalogue) {
        self.url = url
        groups = Vendor.allCases.map { vendor in
            Group(
                vendor: vendor, vendorClass: Self.vendorClass(vendor), ouis: catalogue.vendors[vendor]?.ouis ?? [],
                options: Self.options(vendor, url))
        }
    }

    private static func vendorClass(_ vendor: Vendor) -> String? {
        switch vendor {
        case .yealink: return "yealink"
        case .snom: return "snom"
        case .fanvil, .grandstream, .poly, .cisco: return nil
        }
    }

    private static func options(_ vendor: Vendor, _ url: String) -> [(code: Int, value: String)] {
        let first = vendor.firstAddress(url)
        switch vendor {
        case .yealink, .fanvil, .snom, .cisco: return [(66, first)]
        // A host and a path; how is said by the phone's own setting, HTTPS unless changed.
        case .grandstream: return [(66, first)]
        case .poly: return [(160, first), (66, first)]
        }
    }

    public func text(for server: Server) -> String {
        switch server {
        case .dnsmasq: return dnsmasq()
        case .isc: return isc()
        case .kea: return kea()
        case .windows: return windows()
        case .mikrotik: return mikrotik()
        }
    }

    private func pairs(_ oui: String, _ separator: String) -> String {
        let digits = Array(oui)
        return stride(from: 0, to: digits.count - 1, by: 2).map { String(digits[$0...($0 + 1)]) }.joined(separator: separator)
    }

    private func dnsmasq() -> String {
        var lines = ["# dnsmasq: phones of known vendors find the edge at \(url)"]
        for group in groups {
            let tag = group.vendor.rawValue
            lines.append("# \(group.vendor.title)")
            if let name = group.vendorClass { lines.append("dhcp-vendorclass=set:\(tag),\(name)") }
            lines += group.ouis.map { "dhcp-mac=set:\(tag),\(pairs($0, ":")):*:*:*" }
            lines += group.options.map { "dhcp-option=tag:\(tag),\($0.code),\"\($0.value)\"" }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func isc() -> String {
        var lines = ["# ISC dhcpd: into dhcpd.conf", "option edge-160 code 160 = text;"]
        for group in groups {
            var tests = group.ouis.map { "substring(hardware, 1, 3) = \(pairs($0, ":"))" }
            if let name = group.vendorClass { tests.append("substring(option vendor-class-identifier, 0, \(name.utf8.count)) = \"\(name)\"") }
            guard !tests.isEmpty else { continue }
            lines.append("class \"edge-\(group.vendor.rawValue)\" {")
            lines.append("    match if \(tests.joined(separator: "\n        or "));")
            lines += group.options.map { "    option \($0.code == 66 ? "tftp-server-name" : "edge-\($0.code)") \"\($0.value)\";" }
            lines.append("}")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func kea() -> String {
        var classes: [String] = []
        for group in groups {
            var tests = group.ouis.map { "substring(pkt4.mac, 0, 3) == 0x\($0)" }
            if let name = group.vendorClass { tests.append("substring(option[60].text, 0, \(name.utf8.count)) == '\(name)'") }
            guard !tests.isEmpty else { continue }
            let data = group.options.map { option in
                let name = option.code == 66 ? "tftp-server-name" : "edge-\(option.code)"
                return "        { \"name\": \"\(name)\", \"data\": \"\(option.value)\" }"
            }
            classes.append(
                "    {\n      \"name\": \"edge-\(group.vendor.rawValue)\",\n      \"test\": \"\(tests.joined(separator: " or "))\",\n"
                    + "      \"option-data\": [\n\(data.joined(separator: ",\n"))\n      ]\n    }")
        }
        return "// Kea: into \"Dhcp4\"\n\"option-def\": [\n    { \"name\": \"edge-160\", \"code\": 160, \"type\": \"string\", \"space\": \"dhcp4\" }\n],\n"
            + "\"client-classes\": [\n\(classes.joined(separator: ",\n"))\n]\n"
    }

    private func windows() -> String {
        var lines = [
            "# Windows Server: PowerShell, once; set $scope to the phones' network", "$scope = \"192.0.2.0\"",
            "Add-DhcpServerv4OptionDefinition -OptionId 160 -Name \"Poly provisioning\" -Type String",
        ]
        for group in groups where !group.ouis.isEmpty {
            let name = "edge-\(group.vendor.rawValue)"
            let addresses = group.ouis.map { "\"\($0.uppercased())*\"" }.joined(separator: ",")
            lines.append("Add-DhcpServerv4Policy -ScopeId $scope -Name \"\(name)\" -Condition OR -MacAddress EQ,\(addresses)")
            // In single quotes: PowerShell would fill in $mac and $MA itself.
            lines += group.options.map { "Set-DhcpServerv4OptionValue -ScopeId $scope -PolicyName \"\(name)\" -OptionId \($0.code) -Value '\($0.value)'" }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func mikrotik() -> String {
        var lines = ["# RouterOS 7: a set of options for each vendor, given by vendor class where the vendor has one, else by lease"]
        for group in groups {
            let name = "edge-\(group.vendor.rawValue)"
            let values = group.options.map { option -> String in
                // A dollar sign begins a variable of RouterOS.
                var escaped = ""
                for character in option.value { escaped += character == "$" ? "\\$" : String(character) }
                return "/ip dhcp-server option add name=\(name)-\(option.code) code=\(option.code) value=\"'\(escaped)'\""
            }
            lines += values
            lines.append("/ip dhcp-server option sets add name=\(name) options=\(group.options.map { "\(name)-\($0.code)" }.joined(separator: ","))")
            if let vendorClass = group.vendorClass {
                lines.append("/ip dhcp-server matcher add name=\(name) server=dhcp1 code=60 matching-type=substring value=\"\(vendorClass)\" option-set=\(name)")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }
}

extension Vendor {
    /// What a phone out of its box is told, by DHCP, by its vendor's redirect service or by hand: a folder, or the whole
    /// path of its file, into which it fills its MAC.
    ///
    /// - Parameter url: the edge's own address for phones, ends with "/".
    public func firstAddress(_ url: String) -> String {
        switch self {
        case .yealink, .grandstream, .poly: return url
        case .fanvil: return url + "$mac.cfg"
        case .snom: return url + "{mac}.xml"
        case .cisco: return url + "$MA.xml"
        }
    }
}
