import CoreTypes
import Media
import Tunnel

/// The edge's streams, whichever headend carries them: those that wait for a call, and those of calls. A pure value.
struct TunnelStreamTable {
    struct Entry: Equatable {
        /// Where the PBX sends to; nil until the headend has said.
        var ports: MediaPorts?
        var session: MediaSessionID?
        var update: StreamUpdate?
    }

    private(set) var entries: [StreamID: Entry] = [:]
    private var bySession: [MediaSessionID: StreamID] = [:]

    func holds(_ id: StreamID) -> Bool { entries[id] != nil }
    var ids: [StreamID] { entries.keys.sorted() }

    mutating func add(_ id: StreamID) { entries[id] = Entry() }

    /// The headend has bound a stream: what the core must hear.
    mutating func bound(_ id: StreamID, _ endpoint: Endpoint) -> MediaEvent? {
        guard entries[id] != nil else { return nil }
        let ports = MediaPorts(tunnelStream: UInt32(id.rawValue), headend: endpoint)
        let former = entries[id]?.ports
        entries[id]?.ports = ports
        guard former != ports else { return nil }
        return former == nil ? .portsReady([ports]) : .portsMoved(ports)
    }

    /// The relay of a call uses a stream; where the PBX wants media, as far as that is known and new.
    mutating func relayed(_ session: MediaSessionID, _ leg: MediaLeg) -> StreamUpdate? {
        guard let id = Self.id(of: leg.ports), let entry = entries[id] else { return nil }
        entries[id]?.session = session
        bySession[session] = id
        guard let remote = leg.remote, MediaDestination.isAllowed(remote, from: leg.ports.address) else { return nil }
        let control = leg.remoteControl ?? Endpoint(address: remote.address, port: remote.port &+ 1)
        let update = StreamUpdate(id: id, rtp: remote, rtcp: control)
        guard update != entry.update else { return nil }
        entries[id]?.update = update
        return update
    }

    /// The call is over: its stream, to be closed.
    mutating func closed(_ session: MediaSessionID) -> StreamID? {
        guard let id = bySession.removeValue(forKey: session) else { return nil }
        entries[id] = nil
        return id
    }

    /// The stream will not come.
    mutating func remove(_ id: StreamID) {
        guard let entry = entries.removeValue(forKey: id), let session = entry.session else { return }
        bySession[session] = nil
    }

    static func id(of ports: MediaPorts) -> StreamID? {
        ports.tunnelStream.flatMap { UInt16(exactly: $0) }.flatMap(StreamID.init(rawValue:))
    }
}
