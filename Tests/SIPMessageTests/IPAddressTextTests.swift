import CoreTypes
import Testing

@Suite("Text of addresses")
struct IPAddressTextTests {
    @Test("is read, and written by RFC 5952", arguments: [
        ("192.0.2.1", "192.0.2.1"), ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"), ("::", "::"), ("::1", "::1"), ("1::", "1::"),
        ("2001:DB8::0001", "2001:db8::1"), ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),
        ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"), ("::ffff:192.0.2.1", "::ffff:192.0.2.1"), ("::FFFF:c000:0201", "::ffff:192.0.2.1"),
        ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"), ("1:2:3:4:5:6:7.8.9.10", "1:2:3:4:5:6:708:90a"), ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
        ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"), ("fe80:0:0:0:0:0:0:1", "fe80::1"), ("1:0:0:0:0:0:0:0", "1::"),
    ])
    func read(_ text: String, _ canonical: String) throws {
        let address = try #require(IPAddress(text))
        #expect(address.description == canonical && IPAddress(canonical) == address)
    }

    @Test("is refused", arguments: [
        "", ":", ":::", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1..2.3", ".1.2.3", "1.2.3.", " 1.2.3.4", "1.2.3.4 ", "1.2.3.x", "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9", "1::2::3", ":1::2", "1::2:", "12345::", "g::", "[::1]", "::1%eth0", "1:2:3:4:5:6:7:1.2.3.4", "::1.2.3", "::1.2.3.4:5",
        "1:2:3:4:5:6:7:8::", "٣.1.1.1", "1:2:3:4::5:6:7:8", String(repeating: "1", count: 46),
    ])
    func refused(_ text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test("endpoints", arguments: [("192.0.2.1:5060", "192.0.2.1:5060"), ("[::1]:5060", "[::1]:5060"), ("[2001:DB8::1]:0", "[2001:db8::1]:0")])
    func endpoint(_ text: String, _ canonical: String) {
        #expect(Endpoint(text)?.description == canonical)
    }

    @Test("endpoints that are refused", arguments: ["", ":1", "192.0.2.1", "192.0.2.1:", "192.0.2.1:65536", "::1:5060", "[192.0.2.1]:1", "[::1]", "[::1]5060", "h:1", "1.2.3.4:+1", "[]:1"])
    func refusedEndpoint(_ text: String) {
        #expect(Endpoint(text) == nil)
    }
}
