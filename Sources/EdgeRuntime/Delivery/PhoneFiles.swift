import CoreTypes
import EdgeProxy
import HotDeskPolicy
import Provisioning
import SiteFile

/// Makes the files of this site's phones.
struct PhoneFiles {
    private let site: Site
    private let baseURL: String

    /// The first part of the path of a device's own address.
    static let ownPath = "p"

    /// Nil where the site delivers nothing.
    init?(_ site: Site) {
        guard let url = site.deliveryURL else { return nil }
        self.site = site
        baseURL = url
    }

    var catalogue: Catalogue { site.provisioning.catalogue }

    /// Where phones that know nothing yet fetch.
    var firstURL: String { site.bootstrapURL ?? baseURL }

    /// A device's own address.
    func ownURL(_ token: String) -> Personal<String> { Personal("\(baseURL)\(Self.ownPath)/\(token)/") }

    func model(of device: Device) -> PhoneModel? { catalogue.model(named: device.model) }

    /// The device's file for what is on it now; nil for a model that cannot be provisioned.
    func own(_ desk: DeskView, token: String) -> RenderedFile? {
        site.phoneConfiguration(of: desk.device, person: desk.person, generation: desk.revision, url: ownURL(token)).flatMap(Renderer.device)
    }

    /// What the device proves itself with at its address; nil: nothing is asked for.
    func credentials(_ device: Device) -> FetchCredentials? { site.fetchCredentials(of: device) }

    func index(_ device: Device) -> RenderedFile? {
        model(of: device)?.vendor.flatMap { Renderer.index(vendor: $0, mac: device.mac) }
    }

    func bootstrap(_ device: Device, token: String) -> RenderedFile? {
        guard let vendor = model(of: device)?.vendor else { return nil }
        return Renderer.bootstrap(
            Bootstrap(vendor: vendor, mac: device.mac, url: ownURL(token), fetch: site.fetchCredentials(of: device)))
    }
}
