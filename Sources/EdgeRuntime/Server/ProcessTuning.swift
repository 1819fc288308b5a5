import CTCMalloc
import Glibc

/// Settings of the process that must be made before it has allocated much.
///
/// Memory comes from tcmalloc: a message is some hundred small blocks, taken and given back at once, and those cost it
/// half of what they cost glibc.
public enum ProcessTuning {
    /// What all threads together may keep for themselves, in bytes.
    private static let threadCaches = 4 << 20

    /// Keeps the process small: what threads hold back for their next allocations is bounded.
    public static func limitHeaps() {
        _ = MallocExtension_SetNumericProperty("tcmalloc.max_total_thread_cache_bytes", threadCaches)
    }

    /// Gives free pages back to the system: what a burst of calls took, or the 16 MiB of a PIN check, does not stay.
    static func trimHeaps() { MallocExtension_ReleaseFreeMemory() }

    /// Unmaps the code that has run: most of it ran once, to read the site file and to open the store, and is never
    /// needed again. What is, comes back from the page cache at its next use. Code is never written to, so nothing is lost.
    static func forgetStart() {
        guard let maps = fopen("/proc/self/maps", "re") else { return }
        defer { fclose(maps) }
        var line = [CChar](repeating: 0, count: 1024)
        while fgets(&line, CInt(line.count), maps) != nil {
            guard let range = MappedCode(line: String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)),
                let start = UnsafeMutableRawPointer(bitPattern: range.start)
            else { continue }
            _ = madvise(start, Int(clamping: range.end - range.start), MADV_DONTNEED)
        }
    }

    /// What the process writes (store, captures) is for its own user alone.
    public static func keepFilesPrivate() { umask(0o077) }

    /// A peer that closes while we write is an error of that write, never the end of the process.
    public static func ignoreBrokenPipes() {
        signal(SIGPIPE, SIG_IGN)
    }
}

/// A line of /proc/self/maps that names code of a file: readable and executable, never writable.
struct MappedCode: Equatable {
    var start: UInt
    var end: UInt

    init?(line: String) {
        let fields = line.split(separator: " ", maxSplits: 5, omittingEmptySubsequences: true)
        guard fields.count == 6, fields[1] == "r-xp", fields[5].drop(while: { $0 == " " }).hasPrefix("/") else { return nil }
        let bounds = fields[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
        guard bounds.count == 2, bounds[0] < bounds[1] else { return nil }
        (start, end) = (bounds[0], bounds[1])
    }
}
