/// Something in a site file that must or should be changed, with its place.
public struct SiteProblem: Sendable, Equatable, CustomStringConvertible {
    public enum Severity: String, Sendable {
        /// The site cannot be used.
        case error
        /// The site can be used, but likely not as meant.
        case warning
    }

    public var severity: Severity
    /// As given to the loader, or the path of a list the site file points at.
    public var file: String
    /// From 1. Where a key is missing: the line of the section it belongs in.
    public var line: Int
    /// As in `device[2].mac`, counted from 1; "" where the whole file is meant.
    public var key: String
    public var what: String
    /// What to do about it.
    public var remedy: String

    public init(severity: Severity, file: String, line: Int, key: String, what: String, remedy: String) {
        self.severity = severity
        self.file = file
        self.line = line
        self.key = key
        self.what = what
        self.remedy = remedy
    }

    /// `file:line: error: key: what; remedy`
    public var description: String {
        let subject = key.isEmpty ? "" : "\(key): "
        let advice = remedy.isEmpty ? "" : "; \(remedy)"
        return "\(file):\(line): \(severity.rawValue): \(subject)\(what)\(advice)"
    }
}

/// A site, or why there is none. With an error among the problems there is no site.
public struct SiteLoadResult: Sendable {
    public var site: Site?
    public var problems: [SiteProblem]

    public init(site: Site?, problems: [SiteProblem]) {
        self.site = site
        self.problems = problems
    }

    public var errors: [SiteProblem] { problems.filter { $0.severity == .error } }
    public var warnings: [SiteProblem] { problems.filter { $0.severity == .warning } }
}
