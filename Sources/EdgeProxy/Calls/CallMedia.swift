import CoreTypes
import HotDeskPolicy
import Media
import SIPMessage

/// The media of one call: a relay with one leg to the phone and one to the PBX.
struct CallMedia: Sendable, Equatable, Codable {
    let id: MediaSessionID
    var phone: MediaLeg
    var trunk: MediaLeg
    /// What the PBX was told last, where it may have to be told again with another address.
    var toldToPBX: [UInt8] = []
    /// How often it was told again: the versions of what follows go up by as many.
    var retold: UInt64 = 0
    /// Where RTP of each leg was last heard to come from.
    var phoneSource: Endpoint?
    var trunkSource: Endpoint?
    /// By its last description, a side does not want media both ways (RFC 3264 §8.4).
    private var phoneHolds = false
    private var trunkHolds = false

    init(id: MediaSessionID, phone: MediaLeg, trunk: MediaLeg) {
        self.id = id
        self.phone = phone
        self.trunk = trunk
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

    /// Takes what one side's SDP says about that side's leg, and gives the SDP that the other side shall see:
    /// the same session with our address and port in place of theirs (RFC 3264), one audio stream, the rest refused.
    ///
    /// - Throws: `SIPSyntaxError` where the body is no SDP.
    mutating func pass(_ body: [UInt8], from side: EdgeProxy.Side, forbidden: [IPAddress]) throws(SIPSyntaxError) -> [UInt8] {
        var description = try SessionDescription(parsing: body)
        let ours = side == .phone ? trunk.ports : phone.ports
        var leg = side == .phone ? phone : trunk
        var hasAudio = false
        var holds = false
        let sessionConnection = description.connection
        for index in description.media.indices {
            if !hasAudio, description.media[index].isAudio {
                hasAudio = true
                leg.learn(description.media[index], sessionConnection: sessionConnection, forbidden: forbidden)
                let connection = description.media[index].connection ?? sessionConnection
                if connection?.isUnspecified == true { description.media[index].holdLegacy() }
                holds = description.media[index].direction != .sendrecv
                description.media[index].port = ours.rtp
            } else {
                description.media[index].port = 0
            }
            description.media[index].connection = nil
            description.media[index].dropTransportAttributes()
        }
        description.connection = ours.address
        description.origin?.addressType = ours.address.family == .v4 ? "IP4" : "IP6"
        description.origin?.address = ours.address.description
        description.dropTransportAttributes()
        switch side {
        case .phone:
            phone = leg
            phoneHolds = holds
        case .trunk, .gateway:
            trunk = leg
            trunkHolds = holds
        }
        return description.serialized()
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

    /// Removes what names a transport address of the far end or a way round our relay: ICE, rtcp, rtcp-mux.
    mutating func dropTransportAttributes() { attributes.removeAll { $0.namesTransport } }

    /// A hold in the form of RFC 2543 (address 0.0.0.0) becomes one of RFC 3264 §8.4.
    mutating func holdLegacy() {
        attributes.removeAll { ["sendrecv", "sendonly", "recvonly", "inactive"].contains($0.name) }
        attributes.append(SDPAttribute(name: "sendonly", value: nil))
    }
}

extension SessionDescription {
    mutating func dropTransportAttributes() { attributes.removeAll { $0.namesTransport } }
}

extension SDPAttribute {
    var namesTransport: Bool {
        // Most attributes are none of these, by their first letter.
        guard let first = name.utf8.first, "rcei".utf8.contains(first) else { return false }
        switch name {
        case "rtcp", "rtcp-mux", "rtcp-mux-only", "candidate", "remote-candidates", "end-of-candidates", "ice-ufrag", "ice-pwd",
            "ice-lite", "ice-options", "ice-mismatch", "ice-pacing":
            return true
        default: return false
        }
    }
}
