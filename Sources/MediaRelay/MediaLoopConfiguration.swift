public import CoreTypes
public import Media

/// How the packet loop is set up.
public struct MediaLoopConfiguration: Sendable {
    /// Addresses ports are bound on; of each family the first is used.
    public var addresses: [IPAddress]
    /// Ports for media: RTP on even ones, RTCP on the odd ones above.
    public var ports: ClosedRange<UInt16>
    public var prompts: PromptLibrary
    /// After how long without RTP on any leg `MediaEvent.silent` is reported; nil: never.
    public var silence: Duration?
    /// Differentiated-services code point for what is sent (RFC 2474), 0...63; 46 is usual for voice.
    public var dscp: UInt8?
    /// How packets are moved; nil: by io_uring where the kernel lets us, else by epoll.
    public var way: MediaLoopWay?
    /// Takes what legs of the tunnel send, once a round of the loop; runs on the loop's thread and must not block it. What
    /// it leaves in the batch is gone.
    public var tunnel: (@Sendable (inout PacketBatch) -> Void)?
    /// Sees every packet that was accepted, as it came and as it went; runs on the loop's thread, and the bytes
    /// are gone when it returns.
    public var tap: MediaTap?
    /// What an operator should know; runs on the loop's thread.
    public var log: @Sendable (MediaLogLevel, String) -> Void
    /// How long a key waits for audio to ride on.
    public var keyPatience = KeySender.patience
    /// Seeds SSRCs, first sequence numbers and first timestamps.
    public var randomSeed: UInt64

    public init(
        addresses: [IPAddress], ports: ClosedRange<UInt16>, prompts: PromptLibrary, silence: Duration? = nil, dscp: UInt8? = nil,
        tunnel: (@Sendable (inout PacketBatch) -> Void)? = nil, tap: MediaTap? = nil, log: @escaping @Sendable (MediaLogLevel, String) -> Void = { _, _ in },
        randomSeed: UInt64 = UInt64.random(in: .min ... .max)
    ) {
        self.addresses = addresses
        self.ports = ports
        self.prompts = prompts
        self.silence = silence
        self.dscp = dscp
        self.tunnel = tunnel
        self.tap = tap
        self.log = log
        self.randomSeed = randomSeed
    }
}

public typealias MediaTap = @Sendable (UnsafeRawBufferPointer, _ from: Endpoint, _ to: Endpoint, _ kind: MediaTapKind) -> Void

/// How the loop moves packets. Both do the same; io_uring costs less.
public enum MediaLoopWay: String, Sendable, CaseIterable {
    case ring = "io_uring"
    case epoll
}

/// What a tapped packet holds, so that whoever writes it down knows what to mask.
public enum MediaTapKind: Hashable, Sendable {
    /// Nothing secret.
    case plain
    /// Audio while a secret is typed: the tones of its keys may be in it.
    case sensitiveAudio
    /// A key of a secret, as telephone-event of this payload type (RFC 4733).
    case sensitiveEvent(payloadType: UInt8)
}

public enum MediaLogLevel: String, Sendable { case debug, info, notice, warning, error }

/// Why the loop cannot run.
public enum MediaLoopError: Error, Hashable, Sendable, CustomStringConvertible {
    case noAddress
    /// The range holds no even port with an odd one above it.
    case noPorts(ClosedRange<UInt16>)
    /// The address is not one of this machine.
    case unusableAddress(IPAddress, reason: String)
    /// The kernel refused epoll, eventfd, timerfd or the thread.
    case system(String)

    public var description: String {
        switch self {
        case .noAddress: return "media: no address to bind ports on"
        case .noPorts(let range): return "media: the range \(range.lowerBound)-\(range.upperBound) holds no pair of ports (even, odd)"
        case .unusableAddress(let address, let reason): return "media: cannot bind on \(address): \(reason)"
        case .system(let reason): return "media: \(reason)"
        }
    }
}

/// Why a packet went nowhere.
public enum MediaDropReason: Int, Hashable, Sendable, CaseIterable {
    /// The port pair serves no session.
    case idlePort
    /// RTP shorter than its header, or a datagram longer than we take.
    case size
    /// Not version 2, or its lengths do not fit (RFC 3550 A.1).
    case notRTP
    /// RTCP that fails RFC 3550 A.2.
    case notRTCP
    /// From a source that may become the far end but has not shown enough yet.
    case probation
    /// From somebody who is not the leg's far end.
    case foreign
    /// RTCP before any RTP was accepted.
    case earlyControl
    /// More packets a second than a call has.
    case tooFast
    /// The other leg's far end is not known.
    case noDestination
    /// The other leg's far end is where nothing may be sent.
    case refusedDestination
    /// The kernel did not take it.
    case sendFailed
    /// SRTP that was changed on the way or made with another key, or RTP where SRTP was agreed on.
    case unauthentic
    /// SRTP that came before.
    case replayed
    /// It could not be protected: its sequence number went out before, or it is too long.
    case unprotected
    /// A packet of a key whose press has gone on in another form.
    case converted
}

/// What the loop has done so far.
public struct MediaCounters: Sendable {
    public internal(set) var received: UInt64 = 0
    public internal(set) var forwarded: UInt64 = 0
    /// Packets that went from one session to another here, as between two phones of the site.
    public internal(set) var joined: UInt64 = 0
    /// Packets of our own prompts.
    public internal(set) var spoken: UInt64 = 0
    /// By the raw value of the reason; held in line, since it is copied out after every round.
    private var dropped = InlineArray<15, UInt64>(repeating: 0)

    public init() {}

    public func dropped(_ reason: MediaDropReason) -> UInt64 { dropped[reason.rawValue] }

    mutating func drop(_ reason: MediaDropReason, count: UInt64 = 1) { dropped[reason.rawValue] &+= count }
}
