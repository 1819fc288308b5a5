import CoreTypes
import PhoneDelivery
import SIPMessage
import Testing

@Suite struct FetchAuthenticatorTests {
    static let target = "/p/0123/805ec0aabb01.cfg"
    var authenticator = FetchAuthenticator(algorithms: [.sha256, .md5], seed: Array(repeating: 1, count: 32))
    var now = Instant(nanoseconds: 1_800_000_000_000_000_000)

    mutating func check(
        _ authorization: String?, method: String = "GET", target: String = Self.target, user: String = "HD0001", password: String = "pw"
    ) -> FetchAuthenticator.Outcome {
        authenticator.check(authorization, method: method, target: target, user: user, password: password, now: now)
    }

    mutating func challenges() throws -> [DigestChallenge] {
        guard case .challenge(let values) = check(nil) else { return [] }
        return try values.map { try DigestChallenge(parsing: $0) }
    }

    static func answer(
        _ challenge: DigestChallenge, method: String = "GET", uri: String = target, user: String = "HD0001", password: String = "pw", count: UInt32 = 1
    ) -> DigestCredentials {
        .answering(challenge, method: Method(method), uri: uri, username: user, password: password, cnonce: "c", nonceCount: count)
    }

    @Test mutating func bothAlgorithmsAreOfferedInOrderAndEitherIsTaken() throws {
        let offered = try challenges()
        #expect(offered.map(\.algorithm) == [.sha256, .md5])
        for challenge in offered {
            let fresh = try #require(try challenges().first { $0.algorithm == challenge.algorithm })
            let outcome = check(Self.answer(fresh).headerValue)
            #expect(outcome == .proven)
        }
        authenticator = FetchAuthenticator(algorithms: [.md5], seed: [2])
        let only = try challenges()
        #expect(only.map(\.algorithm) == [.md5])
        let other = DigestChallenge(realm: only[0].realm, nonce: only[0].nonce, algorithm: .sha256)
        let outcome = check(Self.answer(other).headerValue)
        guard case .challenge = outcome else { Issue.record("an algorithm that was not offered"); return }
    }

    @Test mutating func anAnswerWorksOnce() throws {
        let challenge = try challenges()[0]
        var outcomes: [FetchAuthenticator.Outcome] = []
        for count in [1, 1, 2, 5, 4, 6] as [UInt32] { outcomes.append(check(Self.answer(challenge, count: count).headerValue)) }
        #expect(outcomes.map { $0 == .proven } == [true, false, true, true, false, true])
        guard case .challenge(let values) = outcomes[1] else { Issue.record("no challenge"); return }
        #expect(try values.allSatisfy { try DigestChallenge(parsing: $0).stale }, "the client need not ask its user")
    }

    @Test mutating func aNonceHasItsTime() throws {
        let challenge = try challenges()[0]
        now = now + .seconds(301)
        guard case .challenge(let values) = check(Self.answer(challenge).headerValue) else { Issue.record("an old nonce was taken"); return }
        #expect(try DigestChallenge(parsing: values[0]).stale)
        let next = try DigestChallenge(parsing: values[0])
        let outcome = check(Self.answer(next).headerValue)
        #expect(outcome == .proven)
    }

    @Test mutating func whatProvesNothingIsChallengedAndAWrongPasswordIsTold() throws {
        let challenge = try challenges()[1]
        var foreign = challenge
        foreign.nonce = "17e1.aa.bbbbbbbbbbbbbbbbbbbbbbbb"
        var realm = challenge
        realm.realm = "elsewhere"
        var old = challenge
        old.offersAuth = false
        let nothing: [String] = [
            "", "Basic SEQwMDAxOnB3", "Digest", Self.answer(foreign).headerValue, Self.answer(realm).headerValue, Self.answer(old).headerValue,
            Self.answer(challenge, user: "HD0002").headerValue, Self.answer(challenge, uri: "/p/0123/other.cfg").headerValue,
            Self.answer(challenge).headerValue + String(repeating: " ", count: 3000),
        ]
        for header in nothing {
            let outcome = check(header)
            guard case .challenge = outcome else { Issue.record("\(header): \(outcome)"); continue }
        }
        for header in [Self.answer(challenge, password: "PW").headerValue, Self.answer(challenge, method: "PUT").headerValue] {
            let outcome = check(header)
            guard case .wrongPassword = outcome else { Issue.record("\(header): \(outcome)"); continue }
        }
        let outcome = check(Self.answer(challenge).headerValue)
        #expect(outcome == .proven, "others' failures do not use the nonce up")
    }

    @Test mutating func thePathMayBeWrittenAsAWholeURL() throws {
        let outcomes = try ["http://192.0.2.10:8080\(Self.target)", "https://edge.example\(Self.target)", "http://192.0.2.10/else\(Self.target)", "ftp://x\(Self.target)"].map { uri in
            let challenge = try challenges()[0]
            return check(Self.answer(challenge, uri: uri).headerValue) == .proven
        }
        #expect(outcomes == [true, true, false, false])
    }
}
