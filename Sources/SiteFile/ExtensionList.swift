/// Extensions from a CSV file: `number,name,pin,auth_user,secret,hot_desk,language,blf,pin_protected,pin_timeout`,
/// in any order of columns named by the first line, letters in any case and with or without "_". BLF keys are parted by semicolons. The file holds secrets and is kept like one.
extension SiteChecker {
    private static let columns = ["number", "name", "pin", "auth_user", "secret", "secret_file", "hot_desk", "language", "blf", "pin_protected", "pin_timeout"]

    func listedExtensions() -> [ExtensionSection] {
        guard let file = shape.site.extensionsFile else { return [] }
        let path = resolve(file.value)
        switch content(of: path) {
        case .file(let bytes, let worldReadable):
            if worldReadable { noteExposed(path, at: file.path) }
            guard let text = String(validating: bytes, as: UTF8.self) else {
                problems.error(file.path, "\(path) is not UTF-8 text", "export it again as UTF-8")
                return []
            }
            return extensions(inList: text, path: path)
        case .missing:
            problems.error(file.path, "there is no file \(path)", "correct the path (it is seen from the site file's folder)")
        case .folder:
            problems.error(file.path, "\(path) is a folder", "name the CSV file in it")
        case .unreadable(let reason):
            problems.error(file.path, "\(path) cannot be read: \(reason)", "let the edge's user read it")
        }
        return []
    }

    private func extensions(inList text: String, path: String) -> [ExtensionSection] {
        var rows = CSV.rows(text)[...]
        guard let header = rows.popFirst() else {
            problems.error(
                KeyPath(steps: [.row(file: path, line: 1)]), "the list is empty",
                "begin it with \(Self.columns.joined(separator: ","))")
            return []
        }
        let names = header.fields.map { Self.column($0) }
        for name in names where !Self.columns.contains(name) {
            let near = Spelling.nearest(to: name, among: Self.columns).map { "did you mean \"\($0)\"?" }
            problems.error(
                KeyPath(steps: [.row(file: path, line: header.line), .key(name)]), "is not a known column",
                near ?? "known here: \(Self.columns.joined(separator: ", "))")
        }
        return rows.map { row in
            let place = KeyPath(steps: [.row(file: path, line: row.line)])
            if row.fields.count != names.count {
                problems.error(place, "there are \(row.fields.count) fields, but \(names.count) columns", "add or take away commas, or put the field in quotes")
            }
            let values = Dictionary(zip(names, row.fields.map(ValueText.trimmed)), uniquingKeysWith: { first, _ in first })
            return section(values, at: place)
        }
    }

    private func section(_ values: [String: String], at place: KeyPath) -> ExtensionSection {
        func placed(_ key: String) -> Placed<String>? {
            guard let value = values[key], !value.isEmpty else { return nil }
            return Placed(value: value, path: place.key(key))
        }
        let secret = SecretSection(path: place, file: placed("secret_file"), plain: placed("secret"))
        let hasCredentials = secret.file != nil || secret.plain != nil
        return ExtensionSection(
            path: place, number: placed("number"), name: placed("name"), pin: placed("pin"), language: placed("language"),
            pinTimeout: placed("pin_timeout"),
            auth: hasCredentials ? AccountSection(path: place, user: placed("auth_user"), authUser: nil, secret: secret) : nil,
            hotDesk: placed("hot_desk").flatMap(truth), pinProtected: placed("pin_protected").flatMap(truth),
            blf: placed("blf").map { list in
                let keys = list.value.split(separator: ";", omittingEmptySubsequences: false)
                return Placed(value: keys.map { Placed(value: ValueText.trimmed($0), path: list.path) }, path: list.path)
            })
    }

    /// The column a name means: `PinTimeout` is `pin_timeout`.
    private static func column(_ text: String) -> String {
        let name = ValueText.trimmed(text).lowercased()
        return columns.first { $0.filter { $0 != "_" } == name.filter { $0 != "_" } } ?? name
    }

    private func truth(_ text: Placed<String>) -> Placed<Bool>? {
        switch text.value.lowercased() {
        case "true", "yes", "1": return Placed(value: true, path: text.path)
        case "false", "no", "0": return Placed(value: false, path: text.path)
        default:
            problems.error(text.path, "\"\(text.value)\" is neither true nor false", "write true or false")
            return nil
        }
    }
}

/// RFC 4180, a line feed alone allowed as a line end.
enum CSV {
    struct Row: Equatable {
        /// The line it begins on, from 1.
        var line: Int
        var fields: [String]
    }

    /// Every row that is not blank.
    static func rows(_ text: String) -> [Row] {
        var reader = Reader()
        for byte in text.utf8 { reader.take(byte) }
        reader.endRow()
        return reader.rows
    }

    private struct Reader {
        var rows: [Row] = []
        private var fields: [String] = []
        private var field: [UInt8] = []
        private var line = 1
        private var start = 1
        private var isQuoted = false
        private var wasQuote = false

        mutating func take(_ byte: UInt8) {
            if byte == UInt8(ascii: "\n") { line += 1 }
            switch byte {
            case UInt8(ascii: "\"") where isQuoted:
                isQuoted = false
                wasQuote = true
                return
            case UInt8(ascii: "\"") where wasQuote:
                field.append(byte)
                isQuoted = true
            case UInt8(ascii: "\"") where field.isEmpty:
                isQuoted = true
            case UInt8(ascii: ",") where !isQuoted:
                endField()
            case UInt8(ascii: "\n") where !isQuoted:
                endRow()
            default:
                field.append(byte)
            }
            wasQuote = false
        }

        private mutating func endField() {
            if field.last == UInt8(ascii: "\r") { field.removeLast() }
            fields.append(String(decoding: field, as: UTF8.self))
            field = []
        }

        mutating func endRow() {
            endField()
            if fields != [""] { rows.append(Row(line: start, fields: fields)) }
            fields = []
            start = line
            isQuoted = false
        }
    }
}
