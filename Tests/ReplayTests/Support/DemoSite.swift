import Foundation
import SiteFile

/// `conf/demo.toml`, without the CA that `make run` puts beside it: a replay needs none.
enum DemoSite {
    static func load() -> SiteLoadResult {
        let folder = (Folders.root ?? "") + "/conf"
        let text = (try? String(contentsOfFile: folder + "/demo.toml", encoding: .utf8)) ?? ""
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).filter { !$0.hasPrefix("ca = ") }
        return SiteLoader.load(text: lines.joined(separator: "\n"), directory: folder, file: "demo.toml", readFile: content)
    }

    private static func content(of path: String) -> SitePathContent {
        if let names = try? FileManager.default.contentsOfDirectory(atPath: path) { return .folder(names) }
        guard let data = FileManager.default.contents(atPath: path) else { return .missing }
        return .file([UInt8](data), worldReadable: false)
    }
}
