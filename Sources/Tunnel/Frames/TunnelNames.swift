public import CoreTypes

/// Sixteen random bytes by which a session is known on all its connections. No secret: it counts only on a
/// connection of the same site.
public struct SessionToken: Hashable, Sendable, CustomStringConvertible {
    public static let count = 16
    public let bytes: [UInt8]

    /// Nil unless there are sixteen.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == Self.count else { return nil }
        self.bytes = Array(bytes)
    }

    /// From 32 lower-case hexadecimal digits.
    public init?(hexadecimal text: some Collection<UInt8>) {
        guard text.count == 2 * Self.count else { return nil }
        var bytes: [UInt8] = []
        var high: UInt8?
        for digit in text {
            guard let value = Self.value(ofDigit: digit) else { return nil }
            if let upper = high { bytes.append(upper << 4 | value) }
            high = high == nil ? value : nil
        }
        self.bytes = bytes
    }

    private static func value(ofDigit digit: UInt8) -> UInt8? {
        switch digit {
        case 0x30...0x39: return digit - 0x30
        case 0x61...0x66: return digit - 0x57
        default: return nil
        }
    }

    /// 32 lower-case hexadecimal digits: the PSK identity of the datagram lane.
    public var description: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}

/// A media stream of one call leg: an even number from 32 to 16 382, chosen by the edge. It names two channels,
/// RTP by itself and RTCP by the odd number above, as ports do (RFC 3550 §11).
public struct StreamID: Hashable, Comparable, Sendable, CustomStringConvertible {
    public static let range: ClosedRange<UInt16> = 32...16_382
    public let rawValue: UInt16

    public init?(rawValue: UInt16) {
        guard Self.range.contains(rawValue), rawValue & 1 == 0 else { return nil }
        self.rawValue = rawValue
    }

    /// The stream of a packet in a `PacketBatch`: the lower 14 bits of its number there.
    init?(inBatch number: UInt32) { self.init(rawValue: UInt16(truncatingIfNeeded: number & 0x3FFF)) }

    public static func < (left: StreamID, right: StreamID) -> Bool { left.rawValue < right.rawValue }
    public var description: String { String(rawValue) }
    public var rtp: MediaChannel { MediaChannel(stream: self, isControl: false) }
    public var rtcp: MediaChannel { MediaChannel(stream: self, isControl: true) }
}

/// RTP or RTCP of a stream.
public struct MediaChannel: Hashable, Sendable {
    public var stream: StreamID
    /// RTCP.
    public var isControl: Bool

    public init(stream: StreamID, isControl: Bool) {
        self.stream = stream
        self.isControl = isControl
    }

    init?(head: UInt16) {
        guard let stream = StreamID(rawValue: head & ~1) else { return nil }
        self.init(stream: stream, isControl: head & 1 == 1)
    }

    var head: UInt16 { stream.rawValue | (isControl ? 1 : 0) }
}

/// By which of the headend's ways to the PBX a SIP message came, and an answer goes; 0: the headend chooses.
public struct SignalFlow: Hashable, Sendable {
    public var rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    public static let any = SignalFlow(rawValue: 0)
}

/// One of the headend's ways to the PBX, as the far end of SIP messages sees it.
public struct SignalWay: Hashable, Sendable {
    /// Never 0.
    public var flow: SignalFlow
    public var isUp: Bool
    public var transport: TransportProtocol
    /// The headend's end: what a Via and a Contact towards the PBX must name.
    public var local: Endpoint
    /// The PBX's end.
    public var remote: Endpoint

    public init(flow: SignalFlow, isUp: Bool, transport: TransportProtocol, local: Endpoint, remote: Endpoint) {
        self.flow = flow
        self.isUp = isUp
        self.transport = transport
        self.local = local
        self.remote = remote
    }
}

/// One way through the tunnel.
public enum Lane: UInt8, Hashable, Sendable, CaseIterable {
    /// The TLS stream over TCP.
    case stream = 0
    /// DTLS over UDP.
    case datagram = 1
}

/// Whether a connection carries the site's traffic, or waits to take over.
public enum Standing: UInt8, Hashable, Sendable, CaseIterable { case active = 0, standby = 1 }

/// What the edge asks of the headend for a stream.
public struct StreamBinding: Hashable, Sendable {
    public var id: StreamID
    /// RTP clock in Hz (RFC 3551 §6): 8000 for G.711 and G.722. It tells how late a packet is. 0: not known.
    public var clockRate: UInt32

    public init(id: StreamID, clockRate: UInt32 = 8000) {
        self.id = id
        self.clockRate = clockRate
    }
}

/// Where the headend sends what comes by a stream: what the PBX said in its SDP.
public struct StreamUpdate: Hashable, Sendable {
    public var id: StreamID
    public var rtp: Endpoint
    public var rtcp: Endpoint

    public init(id: StreamID, rtp: Endpoint, rtcp: Endpoint) {
        self.id = id
        self.rtp = rtp
        self.rtcp = rtcp
    }
}

/// Why a stream was refused or ended.
public enum StreamEnd: UInt8, Hashable, Sendable, CaseIterable {
    /// A reason this version has no word for.
    case other = 0
    case callEnded = 1
    /// The headend has no port left.
    case noPort = 2
    case tooMany = 3
    /// The id is in use, or not known.
    case badID = 4
    /// Never sent: the session was lost, or the stream moved to another headend.
    case sessionLost = 255
}

/// Why a side will close the connection.
public enum GoAwayReason: UInt8, Hashable, Sendable, CaseIterable {
    case other = 0
    /// The process restarts or moves; come back after the delay, or use another headend.
    case restarting = 1
    case overloaded = 2
    /// The certificate or the site is no longer accepted.
    case revoked = 3
    /// The site has connected a second time.
    case replaced = 4
    case protocolError = 5
    case stopped = 6
}
