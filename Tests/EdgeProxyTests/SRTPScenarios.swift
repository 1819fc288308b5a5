import CoreTypes
import CryptoPrimitives
import EdgeProxy
import FoundationEssentials
import HotDeskPolicy
import Media
import SIPMessage
import Testing

/// A call of desk 1 under rules for SRTP; the test plays the phone's and the PBX's descriptions.
struct SecureCall {
    var branch = Branch()
    var phone = Phone(device: 1)
    var asked: SIPRequest
    var answers: [SIPResponse]
    /// As it reached the PBX, if it did.
    var invite: SIPRequest?

    static let phoneKey = [UInt8](1...30)
    static let farKey = [UInt8](101...130)

    static func crypto(_ key: [UInt8], tag: Int = 1, suite: String = "AES_CM_128_HMAC_SHA1_80", rest: String = "") -> String {
        "a=crypto:\(tag) \(suite) inline:\(Base64.encode(key))\(rest)\r\n"
    }

    static func description(_ profile: String, _ lines: String = "", address: String = "192.0.2.101", formats: String = "8 101") -> [UInt8] {
        Array(
            "v=0\r\no=- 1 1 IN IP4 \(address)\r\ns=-\r\nc=IN IP4 \(address)\r\nt=0 0\r\nm=audio 30000 \(profile) \(formats)\r\n\(formats.contains("101") ? "a=rtpmap:101 telephone-event/8000\r\n" : "")\(lines)"
                .utf8)
    }

    init(_ rules: SRTPRules, to target: String = "sip:101@pbx.example", offer: [UInt8]) {
        var configuration = Branch.configuration()
        configuration.srtp = rules
        branch.run(.reload(configuration))
        branch.connectPBX()
        _ = branch.servePBX()
        branch.register(&phone)
        // The login itself is no part of this.
        var plain = configuration
        plain.srtp = SRTPRules()
        branch.run(.reload(plain))
        #expect(branch.logIn(&phone, as: "100"))
        branch.run(.reload(configuration))
        branch.media = []
        (asked, answers) = branch.exchange(&phone, phone.request(.invite, to: target, body: offer))
        invite = branch.servePBX().last { $0.method == .invite }
    }

    /// The PBX answers with this; what the phone is told.
    mutating func answer(_ body: [UInt8], status: Int = 200) throws -> SIPResponse? {
        let invite = try #require(invite)
        var ok = invite.response(status, toTag: "pbxtag")
        ok.headers.contact = .list([phone.address("sip:101@198.51.100.20:5061;transport=tls")])
        ok.headers.contentType = "application/sdp"
        ok.body = body
        branch.deliver(ok, Branch.pbx)
        return branch.take(phone.flow).compactMap(\.response).last
    }

    /// The legs as the relay was told last.
    var legs: (phone: MediaLeg, trunk: MediaLeg)? {
        for command in branch.media.reversed() { if case .relay(_, let phone, let trunk) = command { return (phone, trunk) } }
        return nil
    }
}

extension [UInt8] {
    var text: String { String(decoding: self, as: UTF8.self) }
    var lines: [String] { text.split(whereSeparator: \.isNewline).map(String.init) }
    /// The keys of a description, decoded.
    var keys: [[UInt8]] { lines.filter { $0.hasPrefix("a=crypto:") }.compactMap { $0.split(separator: ":").last.flatMap { Base64.decode($0) } } }
}

@Suite struct SRTPScenarios {
    static let secureOffer = SecureCall.description("RTP/SAVP", SecureCall.crypto(SecureCall.phoneKey))

    /// The phone speaks SRTP, the PBX does not: each leg on its own terms.
    @Test func oneLegIsSecuredAndTheOtherIsNot() throws {
        var call = SecureCall(SRTPRules(phones: .required, pbx: .off), offer: Self.secureOffer)
        let passed = try #require(call.invite).body
        #expect(passed.text.contains("RTP/AVP 8 101") && !passed.text.contains("crypto") && !passed.text.contains("SAVP"))
        let answer = try #require(try call.answer(SecureCall.description("RTP/AVP", address: "203.0.113.9")))
        #expect(answer.status == 200 && answer.body.text.contains("RTP/SAVP 8 101"))
        let ours = try #require(answer.body.keys.first)
        #expect(answer.body.lines.contains { $0.hasPrefix("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:") } && ours != SecureCall.phoneKey)
        let legs = try #require(call.legs)
        #expect(legs.phone.srtp?.receive.material.exposed == SecureCall.phoneKey && legs.phone.srtp?.send.material.exposed == ours)
        #expect(legs.trunk.srtp == nil)
        #expect(!call.branch.logs.contains { $0.contains(Base64.encode(ours)) || $0.contains(Base64.encode(SecureCall.phoneKey)) })
    }

    @Test func thePBXLegIsSecuredForAPlainPhone() throws {
        var call = SecureCall(SRTPRules(phones: .off, pbx: .required), offer: SecureCall.description("RTP/AVP"))
        let passed = try #require(call.invite).body
        #expect(passed.text.contains("RTP/SAVP 8 101"))
        #expect(passed.lines.filter { $0.hasPrefix("a=crypto:") }.map { String($0.split(separator: " ")[1]) }
            == ["AEAD_AES_256_GCM", "AES_256_CM_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_80"])
        let body = SecureCall.description("RTP/SAVP", SecureCall.crypto(SecureCall.farKey, tag: 3), address: "203.0.113.9")
        let answer = try #require(try call.answer(body))
        #expect(answer.status == 200 && answer.body.text.contains("RTP/AVP 8 101") && answer.body.keys.isEmpty)
        let legs = try #require(call.legs)
        #expect(legs.phone.srtp == nil && legs.trunk.srtp?.receive.material.exposed == SecureCall.farKey)
        #expect(legs.trunk.srtp?.send.material.exposed == passed.keys[2])
    }

    @Test(arguments: [
        // Policy of phones, the phone's profile, whether it offers keys, what becomes of it.
        (.off, "RTP/SAVP", true, 488), (.off, "RTP/AVP", true, 200), (.off, "RTP/AVP", false, 200),
        (.accept, "RTP/SAVP", true, 200), (.accept, "RTP/SAVP", false, 488), (.accept, "RTP/AVP", true, 200), (.accept, "RTP/AVP", false, 200),
        (.optional, "RTP/SAVP", false, 488), (.optional, "RTP/AVP", false, 200), (.optional, "RTP/SAVPF", true, 200),
        (.required, "RTP/AVP", false, 488), (.required, "RTP/AVP", true, 200), (.required, "RTP/SAVP", false, 488),
    ] as [(SRTPPolicy, String, Bool, Int)])
    func whatAPhoneMayOffer(policy: SRTPPolicy, profile: String, hasKeys: Bool, status: Int) throws {
        let offer = SecureCall.description(profile, hasKeys ? SecureCall.crypto(SecureCall.phoneKey) : "")
        var call = SecureCall(SRTPRules(phones: policy, pbx: .off), offer: offer)
        guard status == 200 else {
            #expect(call.answers.last?.status == status && call.invite == nil)
            return
        }
        let answer = try #require(try call.answer(SecureCall.description("RTP/AVP", address: "203.0.113.9")))
        #expect(answer.status == 200 && answer.body.text.contains("m=audio") && answer.body.text.contains(" \(profile) "))
        #expect(answer.body.keys.count == (hasKeys && policy != .off ? 1 : 0))
        #expect((call.legs?.phone.srtp != nil) == (hasKeys && policy != .off))
    }

    @Test(arguments: [
        (.off, nil, false, 200), (.accept, nil, false, 200), (.optional, nil, false, 200), (.optional, 3, true, 200),
        // A tag or suite that was not offered is no answer.
        (.optional, 2, false, 200), (.optional, 9, false, 200), (.required, nil, false, 488), (.required, 2, false, 488), (.required, 3, true, 200),
    ] as [(SRTPPolicy, Int?, Bool, Int)])
    func whatThePBXMayAnswer(policy: SRTPPolicy, tag: Int?, isSecured: Bool, status: Int) throws {
        var call = SecureCall(SRTPRules(phones: .accept, pbx: policy), offer: SecureCall.description("RTP/AVP"))
        let passed = try #require(call.invite).body
        #expect(passed.text.contains(policy == .required ? "RTP/SAVP" : "RTP/AVP"))
        #expect(passed.keys.isEmpty == (policy == .off || policy == .accept))
        let profile = policy == .required && tag != nil ? "RTP/SAVP" : "RTP/AVP"
        let body = SecureCall.description(profile, tag.map { SecureCall.crypto(SecureCall.farKey, tag: $0) } ?? "", address: "203.0.113.9")
        let answer = try #require(try call.answer(body))
        #expect(answer.status == status)
        let sent = call.branch.servePBX().map(\.method)
        if status == 200 {
            #expect((call.legs?.trunk.srtp != nil) == isSecured && sent.isEmpty)
        } else {
            #expect(sent == [.ack, .bye], "whoever has answered is let go")
            #expect(call.branch.edge.status(now: call.branch.now).calls == 0)
        }
    }

    /// Keys that were offered and not taken are no more written than those in use; the call is.
    @Test func offeredKeysAreOnNoDisk() throws {
        var call = SecureCall(SRTPRules(phones: .accept, pbx: .optional), offer: SecureCall.description("RTP/AVP"))
        #expect(try !#require(call.invite).body.keys.isEmpty)
        _ = try call.answer(SecureCall.description("RTP/AVP", address: "203.0.113.9"))
        call.branch.advance(.seconds(4))
        let stored = call.branch.stored.compactMap { if case .call(let stored) = $0 { stored } else { nil } }
        #expect(!stored.isEmpty)
        let crypto = Array("crypto".utf8).map(String.init).joined(separator: ",")
        for item in stored { #expect(try !String(decoding: JSONEncoder().encode(item), as: UTF8.self).contains(crypto)) }
    }

    @Test func anEmergencyCallGoesWithWhateverThereIs() throws {
        for (rules, profile) in [(SRTPRules(phones: .off, pbx: .off), "RTP/SAVP"), (SRTPRules(phones: .required, pbx: .required), "RTP/AVP")] {
            let offer = SecureCall.description(profile, profile == "RTP/SAVP" ? SecureCall.crypto(SecureCall.phoneKey) : "")
            var call = SecureCall(rules, to: "sip:112@pbx.example", offer: offer)
            let answer = try #require(try call.answer(SecureCall.description("RTP/AVP", address: "203.0.113.9")))
            #expect(answer.status == 200 && answer.body.text.contains(" \(profile) "))
        }
    }

    @Test func anAnswerThatComesTwiceNamesTheSameKeys() throws {
        var call = SecureCall(SRTPRules(phones: .accept, pbx: .off), offer: Self.secureOffer)
        let plain = SecureCall.description("RTP/AVP", address: "203.0.113.9")
        let early = try #require(try call.answer(plain, status: 183))
        let first = try #require(try call.answer(plain))
        let again = try #require(try call.answer(plain))
        #expect(early.body == first.body && first.body == again.body && first.body.keys.count == 1)
    }

    @Test(arguments: [
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AQ==\r\n", "a=crypto:x AES_CM_128_HMAC_SHA1_80 inline:\r\n", "a=crypto:\r\n", "a=crypto\r\n",
        "a=crypto:1\r\n", "a=crypto:1 NULL_SUITE inline:AQ==\r\n", SecureCall.crypto(SecureCall.phoneKey, rest: " UNENCRYPTED_SRTP"),
        SecureCall.crypto(SecureCall.phoneKey, rest: " UNAUTHENTICATED_SRTP"), SecureCall.crypto(SecureCall.phoneKey, rest: "|1:4"),
        SecureCall.crypto(SecureCall.phoneKey, rest: "|2^20|1:4"), SecureCall.crypto(SecureCall.phoneKey, rest: ";inline:AQ=="),
        SecureCall.crypto(SecureCall.phoneKey, suite: "AEAD_AES_256_GCM"), SecureCall.crypto([UInt8](repeating: 1, count: 3000)),
        "a=fingerprint:sha-256 AA\r\na=setup:actpass\r\n",
    ])
    func keysThatCannotBeTakenAreNone(line: String) {
        let call = SecureCall(SRTPRules(phones: .accept, pbx: .off), offer: SecureCall.description("RTP/SAVP", line))
        #expect(call.answers.last?.status == 488 && call.invite == nil)
    }

    @Test(arguments: ["", " WSH=64", "|2^31", "|1048576 WSH=128"])
    func whatMayStandBehindAKey(rest: String) throws {
        let lines = SecureCall.crypto([1, 2, 3], tag: 1) + SecureCall.crypto(SecureCall.phoneKey, tag: 2, rest: rest)
        var call = SecureCall(SRTPRules(phones: .accept, pbx: .off), offer: SecureCall.description("RTP/SAVP", lines))
        let answer = try #require(try call.answer(SecureCall.description("RTP/AVP", address: "203.0.113.9")))
        #expect(answer.body.lines.contains { $0.hasPrefix("a=crypto:2 ") })
    }

    @Test func theLoginIsSpokenOverSRTP() throws {
        for (policy, status) in [(SRTPPolicy.off, 488), (.accept, 200), (.optional, 200), (.required, 200)] {
            var branch = Branch()
            var configuration = Branch.configuration()
            configuration.srtp = SRTPRules(phones: policy)
            branch.run(.reload(configuration))
            branch.connectPBX()
            var phone = Phone(device: 1)
            branch.register(&phone)
            let answer = try #require(
                branch.exchange(&phone, phone.request(.invite, to: "sip:*77*100*@pbx.example", body: Self.secureOffer)).answers.last)
            #expect(answer.status == status)
            guard status == 200 else { continue }
            #expect(answer.body.text.contains("RTP/SAVP 8 101"))
            let leg = branch.media.compactMap { if case .announce(_, let leg, _) = $0 { leg } else { nil } }.last
            #expect(leg?.srtp?.receive.material.exposed == SecureCall.phoneKey && leg?.srtp?.send.material.exposed == answer.body.keys.first)
        }
    }

    @Test func aPlainLoginIsRefusedWhereSRTPIsRequired() throws {
        var branch = Branch()
        var configuration = Branch.configuration()
        configuration.srtp = SRTPRules(phones: .required)
        branch.run(.reload(configuration))
        branch.connectPBX()
        var phone = Phone(device: 1)
        branch.register(&phone)
        let answers = branch.exchange(&phone, phone.request(.invite, to: "sip:*77*100*@pbx.example", body: phone.offer())).answers
        #expect(answers.last?.status == 488)
    }
}
