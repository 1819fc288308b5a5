public import CoreTypes
public import HotDeskPolicy
import Media
import SIPMessage
import SIPTransaction

extension EdgeProxy {
    /// Who sits where, and what is up.
    public func status(now: Instant) -> EdgeStatus {
        let statuses = configuration.devices.sorted { $0.name < $1.name }.map { device -> EdgeStatus.DeviceStatus in
            let session = sessions.session(on: device.name)
            let binding = bindings.binding(of: device.name)
            let registration = session.flatMap { registrations.bySubject[.person($0.extension)] }
            return EdgeStatus.DeviceStatus(
                name: device.name, model: device.model, location: device.location, session: session,
                person: session.flatMap { extensions[$0.extension]?.name } ?? "", isRegistered: binding.map { $0.expires > now } ?? false,
                address: binding.map { "\($0.flow.remote)" } ?? "",
                calls: calls.count(of: device.name) + localCalls.count(of: device.name),
                pinnedUntil: emergencyPins[device.name].flatMap { $0.until > now ? $0.until : nil },
                isRegisteredAtPBX: registration?.isRegistered ?? false, phone: refreshes[device.name]?.phoneState, router: device.router)
        }
        return EdgeStatus(
            site: configuration.siteName, devices: statuses,
            nodes: trunk.answers.enumerated().map { EdgeStatus.NodeStatus(node: TrunkNode(index: $0), isUp: $1) },
            calls: calls.count, inProgress: callsInProgress(), freeMediaPorts: ports.free,
            readyTimes: refreshes.readyTimes)
    }

    /// What the phone of a device should show now; nil where the site has no such device.
    public func desk(of name: DeviceName) -> DeskView? {
        guard let device = devices[name] else { return nil }
        let session = sessions.session(on: name)
        return DeskView(
            device: device, person: session.flatMap { extensions[$0.extension] }, revision: refreshes[name]?.revision ?? 0)
    }

    private func callsInProgress() -> [EdgeStatus.CallStatus] {
        let talks = calls.calls.values.filter { $0.purpose != .subscription }.sorted { $0.began < $1.began }
        return talks.prefix(EdgeStatus.listedCalls).map { call in
            let other = call.onTrunkSide.far.uri
            return EdgeStatus.CallStatus(
                party: call.party.text, extension: call.identity?.uri.user ?? "", direction: call.direction,
                isEmergency: call.purpose == .emergency, other: other.user ?? other.description, began: call.began,
                answered: call.answered, quality: call.quality, tunnelStream: call.media?.trunk.ports.tunnelStream)
        }
    }
}

extension PhoneRefresh {
    fileprivate var phoneState: PhoneState {
        switch state {
        case .settled: return delivered == nil ? .unknown : .current
        case .waiting: return .waiting
        case .notified: return .notified
        case .overdue: return .overdue
        }
    }
}
