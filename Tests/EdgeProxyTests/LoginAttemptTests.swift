import CoreTypes
import HotDeskPolicy
import Media
import Testing

@testable import EdgeProxy

/// Wrong PINs: what the caller hears, what the audit says, and how many tries there are.
@Suite struct LoginAttemptTests {
    /// (extension, PIN, reason in the audit)
    static let failures = [
        ("100", "1111", "wrong PIN"), ("555", "1111", "unknown extension"), ("555", "4711", "unknown extension"),
        ("102", "8642", "the extension may not use hot desks"), ("102", "1111", "the extension may not use hot desks"),
        ("101", "4711", "wrong PIN"),
    ]

    @Test(arguments: failures)
    func everyFailureSoundsTheSame(number: String, pin: String, reason: String) throws {
        var attempts = freshAttempts()
        var caller = try LoginCaller(number)
        caller.handle(.answered, &attempts)
        for _ in 0..<3 {
            caller.listen(&attempts)
            caller.type(pin + "#", &attempts)
            #expect(caller.checks.map(\.0.text) == [number])
            caller.verify(&attempts)
        }
        #expect(caller.spoken == [[.enterPIN], [.incorrect, .enterPIN], [.incorrect, .enterPIN], [.incorrect, .goodbye]])
        #expect(caller.audits.prefix(3) == Array(repeating: "loginFailed \(number): \(reason)", count: 3)[...])
        #expect(caller.audits.dropFirst(3).sorted() == [
            "lockedOut \(number): too many wrong PINs: the device is locked",
            "lockedOut \(number): too many wrong PINs: the extension is locked",
        ])
        #expect(caller.listen(&attempts) == [.sensitive(false), .hangUp])
        // Stored before each verification and after each result.
        #expect(caller.log.count { $0 == .attemptsChanged } == 6)
    }

    @Test func aTypedExtensionIsAskedForAgain() throws {
        var attempts = freshAttempts()
        var caller = try LoginCaller(nil)
        caller.handle(.answered, &attempts)
        caller.type("200#1111#", &attempts)
        caller.verify(&attempts)
        #expect(caller.spoken.last == [.incorrect, .enterExtension])
        caller.type("100#4711#", &attempts)
        caller.verify(&attempts)
        caller.handle(.registered(.accepted), &attempts)
        caller.handle(.stored(true), &attempts)
        #expect(caller.spoken.last == [.loggedIn, .digits("100")])
        // The try at a number of nobody stays counted at the device.
        #expect(attempts.snapshot != freshAttempts().snapshot)
    }

    @Test func aLockedDeviceSaysSoBehindThePIN() throws {
        var attempts = freshAttempts()
        let desk = try #require(DeviceName("HD0001"))
        for text in ["300", "301", "302"] { attempts.failed(extension: ExtensionNumber(text), device: desk, now: Instant(nanoseconds: 0)) }
        let before = attempts.snapshot
        var caller = try LoginCaller()
        caller.handle(.answered, &attempts)
        #expect(caller.spoken == [[.enterPIN]])
        caller.type("4711#", &attempts)
        #expect(caller.checks.count == 1)
        caller.verify(&attempts)
        #expect(caller.spoken.last == [.lockedOut, .goodbye])
        #expect(caller.audits == ["lockedOut 100: the device is locked"])
        #expect(attempts.snapshot == before)
        #expect(caller.listen(&attempts).last == .hangUp)
    }

    @Test func aLockedExtensionSoundsLikeAWrongPIN() throws {
        var attempts = freshAttempts()
        for desk in ["HD0007", "HD0008", "HD0009"] {
            attempts.failed(extension: ExtensionNumber("100"), device: try #require(DeviceName(desk)), now: Instant(nanoseconds: 0))
        }
        var caller = try LoginCaller()
        caller.handle(.answered, &attempts)
        for _ in 0..<3 {
            caller.type("4711#", &attempts)
            #expect(caller.checks.count == 1)
            caller.verify(&attempts)
        }
        #expect(caller.spoken == [[.enterPIN], [.incorrect, .enterPIN], [.incorrect, .enterPIN], [.incorrect, .goodbye]])
        #expect(caller.audits.first == "lockedOut 100: the extension is locked")
        // Then the device is locked, just as behind any other number.
        var next = try LoginCaller("101")
        next.handle(.answered, &attempts)
        next.type("2580#", &attempts)
        next.verify(&attempts)
        #expect(next.spoken.last == [.lockedOut, .goodbye])
        // All is open again when the locks are over.
        var later = try LoginCaller(at: Instant(nanoseconds: 0) + .seconds(901))
        later.handle(.answered, &attempts)
        later.type("4711#", &attempts)
        #expect(later.verify(&attempts).last.map { if case .register = $0 { true } else { false } } == true)
    }

    @Test func hangingUpUsesTheTry() throws {
        var attempts = freshAttempts()
        for _ in 0..<3 {
            var caller = try LoginCaller()
            caller.handle(.answered, &attempts)
            caller.type("1111#", &attempts)
            let actions = caller.handle(.hungUp, &attempts)
            #expect(actions.first == .attemptsChanged)
            #expect(caller.verify(&attempts) == [])
            #expect(caller.dialogue.isOver)
        }
        #expect(attempts.gate(extension: ExtensionNumber("100"), device: try #require(DeviceName("HD0002")), now: Instant(nanoseconds: 1)) != .open)
    }

    @Test func hangingUpBeforeThePINUsesNothing() throws {
        var attempts = freshAttempts()
        for asked in [nil, "100"] {
            var caller = try LoginCaller(asked)
            caller.handle(.answered, &attempts)
            caller.type("47", &attempts)
            #expect(caller.handle(.hungUp, &attempts) == [])
            #expect(caller.dialogue.isOver && caller.dialogue.nextDeadline == nil)
        }
        #expect(attempts.snapshot == freshAttempts().snapshot)
    }

    @Test func hangingUpBehindTheRightPIN() throws {
        var attempts = freshAttempts()
        var caller = try LoginCaller()
        caller.handle(.answered, &attempts)
        caller.type("4711#", &attempts)
        caller.verify(&attempts)
        #expect(caller.handle(.hungUp, &attempts) == [.audit(.loginFailed, ExtensionNumber("100"), "hung up before the PBX had answered")])
        #expect(caller.handle(.registered(.accepted), &attempts) == [])
    }

    @Test func triesPerCallAreAtLeastOne() throws {
        let rules = PINRules(triesPerCall: 0)
        var attempts = freshAttempts(rules)
        var caller = try LoginCaller(pin: rules)
        caller.handle(.answered, &attempts)
        caller.type("1#", &attempts)
        caller.verify(&attempts)
        #expect(caller.spoken.last == [.incorrect, .goodbye])
    }

    // MARK: Brute force

    /// Many calls at once on many desks at one extension, results in any order: of all the PINs typed no more
    /// than the rule allows were ever let through.
    @Test(arguments: [UInt64(1), 2, 3, 4, 5, 6, 7, 8])
    func parallelCallsHaveNoMoreTries(seed: UInt64) throws {
        var random = LoginDice(state: seed)
        var attempts = freshAttempts()
        var callers = try (0..<20).map { try LoginCaller("100", desk: "HD\($0 % 10)") }
        for index in callers.indices { callers[index].handle(.answered, &attempts) }
        var counted = 0
        for _ in 0..<2000 {
            let index = random.below(callers.count)
            if callers[index].checks.isEmpty {
                callers[index].type("0000#", &attempts)
            } else {
                let before = callers[index].audits.count
                callers[index].verify(&attempts)
                counted += callers[index].audits.dropFirst(before).count { $0.hasSuffix("wrong PIN") }
            }
        }
        #expect(counted == 3)
        // The right PIN does not help any more: not here, not now.
        var late = try LoginCaller("100", desk: "HD99")
        late.handle(.answered, &attempts)
        late.type("4711#", &attempts)
        late.verify(&attempts)
        #expect(late.spoken.last == [.incorrect, .enterPIN])
    }

    /// A right PIN among parallel guesses is let through only if it was one of the first three.
    @Test(arguments: Array(0..<8))
    func onlyTheFirstThreeCanBeRight(place: Int) throws {
        var attempts = freshAttempts()
        var callers = try (0..<8).map { try LoginCaller("100", desk: "HD\($0)") }
        for index in callers.indices {
            callers[index].handle(.answered, &attempts)
            callers[index].type(index == place ? "4711#" : "0000#", &attempts)
        }
        var logins = 0
        for index in callers.indices.reversed() {
            logins += callers[index].verify(&attempts).count { if case .register = $0 { true } else { false } }
        }
        #expect(logins == (place < 3 ? 1 : 0))
    }

    /// A day of guessing without a pause, from ten desks at ten numbers, hanging up as it suits.
    @Test func aDayOfGuessing() throws {
        var random = LoginDice(state: 42)
        var attempts = freshAttempts()
        var now = Instant(nanoseconds: 0)
        var perDesk: [Int] = Array(repeating: 0, count: 10)
        var perNumber: [Int] = Array(repeating: 0, count: 10)
        while now < Instant(nanoseconds: 0) + .seconds(86400) {
            let (desk, number) = (random.below(10), random.below(10))
            var caller = try LoginCaller("40\(number)", desk: "HD\(desk)", at: now)
            caller.handle(.answered, &attempts)
            for _ in 0..<3 where !caller.dialogue.isOver {
                caller.type("\(random.below(9000) + 1000)#", &attempts)
                caller.now = caller.now + .seconds(4)
                if random.below(4) == 0 { caller.handle(.hungUp, &attempts) } else { caller.verify(&attempts) }
                let counted = caller.audits.count { !$0.contains("locked") }
                perDesk[desk] += counted
                perNumber[number] += counted
                caller.log = []
            }
            now = caller.now
        }
        // Locks of 15 min, 30 min, 1 h, ... leave room for seven rounds of three tries in a day.
        #expect(perDesk.allSatisfy { (1...24).contains($0) }, "\(perDesk)")
        #expect(perNumber.allSatisfy { (1...24).contains($0) }, "\(perNumber)")
    }

    /// Locks and doublings go with the snapshot, so a restart wins nobody a try.
    @Test func aRestartWinsNothing() throws {
        var attempts = freshAttempts()
        var counted = 0
        for round in 0..<12 {
            var caller = try LoginCaller(desk: "HD\(round)", at: Instant(nanoseconds: Int64(round) * 1_000_000_000))
            caller.handle(.answered, &attempts)
            caller.type("0000#", &attempts)
            var restarted = freshAttempts()
            restarted.restore(attempts.snapshot, now: caller.now)
            attempts = restarted
            caller.verify(&attempts)
            counted += caller.audits.count { $0.hasSuffix("wrong PIN") }
        }
        #expect(counted == 3)
    }
}

/// Repeatable dice (xorshift).
struct LoginDice {
    var state: UInt64

    mutating func below(_ bound: Int) -> Int {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return Int(truncatingIfNeeded: state >> 33) % max(1, bound)
    }
}
