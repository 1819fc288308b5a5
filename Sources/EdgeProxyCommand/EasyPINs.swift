import CryptoPrimitives
import Dispatch
import HotDeskPolicy
import Synchronization

/// PINs of a site file that somebody would guess. A hash does not tell its PIN, so the likely ones are tried, as a
/// thief of the file would.
struct EasyPINs {
    /// Every weak PIN of four digits, and not only what anybody would try first.
    var tryingAll: Bool

    func guesses(for number: ExtensionNumber) -> [String] {
        tryingAll ? WeakPIN.allGuesses(for: number) : WeakPIN.firstGuesses(for: number)
    }

    /// The extensions whose PIN is one of the guesses. Each guess takes some hundredths of a second of one core.
    func owners(among people: [Extension]) -> [ExtensionNumber] {
        let hashed = people.compactMap { person in PINHash(parsing: person.pinHash).map { (number: person.number, hash: $0) } }
        let tries = hashed.flatMap { person in guesses(for: person.number).map { (person.number, person.hash, $0) } }
        let found = Mutex<Set<ExtensionNumber>>([])
        DispatchQueue.concurrentPerform(iterations: tries.count) { index in
            let (number, hash, guess) = tries[index]
            guard !found.withLock({ $0.contains(number) }), hash.matches(guess) else { return }
            found.withLock { _ = $0.insert(number) }
        }
        return found.withLock { $0.sorted() }
    }
}
