import CoreTypes
import Tunnel

/// The state of a headend, for `edgeproxy headend status`.
public struct HeadendStatus: Codable, Sendable, Equatable {
    public struct Site: Codable, Sendable, Equatable {
        public var name: String
        /// "active", "standby", or "cut" while its connection is lost.
        public var state: String
        /// Where its datagrams or its connection come from; nil before any did.
        public var address: String?
        /// Media streams: all that are open, and those of calls.
        public var streams: Int
        public var calls: Int
        /// By which lane media goes to the site: "datagram" or "stream".
        public var lane: String
        /// Milliseconds there and back, by the stream and by datagrams; nil before it is known.
        public var streamRoundTrip: Int?
        public var datagramRoundTrip: Int?
        /// Thousandths of our datagrams that did not arrive.
        public var datagramLoss: Int?
        /// So much of them is lost that each packet goes twice.
        public var isRepeating: Bool
        public var laneChanges: UInt64
        /// Media dropped for being late on the stream lane, on its way out or in.
        public var late: UInt64
        /// The site's certificate ends then, in seconds since the Unix epoch.
        public var certificateEnds: Int64
        /// The ways to the PBX that are up: "udp:10.0.0.20:5060".
        public var ways: [String]
    }

    public var name: String
    public var version: String
    public var started: Int64
    public var sites: [Site]
    public var freeMediaPorts: Int
    public var degraded: [String]
}

extension HeadendStatus.Site {
    init(_ name: String, _ status: TunnelStatus, address: Endpoint?, calls: Int, certificateEnds: Int64, ways: [String]) {
        self.name = name
        switch status.phase {
        case .up: state = status.standing == .active ? "active" : "standby"
        case .cut, .idle, .greeting, .ended: state = "cut"
        }
        self.address = address.map { "\($0)" }
        streams = status.streams.count
        self.calls = calls
        lane = (status.streams.first?.sending ?? (status.isLaneOpen ? .datagram : .stream)).word
        streamRoundTrip = status.streamRoundTrip.map { Int($0.clampedNanoseconds / 1_000_000) }
        datagramRoundTrip = status.datagramRoundTrip.map { Int($0.clampedNanoseconds / 1_000_000) }
        datagramLoss = status.datagramLoss
        isRepeating = status.isRepeating
        laneChanges = status.counters.laneChanges
        late = status.counters.lateOnArrival + status.lateBeforeSending
        self.certificateEnds = certificateEnds
        self.ways = ways
    }
}

extension Lane {
    /// As people and machines read it.
    var word: String {
        switch self {
        case .stream: return "stream"
        case .datagram: return "datagram"
        }
    }
}
