import CoreTypes
import Media

/// One leg of a session: a port pair of ours and what is known of the far end.
struct LegState {
    /// Packets a second a leg may send: twenty times what G.711 in 20 ms packets needs. It bounds what a loop
    /// of media through foreign or our own ports can cost.
    static let maximumRate = 1000

    /// Place in the pool; negative for a stream of the tunnel, which has none.
    var pair: Int
    var ports: MediaPorts
    var lock: SourceLock
    var telephoneEvent: UInt8?
    var meter = LegMeter()
    private var windowStart: Int64 = 0
    private var windowCount = 0

    init(pair: Int, leg: MediaLeg) {
        self.pair = pair
        ports = leg.ports
        lock = SourceLock(signalled: leg.usableRemote, control: leg.usableControl)
        telephoneEvent = leg.telephoneEvent
    }

    mutating func update(_ leg: MediaLeg) {
        ports = leg.ports
        lock.update(signalled: leg.usableRemote, control: leg.usableControl)
        telephoneEvent = leg.telephoneEvent
    }

    var local: Endpoint { Endpoint(address: ports.address, port: ports.rtp) }
    var localControl: Endpoint { Endpoint(address: ports.address, port: ports.rtcp) }

    /// Counts a packet at `now`, in nanoseconds; false where there were too many within the second.
    mutating func admit(at now: Int64) -> Bool {
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
