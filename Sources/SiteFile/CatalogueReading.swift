import Provisioning

/// Reads the catalogue of phone models: every `.toml` file of one folder.
struct CatalogueReader {
    let problems: Problems
    let content: (String) -> SitePathContent

    /// Models and vendors of all files, in the order of the files' names; what is wrong is reported and left out.
    func read(folder: String, files: [String]) -> Catalogue {
        var tables: [CatalogueTables] = []
        for name in files.sorted() where name.hasSuffix(".toml") && !name.hasPrefix(".") {
            let path = SitePaths.resolve(name, from: folder)
            guard case .file(let bytes, _) = content(path), let text = String(validating: bytes, as: UTF8.self) else {
                problems.error(KeyPath(steps: [.row(file: path, line: 1)]), "cannot be read as UTF-8 text", "mend or remove the file")
                continue
            }
            if let table = read(path, text) { tables.append(table) }
        }
        return catalogue(of: tables)
    }

    private func read(_ path: String, _ text: String) -> CatalogueTables? {
        problems.note(document: path, text: text)
        do {
            let document = try TOMLDocument.parse(text)
            return CatalogueTables(TableReader(document, path: KeyPath(steps: [.document(file: path)]), problems: problems))
        } catch {
            problems.error(KeyPath(steps: [.row(file: path, line: error.line)]), error.what, "mend the TOML here; the rest was not read")
            return nil
        }
    }

    private func catalogue(of tables: [CatalogueTables]) -> Catalogue {
        var vendors: [VendorTable] = []
        for section in tables.compactMap(\.vendor) {
            guard let vendor = vendor(section.name, in: section.path), let table = table(section, of: vendor) else { continue }
            if vendors.contains(where: { $0.vendor == vendor }) {
                problems.error(section.path, "\(vendor.rawValue) is described twice", "keep [vendor] in one file only")
            } else {
                vendors.append(table)
            }
        }
        var models: [PhoneModel] = []
        var names: Set<String> = [PhoneModel.generic.name]
        for table in tables {
            for section in table.models {
                guard let model = model(section, vendorOfFile: table.vendor?.name) else { continue }
                if names.insert(model.name).inserted {
                    models.append(model)
                } else {
                    problems.error(section.path.key("name"), "there are two models \(model.name)", "rename or remove one of the two")
                }
                if let vendor = model.vendor, !vendors.contains(where: { $0.vendor == vendor }) {
                    problems.error(section.path, "no file describes the vendor \(vendor.rawValue)", "add a [vendor] table with its files and User-Agents")
                }
            }
        }
        return Catalogue(models: models, vendors: vendors)
    }

    private func vendor(_ name: Placed<String>?, in path: KeyPath) -> Vendor? {
        let known = Vendor.allCases.map(\.rawValue)
        guard let name else {
            problems.error(path.key("vendor"), "is missing", "write one of \(known.joined(separator: ", "))")
            return nil
        }
        if let vendor = Vendor(rawValue: name.value) { return vendor }
        problems.error(
            name.path, "\"\(name.value)\" is no vendor whose format is known here",
            Spelling.nearest(to: name.value, among: known).map { "did you mean \"\($0)\"?" } ?? "known: \(known.joined(separator: ", "))")
        return nil
    }

    private func table(_ section: VendorSection, of vendor: Vendor) -> VendorTable? {
        let agents = patterns(section.userAgents)
        var files: [FileKind: [TextPattern]] = [:]
        for (kind, list) in section.files { files[kind] = patterns(list) }
        if files[.device, default: []].isEmpty {
            problems.error(section.path.key("files"), "names no file of kind \"device\"", "write device = [\"{mac}.cfg\"]")
        }
        let ouis = (section.ouis?.value ?? []).compactMap { oui -> String? in
            let text = oui.value.lowercased()
            if text.utf8.count == 6, UInt32(text, radix: 16) != nil { return text }
            problems.error(oui.path, "\"\(oui.value)\" is no beginning of a MAC address", "write six hexadecimal digits, as in \"805ec0\"")
            return nil
        }
        return VendorTable(vendor: vendor, ouis: ouis, userAgents: agents, files: files)
    }

    private func patterns(_ list: Placed<[Placed<String>]>?) -> [TextPattern] {
        (list?.value ?? []).compactMap { text in
            if let pattern = TextPattern(text.value) { return pattern }
            problems.error(
                text.path, "\"\(text.value)\" is no pattern", "use letters and the places {mac}, {MAC}, {model}, {version} and {any}, as in \"{mac}.cfg\"")
            return nil
        }
    }
}

// MARK: One model

extension CatalogueReader {
    /// More than any phone has, and few enough for a file of every key.
    private static let maximumKeys = 1000

    private func model(_ section: ModelSection, vendorOfFile: Placed<String>?) -> PhoneModel? {
        let before = problems.errorCount
        let vendor = vendor(section.vendor ?? vendorOfFile, in: section.path)
        let name = name(of: section)
        let layout = KeyLayout(banks: banks(of: section), module: module(of: section))
        if layout.phoneKeys > Self.maximumKeys {
            problems.error(section.path, "\(layout.phoneKeys) keys are more than any phone has", "at most \(Self.maximumKeys)")
        }
        let quirks = (section.quirks?.value ?? []).compactMap { choice($0, "quirk", of: Quirk.self) }
        let tier = section.tier.flatMap { choice($0, "tier", of: SupportTier.self) }
        let accounts = number(section.accounts, 1...100) ?? 1
        let carries = number(section.router, 1...100)
        guard problems.errorCount == before, let vendor, let name else { return nil }
        return PhoneModel(
            name: "\(vendor.rawValue)-\(name)", vendor: vendor, title: section.title?.value ?? "\(vendor.title) \(name.uppercased())",
            tier: tier ?? .basic, keys: layout, accounts: accounts, canHotDesk: section.hotDesk?.value ?? true, carries: carries,
            agents: (section.agents?.value ?? []).map(\.value), quirks: Set(quirks))
    }

    private func name(of section: ModelSection) -> String? {
        guard let name = section.name else {
            if !problems.hasError(at: section.path.key("name")) {
                problems.error(section.path.key("name"), "is missing", "write name = \"t54w\"")
            }
            return nil
        }
        let isGood = (1...32).contains(name.value.utf8.count)
            && name.value.utf8.allSatisfy { ASCII.isDigit($0) || (0x61...0x7A).contains($0) || $0 == UInt8(ascii: "-") }
        if isGood { return name.value }
        problems.error(name.path, "\"\(name.value)\" cannot name a model", "use small letters, digits and -, without the vendor: \"t54w\"")
        return nil
    }

    private func banks(of section: ModelSection) -> [KeyBank] {
        if let keys = section.keys {
            if section.banks != nil { problems.error(keys.path, "stands beside banks", "keep one of the two") }
            return number(keys, 0...Self.maximumKeys).map { $0 == 0 ? [] : [KeyBank(kind: .line, keys: $0)] } ?? []
        }
        guard let banks = section.banks else {
            problems.error(section.path.key("keys"), "is missing", "write keys = 12, or banks for keys of several kinds")
            return []
        }
        return banks.compactMap { bank in
            guard let kind = bank.kind.flatMap({ choice($0, "kind of keys", of: KeyBank.Kind.self) }), let keys = number(bank.keys, 1...Self.maximumKeys) else {
                problems.error(bank.path, "needs a kind and a number of keys", "write { kind = \"side\", pages = 1, keys = 3 }")
                return nil
            }
            if kind == .module {
                problems.error(bank.path, "a module is no bank of the phone", "write module = { name = …, keys = …, maximum = … }")
                return nil
            }
            return KeyBank(kind: kind, pages: number(bank.pages, 1...20) ?? 1, keys: keys)
        }
    }

    private func module(of section: ModelSection) -> ExpansionModule? {
        guard let module = section.module else { return nil }
        guard let keys = number(module.keys, 1...200), let maximum = number(module.maximum, 1...10) else {
            problems.error(module.path, "needs a number of keys and how many fit", "write { name = \"EXP50\", keys = 60, maximum = 3 }")
            return nil
        }
        return ExpansionModule(name: module.name?.value ?? "module", keys: keys, maximum: maximum)
    }

    private func number(_ number: Placed<Int>?, _ bounds: ClosedRange<Int>) -> Int? {
        guard let number else { return nil }
        if bounds.contains(number.value) { return number.value }
        problems.error(number.path, "\(number.value) is out of range", "choose between \(bounds.lowerBound) and \(bounds.upperBound)")
        return nil
    }

    private func choice<Value: RawRepresentable & CaseIterable>(_ text: Placed<String>, _ name: String, of type: Value.Type) -> Value?
    where Value.RawValue == String {
        if let value = Value(rawValue: text.value) { return value }
        let known = Value.allCases.map(\.rawValue)
        problems.error(
            text.path, "\"\(text.value)\" is no \(name)",
            Spelling.nearest(to: text.value, among: known).map { "did you mean \"\($0)\"?" } ?? "known: \(known.joined(separator: ", "))")
        return nil
    }
}

// MARK: The shape of a file

private struct CatalogueTables {
    var vendor: VendorSection?
    var models: [ModelSection]

    init(_ reader: TableReader) {
        vendor = reader.table("vendor").map(VendorSection.init)
        models = reader.tables("model").map(ModelSection.init)
        reader.finish()
    }
}

private struct VendorSection {
    var path: KeyPath
    var name: Placed<String>?
    var ouis, userAgents: Placed<[Placed<String>]>?
    var files: [FileKind: Placed<[Placed<String>]>] = [:]

    init(_ reader: TableReader) {
        path = reader.path
        name = reader.string("name")
        ouis = reader.strings("ouis")
        userAgents = reader.strings("user_agents")
        if let table = reader.table("files") {
            for kind in FileKind.allCases { files[kind] = table.strings(kind.rawValue) }
            table.finish()
        }
        reader.finish()
    }
}

private struct ModelSection {
    struct Bank {
        var path: KeyPath
        var kind: Placed<String>?
        var pages, keys: Placed<Int>?

        init(_ reader: TableReader) {
            path = reader.path
            kind = reader.string("kind")
            pages = reader.integer("pages")
            keys = reader.integer("keys")
            reader.finish()
        }
    }

    struct Module {
        var path: KeyPath
        var name: Placed<String>?
        var keys, maximum: Placed<Int>?

        init(_ reader: TableReader) {
            path = reader.path
            name = reader.string("name")
            keys = reader.integer("keys")
            maximum = reader.integer("maximum")
            reader.finish()
        }
    }

    var path: KeyPath
    var vendor, name, title, tier: Placed<String>?
    var agents, quirks: Placed<[Placed<String>]>?
    var keys, accounts, router: Placed<Int>?
    var banks: [Bank]?
    var module: Module?
    var hotDesk: Placed<Bool>?

    init(_ reader: TableReader) {
        path = reader.path
        vendor = reader.string("vendor")
        name = reader.string("name")
        title = reader.string("title")
        tier = reader.string("tier")
        agents = reader.strings("agents")
        quirks = reader.strings("quirks")
        keys = reader.integer("keys")
        accounts = reader.integer("accounts")
        router = reader.integer("router")
        let listed = reader.tables("banks").map(Bank.init)
        banks = reader.has("banks") ? listed : nil
        module = reader.table("module").map(Module.init)
        hotDesk = reader.boolean("hot_desk")
        reader.finish()
    }
}
