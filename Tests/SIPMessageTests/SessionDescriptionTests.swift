import CoreTypes
import SIPMessage
import Testing

@Suite("Session descriptions")
struct SessionDescriptionTests {
    static let offer = """
        v=0\r\no=- 20518 0 IN IP4 192.0.2.40\r\ns=call\r\ni=about\r\nc=IN IP4 192.0.2.40\r\nb=AS:84\r\nt=0 0\r\nz=unknown\r\na=sendonly\r\n\
        m=audio 11000/2 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=rtcp:11050 IN IP6 2001:db8::9\r\n\
        m=video 0 RTP/SAVP 99\r\ni=picture\r\nc=IN IP6 2001:db8::1\r\nk=clear:x\r\na=rtpmap:99 H264/90000\r\na=inactive\r\n
        """

    private func parse(_ text: String) throws -> SessionDescription { try SessionDescription(parsing: Array(text.utf8)) }

    @Test("fields")
    func fields() throws {
        let description = try parse(Self.offer)
        #expect(description.origin == SDPOrigin(sessionID: 20518, sessionVersion: 0, address: try #require(IPAddress("192.0.2.40"))))
        #expect(description.sessionName == "call" && description.connection == IPAddress("192.0.2.40"))
        let audio = try #require(description.media.first)
        #expect(audio.kind == "audio" && audio.port == 11000 && audio.portCount == 2 && audio.formats == ["0", "8", "101"])
        #expect(audio.rtpMap("101") == RTPMap(encoding: "telephone-event", clockRate: 8000) && audio.format(of: "telephone-event") == "101")
        #expect(audio.rtpMap("0")?.encoding == "pcmu" && audio.rtpMap("8")?.encoding == "pcma" && audio.rtpMap("9")?.encoding == "g722")
        #expect(audio.rtpMap("77") == nil && audio.attribute("ptime") == "20" && audio.attribute("none") == nil)
        #expect(audio.direction == .sendonly && audio.direction.reversed == .recvonly)
        #expect(description.rtp(of: audio) == Endpoint("192.0.2.40:11000") && description.rtcp(of: audio) == Endpoint("[2001:db8::9]:11050"))
        let video = try #require(description.media.last)
        #expect(video.direction == .inactive && description.rtp(of: video) == nil && description.connection(of: video) == IPAddress("2001:db8::1"))
    }

    @Test("is written as it was read")
    func roundTrip() throws {
        let description = try parse(Self.offer)
        #expect(String(decoding: description.serialized(), as: UTF8.self) == Self.offer)
        #expect(try SessionDescription(parsing: description.serialized()) == description)
    }

    @Test("line ends of any kind, and none at the end", arguments: ["\r\n", "\n"])
    func lineEnds(_ end: String) throws {
        let lines = ["v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0", "m=audio 4000 RTP/AVP 0"]
        let reference = try parse(lines.joined(separator: "\r\n") + "\r\n")
        for tail in ["", end, end + end, end + end + end] { #expect(try parse(lines.joined(separator: end) + tail) == reference) }
    }

    @Test("an RTCP port is made, or is RTP's own")
    func rtcp() throws {
        let head = "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\n"
        for (more, port) in [("", 4001), ("a=rtcp:5000\r\n", 5000), ("a=rtcp-mux\r\n", 4000), ("a=rtcp:0\r\n", 4001), ("a=rtcp:1 IN IP4 bad\r\n", 4001)] {
            let description = try parse(head + more)
            #expect(description.rtcp(of: try #require(description.media.first)) == Endpoint("192.0.2.1:\(port)"))
        }
    }

    @Test("what is missing is filled in, what is set is written")
    func changes() throws {
        var description = try parse("v=0\r\nm=audio 4000 RTP/AVP 0\r\na=sendrecv\r\na=recvonly")
        #expect(description.origin?.address == "0.0.0.0" && description.sessionName == "-" && description.connection == nil)
        #expect(description.media[0].direction == .recvonly)
        description.connection = IPAddress("2001:db8::5")
        description.media[0].direction = .inactive
        description.media[0].rtcp = RTCPAttribute(port: 4009)
        #expect(String(decoding: description.serialized(), as: UTF8.self)
            == "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nc=IN IP6 2001:db8::5\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na=inactive\r\na=rtcp:4009\r\n")
    }

    @Test("no line can be smuggled in")
    func injection() {
        var description = SessionDescription(origin: nil, media: [MediaDescription(kind: "audio", port: 1, formats: ["0"])])
        description.attributes = [SDPAttribute("x", "y\r\nm=video 2 RTP/AVP 31")]
        description.sessionName = "s\nc=IN IP4 10.0.0.1"
        let text = String(decoding: description.serialized(), as: UTF8.self)
        #expect(!text.contains("\nm=video") && !text.contains("\nc="))
    }

    @Test("is refused", arguments: [
        "", "v=1\r\n", "o=- 1 1 IN IP4 1.1.1.1\r\nv=0\r\n", "v=0\r\nv=0\r\n", "v=0\r\nnonsense\r\n", "v=0\r\nm =audio 1 RTP/AVP 0\r\n", "v=0\r\n=x\r\n",
        "v=0\r\n\r\ns=-\r\n", "v=0\r\nm=audio\r\n", "v=0\r\nm=audio x RTP/AVP 0\r\n", "v=0\r\nm=audio 65536 RTP/AVP 0\r\n", "v=0\r\nm=audio -1 RTP/AVP 0\r\n",
        "v=0\r\nm=audio 1/0 RTP/AVP 0\r\n", "v=0\r\nm=audio 1/x RTP/AVP 0\r\n", "v=0\r\nc=IN IP4 1.1.1.1\r\nc=IN IP4 2.2.2.2\r\n", "v=0\r\no=short\r\n",
        "v=0\r\na=x\0y\r\n", "v=0\r\na=x\ry\r\n", "v=0\r\nInvite: sip\r\n", "v=0\r\n" + String(repeating: "m=audio 0 RTP/AVP 0\r\n", count: 33),
    ])
    func refused(_ text: String) {
        #expect(throws: SIPSyntaxError.self) { try parse(text) }
    }

    @Test("names and odd connections give no address", arguments: ["IN IP4 host.example", "IN IP6 192.0.2.1", "IN IP4 2001:db8::1", "IN IP4", "TN RFC2543 1", "IN IP4 224.2.1.1/127"])
    func connections(_ text: String) throws {
        let description = try parse("v=0\r\nc=\(text)\r\n")
        #expect(description.connection == (text.contains("/") ? IPAddress("224.2.1.1") : nil))
        #expect(String(decoding: description.serialized(), as: UTF8.self).contains("\r\nc=\(text)\r\n"))
    }
}
