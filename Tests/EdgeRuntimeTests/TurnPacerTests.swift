import CoreTypes
import Testing

@testable import EdgeRuntime

/// When the signalling loop lets messages gather.
@Suite struct TurnPacerTests {
    private let start = Instant(nanoseconds: 1_000_000_000)

    /// How long a loop rests after each of `count` messages that come `interval` apart, one a turn.
    private func rests(_ count: Int, every interval: Duration, from pacer: inout TurnPacer, at start: Instant) -> [Duration] {
        (0..<count).map { index in
            pacer.received(at: start + interval * index)
            return pacer.burstEnded(isDrained: true) ? pacer.turnEnded() : .zero
        }
    }

    @Test(arguments: [5, 20, 100, 200]) func nobodyWaitsWhereMessagesAreFew(_ perSecond: Int) {
        var pacer = TurnPacer.signalling
        #expect(rests(3 * perSecond, every: .seconds(1) / perSecond, from: &pacer, at: start).allSatisfy { $0 == .zero })
    }

    @Test(arguments: [300, 2_000, 20_000]) func aBusyLoopRestsAfterEachTurn(_ perSecond: Int) {
        var pacer = TurnPacer.signalling
        let rests = rests(perSecond, every: .seconds(1) / perSecond, from: &pacer, at: start)
        #expect(rests.prefix(TurnPacer.signalling.busyCount - 1).allSatisfy { $0 == .zero })
        #expect(rests.dropFirst(TurnPacer.signalling.busyCount).allSatisfy { $0 == TurnPacer.signalling.rest })
    }

    /// A thousand packets a second are ten calls both ways, in bursts of any size.
    @Test(arguments: [(1, 2, false), (4, 5, false), (16, 20, false), (6, 5, true), (24, 20, true), (2, 1, true), (80, 4, true)])
    func mediaOfManyCallsGathers(_ packets: Int, every milliseconds: Int, rests: Bool) {
        var pacer = TurnPacer.media
        let rested = (0..<100).map { turn in
            pacer.received(packets, at: start + .milliseconds(turn * milliseconds))
            return pacer.burstEnded(isDrained: true) ? pacer.turnEnded() : .zero
        }
        #expect(rested.first == .zero && rested.suffix(40).allSatisfy { $0 == (rests ? .milliseconds(4) : .zero) }, "\(rested)")
    }

    /// Turns without packets, as commands bring them, do not keep a loop resting.
    @Test func turnsWithoutPacketsAreNoRush() {
        var pacer = TurnPacer.media
        for turn in 0..<100 {
            pacer.received(20, at: start + .milliseconds(turn * 5))
            if pacer.burstEnded(isDrained: true) { _ = pacer.turnEnded() }
        }
        let rests = (0..<50).map { turn in
            pacer.received(0, at: start + .milliseconds(500 + turn * 20))
            return pacer.burstEnded(isDrained: true) ? pacer.turnEnded() : .zero
        }
        #expect(rests.dropFirst(12).allSatisfy { $0 == .zero }, "\(rests)")
    }

    /// The first message after the rush is one of few again, however long ago the rush was.
    @Test(arguments: [Duration.milliseconds(250), .seconds(3600)]) func theRushIsForgotten(_ pause: Duration) {
        var pacer = TurnPacer.signalling
        let rush = rests(500, every: .milliseconds(1), from: &pacer, at: start)
        #expect(rush.last == TurnPacer.signalling.rest)
        #expect(rests(20, every: .milliseconds(50), from: &pacer, at: start + .milliseconds(500) + pause).allSatisfy { $0 == .zero })
    }

    /// What a socket could not give in one read is read before the loop rests, and several sockets cost one rest.
    @Test func whatIsLeftInASocketIsReadFirst() {
        var pacer = TurnPacer.signalling
        for index in 0..<50 { pacer.received(at: start + .milliseconds(index)) }
        let bursts = [pacer.burstEnded(isDrained: false), pacer.burstEnded(isDrained: true)]
        #expect(bursts == [true, false])
        #expect(pacer.turnEnded() == .zero)
        let again = [pacer.burstEnded(isDrained: true), pacer.burstEnded(isDrained: true)]
        #expect(again == [true, false])
        #expect(pacer.turnEnded() == TurnPacer.signalling.rest)
    }
}
