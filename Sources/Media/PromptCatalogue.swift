/// Languages there are recordings for in the packages `asterisk-core-sounds-{en,es,fr,it,ru}-wav`.
public enum PromptLanguage: String, Hashable, Sendable, CaseIterable {
    case english = "en"
    case spanish = "es"
    case french = "fr"
    case italian = "it"
    case russian = "ru"

    /// The language of a tag such as "fr" or "fr-CA" (RFC 5646), nil where there are no recordings for it.
    public init?(tag: String) {
        self.init(rawValue: String(tag.lowercased().prefix { $0 != "-" && $0 != "_" }))
    }

    /// The folder under `/usr/share/asterisk/sounds` that Debian's package fills.
    public var folder: String {
        switch self {
        case .english: return "en_US_f_Allison"
        case .spanish: return "es_MX_f_Allison"
        case .french: return "fr_CA_f_June"
        case .italian: return "it_IT_m_Carlo"
        case .russian: return "ru_RU_f_IvrvoiceRU"
        }
    }

    /// The Debian package its recordings are in.
    public var package: String { "asterisk-core-sounds-\(rawValue)-wav" }
}

/// Which recordings say a phrase.
public enum PromptCatalogue {
    /// Base names of the recordings, in order, without folder and without ".wav". Languages that have no
    /// recordings get the English choice.
    public static func recordings(for phrase: Phrase, language: PromptLanguage?) -> [String] {
        switch phrase {
        // "Agent login. Please enter your agent number followed by the pound key."
        case .enterExtension: return ["agent-user"]
        // "Please enter your personal identification number followed by the pound, or hash key."
        case .enterPIN: return ["confbridge-pin"]
        // "Login incorrect."
        case .incorrect: return ["vm-incorrect"]
        // "Agent logged in."
        case .loggedIn: return ["agent-loginok"]
        // "Agent logged off."
        case .loggedOut, .notLoggedIn: return ["agent-loggedoff"]
        // "You have entered too many invalid personal identification numbers."
        case .lockedOut: return ["confbridge-pin-bad"]
        // "Extension … is unavailable."
        case .refusedByPBX: return ["vm-extension", "vm-isunavail"]
        case .logInFirst: return logInFirst(language)
        // "Please try again."
        case .tryAgain: return ["please-try-again"]
        // "Goodbye."
        case .goodbye: return ["vm-goodbye"]
        // "Extension … is in use. If this is correct, press 1."
        case .confirmTakeover(let number):
            return ["vm-extension"] + number.utf8.compactMap(recording(forKey:)) + ["is-in-use", "if-correct-press", "digits/1"]
        case .digits(let digits): return digits.utf8.compactMap(recording(forKey:))
        }
    }

    /// Every phrase, with each key there is, for checks that all recordings are there.
    public static let allPhrases: [Phrase] = [
        .enterExtension, .enterPIN, .incorrect, .loggedIn, .loggedOut, .lockedOut, .refusedByPBX, .notLoggedIn, .logInFirst,
        .tryAgain, .goodbye, .confirmTakeover("1"), .digits("0123456789*#ABCD"),
    ]

    /// "Agent logged off. That feature is not available on this line."; Spanish, which lacks the second: "I'm sorry,
    /// that number is not valid."
    private static func logInFirst(_ language: PromptLanguage?) -> [String] {
        switch language {
        case .spanish: return ["agent-loggedoff", "privacy-incorrect"]
        case .english, .french, .italian, .russian, nil: return ["agent-loggedoff", "feature-not-avail-line"]
        }
    }

    /// The recording of one key; nil for bytes that are no key.
    private static func recording(forKey key: UInt8) -> String? {
        switch key {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): return "digits/\(key - UInt8(ascii: "0"))"
        case UInt8(ascii: "*"): return "digits/star"
        case UInt8(ascii: "#"): return "digits/pound"
        case UInt8(ascii: "A"), UInt8(ascii: "a"): return "letters/a"
        case UInt8(ascii: "B"), UInt8(ascii: "b"): return "letters/b"
        case UInt8(ascii: "C"), UInt8(ascii: "c"): return "letters/c"
        case UInt8(ascii: "D"), UInt8(ascii: "d"): return "letters/d"
        default: return nil
        }
    }
}
