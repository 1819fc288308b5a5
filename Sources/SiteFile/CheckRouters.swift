import CoreTypes
import HotDeskPolicy
import Provisioning

/// Router phones, and the phones behind them.
extension SiteChecker {
    /// The router phone a device sends its SIP to: itself where `connection = "router"` stands alone or `router` is its
    /// own name, else the one `router` names.
    func router(
        of section: DeviceSection, name: DeviceName, connection: DeviceConnection?, model: PhoneModel?, _ catalogue: Catalogue
    ) -> DeviceName? {
        guard connection == .router else {
            if let router = section.router, connection != nil {
                problems.error(router.path, "a phone behind a router phone connects by \"router\"", "write connection = \"router\", or take router out")
            }
            return nil
        }
        let named = section.router.map { DeviceName($0.value) } ?? name
        guard let router = named else {
            if let text = section.router { problems.error(text.path, "\"\(text.value)\" is no device name", "name the router phone, as in \"HD0001\"") }
            return nil
        }
        if router == name, let model, !model.canBeRouter, let place = section.router ?? section.connection {
            let able = catalogue.models.filter { $0.canBeRouter && $0.vendor == model.vendor }.map(\.name)
            let remedy = "write connection = \"sbc\", or name the router phone it is behind with router"
            problems.error(
                place.path, "a \(model.name) cannot be a router phone",
                able.isEmpty ? remedy : "\(remedy), or use one of \(able.joined(separator: ", "))")
        }
        return router
    }

    func fixedAddress(of section: DeviceSection) -> IPAddress? {
        guard let text = section.address else { return nil }
        if let address = IPAddress(text.value), !address.isUnspecified, !address.isMulticast { return address }
        problems.error(text.path, "\"\(text.value)\" is no address of a phone", "write the address the router phone always gets, as in \"192.0.2.50\"")
        return nil
    }

    /// Whether each router phone is there, is one itself, can be found, and carries no more than its model can.
    func checkRouters(_ devices: [Device], places: [DeviceName: KeyPath], _ catalogue: Catalogue) {
        let byName = Dictionary(devices.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        for (router, children) in RouterTree(devices).children.sorted(by: { $0.key < $1.key }) {
            for child in children {
                guard let place = places[child]?.key("router") else { continue }
                guard places[router] != nil else {
                    let near = Spelling.nearest(to: router.text, among: places.keys.map { $0.text }.sorted()).map { "did you mean \"\($0)\"?" }
                    problems.error(place, "there is no device \(router.text)", near ?? "enrol the router phone, too")
                    continue
                }
                if let parent = byName[router], parent.router != router {
                    problems.error(place, "\(router.text) is no router phone", "write connection = \"router\" there, and no other phone in router")
                }
            }
            guard let parent = byName[router], let place = places[router] else { continue }
            if parent.address == nil, !problems.hasError(at: place.key("address")) {
                problems.error(
                    place.key("address"), "is missing: \(children.count) phones are to send their calls through \(router.text)",
                    "write the address it always gets, as in address = \"192.0.2.50\"")
            }
            guard let carries = catalogue.model(named: parent.model)?.carries, children.count > carries else { continue }
            problems.error(
                place.key("connection"), "a \(parent.model) carries \(carries) phones, not \(children.count)",
                "put some of them behind another router phone, or write connection = \"sbc\" for them")
        }
    }
}
