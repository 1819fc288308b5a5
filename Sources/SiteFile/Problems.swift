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

    var hasErrors: Bool { entries.contains { $0.severity == .error } }

    func hasError(at path: KeyPath) -> Bool { entries.contains { $0.severity == .error && $0.path == path } }

    func error(_ path: KeyPath, _ what: String, _ remedy: String) {
        entries.append(Entry(severity: .error, path: path, what: what, remedy: remedy))
    }

    func warning(_ path: KeyPath, _ what: String, _ remedy: String) {
        entries.append(Entry(severity: .warning, path: path, what: what, remedy: remedy))
    }

    /// Everything found, in the order of the site file, problems of other files after it. Problems of one line
    /// keep the order in which they were found.
    func report(file: String, text: String) -> [SiteProblem] {
        guard !entries.isEmpty else { return [] }
        let index = LineIndex(text)
        let problems = entries.map { entry in
            let row = entry.path.row
            return SiteProblem(
                severity: entry.severity, file: row?.file ?? file, line: row?.line ?? index.line(of: entry.path),
                key: entry.path.description, what: entry.what, remedy: entry.remedy)
        }
        let order = problems.enumerated().sorted { left, right in
            (left.element.file == file ? 0 : 1, left.element.line, left.offset)
                < (right.element.file == file ? 0 : 1, right.element.line, right.offset)
        }
        return order.map(\.element)
    }
}
