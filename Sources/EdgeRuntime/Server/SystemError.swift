import Glibc

/// Error numbers in words.
enum SystemError {
    static func text(_ number: CInt) -> String {
        switch number {
        case ECONNREFUSED: return "the connection was refused: nothing listens there"
        case EHOSTUNREACH, ENETUNREACH: return "there is no route to it"
        case ETIMEDOUT: return "it does not answer"
        case ECONNRESET: return "the connection was reset by the far end"
        case EADDRINUSE: return "the address is in use"
        case EACCES, EPERM: return "permission is denied"
        case ENOENT: return "its folder does not exist"
        case ENOSPC: return "the disk is full"
        case EROFS: return "the file system is read-only"
        default: return strerror(number).map { String(cString: $0) } ?? "error \(number)"
        }
    }
}
