/// Collects what is wrong with a site file while it is read and checked. Lines are looked up at the end, and
/// only where there is something to say.
final class Problems {
    private struct Entry {
        var severity: SiteProblem.Severity
        var path: KeyPath
        var what: String
        var remedy: String
    }

    private var entries: [Entry] = []
    /// Texts of the other TOML files, by name.
    private var documents: [String: String] = [:]

    var hasErrors: Bool { entries.contains { $0.severity == .error } }

    var errorCount: Int { entries.count { $0.severity == .error } }

    func hasError(at path: KeyPath) -> Bool { entries.contains { $0.severity == .error && $0.path == path } }

    func error(_ path: KeyPath, _ what: String, _ remedy: String) {
        entries.append(Entry(severity: .error, path: path, what: what, remedy: remedy))
    }

    func warning(_ path: KeyPath, _ what: String, _ remedy: String) {
        entries.append(Entry(severity: .warning, path: path, what: what, remedy: remedy))
    }

    /// Lets problems of another TOML file be given their lines.
    func note(document file: String, text: String) { documents[file] = text }

    /// Everything found, in the order of the site file, problems of other files after it. Problems of one line
    /// keep the order in which they were found.
    func report(file: String, text: String) -> [SiteProblem] {
        guard !entries.isEmpty else { return [] }
        let index = LineIndex(text)
        var others: [String: LineIndex] = [:]
        let problems = entries.map { entry in
            var (place, line) = (file, 0)
            if let row = entry.path.row {
                (place, line) = row
            } else if let document = entry.path.document {
                let known = others[document.file] ?? LineIndex(documents[document.file] ?? "")
                others[document.file] = known
                (place, line) = (document.file, known.line(of: document.path))
            } else {
                line = index.line(of: entry.path)
            }
            return SiteProblem(
                severity: entry.severity, file: place, line: line, key: entry.path.description, what: entry.what, remedy: entry.remedy)
        }
        let order = problems.enumerated().sorted { left, right in
            (left.element.file == file ? "" : left.element.file, left.element.line, left.offset)
                < (right.element.file == file ? "" : right.element.file, right.element.line, right.offset)
        }
        return order.map(\.element)
    }
}
