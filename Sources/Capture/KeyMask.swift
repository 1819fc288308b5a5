/// Finds keys of SRTP in session descriptions and overwrites them: `a=crypto` behind its tag and suite, `a=key-mgmt` and
/// `k=` as a whole. Lengths stay. Lines are looked at wherever they stand, since a body may be of several parts.
enum KeyMask {
    static func mask(_ message: [UInt8]) -> [UInt8] {
        var masked: [UInt8]?
        var start = message.startIndex
        while start < message.endIndex {
            let end = message[start...].firstIndex { $0 == 0x0A || $0 == 0x0D } ?? message.endIndex
            if let secret = secret(in: message[start..<end]) {
                for index in secret where message[index] > 0x20 {
                    if masked == nil { masked = message }
                    masked?[index] = 0x30
                }
            }
            start = end + 1
        }
        return masked ?? message
    }

    private static func secret(in line: ArraySlice<UInt8>) -> Range<Int>? {
        guard line.count > 2, let first = line.first else { return nil }
        switch first | 0x20 {
        case UInt8(ascii: "k"):
            return line[line.startIndex + 1] == UInt8(ascii: "=") ? (line.startIndex + 2)..<line.endIndex : nil
        case UInt8(ascii: "a"):
            if has(line, "a=key-mgmt:") { return (line.startIndex + 11)..<line.endIndex }
            guard has(line, "a=crypto:") else { return nil }
            // The tag, the suite and the spaces between are no secret; a line without them is masked from its name on.
            let value = (line.startIndex + 9)..<line.endIndex
            let fields = line[value].split(separator: 0x20, maxSplits: 2, omittingEmptySubsequences: true)
            return fields.count == 3 ? fields[2].startIndex..<line.endIndex : value
        default: return nil
        }
    }

    private static func has(_ line: ArraySlice<UInt8>, _ name: StaticString) -> Bool {
        guard line.count >= name.utf8CodeUnitCount else { return false }
        return name.withUTF8Buffer { name in zip(line, name).allSatisfy { $0 | 0x20 == $1 | 0x20 } }
    }
}
