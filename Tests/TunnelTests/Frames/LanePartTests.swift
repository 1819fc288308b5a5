import CoreTypes
import Testing
@testable import Tunnel

private let start = Instant(nanoseconds: 0)

@Suite("Parts of the lanes")
struct LanePartTests {
    @Test("replay window against a model", arguments: UInt64(1)...20)
    func replayWindow(seed: UInt64) {
        var dice = SeededRandom(state: seed)
        var window = ReplayWindow()
        var seen: Set<UInt64> = []
        var highest: UInt64 = 0
        for _ in 0..<5000 {
            let base = seen.isEmpty ? 5000 : highest
            let number = UInt64.random(in: base - min(base, 200)...base + [3, 70, 200].randomElement(using: &dice).unsafelyUnwrapped, using: &dice)
            let expected: ReplayWindow.Verdict =
                seen.isEmpty || number > highest ? .fresh : highest - number >= ReplayWindow.size ? .tooOld : seen.contains(number) ? .seen : .fresh
            #expect(window.accept(number) == expected)
            if expected == .fresh { seen.insert(number) }
            highest = max(highest, number)
        }
    }

    @Test("replay window at its edges")
    func replayEdges() {
        var window = ReplayWindow()
        for (number, verdict) in [
            (UInt64(0), ReplayWindow.Verdict.fresh), (0, .seen), (127, .fresh), (0, .seen), (1, .fresh), (128, .fresh), (0, .tooOld), (1, .seen),
            (64, .fresh), (64, .seen), (192, .fresh), (65, .fresh), (65, .seen), (.max, .fresh), (.max, .seen), (192, .tooOld),
        ] { #expect(window.accept(number) == verdict, "\(number)") }
    }

    @Test("duplicates are dropped over the turn of the sequence number; a new source begins anew")
    func duplicates() throws {
        var filter = DuplicateFilter()
        for number in 65_500..<65_600 {
            let packet = try #require(RTPFields(rtpPacket(number)[...]))
            #expect(filter.accept(packet) == true)
            #expect(filter.accept(packet) == false)
        }
        let other = try #require(RTPFields(rtpPacket(3, source: 9)[...]))
        #expect(filter.accept(other) == true)
        let leap = try #require(RTPFields(rtpPacket(30_000, source: 9)[...]))
        #expect(filter.accept(leap) == true)
        let back = try #require(RTPFields(rtpPacket(10_000, source: 9)[...]))
        #expect(filter.accept(back) == true)
        #expect(RTPFields([0x80]) == nil && RTPFields([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]) == nil)
    }

    @Test("lateness: a burst behind a stall lets only the newest 60 ms through; an event shares one verdict")
    func lateness() throws {
        var gate = LatenessGate(clockRate: 8000)
        var verdicts: [Bool] = []
        for number in 0..<100 {
            // Packets 40...59 are held back until 1200 ms.
            let due = Int64(number * 20)
            let came = (40..<60).contains(number) ? 1200 : due
            verdicts.append(gate.isLate(try #require(RTPFields(rtpPacket(number)[...])), limit: .milliseconds(60), now: start + .milliseconds(came)))
        }
        #expect(verdicts.enumerated().filter(\.element).map(\.offset) == Array(40..<57))
        // The same timestamp for two seconds: a long key press.
        let event = try #require(RTPFields(rtpPacket(100)[...]))
        for step in 0..<100 { #expect(gate.isLate(event, limit: .milliseconds(60), now: start + .milliseconds(Int64(2000 + 20 * step))) == false) }
        var unknown = LatenessGate(clockRate: 0)
        #expect(unknown.isLate(event, limit: .zero, now: start) == false)
    }

    @Test("lateness: one repair's wait is allowed, as the fastest of the last pings tells it", arguments: [
        ([Int](), 60), ([0], 60), ([8], 74), ([40, 80, 400], 130), ([120, 80, 300], 200), ([40, 84, 95, 88, 100, 110, 120], 207), ([109], 250),
        ([600], 250), ([-5, 61_000], 60),
    ])
    func repairs(roundTrips: [Int], milliseconds: Int) {
        var life = KeepAlive(now: start)
        for (number, roundTrip) in roundTrips.enumerated() {
            let sent = start + .seconds(number * 100)
            guard case .ping(let stamp) = life.ping(now: sent, interval: .seconds(1)) else { continue }
            life.pong(stamp, now: sent + .milliseconds(roundTrip))
        }
        #expect(life.lateAfter(TunnelTimers()) == .milliseconds(milliseconds))
    }

    /// What a phone may do to its timestamps under one SSRC, after a second of talk; packets in the order of their numbers, each in its time.
    enum Clock: CaseIterable {
        /// Half a second, a second or four seconds back, once.
        case setBack(seconds: Double)
        /// Packets of a key between those of the audio, all with the time the key began.
        case interleavedKey
        /// The number begins anew, too.
        case begunAnew
        /// One packet overtakes ten others.
        case overtaken

        static var allCases: [Clock] { [.setBack(seconds: 0.5), .setBack(seconds: 1), .setBack(seconds: 4), .interleavedKey, .begunAnew, .overtaken] }

        /// Number, timestamp and payload type of the packets that follow number 49, one every 20 ms.
        var packets: [(number: Int, timestamp: Int, payloadType: UInt8)] {
            (50..<250).map { number in
                switch self {
                case .setBack(let seconds): (number, number * 160 - Int(seconds * 8000), 0)
                case .interleavedKey: number.isMultiple(of: 2) ? (number, 50 * 160, 101) : (number, number * 160, 0)
                case .begunAnew: (number + 40_000, number * 160 - 4000, 0)
                case .overtaken: number == 60 ? (70, 70 * 160, 0) : 60..<71 ~= number ? (number - 1, (number - 1) * 160, 0) : (number, number * 160, 0)
                }
            }
        }
    }

    @Test("lateness: clocks that are set back, keys between audio and new beginnings mute nobody", arguments: Clock.allCases)
    func latenessAndClocks(clock: Clock) throws {
        var gate = LatenessGate(clockRate: 8000)
        func isLate(_ number: Int, _ timestamp: Int, _ payloadType: UInt8, at tick: Int) throws -> Bool {
            var fields = try #require(RTPFields(rtpPacket(number)[...]))
            (fields.timestamp, fields.payloadType) = (UInt32(truncatingIfNeeded: timestamp), payloadType)
            return gate.isLate(fields, limit: .milliseconds(260), now: start + .milliseconds(Int64(tick * 20)))
        }
        for number in 0..<50 { #expect(try !isLate(number, number * 160, 0, at: number)) }
        let late = try clock.packets.enumerated().filter { try isLate($1.number, $1.timestamp, $1.payloadType, at: 50 + $0) }
        #expect(late.map(\.offset) == [])
        // What is late afterwards is still told.
        let last = try #require(clock.packets.last)
        #expect(try isLate(last.number + 1, last.timestamp + 160, 0, at: 250 + 20))
    }

    @Test("the media queue gives nothing older than 60 ms and holds no more than its capacity")
    func mediaQueue() {
        var queue = MediaQueue(capacity: 4, maximumAge: .milliseconds(60))
        for number in 0..<6 { queue.append(stream32.rtp, [UInt8(number)], now: start + .milliseconds(Int64(number * 20))) }
        #expect(queue.count == 4 && queue.dropped == 2)
        var bytes: [UInt8] = []
        #expect(queue.appendNext(to: &bytes, now: start + .milliseconds(121)) == true)
        #expect(bytes == [0x20, 0, 1, 4] && queue.dropped == 4)
        #expect(queue.appendNext(to: &bytes, now: start + .milliseconds(121)) == true)
        #expect(queue.appendNext(to: &bytes, now: start + .milliseconds(121)) == false)
    }

    @Test("the media queue keeps order and bounds over many turns", arguments: UInt64(1)...5)
    func mediaQueueModel(seed: UInt64) {
        var dice = SeededRandom(state: seed)
        var queue = MediaQueue(capacity: 7, maximumAge: .milliseconds(60))
        var waiting: [(packet: [UInt8], since: Int64)] = []
        var lost = 0
        for step in 0..<5000 {
            let now = Int64(step * 5)
            if Bool.random(using: &dice) {
                let packet = [UInt8](repeating: UInt8(truncatingIfNeeded: step), count: Int.random(in: 1...300, using: &dice))
                queue.append(stream300.rtp, packet[...], now: start + .milliseconds(now))
                if waiting.count == 7 {
                    waiting.removeFirst()
                    lost += 1
                }
                waiting.append((packet, now))
            } else if Int.random(in: 0..<3, using: &dice) > 0 {
                let old = waiting.prefix { now - $0.since > 60 }.count
                lost += old
                waiting.removeFirst(old)
                var bytes: [UInt8] = []
                let isThere = queue.appendNext(to: &bytes, now: start + .milliseconds(now))
                #expect(isThere != waiting.isEmpty)
                if !waiting.isEmpty { #expect(bytes == TunnelFrame.media(stream300.rtp, waiting.removeFirst().packet[...]).encoded) }
            }
            #expect(queue.count == waiting.count && queue.dropped == UInt64(lost))
        }
    }

    @Test("packets that leave together: in order, in as few datagrams as hold them, alone where there is no room for two", arguments: [0, 100, 180, 600, 1188])
    func bundler(limit: Int) throws {
        let packets = (0..<40).map { MediaPacket($0.isMultiple(of: 3) ? stream300.rtcp : stream32.rtp, rtpPacket($0, payload: 60 + $0 * 3)[...]) }
        var bundler = MediaBundler()
        var frames: [DatagramFrame] = []
        for packet in packets { if let full = bundler.append(packet, limit: limit) { frames.append(full) } }
        if let last = bundler.take() { frames.append(last) }
        #expect(bundler.take() == nil)
        var seen: [MediaPacket] = []
        for frame in frames {
            switch frame {
            case .media(let packet): seen.append(packet)
            case .bundle(let packets):
                seen += packets
                #expect(frame.encoded.count <= limit && packets.count > 1)
            default: Issue.record("\(frame)")
            }
        }
        #expect(seen == packets)
        #expect(frames.count == [0: 40, 100: 40, 180: 38, 600: 10, 1188: 5][limit], "\(frames.count)")
    }

    @Test("a path that takes no long datagrams is asked again, less and less often; one that takes them, every second")
    func width() {
        var (wide, narrow) = (LaneMeter(), LaneMeter())
        var asked: (wide: [Int], narrow: [Int]) = ([], [])
        for tick in 0..<300 {
            let now = start + .milliseconds(Int64(tick * 200))
            if case .probe(let stamp, _, let padding) = wide.probe(now: now, width: 1188) {
                if padding > 0 { asked.wide.append(tick) }
                _ = wide.echo(stamp, received: 0, now: now)
            }
            guard case .probe(let stamp, _, let padding) = narrow.probe(now: now, width: 1188) else { continue }
            if padding > 0 { asked.narrow.append(tick) } else { _ = narrow.echo(stamp, received: 0, now: now) }
            #expect(wide.isWide(now) && !narrow.isWide(now))
        }
        #expect(asked.wide == Array(stride(from: 0, to: 300, by: 5)))
        #expect(asked.narrow == [0, 5, 10, 60, 110, 160, 210, 260])
        let end = start + .seconds(60)
        #expect(!wide.isWide(end + .seconds(4)))
        wide.forgetWidth()
        #expect(!wide.isWide(end))
        if case .probe(_, _, let padding) = wide.probe(now: end + .seconds(2), width: 0) { #expect(padding == 0) }
    }

    @Test("what gets lost between two echoes ends bundles at once where it is much", arguments: [(0, true), (2, true), (3, false), (11, false)])
    func narrowed(lost: UInt64, isWide: Bool) {
        var meter = LaneMeter()
        var received: UInt64 = 0
        for tick in 0..<2 {
            for _ in 0..<11 { meter.noteSent() }
            received += tick == 0 ? 11 : 11 - lost
            let now = start + .milliseconds(Int64(tick * 200))
            guard case .probe(let stamp, _, _) = meter.probe(now: now, width: 1188) else { continue }
            _ = meter.echo(stamp, received: received, now: now)
        }
        #expect(meter.isWide(start + .milliseconds(200)) == isWide)
    }

    @Test("unacknowledged frames: order, bounds, nonsense, and what a new connection gets")
    func log() {
        var limits = TunnelLimits()
        limits.unacknowledgedFrames = 100
        var log = ReliableLog(limits: limits)
        for number in 0..<100 { #expect(log.append([UInt8(number)], isSignal: number.isMultiple(of: 2)) == true) }
        let overfull = log.append([1], isSignal: true)
        #expect(!overfull)
        for number in 0..<80 { #expect(log.takeNext() == [UInt8(number)]) }
        for (total, isGood) in [(UInt64(81), false), (70, true), (69, false), (70, true), (.max, false)] {
            let taken = log.acknowledge(total)
            #expect(taken == isGood, "\(total)")
        }
        #expect(log.count == 30 && log.bytes == 30)
        let resumed = log.resume(received: 75)
        #expect(resumed && log.takeNext() == [75])
        log.restart(with: [[200]])
        #expect(log.takeNext() == [200] && log.takeNext() == [76] && log.takeNext() == [78] && log.acknowledged == 0)
        log.removeAll()
        #expect(log.count == 0 && log.bytes == 0 && !log.hasUnsent)
    }

    @Test("control before signalling before media, and media only into a nearly empty socket")
    func priorities() {
        var outbox = Outbox(limits: .init(), timers: .init())
        outbox.media.append(stream32.rtp, [9], now: start)
        _ = outbox.log.append([5, 5], isSignal: true)
        _ = outbox.append(.acknowledge(1))
        #expect(outbox.take(now: start) == TunnelFrame.acknowledge(1).encoded + [5, 5, 0x20, 0, 1, 9])
        outbox.noteUnsent(5000, now: start)
        outbox.media.append(stream32.rtp, [9], now: start)
        _ = outbox.log.append([6], isSignal: true)
        #expect(outbox.take(now: start) == [6])
        outbox.noteUnsent(70_000, now: start)
        _ = outbox.log.append([7], isSignal: true)
        #expect(outbox.take(now: start).isEmpty)
        outbox.noteUnsent(0, now: start)
        #expect(outbox.take(now: start) == [7, 0x20, 0, 1, 9])
    }

    @Test("small writes that are taken at once say nothing of the line; what stays in the socket does")
    func drain() {
        var outbox = Outbox(limits: .init(), timers: .init())
        func write(_ count: Int, taken: Int64, unsent: Int = 0, at second: Int) -> Int {
            let now = start + .seconds(second)
            _ = outbox.log.append([UInt8](repeating: 1, count: count), isSignal: false)
            _ = outbox.take(now: now)
            outbox.noteUnsent(unsent, now: now + .milliseconds(taken))
            outbox.noteUnsent(0, now: now + .milliseconds(unsent > 0 ? taken + 34 : taken + 1))
            for _ in 0..<300 { outbox.media.append(stream32.rtp, ArraySlice(repeating: 9, count: 97), now: now) }
            let media = outbox.take(now: now).count
            outbox.media.removeAll()
            outbox.noteUnsent(0, now: now)
            return media
        }
        #expect(write(15, taken: 5, at: 1) == 4100)
        #expect(write(15_000, taken: 1, at: 2) == 16_400)
        #expect(write(15, taken: 5, at: 3) == 16_400)
        // 30 000 bytes in 100 ms: 9000 of them in 30 ms.
        #expect(write(40_000, taken: 100, unsent: 10_000, at: 4) == 9000)
    }

    @Test("a budget: a second's worth at once, then the rate, however it is asked")
    func budget() {
        var budget = TrafficBudget(perSecond: 100)
        var taken = 0
        for step in 0..<10_000 { if budget.take(1, now: start + .milliseconds(Int64(step))) { taken += 1 } }
        #expect((1095...1101).contains(taken))
        var large = TrafficBudget(perSecond: 100)
        #expect(large.take(250, now: start) == true)
        #expect(large.take(1, now: start) == false)
        let recovers = large.recovers(now: start)
        #expect(recovers.map { $0 - start > .milliseconds(1400) && $0 - start < .milliseconds(1600) } == true)
    }
}
