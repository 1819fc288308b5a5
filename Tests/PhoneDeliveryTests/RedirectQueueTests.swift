import CoreTypes
import HotDeskPolicy
import PhoneDelivery
import Testing

@Suite struct RedirectQueueTests {
    static let start = Instant(nanoseconds: 1_800_000_000_000_000_000)
    static let macs = (1...9).map { MACAddress("805ec0aabb0\($0)").unsafelyUnwrapped }
    static let names = (1...9).map { DeviceName("HD000\($0)").unsafelyUnwrapped }

    var queue = RedirectQueue(seed: [1])
    var now = Self.start

    static func target(_ number: Int, service: RedirectService = .yealinkRPS, url: String = "http://edge/prov/") -> RedirectTarget {
        RedirectTarget(mac: macs[number - 1], device: names[number - 1], service: service, url: url)
    }

    mutating func set(_ targets: [RedirectTarget], services: Set<RedirectService> = [.yealinkRPS, .snomSRAPS]) -> [RedirectAction] {
        queue.setTargets(targets, services: services, now: now)
    }

    mutating func finish(_ outcome: RedirectOutcome) throws -> [RedirectAction] {
        let job = try #require(queue.next(now: now))
        return queue.finished(job, outcome, now: now)
    }

    func states() -> [RedirectRecord.State] { queue.records.map(\.state) }

    @Test mutating func aPhoneIsRegisteredOnceAndStays() throws {
        let first = set([Self.target(1)])
        #expect(first.count == 1)
        #expect(queue.next(now: now) == RedirectJob(mac: Self.macs[0], service: .yealinkRPS, task: .register(url: "http://edge/prov/")))
        let actions = try finish(.done)
        #expect(actions.contains(.report(Self.names[0], "Yealink RPS sends its phone here")))
        #expect(states() == [.registered])
        #expect(queue.next(now: now + .seconds(1_000_000)) == nil && queue.nextDeadline == nil)
        let again = set([Self.target(1)])
        #expect(again.isEmpty, "nothing changed, nothing to write")
    }

    @Test mutating func whatIsRefusedIsTriedAgainLaterEachTime() throws {
        _ = set([Self.target(1)])
        var waits: [Int64] = []
        for _ in 1...14 {
            _ = try finish(.refused("no"))
            let due = try #require(queue.nextDeadline)
            waits.append((due - now).components.seconds)
            #expect(queue.next(now: due + .nanoseconds(-1)) == nil)
            now = due
        }
        #expect(states() == [.failed])
        for (number, wait) in waits.enumerated() {
            let full = min(60 << Int64(number), 6 * 3600)
            #expect(wait <= full && wait >= full * 3 / 4 - 1, "\(waits)")
        }
        let again = try finish(.done)
        #expect(again.count == 2)
        #expect(queue.records[0].tries == 0 && queue.records[0].problem.isEmpty)
    }

    @Test mutating func theSameRefusalIsReportedOnce() throws {
        _ = set([Self.target(1)])
        var reports: [Int] = []
        for _ in 1...4 {
            let actions = try finish(.refused("no"))
            now = try #require(queue.nextDeadline)
            reports.append(actions.count { if case .report = $0 { true } else { false } })
        }
        #expect(reports == [1, 0, 0, 0])
    }

    @Test mutating func aServiceThatFailsRestsAsAWholeAndNoOtherDoes() throws {
        _ = set([Self.target(1), Self.target(2), Self.target(3, service: .snomSRAPS)])
        let first = try #require(queue.next(now: now))
        _ = queue.finished(first, .unavailable("down"), now: now)
        let other = try #require(queue.next(now: now), "the other service is as good as before")
        #expect(other.service != first.service || first.service == .snomSRAPS)
        var asked = 0
        while let job = queue.next(now: now) {
            asked += 1
            _ = queue.finished(job, job.service == .snomSRAPS ? .done : .unavailable("down"), now: now)
            try #require(asked < 5)
        }
        #expect(asked <= 2)
        // Each further failure doubles the rest, up to an hour; a thousand phones make no difference.
        var rests: [Int64] = []
        for _ in 1...9 {
            let due = try #require(queue.nextDeadline)
            rests.append((due - now).components.seconds)
            now = due
            _ = try finish(.unavailable("down"))
        }
        #expect(rests.allSatisfy { $0 <= 3600 } && (rests.last ?? 0) >= 2700, "\(rests)")
        now = try #require(queue.nextDeadline)
        _ = try finish(.done)
        #expect(queue.next(now: now) != nil, "one success, and all others follow at once")
    }

    @Test mutating func anotherAddressIsToldAndAnotherDeviceAtTheSamePhoneIsNot() throws {
        _ = set([Self.target(1)])
        _ = try finish(.done)
        _ = set([RedirectTarget(mac: Self.macs[0], device: Self.names[4], service: .yealinkRPS, url: "http://edge/prov/")])
        #expect(states() == [.registered] && queue.records[0].device == Self.names[4])
        _ = set([Self.target(1, url: "http://other/prov/")])
        #expect(queue.next(now: now)?.task == .register(url: "http://other/prov/"))
    }

    @Test mutating func aPhoneThatLeavesIsTakenOut() throws {
        _ = set([Self.target(1), Self.target(2)])
        _ = try finish(.done)
        _ = try finish(.done)
        _ = set([Self.target(1)])
        #expect(Set(states()) == [.registered, .leaving])
        #expect(queue.next(now: now)?.task == .unregister)
        let resting = try finish(.unavailable("down"))
        #expect(resting.count == 2)
        now = now + .seconds(3600)
        let actions = try finish(.done)
        #expect(actions.contains(.forget(Self.macs[1])))
        #expect(queue.records.count == 1)
    }

    @Test mutating func aPhoneTheServiceNeverHeardOfIsForgotten() throws {
        _ = set([Self.target(1)])
        let left = set([])
        #expect(left == [.forget(Self.macs[0])])
        // One it refused may be there all the same.
        _ = set([Self.target(1)])
        _ = try finish(.unavailable("silent"))
        _ = set([])
        #expect(states() == [.leaving])
        now = now + .seconds(3600)
        let actions = try finish(.refused("not yours"))
        #expect(actions.first == .forget(Self.macs[0]), "no use in asking for ever")
    }

    @Test mutating func withoutAnAccountNothingIsAsked() throws {
        _ = set([Self.target(1)])
        _ = try finish(.done)
        let left = set([], services: [])
        #expect(left == [.forget(Self.macs[0])])
        #expect(queue.next(now: now) == nil)
    }

    @Test mutating func whatWasStoredGoesOn() throws {
        _ = set([Self.target(1), Self.target(2)])
        _ = try finish(.done)
        _ = try finish(.refused("no"))
        var next = RedirectQueue(records: queue.records, seed: [2])
        let changes = next.setTargets([Self.target(1), Self.target(2)], services: [.yealinkRPS], now: now)
        #expect(changes.isEmpty)
        #expect(next.next(now: now) == nil)
        #expect(next.nextDeadline == queue.nextDeadline)
    }

    @Test mutating func anAdministratorNeedNotWait() throws {
        _ = set([Self.target(1), Self.target(2)])
        _ = try finish(.unavailable("down"))
        #expect(queue.next(now: now) == nil)
        let isStranger = queue.retry(Self.names[8], now: now)
        let isKnown = queue.retry(Self.names[0], now: now)
        #expect(!isStranger && isKnown)
        #expect(queue.next(now: now) != nil)
    }
}
