import CoreTypes
import EdgeProxy
public import HotDeskPolicy
import Provisioning

/// A CSV file of people and hot desks, read against a site: the bulk format of 3CX V20, or the small one of
/// `extensions_file`. Every row gets its line in the outcome; with one bad row nothing is imported.
public struct ImportList: Sendable {
    public struct Row: Sendable, Equatable {
        public enum Outcome: Sendable, Equatable {
            case device(Enrolment.NewDevice)
            case person(Enrolment.NewExtension)
            /// Nothing changes: why.
            case kept(String)
            case bad(String)
        }

        /// Of the file, from 1.
        public var line: Int
        public var number: String
        public var name: String
        public var outcome: Outcome
        public var notes: [String] = []
    }

    /// What the reading of a row needs to know of the site and of PINs.
    public struct Context: Sendable {
        var site: Site
        /// Makes the text of a `PINHash`. Slow, so that a dry run gives a constant.
        var hash: @Sendable (String) -> String
        /// Why a PIN is refused; nil: it is good.
        var weakness: @Sendable (String, ExtensionNumber) -> String?
        var hasSecretFile: @Sendable (String) -> Bool
        /// Fixed addresses of router phones, which no column has.
        var addresses: [DeviceName: String]

        public init(
            site: Site, hash: @escaping @Sendable (String) -> String, weakness: @escaping @Sendable (String, ExtensionNumber) -> String?,
            hasSecretFile: @escaping @Sendable (String) -> Bool, addresses: [DeviceName: String] = [:]
        ) {
            self.site = site
            self.hash = hash
            self.weakness = weakness
            self.hasSecretFile = hasSecretFile
            self.addresses = addresses
        }
    }

    public private(set) var rows: [Row]
    /// Why the file as a whole cannot be read; nil: it was.
    public private(set) var problem: String?

    public var bad: [Row] { rows.filter { if case .bad = $0.outcome { true } else { false } } }
    public var devices: [Enrolment.NewDevice] { rows.compactMap { if case .device(let device) = $0.outcome { device } else { nil } } }
    public var people: [Enrolment.NewExtension] { rows.compactMap { if case .person(let person) = $0.outcome { person } else { nil } } }

    public init(_ text: String, context: Context) {
        rows = []
        var lines = CSV.rows(text.hasPrefix("\u{FEFF}") ? String(text.dropFirst()) : text)[...]
        guard let header = lines.popFirst() else {
            problem = "the file is empty"
            return
        }
        let columns = header.fields.map(ValueText.trimmed)
        let reader: any RowReader
        switch Self.format(columns) {
        case .success(let kind): reader = kind == .bulk ? BulkRowReader(context, lines, columns) : SmallRowReader(context)
        case .failure(let mistake):
            problem = mistake.what
            return
        }
        rows = lines.map { line in
            guard line.fields.count == columns.count else {
                let what = "has \(line.fields.count) fields where there are \(columns.count) columns"
                return Row(line: line.line, number: line.fields.first ?? "", name: "", outcome: .bad(what))
            }
            let values = Dictionary(zip(columns, line.fields.map(ValueText.trimmed)), uniquingKeysWith: { first, _ in first })
            return reader.row(values, line: line.line)
        }
        refuseTwins()
    }

    /// Two rows of one number or MAC: the second is bad.
    private mutating func refuseTwins() {
        var numbers: [String: Int] = [:]
        var addresses: [MACAddress: Int] = [:]
        for (index, row) in rows.enumerated() {
            switch row.outcome {
            case .device(let device):
                if let other = addresses.updateValue(row.line, forKey: device.mac) { rows[index].outcome = .bad("has the MAC of line \(other)") }
                if let other = numbers.updateValue(row.line, forKey: device.name.text) { rows[index].outcome = .bad("has the number of line \(other)") }
            case .person(let person):
                if let other = numbers.updateValue(row.line, forKey: person.number.text) { rows[index].outcome = .bad("has the number of line \(other)") }
            case .kept, .bad: break
            }
        }
    }

    private enum Format { case bulk, small }
    private struct Mistake: Error { var what: String }

    private static func format(_ columns: [String]) -> Result<Format, Mistake> {
        if columns == BulkRowReader.columns { return .success(.bulk) }
        if columns.first == "Number" {
            let missing = BulkRowReader.columns.filter { !columns.contains($0) }
            let extra = columns.filter { !BulkRowReader.columns.contains($0) }
            let details = missing.isEmpty && extra.isEmpty ? "they are in another order"
                : (missing.isEmpty ? "" : "missing: \(missing.joined(separator: ", "))") + (extra.isEmpty ? "" : " unknown: \(extra.joined(separator: ", "))")
            return .failure(Mistake(what: "these are not the columns of the 3CX V20 format: \(details)"))
        }
        let unknown = columns.filter { !SmallRowReader.columns.contains($0) }
        if unknown.isEmpty, columns.contains("number") { return .success(.small) }
        return .failure(
            Mistake(what: "the first line names unknown columns: \(unknown.joined(separator: ", ")); known: \(SmallRowReader.columns.joined(separator: ",")), or those of 3CX V20"))
    }
}

protocol RowReader {
    func row(_ values: [String: String], line: Int) -> ImportList.Row
}

extension ImportList.Context {
    /// The hash of a PIN, of a hash itself, or of none; or why it is refused.
    func pinHash(_ pin: String, _ number: ExtensionNumber) -> (hash: String?, problem: String?) {
        if pin.isEmpty { return (nil, nil) }
        if pin.hasPrefix("scrypt:") { return (pin, nil) }
        if let weakness = weakness(pin, number) { return (nil, weakness) }
        return (hash(pin), nil)
    }

    func isKnown(_ number: ExtensionNumber) -> Bool { site.configuration.extensions.contains { $0.number == number } }
}

/// Rows of `number,name,pin,auth_user,secret,hot_desk,language,blf`.
struct SmallRowReader: RowReader {
    static let columns = ["number", "name", "pin", "auth_user", "secret", "hot_desk", "language", "blf"]
    private let context: ImportList.Context

    init(_ context: ImportList.Context) { self.context = context }

    func row(_ values: [String: String], line: Int) -> ImportList.Row {
        func value(_ key: String) -> String { values[key] ?? "" }
        var row = ImportList.Row(line: line, number: value("number"), name: value("name"), outcome: .bad(""))
        guard let number = ExtensionNumber(value("number")) else {
            row.outcome = .bad("\"\(value("number"))\" is no extension: 1 to 16 digits")
            return row
        }
        guard !value("name").isEmpty, ValueText.isLabel(value("name")) else {
            row.outcome = .bad("has no name a screen can show")
            return row
        }
        if context.isKnown(number) {
            row.outcome = .kept("\(number) is there already")
            return row
        }
        let keys = value("blf").isEmpty ? [] : value("blf").split(separator: ";", omittingEmptySubsequences: false).map { ValueText.trimmed($0) }
        if let wrong = keys.first(where: { KeyAssignment($0) == nil }) {
            row.outcome = .bad("has a key that cannot be dialled: \"\(wrong)\"")
            return row
        }
        let (hash, problem) = context.pinHash(value("pin"), number)
        if let problem {
            row.outcome = .bad(problem)
            return row
        }
        let refusesHotDesk = ["false", "no", "0"].contains(value("hot_desk").lowercased())
        let secret = value("secret").isEmpty ? nil : Personal(value("secret"))
        let person = Enrolment.NewExtension(
            number: number, name: value("name"), pinHash: refusesHotDesk ? nil : hash, authUser: value("auth_user").isEmpty ? nil : value("auth_user"),
            secret: secret, hasSecret: secret != nil || context.hasSecretFile(number.text), language: value("language").isEmpty ? nil : value("language"), blf: keys)
        row.outcome = .person(person)
        row.notes = refusesHotDesk ? [] : person.missing
        if secret != nil, context.hasSecretFile(number.text) { row.notes.append("replaces secrets/\(number)") }
        return row
    }
}

extension Enrolment.NewExtension {
    /// What keeps the person from logging in at a hot desk, in words.
    var missing: [String] {
        (pinHash == nil ? ["no PIN: cannot log in at a hot desk"] : [])
            + (hasSecret ? [] : ["no SIP password: put it into secrets/\(number.text), then set hot_desk"])
    }
}
