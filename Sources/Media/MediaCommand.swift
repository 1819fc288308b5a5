public import CoreTypes

/// An RTP port and the RTCP port above it (RFC 3550 §11), already bound by the shell before the core may
/// promise them in an SDP.
public struct MediaPorts: Hashable, Sendable, Codable {
    /// Names the pair for as long as the process lives; a pair may serve many calls, one at a time.
    public var id: UInt32
    public var address: IPAddress
    /// Even; RTCP is on `rtp + 1`.
    public var rtp: UInt16

    public init(id: UInt32, address: IPAddress, rtp: UInt16) {
        self.id = id
        self.address = address
        self.rtp = rtp
    }

    public var rtcp: UInt16 { rtp &+ 1 }

    /// Ids from here on name streams of the tunnel: the ports are the headend's, and the packets come and go by
    /// `PacketBatch` instead of by sockets of ours.
    private static let firstTunnelID: UInt32 = 1 << 31

    /// A stream of the tunnel, under a number of the shell's choice below 2^31; `headend` is where the PBX sends to.
    public init(tunnelStream: UInt32, headend: Endpoint) {
        self.init(id: Self.firstTunnelID | tunnelStream, address: headend.address, rtp: headend.port)
    }

    /// The shell's number of the stream; nil for a pair of sockets.
    public var tunnelStream: UInt32? { id >= Self.firstTunnelID ? id & ~Self.firstTunnelID : nil }
}

/// A stream of media of one call: a relay between two legs, or an endpoint of our own that speaks and listens.
public struct MediaSessionID: Hashable, Sendable, Codable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// Where the far end of a leg said, in its SDP, that it wants media. Nil ports: nothing may be sent yet.
public struct MediaLeg: Hashable, Sendable, Codable {
    public var ports: MediaPorts
    /// RTP address of the far end by its SDP; nil until it is known, or where it is refused (loopback, multicast, port 0).
    public var remote: Endpoint?
    /// RTCP address of the far end, from `a=rtcp` or RTP port + 1.
    public var remoteControl: Endpoint?
    /// Payload type of `telephone-event` on this leg, if it was negotiated (RFC 4733).
    public var telephoneEvent: UInt8?
    /// Where the far end's signalling comes from: media from there is plausible, too, where a NAT is between.
    public var signallingSource: IPAddress?
    /// Nil: RTP without protection. Keys are written nowhere.
    public var srtp: SRTPTerms?

    private enum CodingKeys: String, CodingKey { case ports, remote, remoteControl, telephoneEvent, signallingSource }

    public init(
        ports: MediaPorts, remote: Endpoint? = nil, remoteControl: Endpoint? = nil, telephoneEvent: UInt8? = nil,
        signallingSource: IPAddress? = nil, srtp: SRTPTerms? = nil
    ) {
        self.ports = ports
        self.remote = remote
        self.remoteControl = remoteControl
        self.telephoneEvent = telephoneEvent
        self.signallingSource = signallingSource
        self.srtp = srtp
    }
}

/// Audio formats the edge itself can speak.
public enum AudioFormat: Hashable, Sendable, CaseIterable {
    /// G.711 µ-law, static payload type 0.
    case pcmu
    /// G.711 A-law, static payload type 8.
    case pcma
    /// G.722 at 64 kbit/s, static payload type 9: 160 bytes in 20 ms, as G.711.
    case g722

    /// Its name in an `a=rtpmap`.
    public var encoding: String {
        switch self {
        case .pcmu: return "PCMU"
        case .pcma: return "PCMA"
        case .g722: return "G722"
        }
    }
}

/// Something the edge can say. The catalogue maps each to recordings per language.
public enum Phrase: Hashable, Sendable {
    case enterExtension
    case enterPIN
    /// The PIN or the extension was wrong: one answer for both, so that nobody learns which extensions exist.
    case incorrect
    case loggedIn
    case loggedOut
    /// This desk or this extension must wait before another try.
    case lockedOut
    /// The PBX would not register the extension.
    case refusedByPBX
    /// Nobody is logged in at this desk.
    case notLoggedIn
    /// The desk can only call emergency numbers until somebody logs in.
    case logInFirst
    case tryAgain
    case goodbye
    /// This extension's session would end; 1 confirms.
    case confirmTakeover(String)
    /// ASCII digits, spoken one by one.
    case digits(String)
}

/// What the core asks of the media shell. Commands are performed in order.
public enum MediaCommand: Equatable, Sendable {
    /// Bind `count` more port pairs of the family and announce them with `MediaEvent.portsReady`.
    case reserve(count: Int, family: IPAddress.Family)
    /// Open `count` more streams at the headend and announce them with `MediaEvent.portsReady`. For the shell of the
    /// tunnel; a media loop has none.
    case reserveStreams(count: Int)
    /// Start relaying between two legs, or replace what is known of them (a re-INVITE). Ports stay where they are, and
    /// silence is counted from now on.
    case relay(MediaSessionID, MediaLeg, MediaLeg)
    /// Take up a relay of the process before this one: its very ports are bound, `MediaEvent.restored` names them, and media
    /// is relayed as by `relay`. A source says where a leg's far end really was; nil: it was never heard.
    case restore(MediaSessionID, MediaLeg, MediaLeg, sources: [Endpoint?])
    /// Open an endpoint of our own on one leg: it sends in `format`, and reports digits.
    case announce(MediaSessionID, MediaLeg, AudioFormat)
    /// Say the phrases one after the other; a digit stops them if `bargeIn`. `MediaEvent.played` follows with `token`.
    case play(MediaSessionID, [Phrase], language: String, bargeIn: Bool, token: UInt32)
    /// Whether what is typed now is secret: captures of it are masked.
    case sensitive(MediaSessionID, Bool)
    /// Press a key, ASCII 0-9, *, #, A-D, for the far end of a leg (0 or 1) of a relay, in the form it takes.
    case press(MediaSessionID, leg: Int, key: UInt8, Duration)
    /// Report the quality of the relay so far, by `MediaEvent.quality`.
    case measure(MediaSessionID)
    /// End the relay or endpoint; its ports go back to the shell's pool and come again by `portsReady`.
    case close(MediaSessionID)
}

/// What the media shell reports.
public enum MediaEvent: Equatable, Sendable {
    /// Port pairs the core may use.
    case portsReady([MediaPorts])
    /// A stream of the tunnel keeps its id and has another address now: whoever it was promised to must be told.
    case portsMoved(MediaPorts)
    /// The ports of a relay that was taken up again, in the order of its legs; none where they could not be had.
    case restored(MediaSessionID, [MediaPorts])
    /// A key was pressed: ASCII 0-9, *, #, A-D.
    case digit(MediaSessionID, UInt8)
    /// A key was heard as tones in the audio: the same press may have been reported as `digit`.
    case tone(MediaSessionID, UInt8)
    /// The phrases of this `play` ended or were cut short by a digit.
    case played(MediaSessionID, token: UInt32)
    /// The first packet of a leg was accepted and its source locked. `leg` is 0 or 1.
    case sourceLocked(MediaSessionID, leg: Int, Endpoint)
    /// No RTP on any leg for this long. Said once, until there is RTP or another `relay`.
    case silent(MediaSessionID, Duration)
    /// How the media of a relay fared, leg by leg: after its `close`, and after `measure`. A relay that never saw any
    /// media says nothing.
    case quality(MediaSessionID, [LegQuality])
}
