import CoreTypes
import Media
import Testing

@Suite struct SourceLockTests {
    static let phone = endpoint("192.0.2.1", 4000)
    static let phoneControl = endpoint("192.0.2.1", 4001)
    static let nat = endpoint("203.0.113.9", 61000)
    static let stranger = endpoint("198.51.100.66", 5004)
    /// Another machine behind the phone's NAT.
    static let neighbour = endpoint("203.0.113.9", 50000)
    static let moved = endpoint("192.0.2.2", 6000)

    static func endpoint(_ address: String, _ port: UInt16) -> Endpoint {
        Endpoint(address: IPAddress(address) ?? IPAddress(v4: 0), port: port)
    }

    static func header(_ sequence: UInt16, _ source: UInt32 = 1) -> RTPHeader {
        RTPHeader(marker: false, payloadType: 0, sequenceNumber: sequence, timestamp: 0, source: source)
    }

    /// Signalling comes from the NAT's address.
    private static func makeLock() -> SourceLock {
        SourceLock(signalled: phone, control: phoneControl, signallingSource: nat.address)
    }

    /// However steady, and with whatever SSRC, before the call and in it.
    @Test(arguments: [nat.address, nil])
    func aThirdHostIsNeverHeard(signallingSource: IPAddress?) {
        var lock = SourceLock(signalled: Self.phone, control: Self.phoneControl, signallingSource: signallingSource)
        for sequence in 1..<200 as Range<UInt16> { #expect(lock.receive(Self.header(sequence), from: Self.stranger) == .foreign) }
        #expect(lock.source == nil && lock.target == Self.phone && !lock.mayAccept(Self.stranger))
        #expect(lock.receive(Self.header(200), from: Self.phone) == .lock)
        for sequence in 201..<400 as Range<UInt16> { #expect(lock.receive(Self.header(sequence), from: Self.stranger) == .foreign) }
        #expect(!lock.mayAccept(Self.stranger) && !lock.mayAccept(Self.nat) && lock.mayAccept(Self.phone))
        lock.update(signalled: Self.moved, control: nil, signallingSource: signallingSource)
        for sequence in 401..<500 as Range<UInt16> { #expect(lock.receive(Self.header(sequence), from: Self.stranger) == .foreign) }
    }

    /// A spray between the packets of a phone behind a NAT does not hold it up.
    @Test func aSprayOfAThirdHostTakesNobodysPlace() {
        var lock = Self.makeLock()
        for sequence in 1...2 as ClosedRange<UInt16> {
            for strange in 0..<50 as Range<UInt16> {
                #expect(lock.receive(Self.header(strange, 1), from: Self.endpoint("198.51.100.66", 5000 + strange)) == .foreign)
            }
            #expect(lock.receive(Self.header(sequence), from: Self.nat) == (sequence == 2 ? .lock : .probation))
        }
    }

    /// Another port of the signalled host gets the place only after the signalled one had the chance to speak.
    @Test func anotherPortOfTheHostWaitsForTheSignalledOne() {
        let other = Self.endpoint("192.0.2.1", 5555)
        var lock = SourceLock(signalled: Self.phone, control: nil, signallingSource: Self.phone.address)
        for sequence in 1..<25 as Range<UInt16> { #expect(lock.receive(Self.header(sequence), from: other) == .probation) }
        var patient = lock
        #expect(patient.receive(Self.header(25), from: other) == .lock)
        #expect(patient.target == other)
        #expect(patient.receive(Self.header(1, 9), from: Self.phone) == .lock, "the signalled one still wins")
        #expect(lock.receive(Self.header(1, 9), from: Self.phone) == .lock)
        #expect(lock.receive(Self.header(25), from: other) == .foreign)
    }

    /// By DHCP, in mid-call: the phone registers again from there, its description is the old one.
    @Test func signallingThatMovesBringsMediaAlong() {
        let renumbered = Self.endpoint("192.0.2.99", 4000)
        for first in [Self.phone, Self.nat] {
            var lock = Self.makeLock()
            for sequence in 1...2 as ClosedRange<UInt16> { _ = lock.receive(Self.header(sequence), from: first) }
            #expect(lock.receive(Self.header(3), from: renumbered) == .foreign, "not before it is known")
            lock.update(signalled: Self.phone, control: Self.phoneControl, signallingSource: renumbered.address)
            #expect(lock.mayAccept(renumbered) && !lock.mayAccept(Self.stranger))
            #expect(lock.receive(Self.header(4), from: first) == .accept)
            #expect(lock.receive(Self.header(5), from: Self.stranger) == .foreign)
            #expect(lock.receive(Self.header(5), from: renumbered) == .probation)
            #expect(lock.receive(Self.header(7), from: renumbered) == .probation, "not in a row")
            #expect(lock.receive(Self.header(8), from: renumbered) == .lock)
            #expect(lock.target == renumbered && lock.receive(Self.header(9), from: renumbered) == .accept)
            if first == Self.nat { #expect(lock.receive(Self.header(9), from: first) == .foreign) }
            lock.update(signalled: Self.phone, control: Self.phoneControl, signallingSource: renumbered.address)
            #expect(lock.source == renumbered)
        }
    }

    @Test func aPhoneWithANewAddressIsFollowed() {
        var lock = Self.makeLock()
        _ = lock.receive(Self.header(1), from: Self.phone)
        let renumbered = Self.endpoint("203.0.113.50", 4000)
        lock.update(signalled: Self.moved, control: nil, signallingSource: renumbered.address)
        #expect(lock.receive(Self.header(2), from: renumbered) == .probation)
        #expect(lock.receive(Self.header(3), from: renumbered) == .lock)
        #expect(lock.target == renumbered)
    }

    @Test func signalledAddressLocksAtOnceAndNobodyElseIsHeard() {
        var lock = Self.makeLock()
        #expect(lock.target == Self.phone)
        #expect(lock.receive(Self.header(1), from: Self.phone) == .lock)
        #expect(lock.receive(Self.header(2), from: Self.phone) == .accept)
        for sequence in 2..<20 as Range<UInt16> { #expect(lock.receive(Self.header(sequence), from: Self.stranger) == .foreign) }
        #expect(lock.source == Self.phone)
    }

    @Test func behindNATTwoPacketsInARowLock() {
        var lock = Self.makeLock()
        #expect(lock.receive(Self.header(.max), from: Self.nat) == .probation)
        #expect(lock.receive(Self.header(0), from: Self.nat) == .lock)
        #expect(lock.target == Self.nat)
        #expect(lock.receive(Self.header(9), from: Self.stranger) == .foreign)
    }

    @Test(arguments: [[(1, 1), (3, 1)], [(1, 1), (1, 1)], [(1, 1), (2, 2)], [(5, 1), (4, 1)]] as [[(UInt16, UInt32)]])
    func unsteadyStreamsDoNotLock(_ packets: [(UInt16, UInt32)]) {
        var lock = Self.makeLock()
        for (sequence, source) in packets {
            #expect(lock.receive(Self.header(sequence, source), from: Self.nat) == .probation)
        }
    }

    @Test func signalledAddressTakesOverFromANeighbourThatWasFaster() {
        var lock = Self.makeLock()
        _ = lock.receive(Self.header(1), from: Self.neighbour)
        #expect(lock.receive(Self.header(2), from: Self.neighbour) == .lock)
        #expect(lock.receive(Self.header(70), from: Self.phone) == .lock)
        #expect(lock.receive(Self.header(3), from: Self.neighbour) == .foreign)
        #expect(lock.target == Self.phone)
    }

    @Test func aSprayKeepsThePlaceForNoLongerThanTheProbation() {
        var lock = Self.makeLock()
        #expect(lock.receive(Self.header(1), from: Self.neighbour) == .probation)
        var dropped = 0
        for sequence in 100..<120 as Range<UInt16> {
            if lock.receive(Self.header(sequence), from: Self.nat) == .probation { dropped += 1 } else { break }
        }
        #expect(dropped == 4)
        #expect(lock.source == Self.nat)
    }

    @Test func sameAddressesAgainChangeNothing() {
        var lock = Self.makeLock()
        _ = lock.receive(Self.header(1), from: Self.nat)
        _ = lock.receive(Self.header(2), from: Self.nat)
        lock.update(signalled: Self.phone, control: Self.phoneControl)
        #expect(lock.source == Self.nat)
        #expect(lock.receive(Self.header(3), from: Self.stranger) == .foreign)
    }

    @Test func reInviteMovesTheFarEnd() {
        var lock = Self.makeLock()
        _ = lock.receive(Self.header(1), from: Self.phone)
        lock.update(signalled: Self.moved, control: nil)
        #expect(lock.target == Self.moved)
        // What is still under way from the old place is heard, and does not lock.
        #expect(lock.receive(Self.header(2), from: Self.phone) == .accept)
        #expect(lock.source == nil)
        #expect(lock.receive(Self.header(1, 9), from: Self.moved) == .lock)
        #expect(lock.receive(Self.header(3), from: Self.phone) == .foreign)
    }

    @Test func behindNATAFarEndThatOnlySaysItMovedIsKept() {
        var lock = Self.makeLock()
        for sequence in 1...2 as ClosedRange<UInt16> { _ = lock.receive(Self.header(sequence), from: Self.nat) }
        lock.update(signalled: Self.moved, control: nil)
        #expect(lock.target == Self.nat)
        var verdict = SourceLock.Verdict.accept
        var count = 0
        while verdict == .accept, count < 100 {
            verdict = lock.receive(Self.header(UInt16(count + 3)), from: Self.nat)
            count += 1
        }
        #expect(verdict == .lock)
        #expect(count == SourceLockLimits().previousPackets)
        #expect(lock.receive(Self.header(1), from: Self.stranger) == .foreign)
    }

    @Test func onHoldNothingIsSentAndNobodyNewIsHeard() {
        var lock = Self.makeLock()
        _ = lock.receive(Self.header(1), from: Self.phone)
        lock.update(signalled: nil, control: nil)
        #expect(lock.target == nil)
        #expect(lock.controlTarget == nil)
        #expect(lock.receive(Self.header(2), from: Self.phone) == .accept)
        #expect(lock.receive(Self.header(1), from: Self.stranger) == .foreign)
        lock.update(signalled: Self.phone, control: Self.phoneControl)
        #expect(lock.target == Self.phone)
        #expect(lock.source == Self.phone)
    }

    @Test func beforeAnyAddressNobodyIsHeard() {
        var lock = SourceLock(signalled: nil, control: nil)
        for sequence in 1...9 as ClosedRange<UInt16> {
            #expect(lock.receive(Self.header(sequence), from: Self.stranger) == .foreign)
        }
        #expect(lock.source == nil)
        #expect(lock.target == nil)
        lock.update(signalled: Self.phone, control: nil)
        #expect(lock.receive(Self.header(1), from: Self.phone) == .lock)
    }

    @Test func controlComesFromTheLockedAddressOnly() {
        var lock = Self.makeLock()
        #expect(lock.receiveControl(from: Self.phoneControl) == .early)
        _ = lock.receive(Self.header(1), from: Self.phone)
        #expect(lock.receiveControl(from: Self.stranger) == .foreign)
        let other = Self.endpoint("192.0.2.1", 9)
        #expect(lock.receiveControl(from: other) == .accept)
        #expect(lock.controlTarget == other)
        // The signalled port wins, then no other port of the address is heard.
        #expect(lock.receiveControl(from: Self.phoneControl) == .accept)
        #expect(lock.controlTarget == Self.phoneControl)
        #expect(lock.receiveControl(from: other) == .foreign)
    }

    @Test func behindNATControlGoesAboveTheLockedPortUntilItsOwnIsSeen() {
        var lock = Self.makeLock()
        #expect(lock.controlTarget == Self.phoneControl)
        for sequence in 1...2 as ClosedRange<UInt16> { _ = lock.receive(Self.header(sequence), from: Self.nat) }
        #expect(lock.controlTarget == Self.endpoint("203.0.113.9", 61001))
        let mapped = Self.endpoint("203.0.113.9", 33333)
        #expect(lock.receiveControl(from: mapped) == .accept)
        #expect(lock.controlTarget == mapped)
    }

    @Test(arguments: [
        ("192.0.2.7", 5004, "192.0.2.10", true), ("192.0.2.7", 0, "192.0.2.10", false), ("0.0.0.0", 5004, "192.0.2.10", false),
        ("0.1.2.3", 5004, "192.0.2.10", false), ("127.0.0.1", 5004, "192.0.2.10", false), ("127.0.0.1", 5004, "127.0.0.1", true),
        ("224.0.0.1", 5004, "192.0.2.10", false), ("239.1.2.3", 5004, "127.0.0.1", false), ("255.255.255.255", 5004, "192.0.2.10", false),
        ("2001:db8::1", 5004, "192.0.2.10", false), ("2001:db8::1", 5004, "2001:db8::2", true), ("::", 5004, "2001:db8::2", false),
        ("::1", 5004, "2001:db8::2", false), ("::1", 5004, "::1", true), ("ff02::1", 5004, "2001:db8::2", false),
        ("::ffff:127.0.0.1", 5004, "2001:db8::2", false), ("::ffff:192.0.2.7", 5004, "2001:db8::2", false),
    ] as [(String, UInt16, String, Bool)])
    func destinations(remote: String, port: UInt16, local: String, isAllowed: Bool) throws {
        let local = try #require(IPAddress(local))
        let remote = try #require(IPAddress(remote))
        #expect(MediaDestination.isAllowed(Endpoint(address: remote, port: port), from: local) == isAllowed)
    }
}
