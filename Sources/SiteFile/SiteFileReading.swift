import Glibc

/// What is found under a path.
public enum SitePathContent: Sendable, Equatable {
    case file([UInt8], worldReadable: Bool)
    /// The names in a folder.
    case folder([String])
    case missing
    /// It is there, but cannot be read: the system's reason.
    case unreadable(String)
}

/// Reads the files a site file names.
enum SitePaths {
    /// No file a site names is bigger: 4 MiB.
    static let maximumFile = 4 << 20

    static func content(of path: String) -> SitePathContent {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return errno == ENOENT || errno == ENOTDIR ? .missing : .unreadable(reason()) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return .unreadable(reason()) }
        if status.st_mode & S_IFMT == S_IFDIR { return folder(path) }
        guard status.st_mode & S_IFMT == S_IFREG else { return .unreadable("it is not an ordinary file") }
        guard status.st_size <= maximumFile else { return .unreadable("it is bigger than 4 MiB") }
        return bytes(of: descriptor).map { .file($0, worldReadable: status.st_mode & S_IROTH != 0) } ?? .unreadable(reason())
    }

    private static func bytes(of descriptor: CInt) -> [UInt8]? {
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 16384)
        while bytes.count <= maximumFile {
            let count = read(descriptor, &block, block.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { return nil }
            guard count > 0 else { break }
            bytes += block.prefix(count)
        }
        return bytes
    }

    private static func folder(_ path: String) -> SitePathContent {
        guard let stream = opendir(path) else { return .unreadable(reason()) }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return .folder(names.sorted())
    }

    private static func reason() -> String { String(cString: strerror(errno)) }

    // MARK: Paths as text

    /// `path`, where it is relative: seen from `folder`. Without `.`, `..` and doubled slashes where they say nothing.
    static func resolve(_ path: String, from folder: String) -> String {
        normalized(path.hasPrefix("/") || folder.isEmpty ? path : "\(folder)/\(path)")
    }

    /// The folder a path is in: "" for a bare name.
    static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "" }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private static func normalized(_ path: String) -> String {
        var parts: [Substring] = []
        for part in path.split(separator: "/") where part != "." {
            if part == "..", let last = parts.last, last != ".." {
                parts.removeLast()
            } else if part != ".." || !path.hasPrefix("/") {
                parts.append(part)
            }
        }
        let joined = parts.joined(separator: "/")
        if path.hasPrefix("/") { return "/" + joined }
        return joined.isEmpty ? "." : joined
    }
}
