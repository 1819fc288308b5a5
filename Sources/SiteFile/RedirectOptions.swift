public import CoreTypes
import EdgeProxy
public import HotDeskPolicy
public import PhoneDelivery
public import Provisioning

/// The site's account at a vendor's redirect service.
public struct RedirectAccount: Sendable, Equatable {
    public var vendor: Vendor
    public var service: RedirectService
    /// `https://host[:port]/path`.
    public var url: String
    /// User name, or the name of an access key.
    public var user: String
    /// Nil: it is in an environment variable that is not set here.
    public var secret: Personal<String>?
    /// Where the secret should be, in words.
    public var missingSecret: String
    /// PEM file of the authorities the service's certificate may come from; nil: the system's.
    public var authorityPath: String?
    /// Name of our server's entry, where the service has one.
    public var server: String

    public init(
        vendor: Vendor, service: RedirectService, url: String, user: String, secret: Personal<String>?, missingSecret: String = "",
        authorityPath: String? = nil, server: String
    ) {
        self.vendor = vendor
        self.service = service
        self.url = url
        self.user = user
        self.secret = secret
        self.missingSecret = missingSecret
        self.authorityPath = authorityPath
        self.server = server
    }
}

extension Site {
    /// The phones whose vendors' services are to send them here.
    public var redirectTargets: [RedirectTarget] {
        guard let url = bootstrapURL else { return [] }
        let services = Dictionary(redirects.map { ($0.vendor, $0.service) }, uniquingKeysWith: { first, _ in first })
        return configuration.devices.compactMap { device in
            guard let vendor = vendor(of: device), let service = services[vendor] else { return nil }
            return RedirectTarget(mac: device.mac, device: device.name, service: service, url: vendor.firstAddress(url))
        }
    }

    /// Whose phone a device is; nil: of a model that is not provisioned.
    public func vendor(of device: Device) -> Vendor? { provisioning.catalogue.model(named: device.model)?.vendor }

    /// What the phone is to be told where nobody else tells it; nil: it cannot be provisioned here.
    public func addressByHand(of device: Device) -> String? {
        guard let url = bootstrapURL, let vendor = vendor(of: device) else { return nil }
        return vendor.firstAddress(url)
    }
}

extension RedirectService {
    /// Where the vendor runs it.
    var address: String {
        switch self {
        case .yealinkXMLRPC: return "https://rps.yealink.com/xmlrpc"
        case .yealinkRPS: return "https://api-dm.yealink.com:8443/"
        case .snomXMLRPC: return "https://secure-provisioning.snom.com:8083/xmlrpc/"
        case .snomSRAPS: return "https://api.sraps.snom.com/api/v1/"
        case .fanvilFDPS: return "https://fdps.fanvil.com/xmlrpc.php"
        }
    }

    /// Whether paths are made from the address, which must then end with "/".
    var hasPaths: Bool {
        switch self {
        case .yealinkRPS, .snomSRAPS: return true
        case .yealinkXMLRPC, .snomXMLRPC, .fanvilFDPS: return false
        }
    }
}
