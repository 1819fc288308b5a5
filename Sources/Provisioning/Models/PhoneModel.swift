/// What a phone model is and can do. All of it is data: `conf/phones/*.toml`.
public struct PhoneModel: Sendable, Equatable {
    /// As in a site file: `yealink-t54w`.
    public var name: String
    /// Nil: any SIP phone, of which nothing can be provisioned.
    public var vendor: Vendor?
    /// As on the box, with the vendor: `Yealink T54W`.
    public var title: String
    public var tier: SupportTier
    public var keys: KeyLayout
    /// SIP accounts the phone can hold: at least 1.
    public var accounts: Int
    /// Whether it may be a shared desk: not a conference phone, not a cordless handset.
    public var canHotDesk: Bool
    /// How many phones it may carry as a router phone, its own calls not counted; nil: it cannot be one.
    public var carries: Int?
    /// Model names in the User-Agent, in any case: what stands for `{model}` in the vendor's patterns.
    public var agents: [String]
    public var quirks: Set<Quirk>

    public init(
        name: String, vendor: Vendor?, title: String, tier: SupportTier, keys: KeyLayout, accounts: Int = 1, canHotDesk: Bool = true,
        carries: Int? = nil, agents: [String] = [], quirks: Set<Quirk> = []
    ) {
        self.name = name
        self.vendor = vendor
        self.title = title
        self.tier = tier
        self.keys = keys
        self.accounts = accounts
        self.canHotDesk = canHotDesk
        self.carries = carries
        self.agents = agents
        self.quirks = quirks
    }

    public var canBeRouter: Bool { carries != nil }

    /// Any SIP phone or softphone without a table of its own: nothing of it can be provisioned.
    public static let generic = PhoneModel(
        name: "generic-sip", vendor: nil, title: "any SIP phone", tier: .manual, keys: KeyLayout(banks: [KeyBank(kind: .line, keys: 2)]))
}

/// How far a model is taken care of.
public enum SupportTier: String, Sendable, Hashable, CaseIterable {
    /// Current hardware: enrols itself, turns into the person, files tested against the format's reader.
    case full
    /// The same files, but the model is old or its table comes from one source only.
    case basic
    /// Set up by hand: nothing is provisioned.
    case manual
}

/// What one model does otherwise than the rest of its vendor.
public enum Quirk: String, Sendable, Hashable, CaseIterable {
    /// The screen has no letters beyond ASCII: labels go out without them.
    case asciiLabels = "ascii-labels"
    /// Refetches on `Event: resync` instead of `check-sync`.
    case resyncEvent = "resync-event"
    /// Poly: macros of soft keys begin with a caret.
    case caretMacro = "caret-macro"
}
