import CoreTypes
import Testing

@testable import Tunnel

/// Connections of strangers: bounded in number and in rate, and no hindrance to sites.
@Suite struct DoorKeeperTests {
    private static let start = Instant(nanoseconds: 1_800_000_000_000_000_000)
    private static let site = IPAddress(v4: 0x0A00_0001)

    private static func stranger(_ index: Int) -> IPAddress { IPAddress(v4: 0xC000_0200 + UInt32(index)) }

    @Test func oneStrangerHasSixteenDoorsAndEightASecond() {
        var keeper = DoorKeeper()
        let taken = (0..<3).map { second in
            (0..<100).count { _ in keeper.opens(from: Self.stranger(1), now: Self.start + .seconds(second)) }
        }
        #expect(taken == [8, 8, 0], "by rate, then by number")
        keeper.closed(from: Self.stranger(1))
        let later = (0..<2).map { _ in keeper.opens(from: Self.stranger(1), now: Self.start + .seconds(9)) }
        #expect(later == [true, false])
    }

    @Test func manyStrangersDoNotKeepASiteOut() {
        var keeper = DoorKeeper()
        keeper.noteSite(at: Self.site, now: Self.start)
        var taken = 0
        for index in 0..<20_000 where keeper.opens(from: Self.stranger(index), now: Self.start) {
            taken += 1
            keeper.closed(from: Self.stranger(index))
        }
        #expect(taken == 64)
        let ours = (0..<40).count { _ in keeper.opens(from: Self.site, now: Self.start) }
        #expect(ours == 40)
    }

    @Test func aNetworkOfIPv6IsOneNeighbour() {
        var keeper = DoorKeeper()
        let taken = (0..<100).count { keeper.opens(from: IPAddress(v6High: 0x2001_0db8_0000_0000, low: UInt64($0)), now: Self.start) }
        #expect(taken == 8)
        let next = keeper.opens(from: IPAddress(v6High: 0x2001_0db8_0000_0001, low: 1), now: Self.start)
        #expect(next)
    }

    @Test func whatIsRememberedIsBounded() {
        var limits = DoorKeeper.Limits()
        limits.maximumNeighbours = 8
        limits.strangers = 1000
        var keeper = DoorKeeper(limits: limits)
        for index in 0..<100 { keeper.noteSite(at: Self.stranger(index), now: Self.start + .seconds(index)) }
        // The latest are known still: they have more than a stranger's eight.
        let taken = [99, 1].map { index in (0..<20).count { _ in keeper.opens(from: Self.stranger(index), now: Self.start + .seconds(100)) } }
        #expect(taken == [20, 8])
    }
}
