import CoreTypes
import Media
import Testing

@Suite struct CallQualityTests {
    /// G.107 Annex B, table B.1: user satisfaction by R and MOS.
    @Test(arguments: [(100, 4.5), (93.2, 4.41), (90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58), (0, 1), (-5, 1), (3, 1)])
    func opinionByRating(rating: Double, mos: Double) {
        #expect(abs(CallQuality.mos(rating: rating) - mos) < 0.01)
    }

    /// G.113 Appendix I, table I.4: Ie,eff of G.729A by random loss in per cent, rounded there.
    @Test(arguments: [(0, 11), (0.5, 13), (1, 15), (1.5, 17), (2, 19), (3, 23), (4, 26)])
    func impairmentByLoss(percent: Double, impairment: Double) {
        let quality = CallQuality(codec: .g729, loss: percent / 100, delay: .zero)
        #expect(abs(quality.lossImpairment - impairment) <= 0.6)
    }

    /// G.107 §7.5 with the Ie and Bpl of G.113 for G.711: with concealment, and without.
    @Test(arguments: [
        (VoiceCodec.g711, 1, 3.64), (.g711, 5, 15.78), (.g711WithoutConcealment, 1, 17.92), (.g711WithoutConcealment, 5, 51.08),
        (.g722, 0, 13),
    ])
    func impairmentOfCodecs(codec: VoiceCodec, percent: Double, impairment: Double) {
        #expect(abs(CallQuality(codec: codec, loss: percent / 100, delay: .zero).lossImpairment - impairment) < 0.01)
    }

    /// Cole and Rosenbluth, "Voice over IP performance monitoring" (2001), figure 1: Id by milliseconds one way.
    @Test(arguments: [(0, 0), (100, 2.4), (150, 3.6), (177, 4.25), (200, 7.3), (300, 20.7), (400, 34.1)])
    func impairmentByDelay(milliseconds: Int, impairment: Double) {
        let quality = CallQuality(codec: .g711, loss: 0, delay: .milliseconds(milliseconds))
        #expect(abs(quality.delayImpairment - impairment) < 0.05)
    }

    @Test(arguments: [
        (VoiceCodec.g711, 0.0, 0, 4.41), (.g711, 0.01, 150, 4.22), (.g711, 0.05, 150, 3.77), (.g729, 0, 0, 4.11),
        (.g722, 0, 0, 4.34), (.g711, 1, 1000, 1),
    ])
    func opinion(codec: VoiceCodec, loss: Double, milliseconds: Int, mos: Double) {
        #expect(abs(CallQuality(codec: codec, loss: loss, delay: .milliseconds(milliseconds)).mos - mos) < 0.02)
    }

    @Test func aLegIsRatedByWhatIsKnown() {
        var leg = LegQuality(received: 990, expected: 1000, lost: 10, jitter: .milliseconds(5), roundTrip: .milliseconds(80), codec: .g711)
        // 1 % and 20 + 40 + 10 ms: 93.2 - 3.64 - 1.68.
        #expect(leg.mos.map { abs($0 - CallQuality.mos(rating: 87.88)) < 0.001 } == true)
        #expect(leg.reportedMOS == nil)
        leg.reported = .init(loss: 0.05, jitter: nil)
        #expect(leg.reportedMOS.map { abs($0 - CallQuality.mos(rating: 93.2 - 15.78 - 1.44)) < 0.001 } == true)
        leg.codec = nil
        #expect(leg.mos == nil)
        #expect(LegQuality(received: 0, expected: 0, lost: 0, codec: .g711).mos == nil)
    }
}
