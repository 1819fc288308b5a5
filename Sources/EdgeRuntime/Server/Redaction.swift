/// What a log line may show of a telephone number: who was called is between two people. The audit and the call
/// records in the store keep the whole number.
enum Redaction {
    /// Digits of a longer number that stay readable.
    private static let kept = 3
    /// Numbers up to this length are extensions, emergency numbers and codes, and stay as they are.
    private static let short = 5

    /// Each run of more than five digits keeps its first three: `sip:+4915112345@pbx` becomes `sip:+491…@pbx`.
    static func numbers(in text: String) -> String {
        let bytes = text.utf8
        guard bytes.count > short, hasLongRun(bytes) else { return text }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var run: [UInt8] = []
        func close() {
            if run.count > short {
                result += run.prefix(kept)
                result += Array("…".utf8)
            } else {
                result += run
            }
            run.removeAll(keepingCapacity: true)
        }
        for byte in bytes {
            if isDigit(byte) {
                run.append(byte)
            } else {
                close()
                result.append(byte)
            }
        }
        close()
        return String(decoding: result, as: UTF8.self)
    }

    private static func hasLongRun(_ bytes: String.UTF8View) -> Bool {
        var run = 0
        for byte in bytes {
            run = isDigit(byte) ? run + 1 : 0
            if run > short { return true }
        }
        return false
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}
