import CoreTypes
import CryptoPrimitives
import Dispatch
import EdgeProxy
import Synchronization

/// Checks PINs away from the event loop, at most two at a time: each takes tens of milliseconds and 16 MiB.
///
/// Where nobody has the extension, the same work is done against a hash of our own, so that the time taken tells
/// nothing.
final class PINVerifier: Sendable {
    static let maximumAtOnce = 2

    private struct Check: Sendable {
        var id: PINCheckID
        var pin: Personal<String>
        var hash: String?
    }

    private struct Line {
        var waiting: [Check] = []
        var running = 0
    }

    private let line = Mutex(Line())
    private let queue = DispatchQueue(label: "edge.pin", qos: .utility, attributes: .concurrent)
    private let decoy: PINHash
    private let answer: @Sendable (PINCheckID, Bool) -> Void

    /// - Parameter answer: called on a queue of the verifier's.
    init(answer: @escaping @Sendable (PINCheckID, Bool) -> Void) {
        decoy = PINHash.make(pin: hexadecimal(SystemRandom.bytes(8)), salt: SystemRandom.bytes(16))
        ProcessTuning.trimHeaps()
        self.answer = answer
    }

    func verify(_ id: PINCheckID, _ pin: Personal<String>, _ hash: String?) {
        let check = Check(id: id, pin: pin, hash: hash)
        let starts = line.withLock { line in
            guard line.running < Self.maximumAtOnce else {
                line.waiting.append(check)
                return false
            }
            line.running += 1
            return true
        }
        if starts { queue.async { self.run(check) } }
    }

    private func run(_ first: Check) {
        var check: Check? = first
        while let current = check {
            answer(current.id, matches(current))
            check = line.withLock { line in
                guard line.waiting.isEmpty else { return line.waiting.removeFirst() }
                line.running -= 1
                return nil
            }
        }
        ProcessTuning.trimHeaps()
    }

    private func matches(_ check: Check) -> Bool {
        guard let hash = check.hash.flatMap(PINHash.init(parsing:)) else {
            _ = decoy.matches(check.pin.exposed)
            return false
        }
        return hash.matches(check.pin.exposed)
    }
}
