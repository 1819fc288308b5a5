import Testing

@testable import EdgeRuntime

@Suite struct RedactionTests {
    @Test(arguments: [
        ("verdict forward: HD0001 INVITE sip:101@pbx.example as 100", "verdict forward: HD0001 INVITE sip:101@pbx.example as 100"),
        ("INVITE sip:+4915112345678@pbx.example", "INVITE sip:+491…@pbx.example"),
        ("emergency 112 from 192.168.10.20:50600", "emergency 112 from 192.168.10.20:50600"),
        ("123456", "123…"),
        ("12345", "12345"),
        ("a123456b7654321", "a123…b765…"),
        ("", ""),
    ])
    func longNumbersAreCut(text: String, shown: String) {
        #expect(Redaction.numbers(in: text) == shown)
    }
}
