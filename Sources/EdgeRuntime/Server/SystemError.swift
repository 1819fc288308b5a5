import Glibc

/// Error numbers in words.
enum SystemError {
    static func text(_ number: CInt) -> String {
        switch number {
        case ECONNREFUSED: return "the connection was refused: nothing listens there"
        case EHOSTUNREACH, ENETUNREACH: return "there is no route to it"
        case ETIMEDOUT: return "it does not answer"
        case ECONNRESET: return "the connection was reset by the far end"
        default:
            var buffer = [CChar](repeating: 0, count: 256)
            guard strerror_r(number, &buffer, buffer.count) != nil else { return "error \(number)" }
            return strerror(number).map { String(cString: $0) } ?? "error \(number)"
        }
    }
}
