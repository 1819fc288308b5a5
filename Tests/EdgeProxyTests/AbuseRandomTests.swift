import EdgeProxy
import Testing

/// Anything may happen at a branch: nothing traps, and an idle device has reached nobody but emergency.
@Suite struct AbuseRandomTests {
    static let eventsPerSeed = 30_000

    @Test(arguments: 1...8) func nothingSlipsThrough(seed: Int) throws {
        var branch = RandomBranch(seed: seed)
        for step in 0..<Self.eventsPerSeed {
            switch branch.below(100) {
            case 0..<22: branch.freshRequest()
            case 22..<34: branch.insideRequest()
            case 34..<62: branch.mutated()
            case 62..<82: branch.answer()
            case 82..<85: branch.pbxRequest()
            case 85..<88: branch.logIn()
            case 88..<90: branch.type("4711#")
            case 90..<94: branch.settlePINs()
            case 94..<95: branch.disturb()
            default: branch.wait()
            }
            try #require(branch.problems.isEmpty, "seed \(seed), step \(step): \(branch.problems)")
        }
        let model = branch.model
        #expect(model.logins > 5 && model.ordinaryCalls > 20 && model.emergencyCalls > 100, "too little has happened: \(model)")
    }
}
