import CoreTypes
import CryptoPrimitives
import EdgeProxy
import HotDeskPolicy
import Provisioning

/// `[[device]]`: the hot-desk phones.
extension SiteChecker {
    func devices(_ catalogue: Catalogue, found: Bool) -> [Device] {
        var names: [DeviceName: KeyPath] = [:]
        var addresses: [MACAddress: DeviceName] = [:]
        if shape.devices.isEmpty, !problems.hasError(at: KeyPath.root.key("device")) {
            problems.warning(.root, "there is no hot desk: no [[device]] is listed", "add one per shared phone")
        }
        let devices = shape.devices.compactMap { section -> Device? in
            let secret = secret(section.secret, example: "secrets/HD0001")
            let model = model(of: section, catalogue, found: found)
            let connection = connection(of: section)
            let mac = mac(of: section)
            let identity = emergencyIdentity(of: section)
            guard let name = name(of: section) else { return nil }
            let router = router(of: section, name: name, connection: connection, model: model, catalogue)
            let modules = modules(of: section, model: model)
            if names.updateValue(section.path, forKey: name) != nil {
                problems.error(section.path.key("name"), "there are two devices \(name.text)", "rename one of the two")
            }
            if let mac, let other = addresses.updateValue(name, forKey: mac) {
                problems.error(
                    section.path.key("mac"), "\(mac.text) is already the MAC of \(other.text)",
                    "each phone has its own: read it off the label")
            }
            guard let mac, let model, let connection, let secret else { return nil }
            return Device(
                name: name, mac: mac, model: model.name, location: section.location?.value ?? shape.site.location?.value ?? "",
                connection: connection, secret: secret, emergencyIdentity: identity, router: router,
                address: fixedAddress(of: section), modules: modules)
        }
        checkRouters(devices, places: names, catalogue)
        return devices
    }

    private func name(of section: DeviceSection) -> DeviceName? {
        guard let text = required(section.name, "name", in: section.path, "write name = \"HD0001\"") else { return nil }
        if let name = DeviceName(text.value) { return name }
        problems.error(text.path, "\"\(text.value)\" is no device name", "write HD and 1 to 8 letters or digits, as in \"HD0001\"")
        return nil
    }

    private func mac(of section: DeviceSection) -> MACAddress? {
        guard let text = required(section.mac, "mac", in: section.path, "write the MAC from the phone's label, as in \"80:5e:c0:aa:bb:01\"")
        else { return nil }
        if let mac = MACAddress(text.value) { return mac }
        problems.error(text.path, "\"\(text.value)\" is no MAC address", "write six pairs of hexadecimal digits, as in \"80:5e:c0:aa:bb:01\"")
        return nil
    }

    private func model(of section: DeviceSection, _ catalogue: Catalogue, found: Bool) -> PhoneModel? {
        guard let text = required(section.model, "model", in: section.path, "write model = \"yealink-t54w\", or \"generic-sip\"") else { return nil }
        guard let model = catalogue.model(named: text.value) else {
            let near = Spelling.nearest(to: text.value, among: catalogue.models.map(\.name)).map { "did you mean \"\($0)\"?" }
            let remedy = found
                ? "write vendor-model as in \"yealink-t54w\", or \"generic-sip\" for any SIP phone; \"edgeproxy models\" lists them"
                : "there is no catalogue of models here: name its folder with catalogue in [provisioning]"
            problems.error(text.path, "\"\(text.value)\" is no model known here", near ?? remedy)
            return nil
        }
        if !model.canHotDesk {
            problems.error(
                text.path, "a \(model.name) cannot be a hot desk: it belongs to a room or a pocket, not to a desk",
                "use a desk phone, or leave it out of this file: as a plain phone it needs no entry")
        } else if model.keys.phoneKeys < 2, model.vendor != .poly {
            problems.warning(
                text.path, "a \(model.name) has no key for logout beside its line",
                "tell its users to dial the logout code, or use a model with keys")
        }
        return model
    }

    private func connection(of section: DeviceSection) -> DeviceConnection? {
        guard let text = section.connection else { return problems.hasError(at: section.path.key("connection")) ? nil : .sbc }
        if text.value == "stun" {
            problems.error(
                text.path,
                "\"stun\" is refused: such a phone reaches the PBX past the edge, which could neither keep it idle nor carry its emergency calls",
                "bring it to the edge through \"sbc\", \"router\" or \"lan\"")
            return nil
        }
        if let connection = DeviceConnection(rawValue: text.value) { return connection }
        problems.error(text.path, "\"\(text.value)\" is no way to connect", "write \"sbc\", \"router\" or \"lan\"")
        return nil
    }

    private func modules(of section: DeviceSection, model: PhoneModel?) -> Int {
        guard let modules = section.modules, let model else { return 0 }
        let most = model.keys.module?.maximum ?? 0
        if (0...most).contains(modules.value) { return modules.value }
        problems.error(
            modules.path, "a \(model.name) takes \(most == 0 ? "no expansion modules" : "at most \(most)"), not \(modules.value)",
            most == 0 ? "take the key out" : "count the modules at the phone")
        return 0
    }

    private func emergencyIdentity(of section: DeviceSection) -> String? {
        guard let text = section.emergencyIdentity, isUser(text) else { return nil }
        return text.value
    }
}

/// `[[extension]]`: the people.
extension SiteChecker {
    func extensions(_ sections: [ExtensionSection]) -> [Extension] {
        var numbers: Set<ExtensionNumber> = []
        return sections.compactMap { section in
            let mayHotDesk = section.hotDesk?.value ?? false
            let credentials = credentials(of: section, required: mayHotDesk)
            let hash = pinHash(of: section, required: mayHotDesk)
            let keys = keys(of: section)
            let name = required(section.name, "name", in: section.path, "write name = \"Alice Smith\"")
            if let name, !ValueText.isLabel(name.value) {
                problems.error(name.path, "the name has control characters or is longer than 128 bytes", "write it as a screen should show it")
            }
            guard let number = number(of: section) else { return nil }
            if !numbers.insert(number).inserted {
                problems.error(section.path.key("number"), "there are two extensions \(number.text)", "take one of the two out")
            }
            return Extension(
                number: number, name: name?.value ?? "", pinHash: hash ?? "", authUser: credentials?.user ?? number.text,
                secret: credentials?.secret ?? Personal(""), mayHotDesk: mayHotDesk, language: section.language?.value, blf: keys,
                pinTimeout: pinTimeout(of: section, mayHotDesk: mayHotDesk))
        }
    }

    private func number(of section: ExtensionSection) -> ExtensionNumber? {
        guard let text = required(section.number, "number", in: section.path, "write number = \"100\"") else { return nil }
        if let number = ExtensionNumber(text.value) { return number }
        problems.error(text.path, "\"\(text.value)\" is no extension", "write 1 to 16 digits")
        return nil
    }

    private func credentials(of section: ExtensionSection, required isRequired: Bool) -> (user: String, secret: Personal<String>)? {
        guard let auth = section.auth else {
            let path = section.path.key("auth")
            if isRequired, !problems.hasError(at: path) {
                problems.error(
                    path, "is missing: the edge could not register this extension at the PBX",
                    "write auth = { user = \"100\", secret_file = \"secrets/100\" }")
            }
            return nil
        }
        let secret = secret(auth.secret, example: "secrets/\(section.number?.value ?? "100")")
        let user = auth.authUser ?? auth.user ?? section.number
        guard let user, isUser(user), let secret else { return nil }
        return (user.value, secret)
    }

    private func pinHash(of section: ExtensionSection, required isRequired: Bool) -> String? {
        let command = "edgeproxy hash-pin\(section.number.map { " --extension \($0.value)" } ?? "")"
        guard let pin = section.pin, !pin.value.isEmpty else {
            let path = section.path.key("pin")
            if isRequired, !problems.hasError(at: path) {
                problems.error(path, "is missing: nobody could log in as this extension", "run \"\(command)\" and write pin = \"scrypt:…\"")
            }
            return nil
        }
        if PINHash(parsing: pin.value) != nil { return pin.value }
        if pin.value.hasPrefix("scrypt:") {
            problems.error(pin.path, "this scrypt text is damaged", "run \"\(command)\" again and copy its whole line")
        } else {
            problems.error(pin.path, "a PIN must not stand here as it is dialled", "run \"\(command)\" and write what it prints")
        }
        return nil
    }

    /// How long a protected person's PIN is good for calls outside.
    private func pinTimeout(of section: ExtensionSection, mayHotDesk: Bool) -> Duration? {
        let isProtected = section.pinProtected?.value ?? false
        if let timeout = section.pinTimeout, !isProtected {
            problems.warning(timeout.path, "has no effect: the extension is not pin_protected", "write pin_protected = true, or take it out")
        }
        let timeout = duration(section.pinTimeout, within: .zero...(.seconds(86400)), example: "5m", or: .seconds(300))
        guard isProtected else { return nil }
        if let key = section.pinProtected, !mayHotDesk {
            problems.warning(key.path, "has no effect: the extension uses no hot desk", "write hot_desk = true, or take it out")
        }
        return timeout
    }

    /// Key assignments; an empty one is a key left out.
    private func keys(of section: ExtensionSection) -> [String] {
        (section.blf?.value ?? []).map { key in
            if KeyAssignment(key.value) == nil {
                problems.error(
                    key.path, "\"\(key.value)\" cannot be dialled and is no other key",
                    "write a number, \"speed:number:label\", \"park:SP1\", or \"\" for an empty key")
            }
            return key.value
        }
    }
}
