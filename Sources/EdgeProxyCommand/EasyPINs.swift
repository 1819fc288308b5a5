import CryptoPrimitives
import Dispatch
import HotDeskPolicy
import Synchronization

/// PINs of a site file that somebody would guess at the first tries. A hash does not tell its PIN, so the likely
/// ones are tried, as a thief of the file would.
enum EasyPINs {
    /// The extensions whose PIN is one of the first that anybody would try. Takes some tenths of a second a person.
    static func owners(among people: [Extension]) -> [ExtensionNumber] {
        let hashed = people.compactMap { person in PINHash(parsing: person.pinHash).map { (number: person.number, hash: $0) } }
        let found = Mutex<[ExtensionNumber]>([])
        DispatchQueue.concurrentPerform(iterations: hashed.count) { index in
            let (number, hash) = hashed[index]
            guard WeakPIN.firstGuesses(for: number).contains(where: hash.matches) else { return }
            found.withLock { $0.append(number) }
        }
        return found.withLock { $0.sorted() }
    }
}
