import Testing

@testable import MediaRelay

@Suite struct RoundPacerTests {
    /// Packets a second, and whether the loop rests.
    @Test(arguments: [(50, false), (1000, false), (2000, false), (3000, true), (20_000, true)])
    func itRestsUnderLoadOnly(rate: Int, rests: Bool) {
        var pacer = RoundPacer()
        var now: Int64 = 1_000_000_000
        for _ in 0..<rate {
            now += Int64(1_000_000_000 / rate)
            pacer.moved(1, at: now)
        }
        #expect(pacer.rest(after: now, at: now) == (rests ? RoundPacer.period : 0))
        #expect(pacer.rest(after: now, at: now + 200_000) == (rests ? RoundPacer.period - 200_000 : 0))
        #expect(pacer.rest(after: now, at: now + 5_000_000) == 0)
        // It ends when the load does.
        for _ in 0..<2 {
            now += 60_000_000
            pacer.moved(1, at: now)
        }
        #expect(pacer.rest(after: now, at: now) == 0)
    }
}
