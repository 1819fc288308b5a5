import HotDeskPolicy
import Testing

@Suite struct SessionDirectoryTests {
    @Test func aDayAtTheDesks() throws {
        var directory = LocalSessionDirectory()
        let (one, two) = (try device("HD0001"), try device("HD0002"))
        let (alice, bob) = (try number("100"), try number("101"))

        let first = try directory.begin(alice, on: one, now: second(0), rule: .move)
        let atOne = Session(device: one, extension: alice, since: second(0), generation: 1)
        #expect(first == [.began(atOne)])
        #expect(directory.session(on: one) == atOne && directory.session(of: alice) == atOne)

        // The same person at the same desk changes nothing.
        #expect(try directory.begin(alice, on: one, now: second(5), rule: .refuse) == [])
        #expect(directory.session(on: one) == atOne)

        // Alice moves; the first desk is idle.
        let atTwo = Session(device: two, extension: alice, since: second(10), generation: 2)
        #expect(try directory.begin(alice, on: two, now: second(10), rule: .move) == [.ended(atOne, .roamed), .began(atTwo)])
        #expect(directory.session(on: one) == nil && directory.session(of: alice) == atTwo)

        // Bob takes the first desk, then Alice takes it from him.
        let bobAtOne = Session(device: one, extension: bob, since: second(20), generation: 3)
        #expect(try directory.begin(bob, on: one, now: second(20), rule: .move) == [.began(bobAtOne)])
        let back = Session(device: one, extension: alice, since: second(30), generation: 4)
        #expect(
            try directory.begin(alice, on: one, now: second(30), rule: .move)
                == [.ended(atTwo, .roamed), .ended(bobAtOne, .replaced), .began(back)])
        #expect(directory.all == [back] && directory.session(of: bob) == nil && directory.session(on: two) == nil)

        #expect(directory.end(on: one, reason: .code) == .ended(back, .code))
        #expect(directory.end(on: one, reason: .code) == nil)
        #expect(directory.all.isEmpty && directory.session(of: alice) == nil)
    }

    @Test func whereNobodyMayMove() throws {
        var directory = LocalSessionDirectory()
        let (one, two) = (try device("HD0001"), try device("HD0002"))
        let (alice, bob) = (try number("100"), try number("101"))
        _ = try directory.begin(alice, on: one, now: second(0), rule: .refuse)
        let session = try #require(directory.session(on: one))
        #expect(throws: SessionConflict(session: session)) { try directory.begin(alice, on: two, now: second(1), rule: .refuse) }
        #expect(directory.all == [session])
        // Another person replaces her all the same.
        let changes = try directory.begin(bob, on: one, now: second(2), rule: .refuse)
        #expect(changes.count == 2 && directory.session(of: alice) == nil)
    }

    @Test func restoring() throws {
        var directory = LocalSessionDirectory()
        let (one, two) = (try device("HD0001"), try device("HD0002"))
        let (alice, bob) = (try number("100"), try number("101"))
        let old = Session(device: one, extension: alice, since: second(0), generation: 7)
        let young = Session(device: two, extension: alice, since: second(5), generation: 9)
        let other = Session(device: one, extension: bob, since: second(3), generation: 8)
        directory.restore([old, young, other])
        #expect(directory.all == [other, young])
        let changes = try directory.begin(bob, on: two, now: second(10), rule: .move)
        #expect(changes.last == .began(Session(device: two, extension: bob, since: second(10), generation: 10)))
        directory.restore([])
        #expect(directory.all.isEmpty)
    }
}
