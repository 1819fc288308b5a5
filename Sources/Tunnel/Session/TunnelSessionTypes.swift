public import CoreTypes

extension TunnelSession {
    public enum Role: Hashable, Sendable { case edge, headend }

    /// What the shell reports. Bytes and datagrams are plain text: TLS and DTLS are done outside (`TunnelEndpoint`).
    public enum Event: Hashable, Sendable {
        /// Edge: TLS is open; the hello goes out.
        case connected
        /// Headend: TLS is open and the edge's hello has been read by a `TunnelGreeter`; with what came behind it.
        case greeted(TunnelHello, rest: [UInt8])
        /// The stream is gone, by whomever; nothing more comes of it.
        case disconnected
        case streamBytes([UInt8])
        /// How many bytes of what was written the network has not taken yet.
        case streamUnsent(Int)
        /// The DTLS lane is open; the largest payload it takes.
        case laneOpened(maximumPayload: Int)
        /// The lane is over.
        case laneClosed
        /// A lane could not be opened. An older one may still be there.
        case laneFailed
        case datagram([UInt8])
        case sendSignal(SignalFlow, [UInt8])
        /// Packets under the numbers of their streams: the lower 14 bits of them.
        case sendMedia(PacketBatch)
        /// Edge: a stream for a call.
        case openStream(StreamBinding)
        case updateStream(StreamUpdate)
        case closeStream(StreamID, StreamEnd)
        /// Headend: the answers to `streamWanted`.
        case bindStream(StreamID, Endpoint)
        case refuseStream(StreamID, StreamEnd)
        case setStanding(Standing)
        /// Headend: a way to the PBX came up or is gone.
        case announceWay(SignalWay)
        /// Edge: a request (PKCS #10, DER) for a certificate in place of the present one.
        case requestCertificate([UInt8])
        /// Headend: the answer to `certificateWanted`, PEM.
        case giveCertificate([UInt8])
        /// Say goodbye and end; a client is told when to come back.
        case stop(GoAwayReason, retryAfter: Duration)
        /// Time has passed `nextDeadline`.
        case tick
    }

    /// Performed in order.
    public enum Action: Hashable, Sendable {
        case writeStream([UInt8])
        case writeDatagram(DatagramFrame)
        /// Close the stream; no `disconnected` is to follow.
        case closeStream(Failure)
        /// Stop reading the stream until `resumeReading`: the peer is over its budget.
        case pauseReading
        case resumeReading
        /// Edge: begin a DTLS handshake, with a key from the stream as it is now. An older lane stays until
        /// the new one is open.
        case startLane
        case closeLane
        case deliverSignal(SignalFlow, [UInt8])
        /// Packets that came, under the numbers of their streams.
        case deliverMedia(PacketBatch)
        /// Headend: bind ports and answer by `bindStream` or `refuseStream`.
        case streamWanted(StreamBinding)
        /// Edge: the headend has bound this RTP address. Comes again after a change of headend, with another address.
        case streamBound(StreamID, Endpoint)
        case streamUpdated(StreamUpdate)
        /// Edge.
        case wayChanged(SignalWay)
        /// Headend.
        case certificateWanted([UInt8])
        /// Edge.
        case certificateGiven([UInt8])
        /// The stream is over: closed by the far end, refused, or lost with the session.
        case streamEnded(StreamID, StreamEnd)
        case report(Report)
        case dropped(Drop)
    }

    public enum Report: Hashable, Sendable {
        /// The session is up; `resumed`: on a new connection, with nothing lost.
        case up(SessionToken, resumed: Bool)
        /// The connection is lost; the session waits for another until then.
        case cut(Failure, until: Instant)
        /// The session is over and forgotten.
        case ended(Failure)
        case lane(Lane, LaneReason)
        case standing(Standing)
        case goAway(GoAwayReason, retryAfter: Duration)
    }

    /// Why media changed its lane.
    public enum LaneReason: Hashable, Sendable {
        /// The datagram lane has proved itself.
        case good
        /// Datagrams stopped coming in the middle of a call.
        case silence
        /// No probe was answered for a second.
        case blocked
        /// Loss in thousandths, while the stream did better.
        case loss(Int)
        case closed
    }

    public enum Failure: Error, Hashable, Sendable {
        case disconnected
        /// The far end says nothing: not even its hello.
        case helloMissing
        case silent
        /// No version of the protocol in common; the far end's.
        case version(ClosedRange<UInt8>)
        /// Something other than a hello came first, or a hello of the wrong kind.
        case noHello
        case frame(FrameProblem)
        /// A frame only the other role may send, a count that cannot be, or a hello in mid-session.
        case protocolViolation
        /// It asks faster than it reads.
        case doesNotRead
        case goodbye(GoAwayReason)
        case stopped
        case notResumed
    }

    /// Why something was not sent or not delivered.
    public enum Drop: Hashable, Sendable {
        case notConnected
        /// Too much waits for acknowledgement.
        case signallingFull
        case signalTooLong(Int)
        case mediaTooLong(Int)
        case unknownStream(StreamID)
        case tooManyStreams(StreamID)
        case streamInUse(StreamID)
        /// The peer sends more than its budget.
        case overBudget
        case late
        case duplicate
        case badDatagram
        /// Only the edge opens streams, only the headend binds them.
        case wrongRole
    }
}

/// What a session has done, for status and metrics. Counts never go back.
public struct TunnelCounters: Hashable, Sendable {
    public var signalsSent: UInt64 = 0
    public var signalsReceived: UInt64 = 0
    public var mediaSentByDatagram: UInt64 = 0
    public var mediaSentByStream: UInt64 = 0
    /// Packets sent by datagrams a second time, for what gets lost.
    public var mediaRepeated: UInt64 = 0
    public var mediaReceivedByDatagram: UInt64 = 0
    public var mediaReceivedByStream: UInt64 = 0
    public var lateOnArrival: UInt64 = 0
    public var duplicates: UInt64 = 0
    public var overBudget: UInt64 = 0
    public var badDatagrams: UInt64 = 0
    public var unknownFrames: UInt64 = 0
    public var resumed: UInt64 = 0
    public var laneChanges: UInt64 = 0
    public init() {}
}

/// What `edgeproxy status` shows of a tunnel.
public struct TunnelStatus: Hashable, Sendable {
    public enum Phase: Hashable, Sendable { case idle, greeting, up(since: Instant), cut(until: Instant), ended(TunnelSession.Failure) }

    public struct Stream: Hashable, Sendable {
        public var id: StreamID
        /// The headend's RTP address, once it is bound.
        public var bound: Endpoint?
        public var sending: Lane
        /// By which lane the last packet came; nil before the first.
        public var receiving: Lane?
    }

    public var phase: Phase
    public var standing: Standing
    public var isLaneOpen: Bool
    public var streams: [Stream]
    public var streamRoundTrip: Duration?
    public var datagramRoundTrip: Duration?
    /// Loss of our datagrams in thousandths.
    public var datagramLoss: Int?
    /// Each packet goes by datagrams twice, so much is lost.
    public var isRepeating: Bool
    /// Dropped for waiting too long for the stream lane.
    public var lateBeforeSending: UInt64
    public var unacknowledged: Int
    public var counters: TunnelCounters
    public var peerReport: LaneReport?
}
