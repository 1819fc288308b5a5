import CoreTypes
import HotDeskPolicy
import Media
import SIPMessage
import SIPTransaction

/// The registrar for devices (RFC 3261 §10.3): each proves itself with its own secret, and has one binding.
extension EdgeProxy {
    mutating func register(_ request: SIPRequest, _ server: ServerTransactionID, _ flow: Flow) {
        let user = request.headers.to.uri.user ?? ""
        guard let device = named(user) else {
            guard configuration.plainPhones, bindings.device(on: flow) == nil else {
                audit(.registrationRefused, device: user, request: request.summary, detail: "no such device")
                return refuse(server, request, 403, "Not a device of this site")
            }
            return registerPlain(request, server, flow)
        }
        guard let credentials = credentials(in: request) else { return challenge(request, server, stale: false) }
        if credentials.username != device.name.text, named(credentials.username) != nil {
            audit(.registrationRefused, device: credentials.username, request: request.summary, detail: "credentials of another device")
            return refuse(server, request, 403, "Not your device")
        }
        switch authenticator.check(credentials, method: .register, uri: request.uri, device: device, now: now) {
        case .challenge(let stale): return challenge(request, server, stale: stale)
        case .wrongPassword:
            noteWrongPassword(of: device.name, flow)
            return challenge(request, server, stale: false)
        case .proven: break
        }
        bind(device.name, request, server, flow)
    }

    private mutating func bind(_ device: DeviceName, _ request: SIPRequest, _ server: ServerTransactionID, _ flow: Flow) {
        let headers = request.headers
        switch headers.contact {
        case nil: return acceptRegistration(device, request, server)
        case .any?:
            guard headers.expires == 0 else { return refuse(server, request, 400, "Contact * needs Expires: 0") }
            removeBinding(of: device)
            return acceptRegistration(device, request, server)
        case .list(let contacts)?:
            // A phone that moved says so in one REGISTER: what expires at once goes, the last one that stays wins.
            let live = contacts.last { lifetime(of: $0, headers) > 0 }
            guard let live else {
                if bindings.binding(of: device)?.flow == flow { removeBinding(of: device) }
                return acceptRegistration(device, request, server)
            }
            let asked = lifetime(of: live, headers)
            guard asked >= configuration.deviceExpires.lowerBound || asked >= 3600 else {
                var response = request.response(423, toTag: newTag())
                response.headers[.minExpires] = String(configuration.deviceExpires.lowerBound)
                return respond(server, response)
            }
            setBinding(device, live, min(asked, configuration.deviceExpires.upperBound), request, flow)
            acceptRegistration(device, request, server)
        }
    }

    private mutating func setBinding(
        _ device: DeviceName, _ contact: NameAddress, _ seconds: UInt32, _ request: SIPRequest, _ flow: Flow
    ) {
        let old = bindings.binding(of: device)?.flow
        let isNew = old != flow
        // Where the device is reached is the flow, whatever its Contact says; the Contact only names the target there.
        let binding = Binding(
            device: device, contact: contact.uri, flow: flow, expires: now + .seconds(Int64(seconds)), callID: request.headers.callID,
            userAgent: request.headers[.userAgent] ?? "")
        bindings.set(binding)
        moveDialogs(of: device, from: old, to: flow)
        out.append(
            .store(
                .binding(
                    BindingRecord(
                        device: device, contact: NameAddress(uri: contact.uri).description, transport: flow.transport, local: flow.local,
                        remote: flow.remote, expires: binding.expires, userAgent: binding.userAgent)), nil))
        tellPhone(device, .registered)
        if isNew { log(.info, "\(device.text) registered from \(flow.remote) over \(flow.transport.uriName)") }
    }

    private mutating func acceptRegistration(_ device: DeviceName, _ request: SIPRequest, _ server: ServerTransactionID) {
        var response = request.response(200, toTag: newTag())
        if let binding = bindings.binding(of: device) {
            let left = max(0, (binding.expires - now).components.seconds)
            response.headers.contact = .list([
                NameAddress(uri: binding.contact, parameters: [Parameter(name: "expires", value: String(left))])
            ])
        }
        respond(server, response)
    }

    /// Seconds asked for one Contact (RFC 3261 §10.2.1.1).
    private func lifetime(of contact: NameAddress, _ headers: Headers) -> UInt32 {
        let own = contact.parameters.first { $0.name == "expires" }?.value.flatMap(UInt32.init)
        return own ?? headers.expires ?? configuration.deviceExpires.upperBound
    }
}
