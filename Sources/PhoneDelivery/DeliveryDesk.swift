public import CoreTypes
public import CryptoPrimitives
public import HotDeskPolicy

/// Decides which phone may have which device's configuration.
///
/// A device is *armed* when it was listed or an administrator said so: then its MAC is enough, from the enrolment
/// networks, to be given a secret URL and nothing else. From the first use of that URL on, only the URL counts. It gives
/// way to a new one when it is old or was seen where it should not be; the old one dies when the new one is used.
public struct DeliveryDesk: Sendable {
    private struct Phone: Sendable {
        var mac: MACAddress
        var model: String
        var record: DeliveryRecord
    }

    private var rules: DeliveryRules
    private var phones: [DeviceName: Phone] = [:]
    private var byMAC: [MACAddress: DeviceName] = [:]
    private var byToken: [TokenHash: DeviceName] = [:]
    private var random: RandomStream
    /// When a refusal or mismatch was last reported, so that a stubborn phone does not fill the audit.
    private var reported: [ReportKey: Instant] = [:]

    private struct ReportKey: Hashable, Sendable {
        var device: DeviceName?
        var source: IPAddress
        var text: String
    }

    /// Between two reports of the same thing.
    private static let reportInterval = Duration.seconds(600)
    private static let maximumReports = 1024

    /// - Parameter seed: 32 unpredictable bytes; the URLs come from them.
    public init(rules: DeliveryRules, seed: [UInt8]) {
        self.rules = rules
        random = RandomStream(seed: seed)
    }

    // MARK: Devices

    /// Takes over the devices of the site. One that is new here is armed from now on.
    public mutating func setDevices(
        _ devices: [Device], rules: DeliveryRules, records: [DeliveryRecord] = [], now: Instant
    ) -> [DeliveryAction] {
        self.rules = rules
        let known = Dictionary(records.map { ($0.device, $0) }, uniquingKeysWith: { first, _ in first })
        var actions: [DeliveryAction] = []
        var kept: [DeviceName: Phone] = [:]
        for device in devices {
            var record = phones[device.name]?.record ?? known[device.name]
            // Another handset at that desk has nothing of the one before.
            if let before = phones[device.name], before.mac != device.mac { record = nil }
            if record == nil { actions.append(.report(device.name, "armed: it is newly listed")) }
            let settled = record ?? DeliveryRecord(device: device.name, armedUntil: now + rules.armWindow, issued: now)
            if record == nil { actions.append(.store(settled)) }
            kept[device.name] = Phone(mac: device.mac, model: device.model, record: settled)
        }
        phones = kept
        byMAC = Dictionary(kept.map { ($0.value.mac, $0.key) }, uniquingKeysWith: { first, _ in first })
        byToken = [:]
        for device in kept.keys { indexTokens(of: device) }
        return actions
    }

    private mutating func indexTokens(of device: DeviceName) {
        guard let record = phones[device]?.record else { return }
        if let current = record.current { byToken[current] = device }
        if let previous = record.previous { byToken[previous] = device }
    }

    public func record(of device: DeviceName) -> DeliveryRecord? { phones[device]?.record }

    public func device(of mac: MACAddress) -> DeviceName? { byMAC[mac] }

    /// Whether a URL is one of a device's.
    public func knows(_ token: DeliveryToken) -> Bool { byToken[TokenHash(of: token)] != nil }

    /// An administrator has the device set up anew: after a factory reset, or with another handset.
    public mutating func arm(_ device: DeviceName, now: Instant) -> [DeliveryAction] {
        guard phones[device] != nil else { return [] }
        phones[device]?.record.armedUntil = now + rules.armWindow
        return stored(device) + [.report(device, "armed by an administrator")]
    }

    private func stored(_ device: DeviceName) -> [DeliveryAction] { phones[device].map { [.store($0.record)] } ?? [] }

    // MARK: Requests

    public mutating func request(
        _ request: DeliveryRequest, now: Instant
    ) -> (verdict: DeliveryVerdict, actions: [DeliveryAction]) {
        guard let token = request.token else { return first(request, now) }
        return known(request, token, now)
    }

    /// On the path without a secret.
    private mutating func first(_ request: DeliveryRequest, _ now: Instant) -> (DeliveryVerdict, [DeliveryAction]) {
        guard let mac = request.claims.first else { return refuse(.nobody, nil, request, now) }
        guard request.claims.allSatisfy({ $0 == mac }) else { return refuse(.contradiction, byMAC[mac], request, now) }
        guard let device = byMAC[mac], let phone = phones[device] else { return refuse(.unknownDevice, nil, request, now) }
        guard rules.enrolment.contains(where: { $0.contains(request.source) }) else {
            return refuse(.outsideEnrolment, device, request, now)
        }
        guard phone.record.isArmed(at: now) else { return refuse(.notArmed, device, request, now) }
        if isOfOtherVendor(request, phone) { return refuse(.otherVendor, device, request, now) }
        let token = DeliveryToken(random: &random)
        var record = phone.record
        // A URL nobody has used is worth nothing to anybody; one in use stays until the new one is used.
        if record.isCurrentUsed { keepPrevious(&record, now) }
        record.current = TokenHash(of: token)
        record.isCurrentUsed = false
        record.issued = now
        record.mustRotate = false
        return (.bootstrap(device, token, record), noteModel(request, device, phone, now))
    }

    /// The device a request by secret URL has to prove itself as, where it would be served and phones must prove
    /// themselves. One that is armed need not: it may be a phone that was never told its password.
    public func mustProve(_ request: DeliveryRequest, now: Instant) -> DeviceName? {
        guard let token = request.token, let device = byToken[TokenHash(of: token)], let phone = phones[device],
            refusal(request, TokenHash(of: token), phone, now) == nil, !phone.record.isArmed(at: now) || !phone.record.isCurrentUsed
        else { return nil }
        return device
    }

    /// The password at a URL was wrong.
    public mutating func noteWrongPassword(_ device: DeviceName, _ request: DeliveryRequest, now: Instant) -> [DeliveryAction] {
        report(device, "wrong password at its URL (from \(request.source))", request, now)
    }

    /// By secret URL.
    private mutating func known(
        _ request: DeliveryRequest, _ token: DeliveryToken, _ now: Instant
    ) -> (DeliveryVerdict, [DeliveryAction]) {
        let hash = TokenHash(of: token)
        guard let device = byToken[hash], let phone = phones[device] else { return refuse(.unknownURL, nil, request, now) }
        if let refusal = refusal(request, hash, phone, now) {
            if refusal == .foreignNetwork { phones[device]?.record.mustRotate = true }
            let (verdict, actions) = refuse(refusal, refusal == .unknownURL ? nil : device, request, now)
            return (verdict, (refusal == .foreignNetwork && !phone.record.mustRotate ? stored(device) : []) + actions)
        }
        let isCurrent = phone.record.current == hash
        var actions = noteModel(request, device, phone, now)
        if isCurrent, !phone.record.isCurrentUsed {
            actions += firstUse(device, now)
        }
        return (.configuration(device, token, rotated: isCurrent ? rotation(device, now) : reissue(device, now)), actions)
    }

    /// Why a URL of this phone is worth nothing in this request; nil: it is good.
    private func refusal(_ request: DeliveryRequest, _ hash: TokenHash, _ phone: Phone, _ now: Instant) -> DeliveryRefusal? {
        guard phone.record.current == hash || now < phone.record.previousUntil else { return .unknownURL }
        guard request.claims.allSatisfy({ $0 == phone.mac }) else { return .foreignDevice }
        guard rules.networks.contains(where: { $0.contains(request.source) }) else { return .foreignNetwork }
        return isOfOtherVendor(request, phone) ? .otherVendor : nil
    }

    /// The phone has shown that it has the URL: from here on its MAC alone is worth nothing, and neither is the URL before.
    private mutating func firstUse(_ device: DeviceName, _ now: Instant) -> [DeliveryAction] {
        phones[device]?.record.isCurrentUsed = true
        phones[device]?.record.armedUntil = now
        if let previous = phones[device]?.record.previous { byToken[previous] = nil }
        phones[device]?.record.previous = nil
        return stored(device) + [.report(device, "its URL is in use; no longer armed")]
    }

    private mutating func rotation(_ device: DeviceName, _ now: Instant) -> DeliveryVerdict.Rotation? {
        guard let record = phones[device]?.record, record.isCurrentUsed else { return nil }
        guard record.mustRotate || now - record.issued >= rules.rotateAfter else { return nil }
        return newURL(record, now)
    }

    /// A phone that still comes by the URL before has not taken up the new one, which is held as a hash alone: it is
    /// given another.
    private mutating func reissue(_ device: DeviceName, _ now: Instant) -> DeliveryVerdict.Rotation? {
        guard let record = phones[device]?.record, !record.isCurrentUsed else { return nil }
        return newURL(record, now)
    }

    private mutating func newURL(_ before: DeliveryRecord, _ now: Instant) -> DeliveryVerdict.Rotation {
        let token = DeliveryToken(random: &random)
        var record = before
        if record.isCurrentUsed { keepPrevious(&record, now) }
        record.current = TokenHash(of: token)
        record.isCurrentUsed = false
        record.issued = now
        record.mustRotate = false
        return DeliveryVerdict.Rotation(token: token, record: record)
    }

    private func keepPrevious(_ record: inout DeliveryRecord, _ now: Instant) {
        record.previous = record.current
        record.previousUntil = now + rules.grace
    }

    /// The record is on disk: from here on its URL is known.
    public mutating func commit(_ record: DeliveryRecord) {
        guard let before = phones[record.device]?.record else { return }
        for hash in [before.current, before.previous].compactMap({ $0 }) { byToken[hash] = nil }
        phones[record.device]?.record = record
        indexTokens(of: record.device)
    }

    // MARK: Refusals

    private mutating func refuse(
        _ refusal: DeliveryRefusal, _ device: DeviceName?, _ request: DeliveryRequest, _ now: Instant
    ) -> (DeliveryVerdict, [DeliveryAction]) {
        (.missing(refusal), report(device, "\(refusal.rawValue) (from \(request.source))", request, now))
    }

    private mutating func report(
        _ device: DeviceName?, _ text: String, _ request: DeliveryRequest, _ now: Instant
    ) -> [DeliveryAction] {
        let key = ReportKey(device: device, source: request.source, text: text)
        if let last = reported[key], now - last < Self.reportInterval { return [] }
        if reported.count >= Self.maximumReports { reported.removeAll(keepingCapacity: true) }
        reported[key] = now
        return [.report(device, text)]
    }

    private func isOfOtherVendor(_ request: DeliveryRequest, _ phone: Phone) -> Bool {
        guard let model = request.model else { return false }
        return Self.vendor(model) != Self.vendor(phone.model)
    }

    /// Another model of the same vendor is served what is listed, and reported: its keys may be others.
    private mutating func noteModel(
        _ request: DeliveryRequest, _ device: DeviceName, _ phone: Phone, _ now: Instant
    ) -> [DeliveryAction] {
        guard let model = request.model, model != phone.model else { return [] }
        return report(device, "the phone is a \(model), the site file says \(phone.model): correct it", request, now)
    }

    private static func vendor(_ model: String) -> Substring { model.prefix { $0 != "-" } }
}
