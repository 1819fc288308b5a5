public import CoreTypes
import EdgeProxy
public import HotDeskPolicy
public import Provisioning

/// What phones are told, beyond what the rest of the site says.
public struct ProvisioningSettings: Sendable, Equatable {
    /// Every model that is known here.
    public var catalogue: Catalogue
    /// The folder the catalogue came from; nil: none was found.
    public var cataloguePath: String?
    /// Where phones fetch from this edge: `http://192.0.2.10:8080/`, ends with "/". Nil: nothing is delivered.
    public var url: String?
    public var pickupCode: String
    public var timeServer: String?
    /// Minutes east of Greenwich.
    public var utcOffset: Int?
    public var adminPassword: Personal<String>?
    public var pollMinutes: Int

    public init(
        catalogue: Catalogue = Catalogue(), cataloguePath: String? = nil, url: String? = nil, pickupCode: String = "**",
        timeServer: String? = nil, utcOffset: Int? = nil, adminPassword: Personal<String>? = nil, pollMinutes: Int = 15
    ) {
        self.catalogue = catalogue
        self.cataloguePath = cataloguePath
        self.url = url
        self.pickupCode = pickupCode
        self.timeServer = timeServer
        self.utcOffset = utcOffset
        self.adminPassword = adminPassword
        self.pollMinutes = pollMinutes
    }
}

extension Site {
    /// What is the same for all phones of the site.
    public var phoneSite: PhoneSite {
        let names = configuration.extensions.map { ($0.number.text, $0.name) }
        return PhoneSite(
            domain: configuration.pbx.domain, registrationExpires: configuration.deviceExpires.upperBound,
            emergencyNumbers: configuration.policy.emergency.numbers, loginCode: configuration.policy.dialCodes.login,
            logoutCode: configuration.policy.dialCodes.logout, pickupCode: provisioning.pickupCode, language: configuration.language,
            names: Dictionary(names, uniquingKeysWith: { first, _ in first }), url: provisioning.url ?? "",
            timeServer: provisioning.timeServer, utcOffset: provisioning.utcOffset, adminPassword: provisioning.adminPassword,
            pollMinutes: provisioning.pollMinutes, signallingDSCP: dscp.signalling, mediaDSCP: dscp.media)
    }

    /// What goes into the file of a device; nil for a model that is not provisioned.
    ///
    /// - Parameter url: where the device fetches the file, with its token; ends with "/".
    public func phoneConfiguration(
        of device: Device, person: Extension?, generation: UInt64, url: Personal<String>
    ) -> PhoneConfiguration? {
        guard let model = provisioning.catalogue.model(named: device.model), model.vendor != nil, let proxy = proxy(of: device) else { return nil }
        return PhoneConfiguration(
            site: phoneSite, device: device.name, mac: device.mac, model: model, modules: device.modules, secret: device.secret,
            proxy: proxy, person: person.map(PhonePerson.init), generation: generation, url: url, fetch: fetchCredentials(of: device))
    }

    /// Nil where a phone's URL is enough.
    public func fetchCredentials(of device: Device) -> FetchCredentials? {
        delivery?.digest.isEmpty == false ? FetchCredentials(device: device.name, secret: device.secret) : nil
    }

    /// Where a device sends its SIP: its router phone, or the first of the edge's own sockets.
    private func proxy(of device: Device) -> PhoneProxy? {
        if let router = device.router, router != device.name {
            let parent = configuration.devices.first { $0.name == router }
            return parent?.address.map { PhoneProxy(endpoint: Endpoint(address: $0, port: 5060), transport: .udp) }
        }
        return configuration.listeners.first.map { PhoneProxy(endpoint: $0.endpoint, transport: $0.transport) }
    }
}

extension PhonePerson {
    init(_ person: Extension) {
        self.init(
            number: person.number, name: person.name, language: person.language,
            keys: person.blf.map { KeyAssignment($0) ?? .empty })
    }
}
