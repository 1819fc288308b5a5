/// What a person wants on a key, in the text form of a site file's `blf`:
///
///     assignment = ""                             ; left empty
///                / number [":" label]             ; lamp of an extension
///                / "speed:" number [":" label]    ; speed dial
///                / "park:" slot [":" label]       ; lamp of a parking slot, such as SP1
public enum KeyAssignment: Sendable, Hashable {
    case empty
    /// Lamp and call of an extension. Without a label the key bears the extension's name, where it is known.
    case watch(number: String, label: String?)
    case speedDial(number: String, label: String?)
    /// The lamp of a parking slot, by the user name the PBX publishes it under.
    case park(slot: String, label: String?)

    /// Nil for a number that cannot be dialled, a slot that is no user name, or a label with control characters
    /// or more than 64 bytes.
    public init?(_ text: String) {
        guard !text.isEmpty else {
            self = .empty
            return
        }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        switch parts[0] {
        case "speed":
            guard parts.count == 2, let (number, label) = Self.labelled(parts[1]), Self.isDialable(number) else { return nil }
            self = .speedDial(number: number, label: label)
        case "park":
            guard parts.count == 2, let (slot, label) = Self.labelled(parts[1]), Self.isSlot(slot) else { return nil }
            self = .park(slot: slot, label: label)
        default:
            guard let (number, label) = Self.labelled(text[...]), Self.isDialable(number) else { return nil }
            self = .watch(number: number, label: label)
        }
    }

    /// The form `init` reads.
    public var text: String {
        func joined(_ head: String, _ label: String?) -> String { label.map { "\(head):\($0)" } ?? head }
        switch self {
        case .empty: return ""
        case .watch(let number, let label): return joined(number, label)
        case .speedDial(let number, let label): return joined("speed:\(number)", label)
        case .park(let slot, let label): return joined("park:\(slot)", label)
        }
    }

    private static func labelled(_ text: Substring) -> (String, String?)? {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return (String(text), nil) }
        let label = String(parts[1])
        guard (1...64).contains(label.utf8.count), label.unicodeScalars.allSatisfy({ !DisplayText.isUnprintable($0) }) else { return nil }
        return (String(parts[0]), label)
    }

    /// 1...32 digits, stars, hashes, a plus sign in front.
    private static func isDialable(_ text: String) -> Bool {
        let digits = text.hasPrefix("+") ? text.utf8.dropFirst() : text.utf8[...]
        return (1...32).contains(digits.count)
            && digits.allSatisfy { (0x30...0x39).contains($0) || $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "#") }
    }

    /// 1...16 letters and digits.
    private static func isSlot(_ text: String) -> Bool {
        (1...16).contains(text.utf8.count)
            && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) }
    }
}
