public import HotDeskPolicy

/// What the vendor's phones send when they fetch, and which files they ask for.
public struct VendorTable: Sendable, Equatable {
    public var vendor: Vendor
    /// First six hexadecimal digits of MAC addresses, in lower case: a hint only, vendors keep getting more.
    public var ouis: [String]
    public var userAgents: [TextPattern]
    public var files: [FileKind: [TextPattern]]

    public init(vendor: Vendor, ouis: [String], userAgents: [TextPattern], files: [FileKind: [TextPattern]]) {
        self.vendor = vendor
        self.ouis = ouis
        self.userAgents = userAgents
        self.files = files
    }

    /// The kind of a file of this name, by the first pattern that matches.
    func kind(of name: String) -> (kind: FileKind, match: TextPattern.Match)? {
        for kind in FileKind.allCases {
            for pattern in files[kind] ?? [] {
                if let match = pattern.match(name) { return (kind, match) }
            }
        }
        return nil
    }
}

/// What a phone asks for, in the order in which patterns are tried.
public enum FileKind: String, Sendable, Hashable, CaseIterable {
    /// Names the device's file: Yealink `.boot`, Poly's master.
    case index
    /// The device's own file.
    case device
    /// Asked for as a matter of form: firmware, phone books, licences, what the user changed. There is none, which is normal.
    case optional
    /// For all phones of a model or vendor. An armed phone that gives its MAC otherwise gets its bootstrap here.
    case common
    /// What the phone puts: its logs.
    case log
}

/// Every phone model that is known, and how its vendor's phones make themselves known.
public struct Catalogue: Sendable, Equatable {
    public private(set) var models: [PhoneModel]
    public private(set) var vendors: [Vendor: VendorTable]
    private var byName: [String: Int]
    private var byAgent: [Vendor: [String: Int]] = [:]

    /// Of two models with one name the first stays; `generic-sip` is always there.
    public init(models: [PhoneModel] = [], vendors: [VendorTable] = []) {
        self.models = []
        self.vendors = Dictionary(vendors.map { ($0.vendor, $0) }, uniquingKeysWith: { first, _ in first })
        byName = [:]
        for model in [PhoneModel.generic] + models where byName[model.name] == nil {
            byName[model.name] = self.models.count
            if let vendor = model.vendor {
                for agent in model.agents where byAgent[vendor]?[agent.lowercased()] == nil {
                    byAgent[vendor, default: [:]][agent.lowercased()] = self.models.count
                }
            }
            self.models.append(model)
        }
    }

    public func model(named name: String) -> PhoneModel? { byName[name].map { models[$0] } }

    /// The model that calls itself so in a User-Agent; letters in any case.
    public func model(of vendor: Vendor, agent: String) -> PhoneModel? { byAgent[vendor]?[agent.lowercased()].map { models[$0] } }
}
