import Glibc

/// Settings of the process that must be made before it has allocated much.
public enum ProcessTuning {
    // <malloc.h>
    private static let trimThreshold: CInt = -1
    private static let topPad: CInt = -2
    private static let mmapThreshold: CInt = -3
    private static let arenaMaximum: CInt = -8

    /// Keeps the process small: one heap instead of eight a core, which also grows by 256 KiB at a time, where the heap
    /// of a thread would ask the system for each page; and each block from 256 KiB on in a mapping of
    /// its own, so that the 16 MiB of a PIN check go back to the system when it is over.
    public static func limitHeaps() {
        typealias Mallopt = @convention(c) (CInt, CInt) -> CInt
        guard let symbol = dlsym(nil, "mallopt") else { return }
        let mallopt = unsafeBitCast(symbol, to: Mallopt.self)
        _ = mallopt(arenaMaximum, 1)
        _ = mallopt(topPad, 256 * 1024)
        _ = mallopt(mmapThreshold, 256 * 1024)
        _ = mallopt(trimThreshold, 256 * 1024)
    }

    /// Gives free pages in the middle of the heap back to the system: what a burst of calls took does not stay.
    static func trimHeaps() {
        typealias Trim = @convention(c) (Int) -> CInt
        guard let symbol = dlsym(nil, "malloc_trim") else { return }
        _ = unsafeBitCast(symbol, to: Trim.self)(0)
    }

    /// What the process writes (store, captures) is for its own user alone.
    public static func keepFilesPrivate() { umask(0o077) }

    /// A peer that closes while we write is an error of that write, never the end of the process.
    public static func ignoreBrokenPipes() {
        signal(SIGPIPE, SIG_IGN)
    }
}
