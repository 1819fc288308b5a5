import CoreTypes
import EdgeProxy
import HotDeskPolicy
import SIPMessage

/// Which way a message of the capture goes, as the edge sees it.
enum Leg: Sendable, Equatable {
    case fromPhone, toPhone, fromTrunk, toTrunk
    /// Between others.
    case elsewhere
}

/// Where the edge is in a capture.
struct EdgeSide: Sendable {
    /// What phones send to.
    let endpoints: Set<Endpoint>
    /// The capture has other addresses than the site.
    let isForeign: Bool
    private let hosts: Set<IPAddress>
    private let gateways: Set<Endpoint>

    /// - Parameter forced: the edge's endpoints in this capture; empty: the site's own, or if there is no packet of
    ///   theirs, those that phones send their requests to.
    init(_ messages: [CapturedMessage], _ configuration: EdgeConfiguration, forced: [Endpoint]) {
        let listeners = Set(configuration.listeners.map(\.endpoint))
        gateways = Set(
            configuration.emergencyRoutes.compactMap { route in
                if case .gateway(_, let endpoint) = route { endpoint } else { nil }
            })
        if !forced.isEmpty {
            endpoints = Set(forced)
        } else if messages.contains(where: { listeners.contains($0.destination) || listeners.contains($0.source) }) {
            endpoints = listeners
        } else {
            endpoints = Self.infer(messages, configuration)
        }
        isForeign = endpoints.isDisjoint(with: listeners)
        hosts = Set(endpoints.map(\.address))
    }

    func leg(_ message: CapturedMessage) -> Leg {
        let (source, destination) = (message.source, message.destination)
        if gateways.contains(source), hosts.contains(destination.address) { return .fromTrunk }
        if gateways.contains(destination), hosts.contains(source.address) { return .toTrunk }
        if endpoints.contains(destination) { return .fromPhone }
        if endpoints.contains(source) { return .toPhone }
        if hosts.contains(destination.address) { return .fromTrunk }
        if hosts.contains(source.address) { return .toTrunk }
        return .elsewhere
    }

    /// The endpoint that gets most requests with a device's name in From, else most requests; and whatever else the same
    /// phones send requests to.
    private static func infer(_ messages: [CapturedMessage], _ configuration: EdgeConfiguration) -> Set<Endpoint> {
        let devices = Set(configuration.devices.map(\.name))
        var scores: [Endpoint: Int] = [:]
        for message in messages {
            guard let request = message.request else {
                if message.looksLikeRequest { scores[message.destination, default: 0] += 1 }
                continue
            }
            let isDevice = request.headers.from.uri.userPart.flatMap { DeviceName($0) }.map(devices.contains) == true
            scores[message.destination, default: 0] += isDevice ? 1_000 : 1
        }
        let best = scores.max { ($0.value, $1.key.order) < ($1.value, $0.key.order) }
        guard let best = best?.key else { return [] }
        let asked = messages.filter { $0.request != nil || $0.looksLikeRequest }
        let phones = Set(asked.filter { $0.destination == best }.map(\.source))
        let others = asked.filter { phones.contains($0.source) && !phones.contains($0.destination) }.map(\.destination)
        return Set(others + [best])
    }
}

extension Endpoint {
    /// Any order, so that a tie is decided the same way each time.
    var order: String { description }
}

extension URI {
    /// The user part, or a telephone number.
    var userPart: String? {
        switch self {
        case .sip(let uri): return uri.user
        case .tel(let uri): return uri.number
        case .other: return nil
        }
    }
}
