import CoreTypes
import Testing
@testable import Tunnel

private let start = Instant(nanoseconds: 0)

@Suite("Headends, recovery, directory")
struct HeadendFleetTests {
    private func running(_ count: Int = 2) -> HeadendFleet {
        var fleet = HeadendFleet(count: count, seed: 1)
        _ = fleet.handle(.start, now: start)
        return fleet
    }

    @Test("the first that is up carries the site, the second stands by; a third is not dialled")
    func start3() {
        var fleet = HeadendFleet(count: 3, seed: 1)
        #expect(fleet.handle(.start, now: start) == [.dial(0), .dial(1)])
        #expect(fleet.handle(.up(1, resumed: false), now: start) == [.setStanding(1, .active)])
        #expect(fleet.handle(.up(0, resumed: false), now: start) == [.setStanding(0, .standby)])
        #expect(fleet.active == 1)
    }

    @Test("a headend that dies while the standby lives is left in under 2 s; where both are silent, it is the line")
    func takeover() throws {
        for standbyLives in [true, false] {
            var fleet = running()
            _ = fleet.handle(.up(0, resumed: false), now: start)
            _ = fleet.handle(.up(1, resumed: false), now: start)
            var moved: Instant?
            var now = start
            for step in 1...40 where moved == nil {
                now = start + .milliseconds(Int64(step * 100))
                if standbyLives, step % 5 == 0 { _ = fleet.handle(.heard(1), now: now) }
                guard let due = fleet.nextDeadline, due <= now else { continue }
                if fleet.handle(.tick, now: now).contains(.move(from: 0, to: 1)) { moved = now }
            }
            #expect((moved != nil) == standbyLives)
            if let moved { #expect(moved - start < .seconds(2)) }
        }
    }

    @Test("a connection that breaks is left at once")
    func broken() {
        var fleet = running()
        _ = fleet.handle(.up(0, resumed: false), now: start)
        _ = fleet.handle(.up(1, resumed: false), now: start)
        let actions = fleet.handle(.down(0), now: start)
        #expect(actions == [.setStanding(0, .standby), .setStanding(1, .active), .move(from: 0, to: 1)])
    }

    @Test("a newcomer waits two seconds for the lost headend to resume")
    func grace() {
        for resumes in [true, false] {
            var fleet = running()
            _ = fleet.handle(.up(0, resumed: false), now: start)
            _ = fleet.handle(.down(0), now: start)
            _ = fleet.handle(.up(1, resumed: false), now: start)
            if resumes { _ = fleet.handle(.up(0, resumed: true), now: start + .seconds(1)) }
            let actions = fleet.handle(.tick, now: start + .seconds(2))
            #expect(actions.contains(.move(from: 0, to: 1)) == !resumes)
        }
    }

    @Test("pauses: 250 ms, then 0.5 s doubling to 15 s, half of it by chance; at most 1 s while a session can be resumed")
    func backOff() {
        var fleet = HeadendFleet(count: 1, seed: 3)
        var now = start
        _ = fleet.handle(.start, now: now)
        for milliseconds in [250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000] as [Int64] {
            _ = fleet.handle(.down(0), now: now)
            let due = fleet.nextDeadline ?? now
            #expect(due - now >= .milliseconds(milliseconds / 2) && due - now <= .milliseconds(milliseconds))
            now = due
            #expect(fleet.handle(.tick, now: now) == [.dial(0)])
        }
        _ = fleet.handle(.up(0, resumed: false), now: now)
        let lost = now
        while now - lost < .seconds(20) {
            _ = fleet.handle(.down(0), now: now)
            let due = fleet.nextDeadline ?? now
            #expect(due - now <= .seconds(1))
            now = due
            _ = fleet.handle(.tick, now: now)
        }
    }

    @Test("goodbye: to the standby, and back no sooner than asked")
    func goAway() {
        var fleet = running()
        _ = fleet.handle(.up(0, resumed: false), now: start)
        _ = fleet.handle(.up(1, resumed: false), now: start)
        let actions = fleet.handle(.goAway(0, retryAfter: .seconds(10)), now: start)
        #expect(actions == [.setStanding(0, .standby), .setStanding(1, .active), .move(from: 0, to: 1), .hangUp(0)])
        #expect(fleet.nextDeadline.map { $0 - start >= .seconds(1) } == true)
        #expect(fleet.handle(.stop, now: start) == [.hangUp(1)])
        #expect(fleet.nextDeadline == nil)
    }

    @Test("the directory: one session a site, a foreign token is none, a revoked site has none")
    func directory() {
        var directory = HeadendDirectory()
        func fresh(_ byte: UInt8) -> SessionToken { SessionToken(bytes: [UInt8](repeating: byte, count: 16)).unsafelyUnwrapped }
        var hello = TunnelHello()
        #expect(directory.admit(site: "a", hello: hello, freshToken: fresh(1), now: start) == .fresh(fresh(1), replacing: nil))
        hello.token = fresh(1)
        #expect(directory.admit(site: "a", hello: hello, freshToken: fresh(2), now: start) == .resume(fresh(1)))
        #expect(directory.admit(site: "b", hello: hello, freshToken: fresh(3), now: start) == .fresh(fresh(3), replacing: nil))
        hello.token = nil
        #expect(directory.admit(site: "a", hello: hello, freshToken: fresh(4), now: start) == .fresh(fresh(4), replacing: fresh(1)))
        #expect(directory.site(of: fresh(1)) == nil && directory.site(of: fresh(4)) == "a")
        let verdicts = (0..<10).map { _ in directory.admit(site: "b", hello: hello, freshToken: fresh(5), now: start) }
        #expect(verdicts.contains(.refuse(.overloaded)))
        #expect(directory.revoke(site: "a") == fresh(4))
        #expect(directory.site(of: fresh(4)) == nil)
    }
}
