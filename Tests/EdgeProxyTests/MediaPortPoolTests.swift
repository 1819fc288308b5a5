import CoreTypes
import Media
import Testing

@testable import EdgeProxy

/// The pool asks early enough: how many pairs a burst may take before the shell has answered.
@Suite struct MediaPortPoolTests {
    private static let address = IPAddress(v4: 0xC000_0201)

    private func pool(free: Int) -> MediaPortPool {
        var pool = MediaPortPool(addresses: [Self.address])
        pool.add((0..<free).map { MediaPorts(id: UInt32($0), address: Self.address, rtp: UInt16(10_000 + 2 * $0)) })
        return pool
    }

    @Test(arguments: [
        (free: 32, inUse: 0, wanted: nil), (free: 31, inUse: 0, wanted: 32), (free: 31, inUse: 64, wanted: 32),
        (free: 99, inUse: 200, wanted: 100), (free: 100, inUse: 200, wanted: nil), (free: 300, inUse: 40_000, wanted: 512),
    ] as [(free: Int, inUse: Int, wanted: Int?)])
    func asksForHalfOfWhatIsInUse(free: Int, inUse: Int, wanted: Int?) {
        var pool = pool(free: free)
        #expect(pool.wanted(inUse: inUse) == (wanted.map { [.reserve(count: $0, family: .v4)] } ?? []))
    }

    @Test func asksOnceUntilItIsAnswered() {
        var pool = pool(free: 0)
        #expect(pool.wanted(inUse: 0).count == 1)
        #expect(pool.wanted(inUse: 0).isEmpty)
        pool.add([])
        #expect(pool.wanted(inUse: 0).isEmpty, "the range is used up")
        pool.add([MediaPorts(id: 1, address: Self.address, rtp: 10_000)])
        #expect(pool.wanted(inUse: 0).count == 1)
    }
}
