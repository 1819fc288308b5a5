import HotDeskPolicy
@testable import Provisioning
import Testing

@Suite struct PatternTests {
    @Test(arguments: [
        ("{mac}.cfg", "805ec0aabbcc.cfg", "80:5e:c0:aa:bb:cc", nil, nil),
        ("{mac}.cfg", "805EC0AABBCC.CFG", "80:5e:c0:aa:bb:cc", nil, nil),
        ("cfg{mac}.xml", "cfgc074ad0b63ee.xml", "c0:74:ad:0b:63:ee", nil, nil),
        ("Yealink {model} {version} {mac}", "Yealink SIP-T46U 108.86.0.90 80:5e:c0:aa:bb:cc", "80:5e:c0:aa:bb:cc", "SIP-T46U", "108.86.0.90"),
        ("Fanvil {model} {version} {mac}", "Fanvil X6U Pro 2.12.16.17 0c383e112233", "0c:38:3e:11:22:33", "X6U Pro", "2.12.16.17"),
    ] as [(String, String, String?, String?, String?)])
    func matches(_ pattern: String, _ text: String, _ mac: String?, _ model: String?, _ version: String?) throws {
        let compiled = try #require(TextPattern(pattern))
        #expect(compiled.match(text) == TextPattern.Match(mac: mac.flatMap { MACAddress($0) }, model: model, version: version))
    }

    @Test(arguments: ["", "{nothing}", "{mac", "mac}", "{mac}{mac}{mac}{mac}{mac}{mac}{mac}{mac}{mac}{mac}{mac}{mac}{mac}{mac}{mac}{mac}{mac}{mac}"])
    func isRefused(_ pattern: String) { #expect(TextPattern(pattern) == nil) }

    @Test(arguments: [("{mac}.cfg", "805ec0aabbc.cfg"), ("{mac}.cfg", "x805ec0aabbcc.cfg"), ("{mac}.cfg", "805ec0aabbcc.cfg2"), ("a{any}z", "abc")])
    func doesNotMatch(_ pattern: String, _ text: String) throws {
        let compiled = try #require(TextPattern(pattern))
        #expect(compiled.match(text) == nil)
    }

    /// What a stranger sends costs a bounded number of steps, whatever the pattern.
    @Test func hostileTextEnds() throws {
        let pattern = try #require(TextPattern("{any}a{any}a{any}a{any}a{any}b"))
        #expect(pattern.match(String(repeating: "a", count: 256)) == nil)
        #expect(pattern.match(String(repeating: "a", count: 257)) == nil)
    }
}
