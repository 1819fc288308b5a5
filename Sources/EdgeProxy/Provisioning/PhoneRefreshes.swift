import CoreTypes
import HotDeskPolicy
import SIPMessage
import SIPTransaction

/// The phones of the site that are provisioned here, and the NOTIFYs on their way.
struct PhoneRefreshTable: Sendable {
    private var phones: [DeviceName: PhoneRefresh] = [:]
    private var clients: [ClientTransactionID: DeviceName] = [:]
    /// Phones that wait for the end of a call.
    private(set) var parked: Set<DeviceName> = []
    /// How long logins took, by model.
    var readyTimes: [String: DurationHistogram] = [:]

    subscript(_ device: DeviceName) -> PhoneRefresh? { phones[device] }

    mutating func insert(_ phone: PhoneRefresh, for device: DeviceName) { phones[device] = phone }

    mutating func remove(_ device: DeviceName) {
        phones[device] = nil
        parked.remove(device)
    }

    var devices: [DeviceName] { Array(phones.keys) }

    mutating func handle(
        _ event: PhoneRefresh.Event, _ device: DeviceName, now: Instant, reach: PhoneRefresh.Reach
    ) -> [PhoneRefresh.Action] {
        guard let index = phones.index(forKey: device) else { return [] }
        let actions = phones.values[index].handle(event, now: now, reach: reach)
        if phones.values[index].isParked { parked.insert(device) } else { parked.remove(device) }
        return actions
    }

    mutating func sent(_ client: ClientTransactionID, _ device: DeviceName) { clients[client] = device }

    mutating func taken(_ client: ClientTransactionID) -> DeviceName? { clients.removeValue(forKey: client) }
}

/// Logins and logouts become NOTIFYs with the vendor's form of check-sync, to the exact contact of the phone.
extension EdgeProxy {
    /// One machine for each device whose vendor's form is known; those of before keep their state.
    mutating func indexPhones(restoring records: [PhoneRecord] = []) {
        let known = Dictionary(records.map { ($0.device, $0) }, uniquingKeysWith: { first, _ in first })
        for device in refreshes.devices where configuration.phoneRefresh.events[device] == nil || devices[device] == nil {
            refreshes.remove(device)
        }
        for device in configuration.phoneRefresh.events.keys where devices[device] != nil && refreshes[device] == nil {
            refreshes.insert(
                PhoneRefresh(
                    session: sessions.session(on: device)?.generation ?? 0, record: known[device], now: now,
                    timing: configuration.phoneRefresh.timing), for: device)
            armRefresh(device)
        }
    }

    /// Somebody has sat down or got up.
    mutating func phoneChanged(_ device: DeviceName) {
        tellPhone(device, .session(sessions.session(on: device)?.generation ?? 0))
        tellWatchers(of: device)
    }

    /// Phones whose device or person the site file has changed, the order of a person's keys among it.
    mutating func renewPhones(since oldDevices: [DeviceName: Device], _ oldExtensions: [ExtensionNumber: Extension]) {
        for device in refreshes.devices {
            let person = sessions.session(on: device)?.extension
            let isSame = devices[device] == oldDevices[device] && person.flatMap { extensions[$0] } == person.flatMap { oldExtensions[$0] }
            if !isSame, oldDevices[device] != nil { tellPhone(device, .stale) }
        }
    }

    mutating func tellPhone(_ device: DeviceName, _ event: PhoneRefresh.Event) {
        for action in refreshes.handle(event, device, now: now, reach: reach(of: device)) { perform(action, device) }
        armRefresh(device)
    }

    private mutating func armRefresh(_ device: DeviceName) {
        if let due = refreshes[device]?.nextDeadline { timers.schedule(.phoneRefresh(device), at: due) }
    }

    mutating func refreshDue(_ device: DeviceName) {
        guard let due = refreshes[device]?.nextDeadline, due <= now else { return }
        tellPhone(device, .tick)
    }

    /// Phones whose calls have ended meanwhile.
    mutating func releaseParkedPhones() {
        for device in refreshes.parked where !reach(of: device).isBusy { tellPhone(device, .tick) }
    }

    private func reach(of device: DeviceName) -> PhoneRefresh.Reach {
        PhoneRefresh.Reach(
            isThere: bindings.binding(of: device).map { $0.expires > now } ?? false,
            isBusy: calls.count(of: device) + localCalls.count(of: device) > 0)
    }

    private mutating func perform(_ action: PhoneRefresh.Action, _ device: DeviceName) {
        switch action {
        case .notify: sendCheckSync(device)
        case .store:
            guard let record = refreshes[device]?.record(of: device) else { return }
            out.append(.store(.phone(record), nil))
        case .ready(let duration):
            guard let model = devices[device]?.model else { return }
            refreshes.readyTimes[model, default: DurationHistogram()].add(duration)
            log(.info, "\(device.text) is ready \(duration.components.seconds) s after the login")
        case .alarm(let reason):
            audit(
                .degraded, device: device.text, extension: sessions.session(on: device)?.extension.text ?? "", request: "NOTIFY check-sync",
                detail: "the phone has not fetched its configuration: \(reason)")
        case .recovered: log(.notice, "\(device.text) has fetched its configuration after all")
        }
    }

    // MARK: NOTIFY

    /// A NOTIFY outside any dialog, as phones know it, though RFC 6665 wants a subscription: with Subscription-State,
    /// which some stacks ask for.
    private mutating func sendCheckSync(_ device: DeviceName) {
        guard let binding = bindings.binding(of: device), let event = configuration.phoneRefresh.events[device] else { return }
        let address = NameAddress(uri: .sip(SIPURI(user: device.text, host: pbxHost)))
        var request = SIPRequest(
            method: .notify, uri: binding.contact,
            headers: Headers(
                via: [], from: address.with(tag: newTag()), to: address, callID: CallID(value: token(12)),
                cseq: CSeq(number: 1, method: .notify)))
        request.headers.maxForwards = 70
        request.headers.contact = .list([contact(user: device.text, on: binding.flow)])
        request.headers[.event] = event
        request.headers[.subscriptionState] = "active"
        request.headers[.userAgent] = "edgeproxy"
        sendCheckSync(request, device, on: binding.flow, answered: false)
    }

    private mutating func sendCheckSync(_ request: SIPRequest, _ device: DeviceName, on flow: Flow, answered: Bool) {
        var request = request
        request.headers.via = [via(on: flow)]
        let client = transactions.send(request, on: flow, now: now, into: &pending)
        refreshes.sent(client, device)
        guard !answered, let secret = devices[device]?.secret else { return }
        ownRequests[client] = OwnRequest(
            request: request, flow: flow, account: EdgeConfiguration.Account(user: device.text, authUser: device.text, secret: secret))
    }

    /// True where the answer was to a NOTIFY of ours. A phone that challenges it holds the device's own secret.
    mutating func checkSyncAnswered(_ status: Int, _ response: SIPResponse?, _ client: ClientTransactionID) -> Bool {
        guard let device = refreshes.taken(client) else { return false }
        let own = ownRequests.removeValue(forKey: client)
        if let challenge = response?.challenge, var own, let account = own.account {
            own.request.authorize(challenge, isProxy: status == 407, account, cnonce: token(8))
            sendCheckSync(own.request, device, on: own.flow, answered: true)
        } else {
            tellPhone(device, .answered(status))
        }
        return true
    }
}
