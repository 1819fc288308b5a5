import CoreTypes
import Testing
import Tunnel

/// A link with its own clock.
struct LinkBench {
    var link: TrunkLink
    var now = Instant(nanoseconds: 1_000_000_000_000)

    init(seed: UInt64 = 1, settings: TrunkLink.Settings = .init()) { link = TrunkLink(settings: settings, seed: seed) }

    mutating func handle(_ event: TrunkLink.Event, after delay: Duration = .zero) -> [TrunkLink.Action] {
        now = now + delay
        return link.handle(event, now: now)
    }

    /// Lets time pass to the next deadline; returns how long that was and what is done then.
    mutating func wait() -> (Duration, [TrunkLink.Action]) {
        guard let deadline = link.nextDeadline else { return (.zero, []) }
        let passed = deadline - now
        now = deadline
        return (passed, link.handle(.tick, now: now))
    }

    mutating func bringUp(_ endpoint: Endpoint = first) {
        if link.phase == .stopped { _ = handle(.start) }
        _ = handle(.resolved([endpoint]))
        _ = handle(.connected)
        _ = handle(.handshakeCompleted)
    }
}

private let first = Endpoint(address: IPAddress(v4: 0xC000_0201), port: 5061)
private let second = Endpoint(address: IPAddress(v4: 0xC000_0202), port: 5061)
private let refused = TrunkLink.Failure.network("connection refused")

@Suite("Trunk link")
struct TrunkLinkTests {
    @Test("from start to up")
    func up() {
        var bench = LinkBench()
        #expect(bench.link.nextDeadline == nil)
        #expect(bench.handle(.start) == [.resolve])
        #expect(bench.link.phase == .resolving)
        #expect(bench.handle(.start).isEmpty)
        #expect(bench.handle(.resolved([first, second])) == [.connect(first)])
        #expect(bench.handle(.connected) == [.startHandshake])
        #expect(bench.link.phase == .handshaking(first))
        #expect(bench.handle(.handshakeCompleted) == [.report(.up(first))])
        #expect(bench.link.phase == .up(first, since: bench.now))
    }

    @Test("a name server that is silent, fails, or knows no address")
    func resolution() {
        var bench = LinkBench()
        _ = bench.handle(.start)
        var (passed, actions) = bench.wait()
        #expect(passed == .seconds(5))
        #expect(actions == [.report(.down(.resolutionTimedOut))])
        #expect(bench.handle(.resolved([first])).isEmpty, "too late")
        (passed, actions) = bench.wait()
        #expect(actions == [.resolve])
        #expect(bench.handle(.resolutionFailed("no such name")) == [.report(.down(.resolutionFailed("no such name")))])
        (_, actions) = bench.wait()
        #expect(actions == [.resolve])
        #expect(bench.handle(.resolved([])) == [.report(.down(.noAddress))])
        #expect(bench.wait().1 == [.resolve])
    }

    @Test("each address is tried at once, then there is a pause and a new lookup")
    func addressesInTurn() {
        var bench = LinkBench()
        _ = bench.handle(.start)
        #expect(bench.handle(.resolved([first, second])) == [.connect(first)])
        #expect(bench.handle(.disconnected(refused)) == [.report(.down(refused)), .connect(second)])
        #expect(bench.handle(.disconnected(refused)) == [.report(.down(refused))])
        guard case .waiting(_, after: refused) = bench.link.phase else {
            Issue.record("not waiting: \(bench.link.phase)")
            return
        }
        #expect(bench.wait().1 == [.resolve])
    }

    @Test("a half-open connection is given up within five seconds")
    func timeouts() {
        var bench = LinkBench()
        _ = bench.handle(.start)
        _ = bench.handle(.resolved([first, second]))
        var (passed, actions) = bench.wait()
        #expect(passed == .seconds(5))
        let noConnection = TrunkLink.Failure.connectTimedOut(first)
        #expect(actions == [.close(noConnection), .report(.down(noConnection)), .connect(second)])
        _ = bench.handle(.connected, after: .seconds(2))
        (passed, actions) = bench.wait()
        #expect(passed == .seconds(5))
        let noHandshake = TrunkLink.Failure.handshakeTimedOut(second)
        #expect(actions == [.close(noHandshake), .report(.down(noHandshake))])
    }

    @Test("a TLS failure goes to the next address like any other")
    func tlsFailure() {
        var bench = LinkBench()
        _ = bench.handle(.start)
        _ = bench.handle(.resolved([first, second]))
        _ = bench.handle(.connected)
        #expect(bench.handle(.disconnected(.tls(.notTLS))) == [.report(.down(.tls(.notTLS))), .connect(second)])
    }

    @Test("pauses: a short one, then 1 s doubling to 60 s, each between half and all of it", arguments: 0..<20)
    func backOff(seed: UInt64) {
        var bench = LinkBench(seed: seed)
        _ = bench.handle(.start)
        for milliseconds in [250, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000] {
            _ = bench.handle(.resolved([first]))
            _ = bench.handle(.disconnected(refused))
            let (passed, actions) = bench.wait()
            #expect(actions == [.resolve])
            #expect(passed >= .milliseconds(milliseconds / 2) && passed <= .milliseconds(milliseconds))
        }
    }

    @Test("pauses differ from link to link")
    func jitter() {
        let pauses = (UInt64(0)..<50).map { seed in
            var bench = LinkBench(seed: seed)
            bench.bringUp()
            _ = bench.handle(.disconnected(.closedByPeer), after: .seconds(60))
            return bench.wait().0
        }
        #expect(Set(pauses).count == 50)
    }

    @Test("failures are forgotten after 30 s of being up, not before")
    func stability() {
        var bench = LinkBench()
        _ = bench.handle(.start)
        for _ in 0..<6 {
            _ = bench.handle(.resolved([first]))
            _ = bench.handle(.disconnected(refused))
            _ = bench.wait()
        }
        bench.bringUp()
        #expect(bench.handle(.disconnected(.closedByPeer), after: .seconds(29)) == [.report(.down(.closedByPeer))])
        let (long, _) = bench.wait()
        #expect(long >= .seconds(16))
        bench.bringUp()
        _ = bench.handle(.disconnected(.closedByPeer), after: .seconds(30))
        let (short, actions) = bench.wait()
        #expect(short <= .milliseconds(250))
        #expect(actions == [.resolve])
    }

    @Test("an address whose connections do not last gives way to the next")
    func unstableAddress() {
        var bench = LinkBench()
        _ = bench.handle(.start)
        _ = bench.handle(.resolved([first, second]))
        _ = bench.handle(.connected)
        _ = bench.handle(.handshakeCompleted)
        _ = bench.handle(.disconnected(.closedByPeer), after: .seconds(1))
        #expect(bench.wait().1 == [.connect(second)])
    }

    @Test("pings every 20 to 25 s; a peer that never answers them is not given up")
    func silentPeer() {
        var bench = LinkBench()
        bench.bringUp()
        for _ in 0..<100 {
            let (passed, actions) = bench.wait()
            #expect(actions == [.sendPing])
            #expect(passed >= .seconds(20) && passed <= .seconds(25))
        }
        _ = bench.handle(.bytesReceived)
        #expect(bench.wait().1 == [.sendPing])
        #expect(bench.wait().1 == [.sendPing])
    }

    @Test("a peer that has answered once must go on answering, or send something")
    func missingPong() {
        var bench = LinkBench()
        bench.bringUp()
        _ = bench.wait()
        #expect(bench.handle(.pongReceived, after: .milliseconds(20)).isEmpty)
        #expect(bench.wait().1 == [.sendPing])
        #expect(bench.handle(.bytesReceived, after: .seconds(9)).isEmpty)
        #expect(bench.wait().1 == [.sendPing])
        let (passed, actions) = bench.wait()
        #expect(passed == .seconds(10))
        let missing = TrunkLink.Failure.pongMissing(first)
        #expect(actions == [.close(missing), .report(.down(missing))])
    }

    @Test("a new connection must learn anew whether its peer answers")
    func pongsAreForgotten() {
        var bench = LinkBench()
        bench.bringUp()
        _ = bench.handle(.pongReceived)
        _ = bench.handle(.disconnected(.closedByPeer), after: .seconds(40))
        _ = bench.wait()
        bench.bringUp()
        for _ in 0..<5 { #expect(bench.wait().1 == [.sendPing]) }
    }

    @Test("stop ends it in every phase, and start begins again")
    func stop() {
        var bench = LinkBench()
        #expect(bench.handle(.stop).isEmpty)
        _ = bench.handle(.start)
        #expect(bench.handle(.stop) == [.report(.down(.stopped))])
        _ = bench.handle(.start)
        _ = bench.handle(.resolved([first]))
        #expect(bench.handle(.stop) == [.close(.stopped), .report(.down(.stopped))])
        bench.bringUp()
        #expect(bench.handle(.stop) == [.close(.stopped), .report(.down(.stopped))])
        #expect(bench.link.phase == .stopped)
        #expect(bench.link.nextDeadline == nil)
        #expect(bench.handle(.tick, after: .seconds(100)).isEmpty)
        #expect(bench.handle(.start) == [.resolve])
        #expect(bench.handle(.resolved([first])) == [.connect(first)])
        _ = bench.handle(.disconnected(refused))
        #expect(bench.handle(.stop) == [.report(.down(.stopped))])
    }

    @Test("late events change nothing, and the attempt number tells them apart")
    func lateEvents() {
        var bench = LinkBench()
        for event: TrunkLink.Event in [.connected, .handshakeCompleted, .pongReceived, .disconnected(refused), .tick, .resolved([first])] {
            #expect(bench.handle(event).isEmpty)
            #expect(bench.link.phase == .stopped)
        }
        _ = bench.handle(.start)
        let lookup = bench.link.attempt
        _ = bench.handle(.resolved([first, second]))
        #expect(bench.link.attempt == lookup + 1)
        #expect(bench.handle(.handshakeCompleted).isEmpty)
        #expect(bench.link.phase == .connecting(first))
        #expect(bench.handle(.tick).isEmpty, "before the deadline")
        _ = bench.handle(.disconnected(refused))
        #expect(bench.link.attempt == lookup + 2)
    }

    @Test("a thousand random events: a deadline exists unless stopped, and only one connection at a time", arguments: 0..<20)
    func randomEvents(seed: UInt64) {
        var bench = LinkBench(seed: seed)
        var dice = SeededRandom(state: seed)
        var hasConnection = false
        for _ in 0..<1000 {
            let events: [TrunkLink.Event] = [
                .start, .resolved([first, second]), .resolved([]), .resolutionFailed("x"), .connected, .handshakeCompleted,
                .disconnected(refused), .pongReceived, .bytesReceived, .tick, .tick, .tick, .stop,
            ]
            let event = events[Int(dice.next() % UInt64(events.count))]
            if case .disconnected = event { hasConnection = false }
            for action in bench.handle(event, after: .milliseconds(Int64(dice.next() % 20_000))) {
                switch action {
                case .connect:
                    #expect(!hasConnection)
                    hasConnection = true
                case .close:
                    #expect(hasConnection)
                    hasConnection = false
                case .startHandshake, .sendPing, .report(.up): #expect(hasConnection)
                case .resolve, .report(.down): break
                }
            }
            #expect((bench.link.nextDeadline == nil) == (bench.link.phase == .stopped))
        }
    }
}

/// A generator with a known start, for tests.
struct SeededRandom: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return (state >> 33) ^ (state << 31)
    }
}
