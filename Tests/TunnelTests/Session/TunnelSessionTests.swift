import CoreTypes
import Testing
@testable import Tunnel

private let start = Instant(nanoseconds: 5_000_000_000)
private let fresh = SessionToken(bytes: [UInt8](repeating: 3, count: 16)).unsafelyUnwrapped

/// One session and what the test plays of the far end.
struct SessionBench {
    var session: TunnelSession
    var now = start

    init(_ role: TunnelSession.Role, limits: TunnelLimits = .init()) {
        session = TunnelSession(role: role, token: role == .headend ? token : nil, limits: limits)
    }

    mutating func handle(_ event: TunnelSession.Event, after delay: Duration = .zero) -> [TunnelSession.Action] {
        now = now + delay
        return session.handle(event, now: now)
    }

    mutating func receive(_ frames: TunnelFrame..., after delay: Duration = .zero) -> [TunnelSession.Action] {
        handle(.streamBytes(frames.flatMap(\.encoded)), after: delay)
    }

    /// Lets time pass to the next deadline.
    mutating func wait() -> [TunnelSession.Action] {
        now = max(now, session.nextDeadline ?? now)
        return session.handle(.tick, now: now)
    }

    mutating func bringUp(capabilities: TunnelCapabilities = []) {
        var hello = TunnelHello()
        hello.capabilities = capabilities
        switch session.role {
        case .edge:
            _ = handle(.connected)
            hello.token = token
            _ = receive(.hello(hello))
        case .headend: _ = handle(.greeted(hello, rest: []))
        }
    }
}

extension [TunnelSession.Action] {
    var closed: TunnelSession.Failure? {
        for case .closeStream(let failure) in self { return failure }
        return nil
    }

    var reports: [TunnelSession.Report] {
        compactMap { action -> TunnelSession.Report? in
            guard case .report(let report) = action else { return nil }
            return report
        }
    }

    var written: [UInt8] {
        var all: [UInt8] = []
        for case .writeStream(let bytes) in self { all += bytes }
        return all
    }
}

@Suite("Tunnel session")
struct TunnelSessionTests {
    @Test("an edge says hello first, and asks for the lane where both can")
    func edgeHello() {
        var bench = SessionBench(.edge)
        let first = bench.handle(.connected)
        #expect(first.written == goldenFrames[0].bytes)
        var answer = TunnelHello()
        answer.token = token
        let actions = bench.receive(.hello(answer))
        #expect(actions.contains(.startLane) && actions.reports == [.up(token, resumed: false)])
    }

    @Test("a far end that accepts and says nothing is given up after 4 s")
    func mute() {
        var bench = SessionBench(.edge)
        _ = bench.handle(.connected)
        let actions = bench.wait()
        #expect(actions.closed == .helloMissing && bench.now - start == .seconds(4))
        #expect(bench.session.nextDeadline == nil)
    }

    @Test("a peer that falls silent is found dead in under 5 s", arguments: [TunnelSession.Role.edge, .headend])
    func dead(role: TunnelSession.Role) {
        var bench = SessionBench(role)
        bench.bringUp()
        let began = bench.now
        for _ in 0..<100 {
            let actions = bench.wait()
            guard let failure = actions.closed else { continue }
            #expect(failure == .silent && bench.now - began < .seconds(5))
            #expect(actions.reports == [.cut(.silent, until: bench.now + .seconds(20))])
            return
        }
        Issue.record("never found")
    }

    @Test("what an edge refuses of its headend", arguments: [
        (TunnelFrame.ping(PingStamp(number: 1, time: 1)), TunnelSession.Failure.noHello), (.hello(TunnelHello()), .noHello),
        (.goAway(.revoked, retryAfter: 1), .goodbye(.revoked)),
    ])
    func badGreeting(frame: TunnelFrame, failure: TunnelSession.Failure) {
        var bench = SessionBench(.edge)
        _ = bench.handle(.connected)
        #expect(bench.receive(frame).closed == failure)
    }

    @Test("no common version")
    func version() {
        var hello = TunnelHello()
        hello.versions = 2...3
        hello.token = token
        var edge = SessionBench(.edge)
        _ = edge.handle(.connected)
        #expect(edge.receive(.hello(hello)).closed == .version(2...3))
        var headend = SessionBench(.headend)
        #expect(headend.handle(.greeted(hello, rest: [])).closed == .version(2...3))
    }

    @Test("frames of the wrong role, counts that cannot be, a second hello", arguments: [
        (TunnelSession.Role.edge, TunnelFrame.open(StreamBinding(id: stream32))), (.edge, .update(StreamUpdate(id: stream32, rtp: anywhere, rtcp: anywhere))),
        (.edge, .standing(.active)), (.headend, .opened(stream32, anywhere)), (.headend, .acknowledge(1)), (.edge, .hello(TunnelHello())),
    ])
    func violations(role: TunnelSession.Role, frame: TunnelFrame) {
        var bench = SessionBench(role)
        bench.bringUp()
        #expect(bench.receive(frame).closed == .protocolViolation)
    }

    @Test("unknown types are skipped, and counted where their number says so")
    func unknown() {
        var bench = SessionBench(.headend)
        bench.bringUp()
        let actions = bench.handle(.streamBytes(hexBytes("0e 0002 0102 1e 0001 00") + TunnelFrame.signal(.any, [1]).encoded))
        #expect(actions == [.deliverSignal(.any, [1])])
        #expect(bench.session.receipts.received == 2)
    }

    @Test("a hello with what was received is answered with what is missing, and nothing else")
    func resume() {
        var bench = SessionBench(.headend)
        bench.bringUp()
        for number in UInt8(1)...5 { _ = bench.handle(.sendSignal(.any, [number])) }
        _ = bench.receive(.acknowledge(2))
        _ = bench.handle(.disconnected)
        _ = bench.handle(.sendSignal(.any, [6]))
        var hello = TunnelHello()
        (hello.token, hello.received) = (token, 3)
        let actions = bench.handle(.greeted(hello, rest: []))
        #expect(actions.reports == [.up(token, resumed: true)])
        let expected = (UInt8(4)...6).flatMap { TunnelFrame.signal(.any, [$0]).encoded }
        #expect(Array(actions.written.suffix(expected.count)) == expected)
        #expect(!actions.written.dropLast(expected.count).contains(3 + 100))
        hello.received = 7
        #expect(bench.handle(.greeted(hello, rest: [])).closed == .protocolViolation)
    }

    @Test("a headend that has forgotten the session: streams are asked for again, before the waiting messages")
    func afresh() {
        var bench = SessionBench(.edge)
        bench.bringUp()
        _ = bench.handle(.openStream(StreamBinding(id: stream32)))
        _ = bench.handle(.sendSignal(.any, [1]))
        _ = bench.receive(.acknowledge(1))
        _ = bench.handle(.disconnected)
        _ = bench.handle(.connected)
        var hello = TunnelHello()
        hello.token = fresh
        let actions = bench.receive(.hello(hello))
        #expect(actions.reports == [.up(fresh, resumed: false)])
        #expect(actions.written == TunnelFrame.open(StreamBinding(id: stream32)).encoded + TunnelFrame.signal(.any, [1]).encoded)
    }

    @Test("calls move to another headend with their streams and unacknowledged messages")
    func handOver() {
        var former = SessionBench(.edge)
        former.bringUp()
        _ = former.handle(.openStream(StreamBinding(id: stream32)))
        _ = former.handle(.updateStream(StreamUpdate(id: stream32, rtp: anywhere, rtcp: anywhere)))
        _ = former.handle(.sendSignal(.any, [1]))
        let handover = former.session.handOver(now: former.now)
        #expect(former.session.status.streams.isEmpty)
        var next = SessionBench(.edge)
        next.bringUp()
        let actions = next.session.adopt(handover, now: next.now)
        #expect(
            actions.written == TunnelFrame.open(StreamBinding(id: stream32)).encoded
                + TunnelFrame.update(StreamUpdate(id: stream32, rtp: anywhere, rtcp: anywhere)).encoded + TunnelFrame.signal(.any, [1]).encoded)
        #expect(next.receive(.opened(stream32, anywhere)) == [.streamBound(stream32, anywhere)])
    }

    @Test("limits: streams, signalling waiting, long messages, unknown streams")
    func limits() {
        var limits = TunnelLimits()
        (limits.maximumStreams, limits.unacknowledgedFrames, limits.maximumSignal) = (1, 3, 100)
        var bench = SessionBench(.edge, limits: limits)
        #expect(bench.handle(.sendSignal(.any, [1])) == [.dropped(.notConnected)])
        bench.bringUp()
        _ = bench.handle(.openStream(StreamBinding(id: stream32)))
        #expect(bench.handle(.openStream(StreamBinding(id: stream32))) == [.dropped(.streamInUse(stream32))])
        #expect(bench.handle(.openStream(StreamBinding(id: stream300))) == [.dropped(.tooManyStreams(stream300))])
        #expect(bench.handle(.sendMedia(PacketBatch(stream300.rtp, [1]))) == [.dropped(.unknownStream(stream300))])
        #expect(bench.handle(.sendSignal(.any, [UInt8](repeating: 0, count: 97))) == [.dropped(.signalTooLong(97))])
        for _ in 0..<2 { _ = bench.handle(.sendSignal(.any, [1])) }
        #expect(bench.handle(.sendSignal(.any, [1])) == [.dropped(.signallingFull)])
        #expect(bench.session.unusedStream(now: bench.now)?.rawValue == 34)
    }

    @Test("a flood: reading pauses, pings without reading end the connection, media over budget is dropped")
    func flood() {
        var limits = TunnelLimits()
        (limits.signallingBytesPerSecond, limits.mediaPerSecond, limits.waitingControl, limits.streamWindow) = (1000, 100, 8, 100)
        var bench = SessionBench(.headend, limits: limits)
        bench.bringUp()
        let message = TunnelFrame.signal(.any, [UInt8](repeating: 1, count: 493)).encoded
        let actions = bench.handle(.streamBytes(message + message + message + message))
        #expect(actions.last == .pauseReading && actions.count == 4, "three fit before the budget is overdrawn")
        let later = bench.handle(.tick, after: .seconds(1))
        #expect(later.contains(.resumeReading))
        var pinging = SessionBench(.headend, limits: limits)
        pinging.bringUp()
        _ = pinging.handle(.streamUnsent(1000))
        var failure: TunnelSession.Failure?
        for number in UInt32(0)..<20 where failure == nil {
            failure = pinging.receive(.ping(PingStamp(number: number, time: 0))).closed
        }
        #expect(failure == .doesNotRead)
        var media = SessionBench(.headend, limits: limits)
        media.bringUp()
        _ = media.receive(.open(StreamBinding(id: stream32)))
        let packets = (0..<300).flatMap { TunnelFrame.media(stream32.rtp, rtpPacket($0, payload: 1)[...]).encoded }
        let came = media.handle(.streamBytes(packets))
        #expect(came.filter { $0 == .dropped(.overBudget) }.count == 200)
    }

    @Test("random events of every kind never trap, and a deadline is never stuck", arguments: UInt64(1)...40)
    func randomEvents(seed: UInt64) {
        var dice = SeededRandom(state: seed)
        var bench = SessionBench(seed % 2 == 0 ? .edge : .headend)
        for _ in 0..<600 {
            let frame = goldenFrames.randomElement(using: &dice).unsafelyUnwrapped
            var damaged = frame.bytes
            TLSMutationTests.Damage.allCases.randomElement(using: &dice)?.apply(to: &damaged, &dice)
            let events: [TunnelSession.Event] = [
                .connected, .greeted(TunnelHello(), rest: damaged), .disconnected, .streamBytes(frame.bytes), .streamBytes(damaged), .tick, .tick,
                .streamUnsent(Int.random(in: -5...100_000, using: &dice)), .laneOpened(maximumPayload: 1000), .laneClosed, .laneFailed,
                .datagram(damaged), .datagram(rtpPacket(3)), .sendSignal(.any, damaged), .sendMedia(PacketBatch(stream32.rtp, rtpPacket(1))),
                .openStream(StreamBinding(id: stream32)), .closeStream(stream32, .callEnded), .bindStream(stream32, anywhere),
                .refuseStream(stream300, .noPort), .setStanding(.standby), .openStream(StreamBinding(id: stream300)),
            ]
            _ = bench.handle(events.randomElement(using: &dice).unsafelyUnwrapped, after: .milliseconds(Int64.random(in: 0...300, using: &dice)))
            for _ in 0..<50 where bench.session.nextDeadline.map({ $0 <= bench.now }) ?? false { _ = bench.handle(.tick) }
            #expect(bench.session.nextDeadline.map { $0 > bench.now } ?? true)
        }
    }
}

private let anywhere = Endpoint(address: IPAddress(v4: 0xC000_0207), port: 20_000)
