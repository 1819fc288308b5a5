import CoreTypes
import HotDeskPolicy
import Media
import Testing

@testable import EdgeProxy

@Suite struct LoginDialogueTests {
    let alice = ExtensionNumber("100")

    @Test func theWholeWayWithAnExtensionInTheCode() throws {
        var attempts = freshAttempts()
        var caller = try LoginCaller()
        let alice = try #require(alice)
        #expect(caller.dialogue.nextDeadline == nil)
        #expect(caller.handle(.answered, &attempts) == [.sensitive(true), .play([.enterPIN], bargeIn: true, token: 1)])
        #expect(caller.listen(&attempts) == [])
        #expect(caller.type("4711", &attempts) == [])
        #expect(caller.type("#", &attempts) == [.attemptsChanged, .verify(alice, Personal("4711"))])
        #expect(caller.verify(&attempts) == [.attemptsChanged, .register(alice)])
        #expect(caller.handle(.registered(.accepted), &attempts) == [.commit(alice)])
        #expect(caller.handle(.stored(true), &attempts) == [.play([.loggedIn, .digits("100")], bargeIn: false, token: 2)])
        #expect(caller.listen(&attempts) == [.sensitive(false), .hangUp])
        #expect(caller.dialogue.isOver && caller.dialogue.nextDeadline == nil)
        #expect(caller.audits == [])
        #expect(attempts.snapshot == freshAttempts().snapshot)
    }

    @Test func theExtensionIsAskedFor() throws {
        var attempts = freshAttempts()
        var caller = try LoginCaller(nil)
        #expect(caller.handle(.answered, &attempts) == [.play([.enterExtension], bargeIn: true, token: 1)])
        #expect(caller.type("100#", &attempts) == [.sensitive(true), .play([.enterPIN], bargeIn: true, token: 2)])
        caller.type("4711#", &attempts)
        caller.verify(&attempts)
        caller.handle(.registered(.accepted), &attempts)
        caller.handle(.stored(true), &attempts)
        #expect(caller.spoken.last == [.loggedIn, .digits("100")])
    }

    // MARK: Typing

    /// (keys, the PIN that is verified)
    @Test(arguments: [
        ("4711#", "4711"), ("12*4711#", "4711"), ("*4711#", "4711"), ("#4711#", "4711"), ("##*#4711#", "4711"), ("4A7B1C1D#", "4711"),
        ("1#", "1"), ("123456789012", "123456789012"), ("12345678901234", "123456789012"), ("4711##9", "4711"),
    ])
    func keys(keys: String, pin: String) throws {
        var attempts = freshAttempts()
        var caller = try LoginCaller()
        caller.handle(.answered, &attempts)
        caller.type(keys, &attempts)
        #expect(caller.checks.map(\.1.exposed) == [pin])
    }

    @Test func aPauseEndsAnEntry() throws {
        var attempts = freshAttempts()
        var caller = try LoginCaller(nil)
        caller.handle(.answered, &attempts)
        caller.listen(&attempts)
        caller.wait(.seconds(9), &attempts)
        caller.type("10", &attempts)
        caller.wait(.seconds(4), &attempts)
        caller.type("0", &attempts)
        #expect(caller.wait(.milliseconds(4999), &attempts) == [])
        #expect(caller.wait(.milliseconds(1), &attempts) == [.sensitive(true), .play([.enterPIN], bargeIn: true, token: 2)])
        // A late "#" is not an empty PIN.
        #expect(caller.type("#", &attempts) == [])
        caller.type("4711", &attempts)
        caller.wait(.seconds(5), &attempts)
        #expect(caller.checks.map(\.1.exposed) == ["4711"])
    }

    @Test(arguments: [nil, "100"])
    func whoTypesNothingIsSentAway(asked: String?) throws {
        var attempts = freshAttempts()
        var caller = try LoginCaller(asked)
        caller.handle(.answered, &attempts)
        // While the prompt is spoken nobody is waited for.
        #expect(caller.wait(.seconds(30), &attempts) == [])
        caller.listen(&attempts)
        #expect(caller.wait(.milliseconds(9999), &attempts) == [])
        #expect(caller.wait(.milliseconds(1), &attempts) == [.play([.goodbye], bargeIn: false, token: 2)])
        #expect(caller.listen(&attempts).last == .hangUp)
        #expect(caller.checks.isEmpty && attempts.snapshot == freshAttempts().snapshot)
    }

    @Test func aDigitCutsAPromptAndCounts() throws {
        var attempts = freshAttempts()
        var caller = try LoginCaller()
        caller.handle(.answered, &attempts)
        caller.type("4", &attempts)
        // The cut prompt is reported: the pause between digits still holds, not the longer one before the first.
        caller.listen(&attempts)
        caller.type("711", &attempts)
        caller.wait(.seconds(5), &attempts)
        #expect(caller.checks.map(\.1.exposed) == ["4711"])
    }

    @Test func clearingWaitsForAFirstDigitAgain() throws {
        var attempts = freshAttempts()
        var caller = try LoginCaller()
        caller.handle(.answered, &attempts)
        caller.listen(&attempts)
        caller.type("47*", &attempts)
        #expect(caller.wait(.milliseconds(9999), &attempts) == [])
        #expect(caller.wait(.milliseconds(1), &attempts) == [.play([.goodbye], bargeIn: false, token: 2)])
    }

    // MARK: Strays

    @Test func eventsThatDoNotFitAreIgnored() throws {
        let strays: [LoginDialogue.Event] = [
            .played(token: 99), .pinVerified(true), .registered(.accepted), .stored(true), .occupied, .tick, .answered,
        ]
        var attempts = freshAttempts()
        var caller = try LoginCaller()
        for stray in strays where stray != .answered { #expect(caller.handle(stray, &attempts) == []) }
        #expect(caller.type("4711#", &attempts) == [])
        caller.handle(.answered, &attempts)
        for stray in strays { #expect(caller.handle(stray, &attempts) == []) }
        caller.type("4711#", &attempts)
        for stray in strays where stray != .pinVerified(true) { #expect(caller.handle(stray, &attempts) == []) }
        #expect(caller.type("1234#", &attempts) == [])
        caller.verify(&attempts)
        for stray in strays where stray != .registered(.accepted) { #expect(caller.handle(stray, &attempts) == []) }
        caller.handle(.registered(.accepted), &attempts)
        for stray in strays where stray != .stored(true) && stray != .occupied { #expect(caller.handle(stray, &attempts) == []) }
        caller.handle(.stored(true), &attempts)
        #expect(caller.handle(.played(token: 1), &attempts) == [])
        for stray in strays { #expect(caller.handle(stray, &attempts) == []) }
        caller.listen(&attempts)
        for stray in strays + [.hungUp, .digit(UInt8(ascii: "1"))] { #expect(caller.handle(stray, &attempts) == []) }
        #expect(attempts.snapshot == freshAttempts().snapshot)
    }

    @Test func anOldPromptDoesNotStartTheClockOfANewOne() throws {
        var attempts = freshAttempts()
        var caller = try LoginCaller(nil)
        caller.handle(.answered, &attempts)
        caller.type("100#", &attempts)
        caller.handle(.played(token: 1), &attempts)
        #expect(caller.wait(.seconds(30), &attempts) == [])
        caller.listen(&attempts)
        #expect(caller.wait(.seconds(10), &attempts) == [.play([.goodbye], bargeIn: false, token: 3)])
    }

    // MARK: The PBX and the disk

    @Test func thePBXRefuses() throws {
        var attempts = freshAttempts()
        var caller = try LoginCaller()
        caller.handle(.answered, &attempts)
        caller.type("4711#", &attempts)
        caller.verify(&attempts)
        caller.handle(.registered(.refused(403)), &attempts)
        #expect(caller.spoken.last == [.refusedByPBX, .goodbye])
        #expect(caller.audits == ["registrationRefused 100: the PBX answered 403"])
        #expect(caller.listen(&attempts).last == .hangUp)
    }

    @Test func thePBXIsNotThere() throws {
        var attempts = freshAttempts()
        let alice = try #require(alice)
        var caller = try LoginCaller()
        caller.handle(.answered, &attempts)
        caller.type("4711#", &attempts)
        caller.verify(&attempts)
        #expect(caller.handle(.registered(.unreachable), &attempts).last == .commit(alice))
        #expect(caller.audits.map { $0.prefix(12) } == ["degraded 100"])
        caller.handle(.stored(true), &attempts)
        #expect(caller.spoken.last == [.loggedIn, .digits("100")])
    }

    @Test(arguments: [
        (LoginDialogue.Event.stored(false), [Phrase.tryAgain, .goodbye], "degraded"), (.occupied, [.refusedByPBX, .goodbye], "loginFailed"),
    ])
    func noSessionComesOfIt(event: LoginDialogue.Event, phrases: [Phrase], kind: String) throws {
        var attempts = freshAttempts()
        var caller = try LoginCaller()
        caller.handle(.answered, &attempts)
        caller.type("4711#", &attempts)
        caller.verify(&attempts)
        caller.handle(.registered(.accepted), &attempts)
        caller.handle(event, &attempts)
        #expect(caller.spoken.last == phrases)
        #expect(caller.audits.count == 1 && caller.audits.first?.hasPrefix("\(kind) 100") == true)
        #expect(caller.listen(&attempts).last == .hangUp)
    }

    // MARK: Time

    /// Keys pressed all the time do not hold the line for ever.
    @Test func theDialogueHasAnEnd() throws {
        var attempts = freshAttempts()
        var caller = try LoginCaller(nil)
        caller.handle(.answered, &attempts)
        caller.listen(&attempts)
        for _ in 0..<29 {
            caller.wait(.seconds(4), &attempts)
            caller.type("1*", &attempts)
        }
        #expect(caller.spoken.count == 1)
        caller.wait(.seconds(4), &attempts)
        #expect(caller.spoken.last == [.goodbye])
        // Nor does a prompt whose end is never reported.
        #expect(caller.wait(.seconds(15), &attempts) == [.hangUp])
        #expect(caller.dialogue.isOver)
    }

    @Test(arguments: ["verifying", "registering", "committing"])
    func whatNeverAnswersEndsToo(stage: String) throws {
        var attempts = freshAttempts()
        var caller = try LoginCaller()
        caller.handle(.answered, &attempts)
        caller.type("4711#", &attempts)
        if stage != "verifying" { caller.verify(&attempts) }
        if stage == "committing" { caller.handle(.registered(.accepted), &attempts) }
        caller.wait(.seconds(120), &attempts)
        #expect(caller.spoken.last == [.goodbye])
        #expect(caller.audits.count == 1)
        // A PIN that was not verified in time is a try that was used.
        #expect((attempts.snapshot == freshAttempts().snapshot) == (stage != "verifying"))
        for late in [LoginDialogue.Event.pinVerified(true), .registered(.accepted), .stored(true)] {
            #expect(caller.handle(late, &attempts) == [])
        }
        #expect(caller.wait(.seconds(15), &attempts).last == .hangUp)
    }

    // MARK: Secrets

    @Test func thePINIsInNoDescription() throws {
        var attempts = freshAttempts()
        var caller = try LoginCaller(nil)
        var texts: [String] = []
        func look() {
            texts.append("\(caller.dialogue)")
            var dumped = ""
            dump(caller.dialogue, to: &dumped)
            texts.append(dumped)
            texts.append("\(caller.log)")
            texts.append("\(attempts.snapshot)")
        }
        caller.handle(.answered, &attempts)
        caller.type("100#", &attempts)
        for key in ["8", "8", "8", "9", "7", "7", "#"] {
            caller.type(key, &attempts)
            look()
        }
        caller.verify(&attempts)
        look()
        #expect(texts.allSatisfy { !$0.contains("888977") && !$0.contains("56, 56, 56") && !$0.contains("8, 8, 8") })
        #expect(caller.log.contains(.verify(try #require(alice), Personal("888977"))))
    }
}
