import CoreTypes
import SIPMessage
import Testing

@Suite("RFC 5118 torture messages for IPv6")
struct RFC5118Tests {
    @Test("each message gets what the RFC asks for", arguments: messages)
    func message(_ row: TortureCase) throws {
        guard let bytes = SharedData.bytes("rfc5118/\(row.name).dat") else { return }
        try row.check(bytes)
    }

    @Test("no message of the folder is left out")
    func complete() {
        let listed = Set(Self.messages.map { $0.name + ".dat" })
        for name in SharedData.names("rfc5118") { #expect(listed.contains(name), "\(name)") }
        #expect(listed.count == 12)
    }

    private static func target(_ message: SIPMessage) throws -> SIPURI {
        guard case .request(let request) = message else { throw SIPSyntaxError(.startLine) }
        return try #require(request.uri.sip)
    }

    private static func description(_ message: SIPMessage) throws -> SessionDescription {
        guard case .request(let request) = message else { throw SIPSyntaxError(.startLine) }
        return try SessionDescription(parsing: request.body)
    }

    static let messages: [TortureCase] = [
        TortureCase("ipv6-good", "4.1", .valid { (message) throws in
            #expect(try target(message).host.text == "[2001:db8::10]")
            #expect(message.headers.via.first?.host.address == IPAddress("2001:db8::9:1"))
        }),
        TortureCase("ipv6-bad", "4.2", .rejected(400, .syntax(.host))),
        TortureCase("port-ambiguous", "4.3", .valid { (message) throws in
            let uri = try target(message)
            #expect(uri.host.address == IPAddress("2001:db8::10:5070") && uri.port == nil)
        }),
        TortureCase("port-unambiguous", "4.4", .valid { (message) throws in
            let uri = try target(message)
            #expect(uri.host.address == IPAddress("2001:db8::10") && uri.port == 5070)
        }),
        TortureCase("via-received-param-with-delim", "4.5", .valid {
            #expect($0.headers.via.first?.received == IPAddress("2001:db8::9:255"))
        }),
        TortureCase("via-received-param-no-delim", "4.5", .valid {
            #expect($0.headers.via.first?.received == IPAddress("2001:db8::9:255"))
        }),
        TortureCase("ipv6-in-sdp", "4.6", .valid { (message) throws in
            let description = try description(message)
            #expect(description.origin?.address == "2001:db8::20" && description.connection == IPAddress("2001:db8::20"))
            #expect(description.media.map { description.rtp(of: $0)?.port } == [6000, 6024])
        }),
        TortureCase("mult-ip-in-header", "4.7", .valid { (message) throws in
            #expect(message.headers.via.map { $0.host.text } == ["[2001:db8::9:1]", "192.0.2.1", "[2001:db8::9:255]"])
            #expect(message.headers.via.first?.port == 6050 && message.headers.via.last?.received == IPAddress("192.0.2.200"))
        }),
        TortureCase("mult-ip-in-sdp", "4.8", .valid { (message) throws in
            let description = try description(message)
            #expect(description.connection == nil)
            #expect(description.media.map { description.connection(of: $0)?.description } == ["192.0.2.1", "2001:db8::1"])
        }),
        TortureCase("ipv4-mapped-ipv6", "4.9", .valid { (message) throws in
            #expect(message.headers.via.first?.host.text == "[::ffff:192.0.2.10]" && message.headers.via.first?.port == 19823)
            #expect(try description(message).connection == IPAddress("::ffff:192.0.2.2"))
        }),
        // The grammar of RFC 3261 lets three colons stand here; both forms are taken, and two are written.
        TortureCase("ipv6-bug-abnf-3-colons", "4.10", .valid { (message) throws in
            #expect(try target(message).host.address == IPAddress("2001:db8::192.0.2.1"))
        }),
        TortureCase("ipv6-correct-abnf-2-colons", "4.10", .valid { (message) throws in
            #expect(try target(message).host.address == IPAddress("2001:db8::192.0.2.1"))
        }),
    ]
}
