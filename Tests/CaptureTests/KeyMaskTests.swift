import Capture
import Testing

@Suite struct KeyMaskTests {
    private static let head = "INVITE sip:101@pbx.example SIP/2.0\r\nContent-Type: application/sdp\r\n\r\n"

    @Test(arguments: [
        ("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0|2^31|1:4 KDR=1", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 000000000000000000000000 00000"),
        ("A=Crypto:1 X INLINE:c2Vj", "A=Crypto:1 X 00000000000"),
        ("a=crypto:1 inline:c2VjcmV0", "a=crypto:0 000000000000000"),
        ("a=key-mgmt:mikey AQAFg", "a=key-mgmt:00000 00000"),
        ("k=base64:c2Vj", "k=00000000000"),
        ("a=rtpmap:8 PCMA/8000", "a=rtpmap:8 PCMA/8000"),
        ("a=crypto", "a=crypto"), ("k", "k"), ("a=crypto:", "a=crypto:"),
    ])
    func keysAreOverwritten(line: String, masked: String) {
        for end in ["\r\n", "\n", ""] {
            let message = Self.head + "v=0\r\n" + line + end
            #expect(String(decoding: CaptureMask.maskSIP(Array(message.utf8)), as: UTF8.self) == Self.head + "v=0\r\n" + masked + end)
        }
    }
}
