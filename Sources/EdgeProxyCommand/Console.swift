import Glibc

/// Text out and in.
enum Console {
    /// A line on standard error.
    static func complain(_ line: String) {
        write(line + "\n", to: STDERR_FILENO)
    }

    /// A prompt that is not part of what the command prints.
    static func prompt(_ text: String) {
        write(text, to: STDERR_FILENO)
    }

    private static func write(_ text: String, to descriptor: CInt) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    static var isTerminal: Bool { isatty(STDIN_FILENO) == 1 }

    /// One line of standard input, nil at its end. On a terminal, what is typed is not shown.
    static func secretLine() -> String? {
        var saved = termios()
        let isHidden = isTerminal && tcgetattr(STDIN_FILENO, &saved) == 0
        if isHidden {
            var silent = saved
            silent.c_lflag &= ~tcflag_t(ECHO)
            tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent)
        }
        defer {
            if isHidden {
                tcsetattr(STDIN_FILENO, TCSAFLUSH, &saved)
                prompt("\n")
            }
        }
        return readLine(strippingNewline: true)
    }

    /// `2026-11-23 08:59` in the time zone of this machine.
    static func localTime(_ unixSeconds: Int64) -> String {
        var time = time_t(unixSeconds)
        var parts = tm()
        guard localtime_r(&time, &parts) != nil else { return "\(unixSeconds)" }
        func two(_ number: CInt) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(Int(parts.tm_year) + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday)) \(two(parts.tm_hour)):\(two(parts.tm_min))"
    }
}
