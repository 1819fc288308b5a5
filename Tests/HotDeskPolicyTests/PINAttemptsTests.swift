import CoreTypes
@testable import HotDeskPolicy
import Testing

@Suite struct PINAttemptsTests {
    let rules = PINRules(attempts: 3, within: .seconds(300), lock: .seconds(900))

    @Test func threeWrongOnesLockExtensionAndDevice() throws {
        var attempts = PINAttempts(rules: rules)
        let (desk, other) = (try device("HD0001"), try device("HD0002"))
        let (alice, bob) = (try number("100"), try number("101"))
        #expect(attempts.failed(extension: alice, device: desk, now: second(0)) == .open)
        #expect(attempts.failed(extension: alice, device: desk, now: second(1)) == .open)
        let until = second(2) + .seconds(900)
        #expect(attempts.failed(extension: alice, device: desk, now: second(2)) == .locked(until: until))
        #expect(attempts.gate(extension: alice, device: other, now: second(3)) == .locked(until: until))
        #expect(attempts.gate(extension: bob, device: desk, now: second(3)) == .locked(until: until))
        #expect(attempts.gate(extension: bob, device: other, now: second(3)) == .open)
        #expect(attempts.gate(extension: nil, device: desk, now: second(3)) == .locked(until: until))
        #expect(attempts.gate(extension: alice, device: desk, now: until) == .open)
    }

    @Test func theWindowSlides() throws {
        var attempts = PINAttempts(rules: rules)
        let (desk, alice) = (try device("HD0001"), try number("100"))
        for moment in stride(from: Int64(0), to: 3000, by: 150) {
            #expect(attempts.failed(extension: alice, device: desk, now: second(moment)) == .open)
        }
        #expect(attempts.failed(extension: alice, device: desk, now: second(2851)) != .open)
    }

    @Test func oneDeviceOverManyExtensions() throws {
        var attempts = PINAttempts(rules: rules)
        let desk = try device("HD0001")
        for index in 0..<3 { attempts.failed(extension: try number("20\(index)"), device: desk, now: second(0)) }
        #expect(attempts.closed(extension: try number("300"), device: desk, now: second(1)) == [.device])
        #expect(attempts.closed(extension: try number("200"), device: try device("HD0002"), now: second(1)) == [])
    }

    @Test func manyDevicesOnOneExtension() throws {
        var attempts = PINAttempts(rules: rules)
        let alice = try number("100")
        for index in 0..<3 { attempts.failed(extension: alice, device: try device("HD000\(index)"), now: second(0)) }
        #expect(attempts.closed(extension: alice, device: try device("HD0009"), now: second(1)) == [.extension])
        #expect(attempts.closed(extension: alice, device: try device("HD0001"), now: second(1)) == [.extension])
    }

    @Test func reservedTriesCloseTheGateBeforeTheyAreJudged() throws {
        var attempts = PINAttempts(rules: rules)
        let (desk, alice) = (try device("HD0001"), try number("100"))
        for _ in 0..<3 { #expect(attempts.reserve(extension: alice, device: desk, now: second(0)) == .open) }
        #expect(attempts.reserve(extension: alice, device: desk, now: second(1)) == .locked(until: second(300)))
        #expect(attempts.locked(extension: alice, device: desk, now: second(1)) == [])
        // The first result makes the lock; the others add nothing to it.
        for _ in 0..<3 { attempts.failed(extension: alice, device: desk, now: second(2), reserved: true) }
        #expect(attempts.gate(extension: alice, device: desk, now: second(3)) == .locked(until: second(902)))
        // Tries nobody ever judged age away.
        let bob = try number("101")
        let other = try device("HD0002")
        for _ in 0..<3 { _ = attempts.reserve(extension: bob, device: other, now: second(0)) }
        #expect(attempts.gate(extension: bob, device: other, now: second(300)) == .open)
    }

    @Test func aLockedExtensionStillCountsForTheDevice() throws {
        var attempts = PINAttempts(rules: rules)
        let alice = try number("100")
        for index in 0..<3 { attempts.failed(extension: alice, device: try device("HD000\(index)"), now: second(0)) }
        let desk = try device("HD0009")
        for _ in 0..<3 {
            #expect(attempts.reserve(extension: alice, device: desk, now: second(1)) == .locked(until: second(900)))
            attempts.failed(extension: alice, device: desk, now: second(1), reserved: true)
        }
        #expect(attempts.closed(extension: nil, device: desk, now: second(2)) == [.device])
    }

    @Test func locksDoubleUpToADayAndDecay() throws {
        var attempts = PINAttempts(rules: rules)
        let alice = try number("100")
        var now = second(0)
        var lengths: [Int64] = []
        for round in 0..<10 {
            let desk = try device("HD\(round)")
            var gate = PINGate.open
            for _ in 0..<3 { gate = attempts.failed(extension: alice, device: desk, now: now) }
            guard case .locked(let until) = gate else { return #expect(gate != .open) }
            lengths.append((until - now).components.seconds)
            now = until
        }
        #expect(lengths == [900, 1800, 3600, 7200, 14400, 28800, 57600, 86400, 86400, 86400])
        // Two quiet days take back two doublings, a fortnight all of them.
        for (days, expected) in [(Int64(2), Int64(28800)), (14, 900)] {
            let later = now + .seconds(days * 86400)
            var copy = attempts
            for _ in 0..<3 { copy.failed(extension: alice, device: try device("HDX"), now: later) }
            #expect(copy.gate(extension: alice, device: try device("HDY"), now: later) == .locked(until: later + .seconds(expected)))
        }
    }

    @Test func successForgivesWhatWasMistyped() throws {
        var attempts = PINAttempts(rules: rules)
        let (desk, alice, bob) = (try device("HD0001"), try number("100"), try number("101"))
        for round in 0..<5 {
            for _ in 0..<2 { #expect(attempts.failed(extension: alice, device: desk, now: second(Int64(round))) == .open) }
            _ = attempts.reserve(extension: alice, device: desk, now: second(Int64(round)))
            attempts.succeeded(extension: alice, device: desk)
        }
        #expect(attempts.counterCount == (0, 0))
        // Tries at Bob's number are not forgiven by Alice's PIN.
        attempts.failed(extension: bob, device: desk, now: second(10))
        attempts.failed(extension: bob, device: desk, now: second(10))
        _ = attempts.reserve(extension: alice, device: desk, now: second(11))
        attempts.succeeded(extension: alice, device: desk)
        attempts.failed(extension: try number("102"), device: desk, now: second(12))
        #expect(attempts.closed(extension: nil, device: desk, now: second(13)) == [.device])
    }

    @Test func madeUpNumbersAreBounded() throws {
        var attempts = PINAttempts(rules: rules)
        let victim = try number("100")
        for index in 0..<3 { attempts.failed(extension: victim, device: try device("HD\(index)"), now: second(0)) }
        for index in 0..<4200 {
            attempts.failed(extension: try number("9\(index)"), device: try device("HDA\(index)"), now: second(1))
        }
        #expect(attempts.counterCount.extensions == PINAttempts.maximumCounters)
        #expect(attempts.counterCount.devices == PINAttempts.maximumCounters)
        #expect(attempts.closed(extension: victim, device: try device("HDZ"), now: second(2)) == [.extension])
        // The newest are held, the oldest gone.
        #expect(attempts.failed(extension: try number("94199"), device: try device("HDZ"), now: second(2)) == .open)
        #expect(attempts.failed(extension: try number("94199"), device: try device("HDY"), now: second(2)) != .open)
    }

    @Test func snapshotAndRestore() throws {
        var attempts = PINAttempts(rules: rules)
        let (desk, alice, bob) = (try device("HD0001"), try number("100"), try number("101"))
        for _ in 0..<3 { attempts.failed(extension: alice, device: desk, now: second(0)) }
        attempts.failed(extension: bob, device: try device("HD0002"), now: second(0))
        attempts.failed(extension: bob, device: try device("HD0003"), now: second(0))
        var restored = PINAttempts(rules: rules)
        restored.restore(attempts.snapshot, now: second(10))
        #expect(restored.snapshot == attempts.snapshot)
        #expect(restored.gate(extension: alice, device: desk, now: second(899)) == .locked(until: second(900)))
        #expect(restored.failed(extension: bob, device: try device("HD0004"), now: second(11)) != .open)
        // The doubling survives as well.
        restored.restore(attempts.snapshot, now: second(901))
        for _ in 0..<3 { restored.failed(extension: alice, device: try device("HD0009"), now: second(901)) }
        #expect(restored.gate(extension: alice, device: try device("HD0010"), now: second(902)) == .locked(until: second(901 + 1800)))
    }

    @Test(arguments: [Int64(-10_000_000), -1, 0, 10_000_000])
    func restoreUnderAnotherClock(offset: Int64) throws {
        var attempts = PINAttempts(rules: rules)
        let (desk, alice, bob) = (try device("HD0001"), try number("100"), try number("101"))
        for _ in 0..<3 { attempts.failed(extension: alice, device: desk, now: second(0)) }
        for _ in 0..<2 { attempts.failed(extension: bob, device: try device("HD0002"), now: second(0)) }
        let now = second(offset)
        var restored = PINAttempts(rules: rules)
        restored.restore(attempts.snapshot, now: now)
        if case .locked(let until) = restored.gate(extension: alice, device: desk, now: now) {
            #expect(until <= now + .seconds(900))
            #expect(offset < 900)
        } else {
            #expect(offset > 900)
        }
        // Nothing is locked for longer than a lock lasts, and a try counts for no longer than the window.
        #expect(restored.gate(extension: alice, device: desk, now: now + .seconds(900)) == .open)
        #expect(restored.failed(extension: bob, device: try device("HD0003"), now: now + .seconds(300)) == .open)
    }

    @Test func extremeClocks() throws {
        var attempts = PINAttempts(rules: rules)
        let (desk, alice) = (try device("HD0001"), try number("100"))
        for moment in [Int64.max, .min, 0, .max, .max, .max, .min] {
            attempts.failed(extension: alice, device: desk, now: Instant(nanoseconds: moment))
        }
        var restored = PINAttempts(rules: rules)
        for moment in [Int64.min, 0, .max] { restored.restore(attempts.snapshot, now: Instant(nanoseconds: moment)) }
    }

    @Test(arguments: [0, -5, 1])
    func theRuleIsAtLeastOneTry(count: Int) throws {
        var attempts = PINAttempts(rules: PINRules(attempts: count, within: .seconds(60), lock: .zero, maximumLock: .zero))
        let (desk, alice) = (try device("HD0001"), try number("100"))
        #expect(attempts.gate(extension: alice, device: desk, now: second(0)) == .open)
        #expect(attempts.failed(extension: alice, device: desk, now: second(0)) == .locked(until: second(1)))
    }

    @Test func anAdministratorClears() throws {
        var attempts = PINAttempts(rules: rules)
        let (desk, alice) = (try device("HD0001"), try number("100"))
        for _ in 0..<3 { attempts.failed(extension: alice, device: desk, now: second(0)) }
        attempts.clear(extension: alice)
        #expect(attempts.closed(extension: alice, device: desk, now: second(1)) == [.device])
        attempts.clear(device: desk)
        #expect(attempts.gate(extension: alice, device: desk, now: second(1)) == .open)
    }
}
