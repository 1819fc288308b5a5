import CoreTypes
import Glibc
import Media

/// Two bound sockets, RTP and RTCP. They stay bound and watched for the life of the loop.
struct PortPair {
    var ports: MediaPorts
    var rtp: Int32
    var rtcp: Int32
    /// Who uses it: a leg of a session.
    var session: MediaSession?
    var leg = 0
}

/// Walks through the range once per address and binds what is free.
struct PortPool {
    private struct Cursor {
        var address: IPAddress
        /// Next even port to try; above the range where it is used up.
        var next: UInt32
    }

    let range: ClosedRange<UInt16>
    private let dscp: UInt8?
    private var cursors: [Cursor] = []
    private(set) var pairs: [PortPair] = []
    /// Pairs that were bound out of turn.
    private var claimed: Set<Endpoint> = []
    /// Pairs by port, RTP and RTCP, from the beginning of the range on, and by address as `cursors`; -1 where none is bound.
    private var pairsByPort: [[Int32]] = []

    init(addresses: [IPAddress], range: ClosedRange<UInt16>, dscp: UInt8?) {
        self.range = range
        self.dscp = dscp
        let first = Self.firstEven(range)
        for family in [IPAddress.Family.v4, .v6] {
            guard let address = addresses.first(where: { $0.family == family }) else { continue }
            cursors.append(Cursor(address: address, next: first))
            pairsByPort.append(Array(repeating: -1, count: range.count))
        }
    }

    static func firstEven(_ range: ClosedRange<UInt16>) -> UInt32 {
        // Port 0 cannot be bound as itself.
        max(2, UInt32(range.lowerBound) + UInt32(range.lowerBound) % 2)
    }

    static func holdsPair(_ range: ClosedRange<UInt16>) -> Bool { firstEven(range) + 1 <= UInt32(range.upperBound) }

    /// The pair of an id that was announced.
    func index(of ports: MediaPorts) -> Int? {
        if let stream = ports.tunnelStream { return -1 - Int(stream) }
        let index = Int(ports.id)
        guard index < pairs.count, pairs[index].ports == ports else { return nil }
        return index
    }

    /// The pair behind an endpoint, where that is one of our own ports.
    func pair(at endpoint: Endpoint) -> Int? {
        guard range.contains(endpoint.port) else { return nil }
        for (place, cursor) in cursors.enumerated() where cursor.address == endpoint.address {
            let pair = pairsByPort[place][Int(endpoint.port - range.lowerBound)]
            return pair >= 0 ? Int(pair) : nil
        }
        return nil
    }

    mutating func assign(_ index: Int, to session: MediaSession?, leg: Int) {
        guard pairs.indices.contains(index) else { return }
        pairs[index].session = session
        pairs[index].leg = leg
    }

    /// How often a port of a call that goes on is asked for, and nanoseconds between: the kernel takes a moment to take ports
    /// away from a process that was killed while io_uring watched them.
    private static let claims = (count: 25, pause: 20_000_000)

    /// Binds the pair that stands on these very ports, whatever id it had before.
    mutating func bind(_ ports: MediaPorts, log: (MediaLogLevel, String) -> Void) -> Int? {
        do throws(SocketError) {
            let pair = try claim(ports)
            if let place = cursors.firstIndex(where: { $0.address == ports.address }) { append(pair, place) } else { pairs.append(pair) }
            claimed.insert(Endpoint(address: ports.address, port: ports.rtp))
            return pairs.count - 1
        } catch {
            log(.error, "media: ports \(ports.rtp) and \(ports.rtcp) on \(ports.address) of a call that goes on cannot be had: \(error.text)")
            return nil
        }
    }

    /// Binds the next free pair of a family. Ports that somebody else holds are skipped and logged.
    mutating func bindNext(_ family: IPAddress.Family, log: (MediaLogLevel, String) -> Void) -> Int? {
        guard let place = cursors.firstIndex(where: { $0.address.family == family }) else {
            log(.error, "media: no address of IPv\(family.rawValue) is configured")
            return nil
        }
        while cursors[place].next + 1 <= UInt32(range.upperBound) {
            let rtp = UInt16(truncatingIfNeeded: cursors[place].next)
            if claimed.contains(Endpoint(address: cursors[place].address, port: rtp)) {
                cursors[place].next += 2
                continue
            }
            do throws(SocketError) {
                let pair = try bind(cursors[place].address, rtp)
                cursors[place].next += 2
                append(pair, place)
                return pairs.count - 1
            } catch {
                if error.isOutOfDescriptors {
                    log(.error, "media: \(error.text) at \(pairs.count) port pairs; raise the limit of open files")
                    return nil
                }
                cursors[place].next += 2
                let address = cursors[place].address
                log(.warning, "media: ports \(rtp) and \(rtp + 1) on \(address) are skipped: \(error.text)")
            }
        }
        log(.error, "media: all ports of \(range.lowerBound)-\(range.upperBound) on \(cursors[place].address) are in use")
        return nil
    }

    private func claim(_ ports: MediaPorts) throws(SocketError) -> PortPair {
        for _ in 1..<Self.claims.count {
            do throws(SocketError) {
                return try bind(ports.address, ports.rtp)
            } catch {
                guard error.number == EADDRINUSE else { throw error }
                var pause = timespec(tv_sec: 0, tv_nsec: Self.claims.pause)
                nanosleep(&pause, nil)
            }
        }
        return try bind(ports.address, ports.rtp)
    }

    private mutating func append(_ pair: PortPair, _ place: Int) {
        pairs.append(pair)
        for port in [pair.ports.rtp, pair.ports.rtcp] where range.contains(port) {
            pairsByPort[place][Int(port - range.lowerBound)] = Int32(clamping: pairs.count - 1)
        }
    }

    private func bind(_ address: IPAddress, _ port: UInt16) throws(SocketError) -> PortPair {
        guard port < UInt16.max else { throw SocketError(number: EINVAL) }
        let rtp = try DatagramSocket.bind(Endpoint(address: address, port: port), trafficClass: dscp)
        do throws(SocketError) {
            let rtcp = try DatagramSocket.bind(Endpoint(address: address, port: port + 1), trafficClass: dscp)
            let ports = MediaPorts(id: UInt32(truncatingIfNeeded: pairs.count), address: address, rtp: port)
            return PortPair(ports: ports, rtp: rtp, rtcp: rtcp)
        } catch {
            DatagramSocket.close(rtp)
            throw error
        }
    }
}
