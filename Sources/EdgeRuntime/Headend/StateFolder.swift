import Glibc

/// Small files of the headend's own.
enum StateFolder {
    /// Nil: it is not there.
    static func read(_ path: String) -> Result<[UInt8]?, PrivateFile.Failure> {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            return errno == ENOENT ? .success(nil) : .failure(PrivateFile.Failure(description: "\(path): \(SystemError.text(errno))"))
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = Glibc.read(descriptor, &block, block.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { return .failure(PrivateFile.Failure(description: "\(path): \(SystemError.text(errno))")) }
            guard count > 0, bytes.count < 1 << 22 else { return .success(bytes) }
            bytes += block.prefix(count)
        }
    }

    /// Runs `body` while no other process changes what is in the folder; waits for one that does. The lock ends with the process.
    static func locked<T, E: Error>(_ folder: String, _ body: () throws(E) -> T) throws(E) -> T {
        make(folder)
        let descriptor = open(folder + "/lock", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        defer { if descriptor >= 0 { close(descriptor) } }
        if descriptor >= 0 { while flock(descriptor, LOCK_EX) != 0 && errno == EINTR {} }
        return try body()
    }

    /// Makes the folder, and those it is in, for us alone.
    static func make(_ path: String) {
        var made = path.hasPrefix("/") ? "" : "."
        for part in path.split(separator: "/") {
            made += "/\(part)"
            mkdir(made, 0o700)
        }
    }
}

/// Why a headend cannot start, or a command about it cannot be done.
public enum HeadendError: Error, Equatable, CustomStringConvertible {
    case certificate(reason: String)
    case state(reason: String)
    case server(EdgeServerError)
    case media(reason: String)
    case refused(String)

    public var description: String {
        switch self {
        case .certificate(let reason): return "\(reason); correct [tls], or make the files by edgeproxy headend init"
        case .state(let reason): return "\(reason); correct headend.state"
        case .server(let error): return error.description
        case .media(let reason): return "media: \(reason); correct [media]"
        case .refused(let reason): return reason
        }
    }
}
