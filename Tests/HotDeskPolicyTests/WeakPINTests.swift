import HotDeskPolicy
import Testing

@Suite struct WeakPINTests {
    @Test(arguments: [
        ("100", "1", .tooShort), ("", "100", .tooShort), ("12a4", "100", .notDigits), ("١٢٣٤", "100", .notDigits), ("2580", "100", nil),
        ("4711", "100", nil), ("4711", "4711", .ownNumber), ("1174", "4711", .ownNumber), ("0100", "100", .ownNumber),
        ("1000", "100", .ownNumber), ("00100", "100", .ownNumber), ("5100", "100", nil), ("1111", "100", .repeated),
        ("000000", "100", .repeated), ("1212", "100", .repeated), ("583583", "100", .repeated), ("1234", "100", .run), ("9876", "100", .run),
        ("7890", "100", .run), ("3210", "100", .run), ("0987654", "100", .run), ("1235", "100", nil), ("1984", "100", .year),
        ("2026", "100", .year), ("2099", "100", .year), ("1899", "100", nil), ("2100", "99", nil), ("19841", "100", nil),
    ] as [(String, String, WeakPINProblem?)])
    func table(pin: String, own: String, expected: WeakPINProblem?) throws {
        #expect(WeakPIN.problem(pin: pin, extension: try number(own)) == expected)
    }

    @Test(arguments: ["1", "12", "100", "4711", "123456"]) func firstGuessesAreWeak(own: String) throws {
        let own = try number(own)
        let guesses = WeakPIN.firstGuesses(for: own)
        #expect(guesses.allSatisfy { WeakPIN.problem(pin: $0, extension: own) != nil })
        let all = WeakPIN.allGuesses(for: own), known = Set(all)
        #expect(all.starts(with: guesses) && Set(all).count == all.count && all.count < 700)
        #expect(all.contains("0987654321") && all.contains("777777"))
        // Of four digits, nothing that would be refused is missing.
        for pin in 0..<10_000 {
            let text = String(String(10_000 + pin).dropFirst())
            #expect((WeakPIN.problem(pin: text, extension: own) != nil) == known.contains(text), "\(text)")
        }
        #expect(guesses.contains("1234") && guesses.contains { $0.contains(own.text) } && Set(guesses).count == guesses.count)
    }
}
