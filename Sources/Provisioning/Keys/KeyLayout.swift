/// The programmable keys of a model, in the order in which they are filled: the line key comes first.
public struct KeyLayout: Sendable, Equatable {
    public var banks: [KeyBank]
    /// The expansion module that fits, if one does.
    public var module: ExpansionModule?

    public init(banks: [KeyBank], module: ExpansionModule? = nil) {
        self.banks = banks
        self.module = module
    }

    /// Keys of the phone itself over all pages.
    public var phoneKeys: Int { banks.reduce(0) { $0 + $1.total } }

    /// Every key there is with so many modules, in order.
    public func positions(modules: Int = 0) -> [KeyPosition] {
        var positions: [KeyPosition] = []
        for bank in banks {
            for page in 0..<bank.pages {
                for key in 0..<bank.keys {
                    positions.append(KeyPosition(bank: bank.kind, page: page + 1, key: key + 1, number: page * bank.keys + key + 1))
                }
            }
        }
        guard let module else { return positions }
        for unit in 0..<max(0, min(modules, module.maximum)) {
            for key in 0..<module.keys {
                positions.append(KeyPosition(bank: .module, page: unit + 1, key: key + 1, number: unit * module.keys + key + 1))
            }
        }
        return positions
    }
}

/// Keys of one kind.
public struct KeyBank: Sendable, Equatable {
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// The vendor's ordinary line and BLF keys (Yealink `linekey`, Snom `fkey`, Cisco `Extension_n_`, Poly line keys).
        case line
        /// Fanvil: keys beside the screen.
        case side
        /// Fanvil: function keys, on pages of their own.
        case function
        /// Grandstream: virtual multi-purpose keys, the line among them.
        case virtual
        /// Grandstream: physical multi-purpose keys.
        case multi
        /// On an expansion module: never a bank of the phone itself.
        case module
    }

    public var kind: Kind
    public var pages: Int
    /// Keys of each page.
    public var keys: Int

    public init(kind: Kind, pages: Int = 1, keys: Int) {
        self.kind = kind
        self.pages = pages
        self.keys = keys
    }

    public var total: Int { pages * keys }
}

/// A module with more keys.
public struct ExpansionModule: Sendable, Equatable {
    /// As on the box: `EXP50`.
    public var name: String
    /// Of one module, over all its pages.
    public var keys: Int
    /// How many can be chained.
    public var maximum: Int

    public init(name: String, keys: Int, maximum: Int) {
        self.name = name
        self.keys = keys
        self.maximum = maximum
    }
}

/// Where one key is. All numbers are from 1.
public struct KeyPosition: Sendable, Hashable {
    public var bank: KeyBank.Kind
    /// The page, or the module's number.
    public var page: Int
    /// On that page or module.
    public var key: Int
    /// Counted through the whole bank.
    public var number: Int

    public init(bank: KeyBank.Kind, page: Int, key: Int, number: Int) {
        self.bank = bank
        self.page = page
        self.key = key
        self.number = number
    }
}
