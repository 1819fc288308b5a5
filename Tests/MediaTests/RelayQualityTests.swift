import CoreTypes
import Media
import MediaRelay
import Testing

@Suite(.everyWay) struct RelayQualityTests {
    static let id = MediaSessionID(rawValue: 1)

    private static func reports(_ bench: RelayBench) -> [[LegQuality]] {
        bench.recorder.events.compactMap { if case .quality(id, let legs) = $0 { legs } else { nil } }
    }

    @Test func qualityIsReportedWhenARelayCloses() async throws {
        let bench = try RelayBench()
        let ports = try await bench.reserve(2)
        let phone = try Peer(source: 11)
        let pbx = try Peer(source: 22)
        bench.loop.perform(.relay(Self.id, phone.leg(ports[0]), pbx.leg(ports[1])))
        try await bench.settle()
        for index in 0..<10 {
            // The third is lost on the way to us.
            if index == 2 { phone.sequence &+= 1 } else { phone.send([1], type: 8, timestamp: UInt32(index) * 160, to: ports[0]) }
            pbx.send([2], type: 9, timestamp: UInt32(index) * 160, to: ports[1])
        }
        try await bench.wait(for: "19 packets") { bench.loop.counters.forwarded == 19 }
        // The phone's sender report goes to the PBX, whose answer shows how far away it is; and what it lost.
        phone.sendControl(RTCPReportTests.senderReport(11, time: 0xABCD_0001), to: ports[0])
        try await bench.wait(for: "the report") { !pbx.receivedControl().isEmpty }
        let block = RTCPReportTests.block(11, fraction: 64, jitter: 16, last: 0xABCD_0001)
        pbx.sendControl(RTCPReportTests.receiverReport(22, blocks: [block]), to: ports[1])
        try await bench.wait(for: "the answer") { !phone.receivedControl().isEmpty }
        bench.loop.perform([.measure(Self.id), .close(Self.id)])
        try await bench.wait(for: "quality, twice") { Self.reports(bench).count == 2 }

        let legs = try #require(Self.reports(bench).last)
        try #require(legs.count == 2)
        #expect(legs[0].received == 9 && legs[0].expected == 10 && legs[0].lost == 1 && legs[0].codec == .g711)
        #expect(legs[1].received == 10 && legs[1].lost == 0 && legs[1].codec == .g722)
        #expect(legs[0].roundTrip == nil && legs[0].reported == nil)
        #expect(legs[1].roundTrip.map { $0 < .seconds(5) } == true)
        #expect(legs[1].reported == .init(loss: 0.25, jitter: .milliseconds(2)))
    }

    @Test func aCallWithoutMediaSaysNothing() async throws {
        let bench = try RelayBench()
        let ports = try await bench.reserve(2)
        bench.loop.perform([
            .relay(Self.id, try Peer().leg(ports[0]), try Peer().leg(ports[1])), .measure(Self.id), .close(Self.id),
        ])
        try await bench.wait(for: "the ports to come back") { bench.recorder.announced.count == 4 }
        #expect(Self.reports(bench).isEmpty)
    }

    @Test func anotherRelayCommandStartsSilenceAgain() async throws {
        let bench = try RelayBench(silence: .milliseconds(60))
        let ports = try await bench.reserve(2)
        let phone = try Peer()
        let pbx = try Peer()
        func count() -> Int { bench.recorder.events.filter { if case .silent = $0 { true } else { false } }.count }
        bench.loop.perform(.relay(Self.id, phone.leg(ports[0]), pbx.leg(ports[1])))
        try await bench.wait(for: "silence") { count() == 1 }
        bench.loop.perform(.relay(Self.id, phone.leg(ports[0]), pbx.leg(ports[1])))
        try await bench.wait(for: "silence again") { count() == 2 }
    }
}
