import CoreTypes
import EdgeProxy
import HotDeskPolicy

/// Reads a site file: shape first, then meaning, then conflicts; says everything that is wrong at once.
public enum SiteLoader {
    /// Reads the file and everything it points at.
    public static func load(path: String) -> SiteLoadResult {
        switch SitePaths.content(of: path) {
        case .file(let bytes, _):
            guard let text = String(validating: bytes, as: UTF8.self) else {
                return failure(path, "the file is not UTF-8 text", "save it as UTF-8")
            }
            return load(text: text, directory: SitePaths.folder(of: path), file: path, readFile: SitePaths.content)
        case .folder:
            return failure(path, "this is a folder", "name the site file itself, as in conf/branch-01.toml")
        case .missing:
            return failure(path, "there is no such file", "name the site file with --site")
        case .unreadable(let reason):
            return failure(path, "the file cannot be read: \(reason)", "run as a user who may read it")
        }
    }

    /// Where the running edge of a site listens for `status` and `logout`. Reads nothing but the site file, so it
    /// works for a user who may not read the secrets, and with a file that has other problems.
    public static func controlPath(siteFile path: String) -> Result<String, SiteFileUnreadable> {
        let result: SiteLoadResult
        switch SitePaths.content(of: path) {
        case .file(let bytes, _):
            do {
                let document = try TOMLDocument.parse(String(decoding: bytes, as: UTF8.self))
                return .success(SiteChecker.controlPath(document, directory: SitePaths.folder(of: path)))
            } catch {
                result = failure(path, line: error.line, error.what, "mend the TOML here")
            }
        case .folder, .missing, .unreadable:
            result = load(path: path)
        }
        return .failure(SiteFileUnreadable(problems: result.problems))
    }

    /// Reads a site file's text as if it lay in `directory` under the name `file`, with `readFile` in place of the disk.
    public static func load(
        text: String, directory: String, file: String = "site.toml", readFile: @escaping (String) -> SitePathContent
    ) -> SiteLoadResult {
        let problems = Problems()
        let document: [String: TOMLNode]
        do {
            document = try TOMLDocument.parse(text)
        } catch {
            return failure(file, line: error.line, error.what, "mend the TOML here; the rest was not read")
        }
        let shape = SiteShape(document, problems: problems)
        let checker = SiteChecker(shape: shape, problems: problems, directory: directory, readFile: readFile)
        let site = checker.check()
        return SiteLoadResult(site: problems.hasErrors ? nil : site, problems: problems.report(file: file, text: text))
    }

    /// A file's text, at most 4 MiB.
    public static func text(of path: String) -> Result<String, FileUnreadable> {
        switch SitePaths.content(of: path) {
        case .file(let bytes, _):
            return String(validating: bytes, as: UTF8.self).map { .success($0) } ?? .failure(FileUnreadable(reason: "is not UTF-8 text: export it again as UTF-8"))
        case .folder: return .failure(FileUnreadable(reason: "is a folder"))
        case .missing: return .failure(FileUnreadable(reason: "is not there"))
        case .unreadable(let reason): return .failure(FileUnreadable(reason: "cannot be read: \(reason)"))
        }
    }

    private static func failure(_ file: String, line: Int = 1, _ what: String, _ remedy: String) -> SiteLoadResult {
        let problem = SiteProblem(severity: .error, file: file, line: line, key: "", what: what, remedy: remedy)
        return SiteLoadResult(site: nil, problems: [problem])
    }
}

/// Why not even the place of the control socket is known.
public struct SiteFileUnreadable: Error, Sendable {
    public var problems: [SiteProblem]
}

/// Why a file's text is not known.
public struct FileUnreadable: Error, Sendable {
    public var reason: String
}
