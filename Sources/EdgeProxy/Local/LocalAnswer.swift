import CoreTypes
import CryptoPrimitives
import Media
import SIPMessage

/// The answer of the edge itself to an offer (RFC 3264 §6): one audio stream in G.722 or G.711, whichever the phone
/// names first, with telephone-event where the phone has it, and SRTP by the site's rules for phones.
struct LocalAnswer: Sendable, Equatable {
    var format: AudioFormat
    var leg: MediaLeg
    var security: LegSecurity
    var sdp: [UInt8]

    /// - Parameters:
    ///   - leg: the leg as it is so far: its ports, and where its phone's signalling comes from.
    ///   - security: as it is so far.
    /// - Returns: nil where the offer has no audio for us to answer.
    init?(
        offer body: [UInt8], leg: MediaLeg, security: LegSecurity, session: UInt64, forbidden: [IPAddress], random: inout RandomStream
    ) {
        guard let offer = try? SessionDescription(parsing: body) else { return nil }
        let index = offer.media.firstIndex { $0.isAudio && security.accepts($0) && Self.choose($0) != nil }
        guard let index, let (format, payload) = Self.choose(offer.media[index]) else { return nil }
        var (leg, security) = (leg, security)
        guard (try? security.takeOffer(offer.media[index])) != nil else { return nil }
        leg.learn(offer.media[index], sessionConnection: offer.connection, forbidden: forbidden)
        var audio = Self.audio(leg.ports, format, payload, leg.telephoneEvent)
        audio.transport = offer.media[index].transport
        security.writeAnswer(&audio, &random)
        leg.srtp = security.terms
        let media = offer.media.indices.map { position -> MediaDescription in
            let other = offer.media[position]
            return position == index ? audio
                : MediaDescription(kind: other.kind, port: 0, transport: other.transport, formats: other.formats)
        }
        self.format = format
        self.leg = leg
        self.security = security
        sdp = Self.description(leg.ports, session, media)
    }

    /// An offer of our own, for an INVITE that brought none: G.711, which everybody has.
    init(offeringOn leg: MediaLeg, security: LegSecurity, session: UInt64, random: inout RandomStream) {
        format = .pcma
        self.leg = leg
        self.leg.telephoneEvent = 101
        self.security = security
        var audio = Self.audio(leg.ports, .pcma, "8", 101)
        audio.formats.insert("0", at: 1)
        self.security.writeOffer(&audio, &random)
        sdp = Self.description(leg.ports, session, [audio])
    }

    /// The first format of a description that the edge can speak, and its payload type.
    static func choose(_ audio: MediaDescription) -> (AudioFormat, String)? {
        for payload in audio.formats {
            // The clock of G.722 is 8000 by an old mistake that stays (RFC 3551 §4.5.2).
            guard let map = audio.rtpMap(payload), map.clockRate == 8000 else { continue }
            let format = AudioFormat.allCases.first { $0.encoding.lowercased() == map.encoding }
            if let format, payload == String(format.payloadType) { return (format, payload) }
        }
        return nil
    }

    private static func audio(_ ports: MediaPorts, _ format: AudioFormat, _ payload: String, _ event: UInt8?) -> MediaDescription {
        var audio = MediaDescription(kind: "audio", port: ports.rtp, formats: [payload] + (event.map { [String($0)] } ?? []))
        audio.attributes = [SDPAttribute("rtpmap", "\(payload) \(format.encoding)/8000")]
        if let event {
            audio.attributes.append(SDPAttribute("rtpmap", "\(event) telephone-event/8000"))
            audio.attributes.append(SDPAttribute("fmtp", "\(event) 0-15"))
        }
        audio.attributes.append(SDPAttribute("ptime", "20"))
        audio.attributes.append(SDPAttribute("sendrecv"))
        return audio
    }

    private static func description(_ ports: MediaPorts, _ session: UInt64, _ media: [MediaDescription]) -> [UInt8] {
        let origin = SDPOrigin(username: "edge", sessionID: session, sessionVersion: 1, address: ports.address)
        return SessionDescription(origin: origin, connection: ports.address, media: media).serialized()
    }
}
