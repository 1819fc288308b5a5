/// What makes a PIN easy to guess.
public enum WeakPINProblem: String, Sendable, CaseIterable {
    /// Something else than ASCII digits in it.
    case notDigits
    /// Fewer than four digits.
    case tooShort
    /// The extension's own number: as it is, backwards, or filled up with zeros.
    case ownNumber
    /// One digit or one group of digits over and over: 1111, 1212.
    case repeated
    /// Digits that follow each other, up or down: 1234, 9876, 7890.
    case run
    /// A year, 1900...2099.
    case year
}

public enum WeakPIN {
    /// The first thing that makes `pin` easy to guess for somebody who knows the extension, or nil.
    public static func problem(pin: String, extension number: ExtensionNumber) -> WeakPINProblem? {
        let digits = Array(pin.utf8)
        guard digits.allSatisfy(ASCII.isDigit) else { return .notDigits }
        guard digits.count >= 4 else { return .tooShort }
        if isOwn(digits, Array(number.text.utf8)) { return .ownNumber }
        if isRepeated(digits) { return .repeated }
        if isRun(digits, step: 1) || isRun(digits, step: 9) { return .run }
        if digits.count == 4, digits.starts(with: "19".utf8) || digits.starts(with: "20".utf8) { return .year }
        return nil
    }

    /// What a stranger who knows the extension would try first, each of it a PIN that `problem` refuses.
    public static func firstGuesses(for number: ExtensionNumber) -> [String] {
        let own = number.text
        let missing = max(0, 4 - own.utf8.count)
        let zeros = String(repeating: "0", count: missing)
        let guesses = [own, String(own.reversed()), zeros + own, own + zeros, "0000", "1111", "1234", "4321"]
        var seen: Set<String> = []
        return guesses.filter { $0.utf8.count >= 4 && seen.insert($0).inserted }
    }

    /// Every PIN of four digits that `problem` refuses, and of longer ones the extension's own number, runs, and one
    /// digit over and over: some 600, the likeliest first. What repeats a group of digits in more than four is not here.
    public static func allGuesses(for number: ExtensionNumber) -> [String] {
        let digits = Array("0123456789")
        var guesses = firstGuesses(for: number)
        let own = number.text
        for length in 4...longest where length > own.utf8.count {
            let zeros = String(repeating: "0", count: length - own.utf8.count)
            guesses += [zeros + own, own + zeros]
        }
        for length in 4...longest {
            for first in 0..<10 {
                guesses.append(String((0..<length).map { digits[(first + $0) % 10] }))
                guesses.append(String((0..<length).map { digits[(first + 9 * $0) % 10] }))
                guesses.append(String(repeating: digits[first], count: length))
            }
        }
        guesses += (1900...2099).map(String.init)
        guesses += digits.flatMap { one in digits.map { String([one, $0, one, $0]) } }
        var seen: Set<String> = []
        return guesses.filter { problem(pin: $0, extension: number) != nil && $0.utf8.count <= longest && seen.insert($0).inserted }
    }

    private static let longest = PINRules().maxLength

    private static func isOwn(_ pin: [UInt8], _ number: [UInt8]) -> Bool {
        let zero = UInt8(ascii: "0")
        if pin == number || pin.elementsEqual(number.reversed()) { return true }
        guard pin.count > number.count else { return false }
        let padding = pin.count - number.count
        let isFilledBefore = pin.suffix(number.count).elementsEqual(number) && pin.prefix(padding).allSatisfy { $0 == zero }
        let isFilledBehind = pin.starts(with: number) && pin.suffix(padding).allSatisfy { $0 == zero }
        return isFilledBefore || isFilledBehind
    }

    private static func isRepeated(_ pin: [UInt8]) -> Bool {
        (1...(pin.count / 2)).contains { length in
            pin.count.isMultiple(of: length) && zip(pin, pin.dropFirst(length)).allSatisfy { $0 == $1 }
        }
    }

    /// Each digit is the one before plus `step`, counted round from 9 to 0.
    private static func isRun(_ pin: [UInt8], step: UInt8) -> Bool {
        zip(pin, pin.dropFirst()).allSatisfy { before, after in
            (before &- UInt8(ascii: "0") &+ step) % 10 == after &- UInt8(ascii: "0")
        }
    }
}
