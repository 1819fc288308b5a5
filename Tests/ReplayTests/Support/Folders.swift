import FoundationEssentials

/// Files the tests read by path.
enum Folders {
    /// The folder that holds Package.swift.
    static var root: String? {
        var folder = #filePath[...]
        while let slash = folder.lastIndex(of: "/") {
            folder = folder[..<slash]
            if FileManager.default.fileExists(atPath: folder + "/Package.swift") { return String(folder) }
        }
        return nil
    }

    /// Data that is shared between checkouts, where it is there.
    static var shared: String? {
        let candidates = [ProcessInfo.processInfo.environment["EDGE_SHARED"], root.map { $0 + "/../shared" }]
        return candidates.compactMap { $0 }.first { FileManager.default.fileExists(atPath: $0) }
    }

    /// The names in a folder, in order; none where there is no such folder.
    static func names(in folder: String, endingIn ends: [String]) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { name in ends.contains { name.hasSuffix($0) } }.sorted()
    }
}
