import CoreTypes
import Glibc
import Tunnel

/// Asks the name servers for SRV records over UDP, one after the other. Blocks for at most `patience` a server.
struct SRVResolver {
    enum Failure: Error, Equatable, CustomStringConvertible {
        case badName(String)
        case noSuchName(String)
        case noRecords(String)
        case noAnswer(String)
        case badAnswer(String)

        var description: String {
            switch self {
            case .badName(let name): return "\(name) is no host name"
            case .noSuchName(let name): return "\(name): the name server knows no such name; add the SRV record or list pbx.servers"
            case .noRecords(let name): return "\(name) has no SRV record; add it or list pbx.servers"
            case .noAnswer(let name): return "\(name): no name server answers"
            case .badAnswer(let name): return "\(name): the name servers' answers cannot be used"
            }
        }
    }

    var configuration: ResolverConfiguration
    /// How long one server has, in milliseconds.
    var patience: CInt = 1500

    /// In the order of the answer; `orderSRV` puts them into the order of use.
    func resolve(_ name: String) throws(Failure) -> [SRVRecord] {
        var isHeard = false
        for server in configuration.servers {
            let id = UInt16.random(in: .min ... .max)
            guard let query = SRVMessage.query(name, id: id) else { throw .badName(name) }
            guard let socket = DatagramQuery(server) else { continue }
            switch socket.ask(query, name: name, id: id, patience: patience) {
            case nil: continue
            case .success(let records)?:
                guard !records.isEmpty else { throw .noRecords(name) }
                return records
            case .failure(.noSuchName)?: throw .noSuchName(name)
            case .failure(.notOurs)?, .failure(.malformed)?, .failure(.truncated)?, .failure(.serverFailure)?: isHeard = true
            }
        }
        throw isHeard ? .badAnswer(name) : .noAnswer(name)
    }
}

/// One UDP socket connected to one name server, so that nobody else's datagrams come in.
private final class DatagramQuery {
    private let descriptor: CInt

    init?(_ server: Endpoint) {
        let family = server.address.family == .v4 ? AF_INET : AF_INET6
        descriptor = socket(family, CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0, SystemSocket.connect(descriptor, to: server) else { return nil }
    }

    deinit { if descriptor >= 0 { Glibc.close(descriptor) } }

    /// Nil where nothing came in time.
    func ask(_ query: [UInt8], name: String, id: UInt16, patience: CInt) -> Result<[SRVRecord], SRVMessage.Problem>? {
        guard Glibc.send(descriptor, query, query.count, 0) == query.count else { return nil }
        let clock = EdgeClock()
        let end = clock.now + .milliseconds(Int(patience))
        while true {
            let left = (end - clock.now).clampedNanoseconds / 1_000_000
            guard left > 0 else { return nil }
            var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&waiting, 1, CInt(clamping: left)) > 0 else { return nil }
            var buffer = [UInt8](repeating: 0, count: 4096)
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { return nil }
            do throws(SRVMessage.Problem) {
                return .success(try SRVMessage.answer(Array(buffer.prefix(count)), to: name, id: id))
            } catch {
                if error != .notOurs { return .failure(error) }
            }
        }
    }
}

/// Socket calls with an `Endpoint` in place of a `sockaddr`.
enum SystemSocket {
    static func connect(_ descriptor: CInt, to endpoint: Endpoint) -> Bool {
        let bytes = endpoint.address.bytes
        switch endpoint.address.family {
        case .v4:
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = endpoint.port.bigEndian
            withUnsafeMutableBytes(of: &address.sin_addr) { $0.copyBytes(from: bytes) }
            return call(&address, MemoryLayout<sockaddr_in>.size) { Glibc.connect(descriptor, $0, $1) }
        case .v6:
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = endpoint.port.bigEndian
            withUnsafeMutableBytes(of: &address.sin6_addr) { $0.copyBytes(from: bytes) }
            return call(&address, MemoryLayout<sockaddr_in6>.size) { Glibc.connect(descriptor, $0, $1) }
        }
    }

    private static func call<Address>(
        _ address: inout Address, _ size: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> CInt
    ) -> Bool {
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(size)) == 0 }
        }
    }
}
