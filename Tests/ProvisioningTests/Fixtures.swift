import CoreTypes
import HotDeskPolicy
import Provisioning
import SiteFile

/// A phone of the shipped catalogue at a small site.
enum Phones {
    static let catalogue = CatalogueLoader.load().catalogue

    /// One model of each vendor for the usual files, one with few keys for overflow.
    static let usual: [(vendor: Vendor, model: String, small: String)] = [
        (.yealink, "yealink-t33g", "yealink-t31p"), (.fanvil, "fanvil-x4u", "fanvil-x3u"), (.snom, "snom-d785", "snom-d713"),
        (.grandstream, "grandstream-grp2614", "grandstream-grp2612"), (.poly, "poly-vvx450", "poly-vvx250"),
        (.cisco, "cisco-8841", "cisco-6841"),
    ]

    static func model(_ name: String) -> PhoneModel { catalogue.model(named: name) ?? .generic }

    static let site = PhoneSite(
        domain: "pbx.example", registrationExpires: 600, emergencyNumbers: ["112", "911"], names: ["101": "Bob Jones", "102": "Carol \"CD\" <Diaz> & Co"],
        url: "http://192.0.2.10:8080/", timeServer: "192.0.2.1", utcOffset: 90, adminPassword: Personal("admin secret"))

    static func configuration(_ model: String, person: PhonePerson? = nil, modules: Int = 0, generation: UInt64 = 7) -> PhoneConfiguration? {
        guard let device = DeviceName("HD0001"), let mac = MACAddress("80:5e:c0:aa:bb:01") else { return nil }
        return PhoneConfiguration(
            site: site, device: device, mac: mac, model: self.model(model), modules: modules, secret: Personal("desk <secret> & 'more'"),
            proxy: PhoneProxy(endpoint: Endpoint(address: IPAddress(v4: 0xC000_020A), port: 5060), transport: .tcp), person: person,
            generation: generation, url: Personal("http://192.0.2.10:8080/p/token/"))
    }

    /// Alice with a gap, a name from the list, labels of her own.
    static var alice: PhonePerson? {
        ExtensionNumber("100").map { number in
            PhonePerson(
                number: number, name: "Alice Smith", language: "es",
                keys: ["101", "", "102", "speed:+15551234:Mum", "park:SP1"].compactMap { KeyAssignment($0) })
        }
    }

    /// Somebody who watches more people than any small phone has keys for.
    static var busy: PhonePerson? {
        ExtensionNumber("100").map { number in
            PhonePerson(number: number, name: "Alice Smith", keys: (101...125).compactMap { KeyAssignment("\($0)") })
        }
    }
}
