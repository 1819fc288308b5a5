import CoreTypes
import CryptoPrimitives
import HotDeskPolicy
import Media
import SIPMessage

/// The media of one call: a relay with one leg to the phone and one to the PBX.
struct CallMedia: Sendable, Equatable, Codable {
    let id: MediaSessionID
    var phone: MediaLeg
    var trunk: MediaLeg
    /// What the PBX was told last: it may have to be told again, at another address or for the edge's new way.
    var toldToPBX: [UInt8] = []
    /// How often it was told again: the versions of what follows go up by as many.
    var retold: UInt64 = 0
    /// Where RTP of each leg was last heard to come from.
    var phoneSource: Endpoint?
    var trunkSource: Endpoint?
    var phoneSecurity = LegSecurity(policy: .off)
    var trunkSecurity = LegSecurity(policy: .off)
    /// Who made the offer that was not followed by another: what the other side says next answers it (RFC 3264 §4).
    private var offerer: EdgeProxy.Side?
    /// By its last description, a side does not want media both ways (RFC 3264 §8.4).
    private var phoneHolds = false
    private var trunkHolds = false

    /// What outlives the process. Keys do not: a call with SRTP on either leg is not written.
    private enum CodingKeys: String, CodingKey {
        case id, phone, trunk, toldToPBX, retold, phoneSource, trunkSource, phoneHolds, trunkHolds
    }

    /// SRTP on either leg.
    var isProtected: Bool { phone.srtp != nil || trunk.srtp != nil }

    /// As it is written: an offer of SRTP that was not taken is left out, for its keys are on no disk either.
    var written: CallMedia {
        guard toldToPBX.firstRange(of: Array("a=crypto:".utf8)) != nil else { return self }
        var media = self
        media.toldToPBX = []
        return media
    }

    /// Begins anew with the site's rules for SRTP, after the process of before.
    mutating func setSecurity(_ srtp: SRTPRules, isEmergency: Bool) {
        phoneSecurity = LegSecurity(policy: srtp.phones, isEmergency: isEmergency)
        trunkSecurity = LegSecurity(policy: srtp.pbx, isEmergency: isEmergency)
    }

    init(id: MediaSessionID, phone: MediaLeg, trunk: MediaLeg, srtp: SRTPRules = SRTPRules(), isEmergency: Bool = false) {
        self.id = id
        self.phone = phone
        self.trunk = trunk
        setSecurity(srtp, isEmergency: isEmergency)
    }

    /// An offer of this side was refused: the session stays as it was (RFC 3261 §14.1).
    mutating func takeBack(_ before: CallMedia, of side: EdgeProxy.Side) {
        switch side {
        case .phone:
            phone = before.phone
            phoneHolds = before.phoneHolds
        case .trunk, .gateway:
            trunk = before.trunk
            trunkHolds = before.trunkHolds
        }
    }

    /// Whether there may be silence on both legs with nothing wrong.
    var isHeld: Bool { phoneHolds || trunkHolds }

    /// Whether an answer without SRTP must not stand.
    var demandsSRTP: Bool { phoneSecurity.policy == .required || trunkSecurity.policy == .required }

    /// An INVITE without a description asks the other side for an offer.
    mutating func expectOffer() { offerer = nil }

    /// The PBX was told the phone's description again, as an offer: what it says next is the answer.
    mutating func offeredByUs() { offerer = .phone }

    /// Takes what one side's SDP says about that side's leg, and gives the SDP that the other side shall see:
    /// the same session with our address and port in place of theirs (RFC 3264), one audio stream, the rest refused, and
    /// the terms of SRTP and the keys (RFC 4733) of the other leg.
    ///
    /// - Parameter isOffer: it came with an INVITE or UPDATE; else it is an answer where there is an offer to be answered.
    mutating func pass(
        _ body: [UInt8], from side: EdgeProxy.Side, isOffer: Bool, forbidden: [IPAddress], source: IPAddress,
        random: inout RandomStream
    ) throws(MediaRefusal) -> [UInt8] {
        var description: SessionDescription
        do throws(SIPSyntaxError) { description = try SessionDescription(parsing: body) } catch { throw .syntax }
        let isFromPhone = side == .phone
        let isAnswer = !isOffer && offerer.map { ($0 == .phone) != isFromPhone } ?? false
        if !isAnswer { offerer = side }
        let ours = isFromPhone ? trunk.ports : phone.ports
        var leg = isFromPhone ? phone : trunk
        leg.signallingSource = source
        let sessionConnection = description.connection
        let audio = audioIndex(description, isFromPhone, isAnswer)
        var holds = false
        for index in description.media.indices {
            if index == audio {
                leg.learn(description.media[index], sessionConnection: sessionConnection, forbidden: forbidden)
                let connection = description.media[index].connection ?? sessionConnection
                if connection?.isUnspecified == true { description.media[index].holdLegacy() }
                holds = description.media[index].direction != .sendrecv
                description.media[index].port = ours.rtp
                try agree(&description.media[index], isFromPhone, isAnswer, &random)
                let otherEvent = isFromPhone ? trunk.telephoneEvent : phone.telephoneEvent
                if !isAnswer {
                    description.media[index].offerTelephoneEvent()
                } else if let otherEvent {
                    description.media[index].acceptTelephoneEvent(otherEvent)
                } else {
                    description.media[index].dropTelephoneEvent()
                }
            } else {
                description.media[index].port = 0
                description.media[index].dropKeyAttributes()
            }
            description.media[index].connection = nil
            description.media[index].dropTransport()
        }
        description.hide(behind: ours.address)
        if isFromPhone {
            phone = leg
            phoneHolds = holds
        } else {
            trunk = leg
            trunkHolds = holds
        }
        phone.srtp = phoneSecurity.terms
        trunk.srtp = trunkSecurity.terms
        return description.serialized()
    }

    /// The stream that is relayed: the first that is audio, of several offered in other profiles the first that is allowed.
    private func audioIndex(_ description: SessionDescription, _ isFromPhone: Bool, _ isAnswer: Bool) -> Int? {
        let audio = description.media.indices.filter { description.media[$0].isAudio }
        guard audio.count > 1, !isAnswer else { return audio.first }
        let security = isFromPhone ? phoneSecurity : trunkSecurity
        return audio.first { security.accepts(description.media[$0]) } ?? audio.first
    }

    /// Settles SRTP with the side that has spoken, and says to the other what is true there.
    private mutating func agree(
        _ audio: inout MediaDescription, _ isFromPhone: Bool, _ isAnswer: Bool, _ random: inout RandomStream
    ) throws(MediaRefusal) {
        var speaker = isFromPhone ? phoneSecurity : trunkSecurity
        var listener = isFromPhone ? trunkSecurity : phoneSecurity
        if isAnswer { try speaker.takeAnswer(audio) } else { try speaker.takeOffer(audio) }
        audio.dropKeyAttributes()
        if isAnswer { listener.writeAnswer(&audio, &random) } else { listener.writeOffer(&audio, &random) }
        (phoneSecurity, trunkSecurity) = isFromPhone ? (speaker, listener) : (listener, speaker)
    }
}

extension MediaLeg {
    /// Takes the far end's address from its media description (RFC 8866 §5.7, RFC 3605).
    mutating func learn(_ media: MediaDescription, sessionConnection: IPAddress?, forbidden: [IPAddress]) {
        telephoneEvent = media.telephoneEvent
        remote = nil
        remoteControl = nil
        guard let address = media.connection ?? sessionConnection, address.family == ports.address.family else { return }
        guard !address.isUnspecified, !address.isMulticast, !address.isLimitedBroadcast else { return }
        guard !forbidden.contains(address) || address == ports.address else { return }
        guard !address.isLoopback || ports.address.isLoopback else { return }
        remote = Endpoint(address: address, port: media.port)
        let control = media.rtcp?.port ?? (media.port == .max ? media.port : media.port + 1)
        remoteControl = Endpoint(address: address, port: control)
    }
}

extension IPAddress {
    /// RFC 919 §7
    fileprivate var isLimitedBroadcast: Bool { family == .v4 && low == 0xFFFF_FFFF }
}

extension MediaDescription {
    /// An audio stream that is offered or accepted.
    var isAudio: Bool { port != 0 && kind == "audio" && isRTP }

    /// RTP in any profile: the relay does not look inside (RFC 3551, RFC 3711).
    var isRTP: Bool { transport.utf8.starts(with: "RTP/".utf8) }

    /// Payload type of `telephone-event/8000` (RFC 4733 §2.4).
    var telephoneEvent: UInt8? { format(of: "telephone-event", clockRate: 8000).flatMap { UInt8($0) } }

    /// Removes what names a transport address of the far end or a way round our relay. A stream may have several connections and
    /// ports (RFC 8866 §5.7, §5.14): here it has one of each, and they are ours.
    mutating func dropTransport() {
        portCount = 1
        attributes.removeAll { $0.namesTransport }
        otherLines.removeAll { $0.type == UInt8(ascii: "c") }
    }

    /// Offers keys by RFC 4733 where the side that offers cannot: the relay turns them into what it can take.
    mutating func offerTelephoneEvent() {
        guard telephoneEvent == nil, let type = (96...127).map(String.init).sorted(by: Self.customary).first(where: isFree) else { return }
        addTelephoneEvent(type)
    }

    /// Takes keys by RFC 4733 from a side that has offered them under this type, where the side that answers cannot: the relay
    /// makes tones of them, in the codecs it knows (RFC 3551 §6).
    mutating func acceptTelephoneEvent(_ type: UInt8) {
        guard telephoneEvent == nil, isFree(String(type)), let codec = formats.first.flatMap({ UInt8($0) }), AudioFormat(payloadType: codec) != nil
        else { return }
        addTelephoneEvent(String(type))
    }

    private mutating func addTelephoneEvent(_ type: String) {
        formats.append(type)
        attributes.append(SDPAttribute("rtpmap", "\(type) telephone-event/8000"))
        attributes.append(SDPAttribute("fmtp", "\(type) 0-15"))
    }

    /// 101 is what everybody uses.
    private static func customary(_ first: String, _ second: String) -> Bool { first == "101" && second != "101" }

    private func isFree(_ type: String) -> Bool {
        !formats.contains(type) && !attributes.contains { $0.name == "rtpmap" && $0.value?.hasPrefix(type + " ") == true }
    }

    /// Takes keys by RFC 4733 out of an answer to somebody who has not offered them.
    mutating func dropTelephoneEvent() {
        while let type = format(of: "telephone-event", clockRate: 8000), formats.count > 1 {
            formats.removeAll { $0 == type }
            attributes.removeAll { ["rtpmap", "fmtp"].contains($0.name) && $0.value?.hasPrefix(type + " ") == true }
        }
    }

    /// A hold in the form of RFC 2543 (address 0.0.0.0) becomes one of RFC 3264 §8.4.
    mutating func holdLegacy() {
        attributes.removeAll { ["sendrecv", "sendonly", "recvonly", "inactive"].contains($0.name) }
        attributes.append(SDPAttribute(name: "sendonly", value: nil))
    }
}

extension SessionDescription {
    /// Puts our address in the place of all that names the far end at session level.
    mutating func hide(behind address: IPAddress) {
        connection = address
        origin?.addressType = address.family == .v4 ? "IP4" : "IP6"
        origin?.address = address.description
        attributes.removeAll { $0.namesTransport || $0.namesKeys }
        otherLines.removeAll { $0.type == UInt8(ascii: "k") }
    }
}

extension SDPAttribute {
    /// Where media are to go, or might: beside the address that stands for ours nothing else may say that.
    var namesTransport: Bool { Self.transportNames.contains(name) || name.utf8.starts(with: "omr-".utf8) }

    private static let transportNames: Set<String> = [
        // RFC 3605, RFC 5761, RFC 8858
        "rtcp", "rtcp-mux", "rtcp-mux-only",
        // ICE (RFC 8839)
        "candidate", "remote-candidates", "end-of-candidates", "ice-ufrag", "ice-pwd", "ice-lite", "ice-options", "ice-mismatch", "ice-pacing",
        // Alternatives and filters by address (RFC 6947, RFC 4570), ways past gateways (3GPP TS 29.079), hints to relays
        "altc", "source-filter", "visited-realm", "secondary-realm", "nortpproxy",
        // Capabilities, which may be other transports, keys and connections (RFC 5939, RFC 6871, RFC 7006)
        "csup", "creq", "acap", "tcap", "pcfg", "acfg", "lcfg", "rmcap", "omcap", "mfcap", "mscap", "sescap", "bcap", "ccap", "icap",
    ]
}
