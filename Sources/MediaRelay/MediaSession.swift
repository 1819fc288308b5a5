import CoreTypes
import Media

/// One leg of a session: a port pair of ours and what is known of the far end. Lives on the loop's thread only.
final class LegState {
    /// Packets a second a leg may send: twenty times what G.711 in 20 ms packets needs. It bounds what a loop
    /// of media through foreign or our own ports can cost.
    static let maximumRate = 1000

    /// Place in the pool; negative for a stream of the tunnel, which has none.
    let pair: Int
    private(set) var ports: MediaPorts
    /// What the far end said of where it wants RTP; of a stream of the tunnel the only word of it here.
    private(set) var remote: Endpoint?
    private(set) var remoteControl: Endpoint?
    var lock: SourceLock
    var telephoneEvent: UInt8?
    var meter = LegMeter()
    /// Nil: RTP without protection.
    private(set) var security: SRTPSession?
    /// SRTP was agreed on and the library would not: nothing may pass.
    private(set) var isBarred = false
    /// Keys on their way to the far end.
    var keys = KeySender()
    /// Turns keys into tones for a far end that takes no others.
    private(set) lazy var toneWriter = KeyToneWriter()
    /// Looks for keys in what comes from a far end that has no other form.
    var detector: ToneDetector?
    /// What the far end speaks, as far as it can hold tones.
    var format: AudioFormat?
    private var windowStart: Int64 = 0
    private var windowCount = 0

    init(pair: Int, leg: MediaLeg) {
        self.pair = pair
        ports = leg.ports
        (remote, remoteControl) = (leg.remote, leg.remoteControl)
        lock = SourceLock(
            signalled: leg.usableRemote, control: leg.usableControl, signallingSource: leg.signallingSource)
        telephoneEvent = leg.telephoneEvent
        secure(leg.srtp)
    }

    func update(_ leg: MediaLeg) {
        ports = leg.ports
        (remote, remoteControl) = (leg.remote, leg.remoteControl)
        lock.update(signalled: leg.usableRemote, control: leg.usableControl, signallingSource: leg.signallingSource)
        telephoneEvent = leg.telephoneEvent
        secure(leg.srtp)
    }

    private func secure(_ terms: SRTPTerms?) {
        guard terms != security?.terms || isBarred else { return }
        security = terms.flatMap { SRTPSession($0, after: security) }
        isBarred = terms != nil && security == nil
    }

    /// Its packets come and go by the tunnel.
    var isTunnel: Bool { pair < 0 }
    var local: Endpoint { Endpoint(address: ports.address, port: ports.rtp) }
    var localControl: Endpoint { Endpoint(address: ports.address, port: ports.rtcp) }

    /// Counts a packet at `now`, in nanoseconds; false where there were too many within the second.
    func admit(at now: Int64) -> Bool {
        if now &- windowStart >= 1_000_000_000 {
            windowStart = now
            windowCount = 0
        }
        windowCount += 1
        return windowCount <= Self.maximumRate
    }
}

extension MediaLeg {
    /// The signalled address where media may go there at all.
    fileprivate var usableRemote: Endpoint? {
        // What comes by the tunnel is the headend's word, and bears its address.
        if ports.tunnelStream != nil { return Endpoint(address: ports.address, port: ports.rtp) }
        guard let remote, MediaDestination.isAllowed(remote, from: ports.address) else { return nil }
        return remote
    }

    /// The signalled address for RTCP, else the port above RTP (RFC 3550 §11).
    fileprivate var usableControl: Endpoint? {
        if ports.tunnelStream != nil { return Endpoint(address: ports.address, port: ports.rtcp) }
        var control = remoteControl
        if control == nil, let remote, remote.port < UInt16.max {
            control = Endpoint(address: remote.address, port: remote.port + 1)
        }
        guard let control, MediaDestination.isAllowed(control, from: ports.address) else { return nil }
        return control
    }
}

/// An endpoint of our own on a leg: it speaks and hears keys.
struct Speaker {
    var announcement: Announcement
    var decoder = TelephoneEventDecoder()
    let detector = ToneDetector()
}

/// A relay of two legs, or an endpoint of our own on one. Lives on the loop's thread only.
final class MediaSession {
    let id: MediaSessionID
    var legs: [LegState]
    var speaker: Speaker?
    var isSensitive = false
    /// When RTP was last accepted, in nanoseconds of the monotonic clock.
    var lastHeard: Int64
    var isSilent = false

    init(id: MediaSessionID, legs: [LegState], now: Int64) {
        self.id = id
        self.legs = legs
        lastHeard = now
    }

    /// The leg at the other end of a relay; nil where there is none.
    func other(than state: LegState) -> LegState? {
        guard legs.count == 2 else { return nil }
        return legs[0] === state ? legs[1] : legs[0]
    }

    /// The quality of both legs of a relay; nil where there was no media, or nobody to hear it but us.
    var quality: [LegQuality]? {
        guard legs.count > 1, legs.contains(where: { $0.meter.reception.received > 0 }) else { return nil }
        return legs.map(\.meter.quality)
    }

    /// How a packet that came in on a leg is to be shown to a tap.
    func tapKind(payloadType: UInt8, telephoneEvent: UInt8?) -> MediaTapKind {
        guard isSensitive else { return .plain }
        return payloadType == telephoneEvent ? .sensitiveEvent(payloadType: payloadType) : .sensitiveAudio
    }
}
