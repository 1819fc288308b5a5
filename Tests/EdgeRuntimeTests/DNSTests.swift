import CoreTypes
import NIOCore
import NIOPosix
import SiteFile
import Synchronization
import Testing
import Tunnel

@testable import EdgeRuntime

private let service = "_sips._tcp.pbx.example"

/// An answer to our query: the question again, then records whose owner is a pointer to the question's name.
private func answer(id: UInt16, flags: UInt16 = 0x8180, records: [[UInt8]]) -> [UInt8] {
    func big(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xFF)] }
    let name: [UInt8] = service.utf8.split(separator: 0x2E).flatMap { label in [UInt8(label.count)] + Array(label) } + [0]
    var bytes = big(id) + big(flags) + big(1) + big(UInt16(records.count)) + big(0) + big(0) + name + big(33) + big(1)
    for data in records { bytes += [0xC0, 12] + big(33) + big(1) + [0, 0, 0, 60] + big(UInt16(data.count)) + data }
    return bytes
}

/// Priority 10, weight 20, port 5061, target `node.` and a pointer to `pbx.example` inside the question.
private let record: [UInt8] = [0, 10, 0, 20, 0x13, 0xC5, 4] + Array("node".utf8) + [0xC0, 23]

@Suite struct DNSTests {
    private let expected = SRVRecord(priority: 10, weight: 20, port: 5061, target: "node.pbx.example")

    @Test func aQueryIsWellFormed() throws {
        let query = try #require(SRVMessage.query(service, id: 0x1234))
        #expect(query.starts(with: [0x12, 0x34, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 1, 5] + Array("_sips".utf8)))
    }

    @Test(arguments: ["", "a..b", "." , String(repeating: "x", count: 64), Array(repeating: "abcdefgh", count: 30).joined(separator: ".")])
    func aBadNameMakesNoQuery(_ name: String) { #expect(SRVMessage.query(name, id: 1) == nil) }

    @Test func anAnswerIsRead() throws {
        #expect(try SRVMessage.answer(answer(id: 7, records: [record]), to: service, id: 7) == [expected])
        #expect(try SRVMessage.answer(answer(id: 7, records: []), to: service, id: 7).isEmpty)
    }

    @Test(arguments: [
        (answer(id: 8, records: [record]), SRVMessage.Problem.notOurs), (answer(id: 7, flags: 0x0180, records: []), .notOurs),
        (answer(id: 7, flags: 0x8380, records: [record]), .truncated), (answer(id: 7, flags: 0x8183, records: []), .noSuchName),
        (answer(id: 7, flags: 0x8182, records: []), .serverFailure(2)), ([], .notOurs),
        // A target that points at itself, one that points forward, and one that is longer than its record.
        (answer(id: 7, records: [[0, 1, 0, 1, 0, 1, 0xC0, 58]]), .malformed), (answer(id: 7, records: [[0, 1, 0, 1, 0, 1, 0xC0, 200]]), .malformed),
        (answer(id: 7, records: [[0, 1, 0, 1, 0, 1, 9, 0x61]]), .malformed), (answer(id: 7, records: [[0, 1]]), .malformed),
        // A target with a space in it.
        (answer(id: 7, records: [[0, 1, 0, 1, 0, 1, 1, 0x20, 0]]), .malformed),
    ])
    func aBadAnswerIsRefused(_ bytes: [UInt8], _ problem: SRVMessage.Problem) {
        #expect(throws: problem) { try SRVMessage.answer(bytes, to: service, id: 7) }
    }

    @Test func anAnswerCutAnywhereIsRefused() {
        let whole = answer(id: 7, records: [record, record])
        for count in 0..<whole.count {
            #expect(throws: SRVMessage.Problem.self) { try SRVMessage.answer(Array(whole.prefix(count)), to: service, id: 7) }
        }
    }

    @Test func resolvConfIsRead() {
        let text = "# a comment\nnameserver 192.0.2.1\n nameserver\t2001:db8::1%eth0 \nsearch example\nnameserver x\noptions ndots:1\n"
        let found = ResolverConfiguration(parsing: text).servers.map(\.description)
        #expect(found == ["192.0.2.1:53", "[2001:db8::1]:53"])
        #expect(ResolverConfiguration(parsing: "").servers.map(\.description) == ["127.0.0.1:53"])
    }

    @Test func addressesNeedNoLookup() throws {
        #expect(try HostResolver.resolve("192.0.2.7", port: 5061).map(\.description) == ["192.0.2.7:5061"])
        #expect(try HostResolver.resolve("localhost", port: 1).allSatisfy { $0.address.isLoopback && $0.port == 1 })
        #expect(throws: HostResolver.Failure.self) { try HostResolver.resolve("no-such-host.invalid", port: 1) }
    }

    @Test func nodesAreFoundByDNS() throws {
        let server = try NameServer()
        let lookup = TrunkLookup(
            target: .service(domain: "pbx.example"), clock: EdgeClock(),
            resolver: ResolverConfiguration(servers: [server.endpoint]))
        // The target's own address comes from the system's resolver, which knows no such name: its error shows
        // that the node was found.
        guard case .failure(.failed(let why)) = server.resolve(lookup, 0) else {
            Issue.record("node.pbx.example has an address")
            return
        }
        #expect(why.hasPrefix("node.pbx.example: "))
        #expect(server.resolve(lookup, 1) == .failure(.noSuchNode))
        #expect(server.queries == 1)
        server.stop()
    }
}

/// Answers every query with one record.
private final class NameServer: Sendable {
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let count = Mutex(0)
    private let channel: any Channel
    let endpoint: Endpoint
    var queries: Int { count.withLock { $0 } }

    init() throws {
        let handler = Handler()
        channel = try DatagramBootstrap(group: group)
            .channelInitializer { channel in channel.pipeline.addHandler(handler) }
            .bind(host: "127.0.0.1", port: 0).wait()
        endpoint = Endpoint(address: IPAddress(v4: 0x7F00_0001), port: UInt16(channel.localAddress?.port ?? 0))
        handler.owner.withLock { $0 = self }
    }

    func stop() { try? group.syncShutdownGracefully() }

    func resolve(_ lookup: TrunkLookup, _ index: Int) -> Result<TrunkLookup.Answer, TrunkLookup.Failure>? {
        let held = Held()
        lookup.resolve(index) { result in held.value.withLock { $0 = result } }
        _ = eventually { held.value.withLock { $0 } != nil }
        return held.value.withLock { $0 }
    }

    private final class Held: Sendable {
        let value = Mutex<Result<TrunkLookup.Answer, TrunkLookup.Failure>?>(nil)
    }

    private final class Handler: ChannelInboundHandler, Sendable {
        typealias InboundIn = AddressedEnvelope<ByteBuffer>
        typealias OutboundOut = AddressedEnvelope<ByteBuffer>
        let owner = Mutex<NameServer?>(nil)

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let envelope = unwrapInboundIn(data)
            guard let id = envelope.data.getInteger(at: 0, as: UInt16.self) else { return }
            owner.withLock { $0 }?.count.withLock { $0 += 1 }
            let reply = ByteBuffer(bytes: answer(id: id, records: [record]))
            context.writeAndFlush(wrapOutboundOut(AddressedEnvelope(remoteAddress: envelope.remoteAddress, data: reply)), promise: nil)
        }
    }
}
