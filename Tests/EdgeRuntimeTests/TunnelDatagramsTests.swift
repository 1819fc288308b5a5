import CoreTypes
import NIOCore
import NIOPosix
import Testing
import Tunnel

@testable import EdgeRuntime

/// The socket of the datagram lane: what is given to it in one batch arrives as it was cut.
@Suite struct TunnelDatagramsTests {
    private static let group = MultiThreadedEventLoopGroup.singleton

    private final class Seen {
        var datagrams: [[UInt8]] = []
    }

    @Test(arguments: [
        [40, 40, 40], [40], [40, 40, 7, 40, 40], Array(repeating: 200, count: 150), [1, 2, 3, 4], [1200, 1200, 600], Array(repeating: 1393, count: 60),
    ], [IPAddress(v4: 0x7F00_0001), IPAddress(v6High: 0, low: 1)])
    func aBatchArrivesAsItWasCut(lengths: [Int], address: IPAddress) async throws {
        let loop = Self.group.next()
        let loopback = Endpoint(address: address, port: 0)
        let (far, receiver) = try await TunnelDatagrams.bind(loopback, loop: loop, trafficClass: 46).get()
        let (near, sender) = try await TunnelDatagrams.bind(loopback, loop: loop, trafficClass: 46).get()
        var batch = DatagramBatch()
        for (index, length) in lengths.enumerated() { batch.append([UInt8](repeating: UInt8(truncatingIfNeeded: index), count: length)) }
        let target = try #require(far.localAddress.flatMap(Endpoint.init))
        let source = try #require(near.localAddress.flatMap(Endpoint.init))
        let sent = batch
        let done = loop.makePromise(of: [[UInt8]].self)
        loop.execute {
            let seen = Seen()
            receiver.value.received = { bytes, segment, from in
                guard from == source else { return }
                for start in stride(from: 0, to: bytes.count, by: max(segment, 1)) {
                    seen.datagrams.append(Array(bytes[start..<min(start + segment, bytes.count)]))
                }
                if seen.datagrams.count >= sent.count { done.succeed(seen.datagrams) }
            }
            sender.value.send(sent, to: target)
        }
        loop.scheduleTask(in: .seconds(10)) { done.fail(ChannelError.eof) }
        #expect(try await done.futureResult.get() == batch.datagrams)
        try await near.close()
        try await far.close()
    }
}
