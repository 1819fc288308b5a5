/// Bounds of our own on what one tunnel can cost us. What the far end says of itself in its hello can only lower them.
public struct TunnelLimits: Hashable, Sendable {
    /// The longest signalling frame taken, in bytes of payload: one SIP message. At most 65 535, the most a length says.
    public var maximumSignal = 65_535
    /// The longest frame of any other known or unknown type below the media ids.
    public var maximumControl = 1024
    /// The longest request for a certificate, and the longest chain.
    public var maximumCertificate = 16_384
    /// The longest RTP or RTCP packet.
    public var maximumMedia = 2048
    /// Media streams open at a time.
    public var maximumStreams = 512
    /// Signalling and stream control not acknowledged yet, waiting for it or for a new connection.
    public var unacknowledgedFrames = 2048
    public var unacknowledgedBytes = 2 << 20
    /// Answers and reports waiting for room; a peer that asks faster than it reads is cut off.
    public var waitingControl = 256
    /// Packets waiting for the stream lane; the oldest makes room.
    public var waitingMedia = 512
    /// Bytes handed over and not yet taken by the network, above which nothing more is handed over.
    public var streamWindow = 65_536
    /// The same for media, lower: what lies in a socket is ahead of all signalling that comes later. So long as nothing is known of
    /// the line, and where it is known to be fast.
    public var mediaWindow = 4096
    public var fastMediaWindow = 16_384
    /// After this many signalling and stream control frames an acknowledgement is due at once.
    public var acknowledgeEvery = 16
    /// What a peer may send: media packets a second, and bytes a second of everything else on the stream.
    public var mediaPerSecond = 60_000
    public var signallingBytesPerSecond = 4 << 20
    /// The largest packet with its stream id that fits in one datagram; longer ones go by the stream lane.
    public var datagramPayload = 1400
    /// The largest datagram payload made of several packets: with DTLS, UDP and IPv6 it is below 1280 bytes, which every path of IPv6 takes.
    public var bundlePayload = 1188
    /// The same where the path has not shown that it takes more: with DTLS, UDP and IPv4 the 576 bytes every path takes.
    public var unprovedPayload = 511
    public init() {}
}

/// Times of our own choosing. All are injected, so that a test or an odd line can have others.
public struct TunnelTimers: Hashable, Sendable {
    /// From an open TLS connection to the far end's hello.
    public var greeting: Duration = .seconds(4)
    public var ping: Duration = .milliseconds(500)
    /// Nothing heard on the stream for so long: the peer is dead.
    public var silence: Duration = .seconds(4)
    /// How long a session waits for a new connection; a cut of 10 s and the time to notice it fit in.
    public var resume: Duration = .seconds(20)
    public var acknowledgeDelay: Duration = .milliseconds(100)
    /// Media that has waited longer for the stream lane is dropped.
    public var mediaAge: Duration = .milliseconds(60)
    /// A packet is sent a second time no later than this after the first.
    public var repeatAge: Duration = .milliseconds(120)
    /// What came by the stream lane later than its fastest by so much is dropped, however long the round trip is that a
    /// repair takes; one-way delays of 400 ms and more spoil a talk (ITU-T G.114).
    public var longestRepair: Duration = .milliseconds(250)
    /// Probes of the datagram lane while streams are open, and while none is.
    public var probe: Duration = .milliseconds(200)
    public var idleProbe: Duration = .seconds(5)
    /// How long both lanes carry the same packets around a change.
    public var overlap: Duration = .milliseconds(100)
    /// Datagrams that came steadily and stopped for so long are suspicious.
    public var suspicion: Duration = .milliseconds(60)
    /// No answer to any probe for so long: the datagram lane is blocked.
    public var blocked: Duration = .seconds(1)
    /// The datagram lane must have been good for so long before media goes back to it; doubled by each fall.
    public var returnAfter: Duration = .seconds(3)
    public var returnMaximum: Duration = .seconds(60)
    /// A datagram lane that could not be opened or was lost is tried again; doubled up to the second.
    public var laneRetry: Duration = .seconds(1)
    public var laneRetryMaximum: Duration = .seconds(30)
    public var report: Duration = .seconds(1)
    public init() {}
}
