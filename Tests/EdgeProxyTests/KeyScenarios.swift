import CoreTypes
import Media
import SIPMessage
import Testing

@testable import EdgeProxy

@Suite struct KeyFilterTests {
    /// A press as "form key @ milliseconds", and whether it counts: i INFO, e event, t tone.
    @Test(arguments: [
        ("e1@0 e1@200", "11"), ("t1@0 t1@200", "11"), ("i4@0 i4@200", "44"),
        // Two or three forms of each press, in whatever order.
        ("e1@0 t1@50 e2@300 t2@350", "12"), ("t1@0 e1@40 t1@300 e1@340", "11"), ("t1@0 i1@100 t2@300 i2@400", "12"),
        ("i1@0 e1@10 i2@300 e2@310", "12"), ("t4@0 i4@100 e4@120 t4@300 i4@400 e4@420", "44"),
        // The better form lags a key behind.
        ("t4@0 t4@200 i4@250 i4@450", "44"), ("t1@0 t2@200 e1@210 e2@410 e3@600", "123"),
        // Speech that sounded like a key, and then the real ones.
        ("t7@0 e1@5000 t1@5050 e2@5300", "712"), ("t7@0 e1@500 e2@800", "712"),
        // The same key again, long after.
        ("t5@0 e5@2500", "55"),
    ])
    func everyPressCountsOnce(_ presses: String, _ counted: String) throws {
        var filter = KeyFilter()
        var keys: [UInt8] = []
        for press in presses.split(separator: " ") {
            let bytes = Array(press.utf8)
            let time = try #require(Int64(press.drop { $0 != "@" }.dropFirst()))
            let form: KeyFilter.Form = bytes[0] == UInt8(ascii: "t") ? .tone : bytes[0] == UInt8(ascii: "i") ? .info : .event
            if filter.counts(bytes[1], as: form, at: Instant(nanoseconds: time * 1_000_000)) { keys.append(bytes[1]) }
        }
        #expect(String(decoding: keys, as: UTF8.self) == counted)
    }
}

@Suite struct InfoDigitTests {
    @Test(arguments: [
        ("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", UInt8(ascii: "5"), 160), ("application/dtmf-relay", "signal= *\nDuration = 250", UInt8(ascii: "*"), 250),
        ("application/dtmf-relay", "Signal=10\r\n", UInt8(ascii: "*"), 100), ("application/dtmf-relay", "Duration=999999\r\nSignal=a", UInt8(ascii: "A"), 100),
        ("application/dtmf", "11", UInt8(ascii: "#"), 100), ("Application/DTMF", " 7\r\n", UInt8(ascii: "7"), 100),
        ("application/dtmf-relay", "Duration=160", nil, 0), ("application/dtmf", "55", nil, 0), ("application/dtmf", "", nil, 0),
        ("application/media_control+xml", "5", nil, 0), ("", "5", nil, 0),
    ] as [(String, String, UInt8?, Int64)])
    func bodies(type: String, body: String, key: UInt8?, milliseconds: Int64) {
        var phone = Phone(device: 1)
        var request = phone.request(.info, to: "sip:101@pbx.example", body: Array(body.utf8))
        request.headers.contentType = type
        let press = InfoDigit(request)
        #expect(press?.key == key)
        if key != nil { #expect(press?.duration == .milliseconds(milliseconds)) }
    }
}

/// Keys between two legs of which one cannot take the other's form.
@Suite struct KeyScenarios {
    private static func info(_ call: inout SecureCall, _ body: String) throws -> SIPRequest {
        var request = call.phone.request(
            .info, to: "sip:101@pbx.example", callID: call.asked.headers.callID.value, toTag: "pbxtag", body: Array(body.utf8))
        request.headers.contentType = "application/dtmf-relay"
        return request
    }

    @Test func anINFOBecomesAnEventWhereTheOtherLegTakesThat() throws {
        var call = SecureCall(SRTPRules(), offer: SecureCall.description("RTP/AVP", formats: "8"))
        let offered = try #require(call.invite).body
        #expect(offered.text.contains("RTP/AVP 8 101") && offered.text.contains("a=rtpmap:101 telephone-event/8000"))
        let answer = try #require(try call.answer(SecureCall.description("RTP/AVP", address: "203.0.113.9")))
        #expect(answer.body.text.contains("RTP/AVP 8\r\n") && !answer.body.text.contains("telephone-event"))
        call.branch.deliver(Branch.ack(call.asked, answer, newBranch: true), call.phone.flow)
        _ = call.branch.servePBX()
        let legs = try #require(call.legs)
        #expect(legs.phone.telephoneEvent == nil && legs.trunk.telephoneEvent == 101)

        call.branch.deliver(try Self.info(&call, "Signal=5\r\nDuration=160\r\n"), call.phone.flow)
        #expect(call.branch.take(call.phone.flow).compactMap(\.response).map(\.status) == [200])
        #expect(call.branch.servePBX().isEmpty, "it is no INFO any more")
        let presses = call.branch.media.filter { if case .press = $0 { true } else { false } }
        guard case .press(_, 1, UInt8(ascii: "5"), .milliseconds(160))? = presses.first else { return #expect(Bool(false), "\(presses)") }
        #expect(presses.count == 1)
        // What is no key goes on as it is.
        call.branch.deliver(try Self.info(&call, "Flash=1\r\n"), call.phone.flow)
        #expect(call.branch.servePBX().map(\.method) == [.info])
    }

    /// The far end has tones alone: the phone is told to send events, of which the relay makes tones, where the codec is one it knows.
    @Test(arguments: [("8", true), ("0", true), ("9", true), ("18", false)])
    func eventsAreTakenFromAPhoneWhateverTheFarEndHas(codec: String, isTaken: Bool) throws {
        var call = SecureCall(SRTPRules(), offer: SecureCall.description("RTP/AVP", formats: "\(codec) 101"))
        let answer = try #require(try call.answer(SecureCall.description("RTP/AVP", address: "203.0.113.9", formats: codec)))
        #expect(answer.body.text.contains("RTP/AVP \(codec) 101\r\n") == isTaken)
        #expect(answer.body.text.contains("a=rtpmap:101 telephone-event/8000") == isTaken)
        let legs = try #require(call.legs)
        #expect(legs.phone.telephoneEvent == 101 && legs.trunk.telephoneEvent == nil)
    }

    @Test func anINFOGoesOnWhereTheOtherLegHasNoEvents() throws {
        var call = SecureCall(SRTPRules(), offer: SecureCall.description("RTP/AVP", formats: "8"))
        let answer = try #require(try call.answer(SecureCall.description("RTP/AVP", address: "203.0.113.9", formats: "8")))
        call.branch.deliver(Branch.ack(call.asked, answer, newBranch: true), call.phone.flow)
        _ = call.branch.servePBX()
        call.branch.deliver(try Self.info(&call, "Signal=5\r\n"), call.phone.flow)
        #expect(call.branch.servePBX().map(\.method) == [.info])
        #expect(!call.branch.media.contains { if case .press = $0 { true } else { false } })
    }

    @Test func aLoginHearsEachKeyOnceInWhateverForms() throws {
        for forms in [["tone"], ["info"], ["event"], ["tone", "info"], ["tone", "event"], ["info", "event", "tone"]] {
            var branch = Branch()
            branch.connectPBX()
            var phone = Phone(device: 1)
            branch.register(&phone)
            let (asked, answers) = branch.exchange(&phone, phone.request(.invite, to: "sip:*77*100*@pbx.example", body: phone.offer()))
            let ok = try #require(answers.last)
            branch.deliver(Branch.ack(asked, ok, newBranch: true), phone.flow)
            let session = try #require(branch.lastAnnouncement)
            for key in "4711#".utf8 {
                for form in forms {
                    switch form {
                    case "tone": branch.run(.media(.tone(session, key)))
                    case "event": branch.run(.media(.digit(session, key)))
                    default:
                        var request = phone.request(
                            .info, to: "sip:*77*100*@pbx.example", callID: asked.headers.callID.value, toTag: ok.headers.to.tag,
                            body: Array("Signal=\(Character(UnicodeScalar(key)))\r\n".utf8))
                        request.headers.contentType = "application/dtmf-relay"
                        branch.deliver(request, phone.flow)
                    }
                    branch.advance(.milliseconds(40))
                }
                branch.advance(.milliseconds(200))
            }
            _ = branch.servePBX()
            branch.advance(.seconds(1))
            let hasLoggedIn = branch.media.contains { if case .play(_, let phrases, _, _, _) = $0 { phrases.contains(.loggedIn) } else { false } }
            #expect(hasLoggedIn, "\(forms)")
        }
    }

    @Test(arguments: [("9 8 0", AudioFormat.g722), ("0 9 8", .pcmu), ("18 8", .pcma), ("18 97 9", .g722)])
    func theLoginIsSpokenInWhatThePhoneNamesFirst(formats: String, format: AudioFormat) throws {
        var branch = Branch()
        branch.connectPBX()
        var phone = Phone(device: 1)
        branch.register(&phone)
        let offer = SecureCall.description("RTP/AVP", formats: formats)
        let answer = try #require(branch.exchange(&phone, phone.request(.invite, to: "sip:*77*100*@pbx.example", body: offer)).answers.last)
        #expect(answer.status == 200)
        #expect(answer.body.text.contains("a=rtpmap:\(format.payloadType) \(format.encoding)/8000"))
        let announced = branch.media.compactMap { if case .announce(_, _, let format) = $0 { format } else { nil } }
        #expect(announced == [format])
    }
}
