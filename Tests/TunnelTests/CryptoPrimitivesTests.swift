import CryptoPrimitives
import Testing

@Suite("Crypto primitives")
struct CryptoPrimitivesTests {
    @Test("MD5: RFC 1321 §A.5", arguments: [
        ("", "d41d8cd98f00b204e9800998ecf8427e"),
        ("abc", "900150983cd24fb0d6963f7d28e17f72"),
        ("message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
    ])
    func md5(text: String, digest: String) { #expect(hexadecimal(Hash.md5(Array(text.utf8))) == digest) }

    @Test("SHA-256: FIPS 180-4 examples", arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ])
    func sha256(text: String, digest: String) { #expect(hexadecimal(Hash.sha256(Array(text.utf8))) == digest) }

    @Test("HMAC-SHA-256: RFC 4231 §4.3 and §4.7")
    func hmac() {
        #expect(
            hexadecimal(Hash.hmacSHA256(key: Array("Jefe".utf8), Array("what do ya want for nothing?".utf8)))
                == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        #expect(
            hexadecimal(
                Hash.hmacSHA256(
                    key: [UInt8](repeating: 0xAA, count: 131),
                    Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8)))
                == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")
    }

    @Test("scrypt: RFC 7914 §12, third vector")
    func scryptVector() throws {
        let hash = "cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofLVQylVYT8Pz2LUlwUkKpr55h6F3A1lHkDfzwF7RVdYhw=="
        let stored = try #require(PINHash(parsing: "scrypt:14:8:1:U29kaXVtQ2hsb3JpZGU=:" + hash))
        #expect(stored.matches("pleaseletmein"))
        #expect(!stored.matches("pleaseletmeio"))
        #expect(!stored.matches(""))
    }

    @Test("a PIN hash survives its text form, and matches its own PIN only", arguments: ["1234", "0", ""])
    func roundTrip(pin: String) throws {
        let made = PINHash.make(pin: pin, salt: [UInt8](0..<16))
        let read = try #require(PINHash(parsing: made.text))
        #expect(read == made)
        #expect(made.text.hasPrefix("scrypt:14:8:1:AAECAwQFBgcICQoLDA0ODw==:"))
        #expect(read.matches(pin))
        #expect(!read.matches(pin + "5"))
    }

    @Test("texts that are no PIN hash", arguments: [
        "", "scrypt", "scrypt:14:8:1:AAECAwQFBgc=", "bcrypt:14:8:1:AAECAwQFBgc=:AAECAwQFBgcICQoLDA0ODw==",
        "scrypt:9:8:1:AAECAwQFBgc=:AAECAwQFBgcICQoLDA0ODw==", "scrypt:19:8:1:AAECAwQFBgc=:AAECAwQFBgcICQoLDA0ODw==",
        "scrypt:14:17:1:AAECAwQFBgc=:AAECAwQFBgcICQoLDA0ODw==", "scrypt:14:8:5:AAECAwQFBgc=:AAECAwQFBgcICQoLDA0ODw==",
        "scrypt:+14:8:1:AAECAwQFBgc=:AAECAwQFBgcICQoLDA0ODw==", "scrypt:014:8:1:AAECAwQFBgc=:AAECAwQFBgcICQoLDA0ODw==",
        "scrypt:14:8:1:AAEC:AAECAwQFBgcICQoLDA0ODw==", "scrypt:14:8:1:AAECAwQFBgc=:AAEC",
        "scrypt:14:8:1:AAECAwQFBgd=:AAECAwQFBgcICQoLDA0ODw==", "scrypt:14:8:1:AAECAw*FBgc=:AAECAwQFBgcICQoLDA0ODw==",
        "scrypt:14:8:1:AAECAwQFBgc=:AAECAwQFBgcICQoLDA0ODw==:",
    ])
    func notHashes(text: String) { #expect(PINHash(parsing: text) == nil) }

    @Test("equal means equal")
    func comparison() {
        #expect(constantTimeEqual([], []))
        #expect(constantTimeEqual([1, 2], [1, 2]))
        #expect(!constantTimeEqual([1, 2], [1, 3]))
        #expect(!constantTimeEqual([1, 2], [1, 2, 0]))
    }

    @Test("a random stream is SHA-256 of seed and counter, however it is cut")
    func stream() {
        let seed: [UInt8] = [1, 2, 3]
        let expected = (0..<3).flatMap { Hash.sha256(seed + [0, 0, 0, 0, 0, 0, 0, UInt8($0)]) }
        var whole = RandomStream(seed: seed)
        #expect(whole.bytes(96) == expected)
        var cut = RandomStream(seed: seed)
        #expect(cut.bytes(5) + cut.bytes(0) + cut.bytes(40) + cut.bytes(51) == expected)
        var token = RandomStream(seed: seed)
        #expect(token.token(8) == hexadecimal(Array(expected[..<8])))
        #expect(token.next() == expected[8..<16].reduce(0) { $0 << 8 | UInt64($1) })
    }
}
