import CoreTypes
import CryptoPrimitives
import HotDeskPolicy
import Media
import SIPMessage
import SIPTransaction

/// The site's own life: its file, its store, its bounds.
extension EdgeProxy {
    mutating func index(_ configuration: EdgeConfiguration) {
        devices = Dictionary(configuration.devices.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        extensions = Dictionary(configuration.extensions.map { ($0.number, $0) }, uniquingKeysWith: { first, _ in first })
    }

    mutating func restore(_ snapshot: EdgeSnapshot) {
        sessions.restore(snapshot.sessions.filter { devices[$0.device] != nil && extensions[$0.extension] != nil })
        // What happened at the desks before is not known; nobody is logged out for a restart.
        for session in sessions.all { bindings.lastUse[session.device] = now }
        for record in snapshot.bindings where devices[record.device] != nil && record.expires > now {
            // A connection does not outlive the process; its phone comes again by itself.
            guard !record.transport.isReliable, let contact = try? NameAddress(parsing: record.contact) else { continue }
            bindings.set(
                Binding(
                    device: record.device, contact: contact.uri,
                    flow: Flow(transport: record.transport, local: record.local, remote: record.remote),
                    expires: record.expires, callID: nil, userAgent: record.userAgent))
        }
        if let attempts = snapshot.attempts { self.attempts.restore(attempts, now: now) }
        for pin in snapshot.emergencyPins where pin.until > now { emergencyPins[pin.device] = pin }
        for record in snapshot.plainBindings where record.expires > now && configuration.plainPhones {
            if let binding = PlainBinding(record) { plainBindings.set(binding) }
        }
        restore(snapshot.calls)
    }

    /// Takes over a site file that was read again. Who is gone from it loses the session; calls go on.
    mutating func reload(_ configuration: EdgeConfiguration) {
        let nodeCount = configuration.pbx.nodeCount
        let before = (devices: devices, extensions: extensions)
        self.configuration = configuration
        index(configuration)
        authenticator.realm = configuration.pbx.domain
        attempts.rules = configuration.policy.pin
        trunk.setNodeCount(nodeCount)
        indexPhones()
        for session in sessions.all where devices[session.device] == nil || extensions[session.extension]?.mayHotDesk != true {
            endSession(on: session.device, reason: .extensionRemoved)
        }
        for device in bindings.devices where devices[device] == nil {
            removeBinding(of: device)
        }
        refreshAllRegistrations()
        renewPhones(since: before.devices, before.extensions)
        log(.notice, "site file taken over: \(devices.count) devices, \(extensions.count) extensions")
    }

    mutating func housekeeping() {
        timers.schedule(.housekeeping, at: now + .seconds(30))
        for device in bindings.expired(at: now) { removeBinding(of: device) }
        for token in plainBindings.removeExpired(at: now) { out.append(.store(.plainBindingRemoved(token), nil)) }
        watches.removeExpired(at: now)
        authenticator.forgetExpired(at: now)
        for pin in emergencyPins.values where pin.until <= now {
            emergencyPins[pin.device] = nil
            out.append(.store(.emergencyPinRemoved(pin.device), nil))
            if let number = ExtensionNumber(pin.identity) { release(.person(number)) }
        }
        expireCalls()
        autoLogout()
    }

    mutating func closingTime() {
        closedAt = now
        autoLogout()
    }

    /// Ends sessions that began before the last closing time, or whose desk has been silent for longer than the site
    /// allows. A device in a call, or pinned by an emergency call, keeps its session until that is over.
    private mutating func autoLogout() {
        let limit = configuration.policy.autoLogout.afterIdle
        for session in sessions.all where emergencyPins[session.device] == nil && calls.count(of: session.device) == 0 {
            let lastUse = max(bindings.lastUse[session.device] ?? session.since, session.since)
            let isClosed = closedAt.map { session.since < $0 } ?? false
            let isSilent = limit.map { now - lastUse >= $0 } ?? false
            if isClosed || isSilent { endSession(on: session.device, reason: .automatic) }
        }
    }

    mutating func removeBinding(of device: DeviceName) {
        guard bindings.remove(device) != nil else { return }
        out.append(.store(.bindingRemoved(device), nil))
        log(.info, "\(device.text) is no longer registered")
    }

    mutating func flowClosed(_ flow: Flow) {
        transactions.flowClosed(flow, now: now, into: &pending)
        bindings.closed(flow)
        if let device = bindings.device(on: flow) { removeBinding(of: device) }
        for token in plainBindings.remove(flow) { out.append(.store(.plainBindingRemoved(token), nil)) }
        strandDialogs(on: flow)
    }
}
