import CryptoPrimitives
import FuzzTargets
import Testing

/// Anything may happen at a branch: nothing traps, and an idle device has reached nobody but emergency.
@Suite struct EdgeScriptTests {
    @Test func nothingSlipsThrough() async throws {
        let played = try await withThrowingTaskGroup(of: Played.self) { group in
            for seed in 1...8 { group.addTask { try Self.play(seed: seed) } }
            return try await group.reduce(into: Played()) { $0.add($1) }
        }
        // How much comes of one script depends on what its random bytes hit; together they must have tried enough.
        #expect(played.logins > 40 && played.ordinaryCalls > 160 && played.emergencyCalls > 800, "too little has happened: \(played)")
    }

    /// The fuzzer begins where something goes on already; were it not so, it would be blind to it.
    @Test func morningsAreWhatTheySay() {
        let begun = EdgeScript.mornings.map { [$0.model.logins, $0.model.ordinaryCalls, $0.model.emergencyCalls] }
        #expect(begun == [[0, 0, 0], [2, 0, 0], [2, 1, 0], [2, 0, 1], [1, 0, 0]])
        #expect(EdgeScript.mornings.flatMap(\.problems).isEmpty)
    }

    private struct Played: Sendable {
        var logins = 0
        var ordinaryCalls = 0
        var emergencyCalls = 0

        mutating func add(_ other: Played) {
            logins += other.logins
            ordinaryCalls += other.ordinaryCalls
            emergencyCalls += other.emergencyCalls
        }
    }

    private static func play(seed: Int) throws -> Played {
        var random = RandomStream(seed: Array("branch \(seed)".utf8))
        var script = EdgeScript(seed: UInt8(truncatingIfNeeded: seed))
        script.play(random.bytes(80_000))
        try #require(script.problems.isEmpty, "seed \(seed): \(script.problems)")
        return Played(
            logins: script.model.logins, ordinaryCalls: script.model.ordinaryCalls, emergencyCalls: script.model.emergencyCalls)
    }
}
