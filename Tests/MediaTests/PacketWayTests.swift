import CoreTypes
import Media
import Testing

@testable import MediaRelay

/// Runs each test three times: packets by io_uring, where this kernel gives it, on a thread of the loop's own and on a host's,
/// and by epoll.
struct EveryWay: TestTrait, SuiteTrait, TestScoping {
    let isRecursive = true

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        guard testCase != nil else { return try await function() }
        for way in MediaLoopWay.allCases { try await RelayBench.$way.withValue(way) { try await function() } }
        try await RelayBench.$isHosted.withValue(true) { try await function() }
    }
}

extension Trait where Self == EveryWay {
    static var everyWay: Self { EveryWay() }
}

@Suite struct PacketWayTests {
    /// Whether a ring can be had here at all.
    private static var hasRing: Bool {
        do throws(SocketError) {
            try PacketRing(extra: 1).check(on: .loopback)
            return true
        } catch {
            return false
        }
    }

    @Test(arguments: [MediaLoopWay?.none, .ring, .epoll])
    func theWayIsTheOneAskedForWhereTheKernelGivesIt(wanted: MediaLoopWay?) async throws {
        let recorder = Recorder()
        var configuration = MediaLoopConfiguration(
            addresses: [.loopback], ports: 4000...4001, prompts: PromptLibrary(), log: { recorder.add("\($1)") })
        configuration.way = wanted
        let loop = try MediaLoop(configuration: configuration) { recorder.add($0) }
        loop.perform(.measure(MediaSessionID(rawValue: 1)))
        while loop.way == nil { try await Task.sleep(for: .milliseconds(1)) }
        #expect(loop.way == (wanted != .epoll && Self.hasRing ? .ring : .epoll))
        #expect(recorder.log.count == (wanted == .epoll ? 0 : 1), "it is said")
        loop.stop()
    }

    /// A burst beyond what the ring has buffers for, to a loop that is held up meanwhile: what fits into the socket arrives, in order.
    @Test(.everyWay) func aBurstBeyondTheBuffersIsRelayedInOrder() async throws {
        let bench = try RelayBench()
        let ports = try await bench.reserve(2)
        let (phone, pbx) = (try Peer(), try Peer())
        bench.loop.perform(.relay(MediaSessionID(rawValue: 1), phone.leg(ports[0]), pbx.leg(ports[1])))
        try await bench.settle()
        for _ in 0..<20 { phone.sendRaw([0x80], to: ports[0]) }
        for index in 0..<600 { phone.send([UInt8(index & 0xFF), UInt8(index >> 8)], to: ports[0]) }
        var last = -1
        let take = {
            for packet in pbx.received() {
                let number = Int(packet.bytes[12]) | Int(packet.bytes[13]) << 8
                #expect(number > last, "in order")
                last = number
            }
        }
        try await bench.wait(for: "the first of them") {
            take()
            return last >= 0
        }
        try await bench.settle()
        // The far end's own queue is full of them, and has no room for another.
        take()
        let late = phone.send([0xFF, 0xFF], to: ports[0])
        try await bench.wait(for: "what comes afterwards") { pbx.received().contains { $0.bytes == late } }
    }

    @Test(.everyWay) func longDatagramsAreDropped() async throws {
        let bench = try RelayBench()
        let ports = try await bench.reserve(2)
        let (phone, pbx) = (try Peer(), try Peer())
        bench.loop.perform(.relay(MediaSessionID(rawValue: 1), phone.leg(ports[0]), pbx.leg(ports[1])))
        try await bench.settle()
        phone.send([UInt8](repeating: 1, count: 2037), to: ports[0])
        let whole = phone.send([UInt8](repeating: 2, count: 2036), to: ports[0])
        try await bench.wait(for: "the whole one") { pbx.received().contains { $0.bytes == whole } }
        try await bench.wait(for: "the counters") { bench.loop.counters.dropped(.size) == 1 }
    }
}
