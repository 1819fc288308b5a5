import CoreTypes
import Media
import Testing

@Suite struct SRTPTests {
    static func key(_ suite: SRTPSuite, _ first: UInt8) -> SRTPKey {
        guard let key = SRTPKey(suite: suite, material: (0..<suite.keyLength).map { UInt8(truncatingIfNeeded: $0) &+ first }) else {
            fatalError("the length is the suite's own")
        }
        return key
    }

    /// Two ends of one leg.
    static func ends(_ suite: SRTPSuite) throws -> (SRTPSession, SRTPSession) {
        let (one, two) = (key(suite, 1), key(suite, 99))
        return (
            try #require(SRTPSession(SRTPTerms(send: one, receive: two))), try #require(SRTPSession(SRTPTerms(send: two, receive: one)))
        )
    }

    static func packet(_ sequence: UInt16, source: UInt32 = 7, payload: Int = 160) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: RTPHeader.size)
        var span = bytes.mutableSpan
        _ = RTPHeader(marker: false, payloadType: 8, sequenceNumber: sequence, timestamp: 160, source: source).write(into: &span)
        return bytes + (0..<payload).map { UInt8(truncatingIfNeeded: $0) }
    }

    static func protect(_ packet: [UInt8], _ session: SRTPSession) -> [UInt8]? {
        var buffer = packet + [UInt8](repeating: 0, count: SRTPSession.room)
        return buffer.withUnsafeMutableBytes { session.protect($0, count: packet.count) }.map { Array(buffer.prefix($0)) }
    }

    static func unprotect(_ packet: [UInt8], _ session: SRTPSession) -> Result<[UInt8], SRTPSession.Failure> {
        var buffer = packet
        return Result { () throws(SRTPSession.Failure) in
            var failure: SRTPSession.Failure?
            let count = buffer.withUnsafeMutableBytes { bytes -> Int in
                do throws(SRTPSession.Failure) { return try session.unprotect(bytes) } catch {
                    failure = error
                    return 0
                }
            }
            if let failure { throw failure }
            return Array(buffer.prefix(count))
        }
    }

    /// The vectors of RFC 3711 are libsrtp2's own tests; here the suites are told apart by what they cost on the wire.
    @Test(arguments: [
        (.aes256GCM, 16), (.aes128GCM, 16), (.aes256SHA80, 10), (.aes256SHA32, 4), (.aes128SHA80, 10), (.aes128SHA32, 4),
    ] as [(SRTPSuite, Int)])
    func aPacketGoesThroughAndOnlyOnce(suite: SRTPSuite, tag: Int) throws {
        let (sender, receiver) = try Self.ends(suite)
        let plain = Self.packet(500)
        let secret = try #require(Self.protect(plain, sender))
        #expect(secret.count == plain.count + tag)
        #expect(Array(secret.prefix(12)) == Array(plain.prefix(12)))
        #expect(Array(secret[12..<172]) != Array(plain[12...]))
        #expect(Self.unprotect(secret, receiver) == .success(plain))
        #expect(Self.unprotect(secret, receiver) == .failure(.replayed))
        #expect(Self.protect(plain, sender) == nil, "the same index twice under one key would give both away")
    }

    @Test(arguments: SRTPSuite.allCases)
    func whatIsChangedCutOrPlainIsNotTaken(suite: SRTPSuite) throws {
        let (sender, receiver) = try Self.ends(suite)
        let secret = try #require(Self.protect(Self.packet(1), sender))
        for place in [1, 3, 11, 12, 100, secret.count - 1] {
            var changed = secret
            changed[place] ^= 1
            #expect(Self.unprotect(changed, receiver) == .failure(.unauthentic), "byte \(place)")
        }
        for length in 0..<secret.count { #expect(Self.unprotect(Array(secret.prefix(length)), receiver) == .failure(.unauthentic)) }
        #expect(Self.unprotect(Self.packet(2), receiver) == .failure(.unauthentic))
        #expect(Self.unprotect(secret, receiver) == .success(Self.packet(1)), "and the true one still is")
    }

    @Test func anotherDirectionsKeyOpensNothing() throws {
        let (sender, _) = try Self.ends(.aes128SHA80)
        let secret = try #require(Self.protect(Self.packet(1), sender))
        #expect(Self.unprotect(secret, sender) == .failure(.unauthentic))
    }

    @Test func aDirectionWhoseKeyStaysGoesOn() throws {
        let (sender, receiver) = try Self.ends(.aes128SHA80)
        // Past the wrap of the sequence number, where the index lives in the session alone.
        for sequence in [65_534, 65_535, 0, 1] as [UInt16] {
            let secret = try #require(Self.protect(Self.packet(sequence), sender))
            #expect(Self.unprotect(secret, receiver) == .success(Self.packet(sequence)))
        }
        let terms = SRTPTerms(send: sender.terms.send, receive: Self.key(.aes128SHA80, 40))
        let renewed = try #require(SRTPSession(terms, after: sender))
        let secret = try #require(Self.protect(Self.packet(2), renewed))
        #expect(Self.unprotect(secret, receiver) == .success(Self.packet(2)))
        #expect(Self.protect(Self.packet(1), renewed) == nil)
    }

    @Test func sourcesOfOneEndAreBounded() throws {
        let (sender, _) = try Self.ends(.aes128SHA80)
        let sent = (1...100).filter { Self.protect(Self.packet(1, source: UInt32($0)), sender) != nil }
        #expect(sent == Array(1...64))
    }

    @Test func controlIsProtectedToo() throws {
        for suite in SRTPSuite.allCases {
            let (sender, receiver) = try Self.ends(suite)
            let report: [UInt8] = [0x80, 201, 0, 1, 1, 2, 3, 4]
            var buffer = report + [UInt8](repeating: 0, count: SRTPSession.room)
            let protected = buffer.withUnsafeMutableBytes { sender.protectControl($0, count: report.count) }
            let count = try #require(protected)
            // The index of RFC 3711 §3.4, and a tag that is never the short one.
            let tag = suite == .aes256GCM || suite == .aes128GCM ? 16 : 10
            #expect(count == report.count + 4 + tag)
            var received = Array(buffer.prefix(count))
            let length = try received.withUnsafeMutableBytes { try receiver.unprotectControl($0) }
            #expect(Array(received.prefix(length)) == report)
        }
    }

    @Test func keysAreNeverPrinted() {
        let key = Self.key(.aes128SHA80, 65)
        for text in ["\(key)", String(describing: SRTPTerms(send: key, receive: key)), String(reflecting: key)] {
            #expect(text.contains("<personal>") && !text.contains("65, 66"))
        }
    }

    @Test func aKeyHasTheLengthOfItsSuite() {
        for suite in SRTPSuite.allCases {
            #expect(SRTPKey(suite: suite, material: [UInt8](repeating: 0, count: suite.keyLength - 1)) == nil)
            #expect(SRTPKey(suite: suite, material: [UInt8](repeating: 0, count: suite.keyLength + 1)) == nil)
        }
    }
}
