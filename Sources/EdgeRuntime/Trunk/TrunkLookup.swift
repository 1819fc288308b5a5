import CoreTypes
import Dispatch
import SiteFile
import Synchronization
import Tunnel

/// Finds the addresses of the PBX's nodes, away from the event loop.
final class TrunkLookup: Sendable {
    enum Failure: Error, Equatable {
        case failed(String)
        /// DNS names fewer nodes than the site may use: this one does not exist, and nothing is wrong.
        case noSuchNode
    }

    struct Answer: Equatable, Sendable {
        /// "host:port".
        var name: String
        var endpoints: [Endpoint]
    }

    private struct Service {
        var nodes: [PBXNode] = []
        var until = Instant(nanoseconds: .min)
    }

    /// How long the nodes of a domain are taken to be the same, so that the nodes share one lookup.
    private static let serviceLifetime = Duration.seconds(30)

    private let target: PBXTarget
    private let clock: EdgeClock
    private let resolver: ResolverConfiguration?
    private let service = Mutex(Service())
    private let queue = DispatchQueue(label: "edge.dns", qos: .utility, attributes: .concurrent)

    /// - Parameter resolver: nil for the system's name servers, read anew at each lookup.
    init(target: PBXTarget, clock: EdgeClock, resolver: ResolverConfiguration? = nil) {
        self.target = target
        self.clock = clock
        self.resolver = resolver
    }

    /// `answer` is called on a queue of the lookup's.
    func resolve(_ index: Int, answer: @escaping @Sendable (Result<Answer, Failure>) -> Void) {
        queue.async {
            do throws(Failure) {
                answer(.success(try self.addresses(of: index)))
            } catch {
                answer(.failure(error))
            }
        }
    }

    private func addresses(of index: Int) throws(Failure) -> Answer {
        let node = try node(index)
        do throws(HostResolver.Failure) {
            return Answer(name: node.text, endpoints: try HostResolver.resolve(node.host, port: node.port))
        } catch {
            throw .failed(error.description)
        }
    }

    private func node(_ index: Int) throws(Failure) -> PBXNode {
        let nodes: [PBXNode]
        switch target {
        case .nodes(let listed), .headends(let listed, mtu: _): nodes = listed
        case .service(let domain): nodes = try discovered(domain)
        }
        guard nodes.indices.contains(index) else { throw .noSuchNode }
        return nodes[index]
    }

    /// RFC 3263 §4.1: the nodes of a domain that take SIP over TLS, best first.
    private func discovered(_ domain: String) throws(Failure) -> [PBXNode] {
        let now = clock.now
        let known = service.withLock { $0 }
        if known.until > now { return known.nodes }
        let records: [SRVRecord]
        do throws(SRVResolver.Failure) {
            records = try SRVResolver(configuration: resolver ?? .system()).resolve("_sips._tcp.\(domain)")
        } catch {
            throw .failed(error.description)
        }
        var random = SystemRandomNumberGenerator()
        let nodes = orderSRV(records, random: &random).prefix(PBXTarget.maximumServiceNodes).map {
            PBXNode(host: $0.target, port: $0.port)
        }
        guard !nodes.isEmpty else { throw .failed("_sips._tcp.\(domain): the domain says that it offers no SIP over TLS") }
        service.withLock { $0 = Service(nodes: nodes, until: now + Self.serviceLifetime) }
        return nodes
    }
}
