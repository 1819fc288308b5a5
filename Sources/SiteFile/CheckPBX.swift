import CoreTypes
import EdgeProxy

/// `[pbx]`: where the PBX is and how it is proven to be the PBX.
extension SiteChecker {
    func pbxDomain() -> String? {
        checkVia()
        guard let domain = required(shape.pbx.domain, "domain", in: shape.pbx.path, "write domain = \"pbx.example\"") else { return nil }
        guard ValueText.isHostName(domain.value[...]) || IPAddress(domain.value) != nil else {
            problems.error(domain.path, "\"\(domain.value)\" is no domain", "write the SIP domain of the extensions, without \"sip:\" and port")
            return nil
        }
        return domain.value.lowercased()
    }

    private func checkVia() {
        guard let via = shape.pbx.via else { return }
        switch via.value {
        case "tls", "tunnel": break
        case "udp", "tcp":
            problems.error(via.path, "the way to the PBX is never plain text", "write via = \"tls\" or \"tunnel\"")
        default:
            problems.error(via.path, "\"\(via.value)\" is no way to the PBX", "write via = \"tls\" or \"tunnel\"")
        }
    }

    func pbxTarget(domain: String) -> PBXTarget? {
        if isTunnelled { return tunnelTarget() }
        for key in [shape.pbx.headends?.path, shape.pbx.mtu?.path].compactMap({ $0 }) {
            problems.error(key, "is for the tunnel alone", "write via = \"tunnel\", or take it out")
        }
        guard let servers = shape.pbx.servers else {
            if problems.hasError(at: shape.pbx.path.key("servers")) { return nil }
            if IPAddress(domain) != nil {
                problems.error(shape.pbx.path.key("servers"), "is missing, and an address has no SRV records", "write servers = [\"\(domain):5061\"]")
            }
            return .service(domain: domain)
        }
        if servers.value.isEmpty {
            problems.error(servers.path, "the list is empty", "name the PBX's nodes, or take the key out to find them by DNS")
        }
        var nodes: [PBXNode] = []
        for server in servers.value {
            guard let node = node(server) else { continue }
            if nodes.contains(node) {
                problems.error(server.path, "\(node.text) is listed twice", "take one of the two out")
            }
            nodes.append(node)
        }
        return .nodes(nodes)
    }

    /// `host`, `host:port`, `address:port` or `[address]:port`; always TLS.
    private func node(_ server: Placed<String>) -> PBXNode? {
        let text = server.value.lowercased()
        if let plain = Self.plainForm(of: text) {
            problems.error(
                server.path, "\"\(server.value)\" asks for plain text (\(plain)); the way to the PBX is always TLS",
                "name the PBX's TLS port, as in \"pbx1.example:5061\"")
            return nil
        }
        guard let node = Self.hostAndPort(text) else {
            problems.error(server.path, "\"\(server.value)\" is no host and port", "write \"pbx1.example:5061\", nothing before or after it")
            return nil
        }
        if node.port == 5060 {
            problems.error(
                server.path, "port 5060 is the port of plain SIP; the way to the PBX is always TLS",
                "name the PBX's TLS port, mostly 5061: \"\(PBXNode(host: node.host, port: 5061).text)\"")
            return nil
        }
        return node
    }

    /// What in a server's name asks for another transport than TLS.
    private static func plainForm(of text: String) -> String? {
        for form in ["sip:", "udp:", "tcp:", "http:"] where text.hasPrefix(form) { return form }
        let parameters = text.split(separator: ";").dropFirst()
        return parameters.first { $0 == "transport=udp" || $0 == "transport=tcp" || $0 == "transport=sctp" }.map { ";\($0)" }
    }

    static func hostAndPort(_ text: String, port: UInt16 = 5061) -> PBXNode? {
        if let endpoint = Endpoint(text) {
            guard endpoint.port != 0, !endpoint.address.isUnspecified, !endpoint.address.isMulticast else { return nil }
            return PBXNode(host: endpoint.address.description, port: endpoint.port)
        }
        if let address = IPAddress(text) { return PBXNode(host: address.description, port: port) }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard let host = parts.first, parts.count <= 2, ValueText.isHostName(host) else { return nil }
        guard parts.count == 2 else { return PBXNode(host: String(host), port: port) }
        return ValueText.port(parts[1]).map { PBXNode(host: String(host), port: $0) }
    }

    // MARK: Certificates

    func trunkTLS() -> TrunkTLS {
        var files = TrunkTLS()
        if let ca = shape.pbx.ca {
            checkPEM(ca, holds: "CERTIFICATE", named: "certificate")
            files.authorityPath = resolve(ca.value)
        }
        if isTunnelled { checkTunnelFiles() }
        let own = certificateAndKey(
            shape.pbx.certificate, shape.pbx.key, called: "client certificate",
            example: (certificate: "pki/branch-01.pem", key: "pki/branch-01.key"))
        files.certificatePath = own?.certificate
        files.keyPath = own?.key
        return files
    }

    /// The paths of a certificate and its key, where both are given; what is wrong with the files is reported.
    func certificateAndKey(
        _ certificate: Placed<String>?, _ key: Placed<String>?, called name: String, example: (certificate: String, key: String)
    ) -> (certificate: String, key: String)? {
        switch (certificate, key) {
        case (let certificate?, let key?):
            checkPEM(certificate, holds: "CERTIFICATE", named: "certificate")
            checkPEM(key, holds: "PRIVATE KEY", named: "private key")
            return (resolve(certificate.value), resolve(key.value))
        case (let certificate?, nil):
            problems.error(certificate.path, "a \(name) is of no use without its key", "write key = \"\(example.key)\"")
        case (nil, let key?):
            problems.error(key.path, "a key is of no use without its certificate", "write certificate = \"\(example.certificate)\"")
        case (nil, nil): break
        }
        return nil
    }

    private func checkPEM(_ file: Placed<String>, holds kind: String, named name: String) {
        let path = resolve(file.value)
        switch content(of: path) {
        case .file(let bytes, let worldReadable):
            let text = String(decoding: bytes, as: UTF8.self)
            if !text.contains("-----BEGIN ") || !text.contains("\(kind)-----") {
                problems.error(file.path, "\(path) holds no \(name) in PEM form", "convert it with openssl, or name another file")
            } else if kind == "PRIVATE KEY", worldReadable {
                problems.warning(file.path, "\(path) can be read by every user of this machine", "chmod 600 \(path)")
            }
        case .missing:
            problems.error(
                file.path, "there is no file \(path)",
                "put the \(name) there, or correct the path (it is seen from the site file's folder)")
        case .folder:
            problems.error(file.path, "\(path) is a folder", "name the PEM file in it")
        case .unreadable(let reason):
            problems.error(file.path, "\(path) cannot be read: \(reason)", "let the edge's user read it")
        }
    }

    // MARK: The site's account

    func account() -> EdgeConfiguration.Account? {
        guard let section = shape.pbx.account else {
            if shape.pbx.certificate == nil || isTunnelled, !problems.hasError(at: shape.pbx.path.key("account")) {
                problems.warning(
                    shape.pbx.path.key("account"), "is missing: the PBX has no way to call the site back after an emergency call",
                    "write account = { user = \"branch-01\", secret_file = \"secrets/branch-01\" }")
            }
            return nil
        }
        let secret = secret(section.secret, example: "secrets/branch-01")
        guard let user = required(section.user, "user", in: section.path, "write user = \"branch-01\"") else { return nil }
        guard isUser(user), section.authUser.map(isUser) ?? true, let secret else { return nil }
        return EdgeConfiguration.Account(user: user.value, authUser: section.authUser?.value ?? user.value, secret: secret)
    }

    /// Whether the text can be the user part of a SIP URI as it stands.
    func isUser(_ text: Placed<String>) -> Bool {
        if ValueText.isUser(text.value) { return true }
        problems.error(text.path, "\"\(text.value)\" cannot be a user name", "use letters, digits and -_.!~*'()+, at most 64")
        return false
    }

    func registrationExpires() -> UInt32 {
        let length = duration(shape.pbx.registrationExpires, within: .seconds(60)...(.seconds(86400)), example: "10m", or: .seconds(600))
        return UInt32(clamping: length.components.seconds)
    }
}
