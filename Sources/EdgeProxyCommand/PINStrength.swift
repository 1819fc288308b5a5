import HotDeskPolicy

/// Which PINs are too easy to guess to be hashed at all, in words.
enum PINStrength {
    /// Why the PIN is refused; nil where it is good. Without an extension, nothing is said of likeness to one.
    static func weakness(of pin: String, extension number: ExtensionNumber?) -> String? {
        let rules = PINRules()
        guard pin.utf8.count <= rules.maxLength else { return wrongLength(rules) }
        // No PIN is as long as this one, so none is like it.
        guard let number = number ?? ExtensionNumber(String(repeating: "9", count: ExtensionNumber.maximumLength)) else { return nil }
        switch WeakPIN.problem(pin: pin, extension: number) {
        case nil: return nil
        case .notDigits, .tooShort: return wrongLength(rules)
        case .ownNumber: return "a PIN like the extension is too easy to guess"
        case .repeated: return "a PIN that repeats itself is too easy to guess"
        case .run: return "digits in a row are too easy to guess"
        case .year: return "a year is too easy to guess"
        }
    }

    private static func wrongLength(_ rules: PINRules) -> String { "a PIN is \(rules.minLength) to \(rules.maxLength) digits" }
}
