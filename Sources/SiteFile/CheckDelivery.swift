import CoreTypes
import HotDeskPolicy
import PhoneDelivery
import Provisioning

/// What of `[provisioning]` is about fetching.
struct DeliverySection {
    var path: KeyPath
    var armWindow, rotateAfter, grace, phoneLogs: Placed<String>?
    var networks, enrolment, digest: Placed<[Placed<String>]>?
    var pnp: Placed<Bool>?

    /// Reads its keys of a table that others read, too.
    init(_ reader: TableReader) {
        path = reader.path
        networks = reader.stringOrStrings("networks")
        enrolment = reader.stringOrStrings("enrolment")
        digest = reader.strings("digest")
        armWindow = reader.string("arm_window")
        rotateAfter = reader.string("rotate_after")
        grace = reader.string("grace")
        pnp = reader.boolean("pnp")
        phoneLogs = reader.string("phone_logs")
    }
}

/// What of `[listen]` is HTTP, and who may fetch there.
extension SiteChecker {
    func web() -> WebOptions {
        var options = WebOptions()
        options.http = shape.listen.http.flatMap(webEndpoint)
        options.https = shape.listen.https.flatMap(webEndpoint)
        if let https = shape.listen.https, options.https != nil, options.https == options.http {
            problems.error(https.path, "is the address of http already", "choose another port, as in \"192.0.2.10:8443\"")
        }
        options.phoneAuthorityPath = phoneAuthority()
        guard let file = shape.listen.apiTokenFile else { return options }
        options.apiToken = secret(SecretSection(path: shape.listen.path, file: file, plain: nil), example: "secrets/api-token")
        if shape.listen.http == nil, shape.listen.https == nil {
            problems.warning(file.path, "nobody can use the token: there is no http", "write http = \"192.0.2.10:8080\"")
        }
        if let token = options.apiToken, token.exposed.utf8.count < 16 {
            problems.error(file.path, "the token is shorter than 16 bytes", "write a random one: openssl rand -hex 24")
        }
        return options
    }

    private func phoneAuthority() -> String? {
        guard let file = shape.listen.phoneCA else { return nil }
        let path = resolve(file.value)
        switch content(of: path) {
        case .file: break
        case .folder: problems.error(file.path, "\(path) is a folder", "name the PEM file of the phones' authorities")
        case .missing: problems.error(file.path, "there is no file \(path)", "put the PEM file of the phones' authorities there")
        case .unreadable(let reason): problems.error(file.path, "\(path) cannot be read: \(reason)", "let the edge's user read it")
        }
        return path
    }

    private func webEndpoint(_ text: Placed<String>) -> Endpoint? {
        guard let endpoint = Endpoint(text.value), endpoint.port != 0, !endpoint.address.isMulticast, !endpoint.address.isUnspecified else {
            problems.error(
                text.path, "\"\(text.value)\" is no usable address and port", "write an address of this machine and a port, as in \"192.0.2.10:8080\"")
            return nil
        }
        return endpoint
    }

    /// Nil: nothing is delivered.
    func delivery(_ web: WebOptions) -> DeliveryOptions? {
        let section = shape.provisioning.delivery
        guard let networks = section.networks else {
            if section.enrolment != nil || section.armWindow != nil || section.pnp != nil {
                problems.error(
                    section.path.key("networks"), "is missing", "write the phones' networks, as in networks = [\"192.0.2.0/24\"]")
            }
            return nil
        }
        if shape.listen.http == nil, shape.listen.https == nil {
            problems.error(networks.path, "phones have nowhere to fetch from", "write http = \"192.0.2.10:8080\" in [listen]")
        }
        let served = blocks(networks)
        var rules = DeliveryRules(enrolment: section.enrolment.map(blocks) ?? served, networks: served)
        rules.armWindow = duration(section.armWindow, within: .seconds(60)...(.seconds(30 * 86_400)), example: "24h", or: rules.armWindow)
        rules.rotateAfter = duration(
            section.rotateAfter, within: .seconds(3600)...(.seconds(366 * 86_400)), example: "30d", or: rules.rotateAfter)
        rules.grace = duration(section.grace, within: .seconds(3600)...(.seconds(90 * 86_400)), example: "7d", or: rules.grace)
        return DeliveryOptions(
            rules: rules, digest: section.digest.map { digestAlgorithms($0, key: "digest") } ?? [], pnp: section.pnp?.value ?? true,
            logFolder: section.phoneLogs.map { resolve($0.value) })
    }

    /// By which NOTIFY each device fetches its file anew; those of models that fetch nothing are left out.
    func checkSyncEvents(_ devices: [Device], _ catalogue: Catalogue) -> [DeviceName: String] {
        var events: [DeviceName: String] = [:]
        for device in devices { events[device.name] = catalogue.model(named: device.model).flatMap { CheckSync(for: $0) }?.event }
        return events
    }

    private func blocks(_ list: Placed<[Placed<String>]>) -> [AddressBlock] {
        if list.value.isEmpty { problems.error(list.path, "the list is empty: no phone could fetch", "write networks such as \"192.0.2.0/24\"") }
        return list.value.compactMap { text in
            guard let block = AddressBlock(text.value) else {
                problems.error(
                    text.path, "\"\(text.value)\" is no network", "write its first address and its length, as in \"192.0.2.0/24\"")
                return nil
            }
            if block.length == 0 {
                problems.warning(text.path, "every address in the world is in \(block)", "write the phones' own networks")
            }
            return block
        }
    }
}
