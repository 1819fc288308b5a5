/// Which PINs are too easy to guess to be hashed at all.
enum PINStrength {
    /// Why the PIN is refused, in words; nil where it is good.
    static func weakness(of pin: String, extension number: String?) -> String? {
        let digits = Array(pin.utf8)
        guard (4...10).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return "a PIN is 4 to 10 digits"
        }
        if Set(digits).count == 1 { return "one digit over and over is too easy to guess" }
        let steps = zip(digits.dropFirst(), digits).map { Int($0) - Int($1) }
        if steps.allSatisfy({ $0 == 1 }) || steps.allSatisfy({ $0 == -1 }) { return "digits in a row are too easy to guess" }
        if let number, pin == number || pin == String(number.reversed()) { return "a PIN like the extension is too easy to guess" }
        return nil
    }
}
