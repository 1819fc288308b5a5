import CoreTypes
import Testing
@testable import Tunnel

private func calls(_ line: SimulatedLine, seed: UInt64 = 1, streams: Int = 2, talkAt: Duration = .milliseconds(1500)) -> SimulatedCalls {
    let world = SimulatedWorld(line: line, seed: seed)
    world.nodes = [PlainNode(.edge), PlainNode(.headend)]
    return SimulatedCalls(world, streams: streams, talkAt: talkAt)
}

extension SimulatedCalls {
    /// Talks until `end`, then lets what is under way arrive.
    func run(_ end: Duration, quiet: Duration = .seconds(8)) {
        world.run(until: end)
        isTalking = false
        world.run(until: end + quiet)
    }
}

@Suite("Tunnel on a bad line, in virtual time")
struct TunnelNetworkTests {
    @Test("signalling whole and in order, media by datagrams", arguments: [0, 10, 30, 50], [UInt64(1), 2])
    func loss(thousandths: Int, seed: UInt64) {
        var line = SimulatedLine()
        line.loss = thousandths
        let calls = calls(line, seed: seed)
        calls.run(.seconds(30))
        calls.expectSignalsWhole()
        #expect(calls.refused == 0 && calls.twice == 0 && calls.boundCount == 2)
        for side in SimulatedSide.allCases {
            let span = Duration.seconds(5)..<Duration.seconds(30)
            #expect(calls.loss(at: side, in: span) <= thousandths + 15, "\(side)")
            #expect(calls.ages(at: side).filter { $0 > .milliseconds(120) }.count < 30)
            #expect(calls.world.node(side).status.streams.allSatisfy { $0.sending == .datagram })
        }
    }

    @Test("UDP blocked from the start: the stream carries nearly all, and nothing that waited for more than one repair", arguments: [0, 10, 30])
    func blocked(thousandths: Int) {
        var line = SimulatedLine()
        line.loss = thousandths
        line.blocked = [.zero..<Duration.seconds(100)]
        line.firstRepair = .milliseconds(130)
        let calls = calls(line)
        calls.run(.seconds(40))
        calls.expectSignalsWhole()
        for side in SimulatedSide.allCases {
            #expect(calls.lanes(side).isEmpty)
            #expect(calls.world.node(side).status.streams.allSatisfy { $0.sending == .stream && $0.receiving == .stream })
            // 40 ms of way, 20 of jitter, 250 allowed at most.
            // The first packets of a stream have nothing to be measured by.
            let old = calls.ages(at: side).filter { $0 > .milliseconds(310) }
            #expect(old.count <= 20, "\(old)")
            let loss = calls.loss(at: side, in: .seconds(3)..<Duration.seconds(40))
            #expect(loss < 5 + thousandths, "\(loss)")
        }
        if thousandths > 10 { #expect(calls.drops[.late, default: 0] > 0) }
    }

    @Test("UDP blocked while nobody talks: the next call loses nothing by it", arguments: UInt64(1)...4)
    func blockedWhileIdle(seed: UInt64) {
        var line = SimulatedLine()
        line.blocked = [Duration.milliseconds(8500)..<Duration.seconds(60)]
        let calls = calls(line, seed: seed, talkAt: .seconds(9))
        calls.run(.seconds(20))
        for side in SimulatedSide.allCases {
            let changes = calls.lanes(side)
            #expect(changes.map(\.1) == [.datagram, .stream] && (changes.last?.0 ?? .zero) > .milliseconds(9500), "\(changes)")
            #expect(calls.loss(at: side, in: .milliseconds(9500)..<Duration.seconds(20)) == 0)
        }
        #expect(calls.twice == 0)
    }

    @Test("both lanes carry a call's first words only until the datagram lane has shown that it works")
    func provedAtOnce() {
        let calls = calls(SimulatedLine(), talkAt: .seconds(9))
        calls.run(.seconds(20))
        for side in SimulatedSide.allCases { #expect(calls.world.node(side).status.counters.mediaSentByStream == 0) }
        #expect(calls.twice == 0)
    }

    @Test("UDP blocked in mid-call and back: the lane follows, and no gap is over 100 ms", arguments: UInt64(1)...6)
    func midCall(seed: UInt64) {
        var line = SimulatedLine()
        line.blocked = [Duration.seconds(10)..<Duration.seconds(20)]
        let calls = calls(line, seed: seed)
        calls.run(.seconds(40))
        calls.expectSignalsWhole()
        for side in SimulatedSide.allCases {
            let changes = calls.lanes(side)
            #expect(changes.first?.1 == .datagram)
            #expect(changes.contains { $0.1 == .stream && $0.0 < .milliseconds(10_500) }, "\(changes)")
            #expect(changes.last?.1 == .datagram && (changes.last?.0 ?? .zero) < .seconds(30), "\(changes)")
            #expect(calls.longestGap(at: side, in: .seconds(5)..<Duration.seconds(40)) <= .milliseconds(100))
        }
        #expect(calls.twice == 0)
    }

    @Test("packets that leave together share datagrams where the path takes long ones; where it does not, none is lost by that")
    func bundles() {
        let isBundle = { (sent: (time: Duration, bytes: [UInt8])) in sent.bytes.first == 3 }
        let wide = calls(SimulatedLine(), streams: 8)
        wide.run(.seconds(20))
        var line = SimulatedLine()
        line.narrowed = [.zero..<Duration.seconds(100)]
        let narrow = calls(line, streams: 8)
        narrow.run(.seconds(20))
        for side in SimulatedSide.allCases {
            let media = wide.world.sentDatagrams[side.rawValue].filter { $0.time > .seconds(4) && ($0.bytes.first ?? 0) >= 3 }
            // Eight of 172 bytes: six, and two.
            #expect(media.allSatisfy(isBundle) && (1590...1602).contains(media.count), "\(media.count)")
            #expect(narrow.world.sentDatagrams[side.rawValue].allSatisfy { !isBundle($0) })
            for calls in [wide, narrow] {
                #expect(calls.loss(at: side, in: .seconds(3)..<Duration.seconds(20)) == 0)
                #expect(calls.world.node(side).status.streams.allSatisfy { $0.sending == .datagram })
            }
        }
        #expect(wide.twice == 0 && narrow.twice == 0)
    }

    @Test("a path that takes long datagrams no more in mid-call, and again later: bundles end before long", arguments: UInt64(1)...6)
    func narrowing(seed: UInt64) {
        var line = SimulatedLine()
        line.narrowed = [Duration.milliseconds(8130)..<Duration.seconds(20)]
        let calls = calls(line, seed: seed, streams: 8)
        calls.run(.seconds(40))
        for side in SimulatedSide.allCases {
            #expect(calls.longestGap(at: side, in: .seconds(3)..<Duration.seconds(40)) <= .milliseconds(400), "\(calls.history)")
            let bundles = calls.world.sentDatagrams[side.rawValue].filter { $0.bytes.first == 3 && $0.bytes.count > SimulatedLine.narrow }
            #expect(bundles.contains { $0.time < .seconds(8) } && !bundles.contains { (Duration.seconds(10)..<Duration.seconds(20)).contains($0.time) })
            #expect(bundles.contains { $0.time > .seconds(32) })
            #expect(calls.world.node(side).status.streams.allSatisfy { $0.sending == .datagram }, "\(calls.history)")
        }
    }

    @Test("a bad line: each packet goes twice, and hardly any is lost", arguments: [(20, 4), (50, 8), (80, 15)], [1, 8])
    func copies(_ line: (loss: Int, left: Int), streams: Int) {
        var bad = SimulatedLine()
        bad.loss = line.loss
        // TCP suffers as much, so that media has no reason to leave.
        bad.firstRepair = .milliseconds(400)
        let calls = calls(bad, seed: 3, streams: streams)
        calls.run(.seconds(100))
        for side in SimulatedSide.allCases {
            let status = calls.world.node(side).status
            #expect(status.isRepeating && status.counters.mediaRepeated > 3000 && status.streams.allSatisfy { $0.sending == .datagram }, "\(calls.history)")
            #expect(calls.loss(at: side, in: .seconds(10)..<Duration.seconds(100)) <= line.left)
        }
        #expect(calls.twice == 0)
    }

    @Test("copies end when the line is good again")
    func copiesEnd() {
        var control = RepeatControl()
        for second in 0..<60 {
            for tenth in 0..<10 {
                control.judge(loss: second < 20 ? 30 : 0, now: Instant(nanoseconds: 0) + .seconds(second) + .milliseconds(100 * tenth))
            }
            #expect(control.isOn == (second < 30), "\(second)")
        }
    }

    @Test("a short outage is no reason to end copies; loss that stays and goes with them is, for longer each time")
    func copiesAndOutages() {
        var control = RepeatControl()
        var now = Instant(nanoseconds: 0)
        func pass(_ seconds: Double, _ loss: Int) {
            for _ in 0..<Int(seconds * 10) {
                control.judge(loss: loss, now: now)
                now = now + .milliseconds(100)
            }
        }
        pass(5, 12)
        // The window of the measurement holds an outage for 3.2 s.
        for _ in 0..<20 {
            pass(3.2, 90)
            pass(2, 12)
            #expect(control.isOn)
        }
        for rest in [60, 120, 240] {
            pass(3.7, 120)
            #expect(!control.isOn && control.isMeasured)
            pass(3.7, 15)
            #expect(!control.isOn && !control.isMeasured)
            pass(Double(rest) - 5, 15)
            #expect(!control.isOn)
            pass(6, 15)
            #expect(control.isOn)
        }
    }

    @Test("a line too thin for copies: they end, and are tried again less and less often", arguments: UInt64(1)...2)
    func thinLine(seed: UInt64) {
        var line = SimulatedLine()
        line.loss = 15
        // Eight calls are 75 000 bytes a second.
        line.datagramRate = 90_000
        let calls = calls(line, seed: seed, streams: 8)
        calls.run(.seconds(300))
        for side in SimulatedSide.allCases {
            let counters = calls.world.node(side).status.counters
            let share = Double(counters.mediaRepeated) / Double(max(counters.mediaSentByDatagram, 1))
            #expect(share > 0.005 && share < 0.1, "\(side): \(share)")
            #expect(calls.loss(at: side, in: .seconds(10)..<Duration.seconds(300)) < 40)
        }
    }

    @Test("datagrams that are lost where the stream is not: away, and back when that ends")
    func policed() {
        var line = SimulatedLine()
        line.datagramLoss = 400
        let world = calls(line, seed: 5)
        world.run(.seconds(30))
        for side in SimulatedSide.allCases {
            #expect(world.world.node(side).status.streams.allSatisfy { $0.sending == .stream })
            #expect(world.loss(at: side, in: .seconds(15)..<Duration.seconds(30)) < 20)
        }
    }

    @Test("a cut of ten seconds: the session goes on with streams and signalling whole", arguments: UInt64(1)...3)
    func cut(seed: UInt64) {
        var line = SimulatedLine()
        line.cuts = [Duration.seconds(10)..<Duration.seconds(20)]
        let calls = calls(line, seed: seed)
        calls.run(.seconds(40))
        calls.expectSignalsWhole()
        #expect(calls.lostStreams == 0 && calls.boundCount == 2)
        let ups = calls.ups(.edge)
        #expect(ups.count == 2 && ups.last?.1 == true, "\(ups)")
        #expect((ups.last?.0 ?? .zero) < .seconds(26), "\(ups)")
        let noticed = calls.reports[0].first { if case .cut = $0.1 { return true } else { return false } }
        #expect((noticed?.0 ?? .zero) > .seconds(10) && (noticed?.0 ?? .seconds(99)) < .seconds(15))
        for side in SimulatedSide.allCases { #expect(calls.loss(at: side, in: .seconds(27)..<Duration.seconds(40)) < 10) }
    }

    @Test("a cut longer than a session is kept: streams end on both sides, and a new session begins")
    func longCut() {
        var line = SimulatedLine()
        line.cuts = [Duration.seconds(10)..<Duration.seconds(45)]
        let calls = calls(line)
        calls.world.run(until: .seconds(44))
        #expect(calls.lostStreams == 4)
        #expect(calls.world.node(.edge).status.phase == .idle)
    }

    @Test("two hundred cuts of 0.2 to 10 s: nothing is lost or doubled, and recovery is bounded", arguments: UInt64(1)...10)
    func twentyCutsTenTimes(seed: UInt64) {
        var line = SimulatedLine()
        line.loss = 10
        var dice = SeededRandom(state: seed)
        var time = Duration.seconds(6)
        for _ in 0..<20 {
            let length = Duration.milliseconds(Int64.random(in: 200...10_000, using: &dice))
            line.cuts.append(time..<time + length)
            time += length + .milliseconds(Int64.random(in: 6000...9000, using: &dice))
        }
        let calls = calls(line, seed: seed, streams: 1)
        calls.run(time)
        calls.expectSignalsWhole()
        #expect(calls.lostStreams == 0 && calls.refused == 0 && calls.twice == 0, "\(calls.history)")
        #expect(calls.ups(.edge).dropFirst().allSatisfy { $0.1 })
        for side in SimulatedSide.allCases {
            var recoveries: [Duration] = []
            var rest = calls.arrivals[side.rawValue][...]
            for cut in line.cuts {
                rest = rest.drop { $0 - calls.world.start <= cut.upperBound }
                if let came = rest.first { recoveries.append(came - calls.world.start - cut.upperBound) }
            }
            recoveries.sort()
            #expect(recoveries.count == 20 && recoveries[10] < .seconds(1) && recoveries[19] < .seconds(8), "\(recoveries.suffix(4))")
        }
    }

    @Test("a slow line: media waits for no more than 60 ms and signalling does not wait for media")
    func slowLine() {
        var line = SimulatedLine()
        line.rate = 10_000
        line.jitter = .zero
        line.blocked = [.zero..<Duration.seconds(100)]
        let calls = calls(line, streams: 2)
        calls.run(.seconds(20))
        calls.expectSignalsWhole()
        #expect(calls.world.node(.edge).status.lateBeforeSending > 100)
        // 40 ms of way; at most one packet is ahead in the socket, after the first half second of learning the rate.
        #expect(calls.slowestSignal < .milliseconds(600), "\(calls.slowestSignal)")
        for side in SimulatedSide.allCases {
            let ages = calls.ages(at: side).sorted()
            #expect(!ages.isEmpty && ages[ages.count * 95 / 100] <= .milliseconds(180), "\(ages.suffix(20))")
        }
    }
}
