import CryptoPrimitives
import FuzzTargets
import Testing

/// Anything may happen at a branch: nothing traps, and an idle device has reached nobody but emergency.
@Suite struct EdgeScriptTests {
    @Test(arguments: 1...8) func nothingSlipsThrough(seed: Int) throws {
        var random = RandomStream(seed: Array("branch \(seed)".utf8))
        var script = EdgeScript(seed: UInt8(truncatingIfNeeded: seed))
        script.play(random.bytes(80_000))
        try #require(script.problems.isEmpty, "seed \(seed): \(script.problems)")
        let model = script.model
        #expect(model.logins > 5 && model.ordinaryCalls > 20 && model.emergencyCalls > 100, "too little has happened: \(model)")
    }
}
