public import CoreTypes
public import EdgeProxy

/// Reads a headend's file; says everything that is wrong at once.
public enum HeadendLoader {
    public static func load(path: String) -> HeadendLoadResult {
        switch SitePaths.content(of: path) {
        case .file(let bytes, _):
            guard let text = String(validating: bytes, as: UTF8.self) else { return failure(path, "the file is not UTF-8 text", "save it as UTF-8") }
            return load(text: text, directory: SitePaths.folder(of: path), file: path, readFile: SitePaths.content)
        case .folder: return failure(path, "this is a folder", "name the headend's file itself, as in conf/headend.toml")
        case .missing: return failure(path, "there is no such file", "name the headend's file with --config")
        case .unreadable(let reason): return failure(path, "the file cannot be read: \(reason)", "run as a user who may read it")
        }
    }

    /// Reads a text as if it lay in `directory` under the name `file`, with `readFile` in place of the disk.
    public static func load(
        text: String, directory: String, file: String = "headend.toml", readFile: @escaping (String) -> SitePathContent
    ) -> HeadendLoadResult {
        let problems = Problems()
        let document: [String: TOMLNode]
        do {
            document = try TOMLDocument.parse(text)
        } catch {
            return failure(file, line: error.line, error.what, "mend the TOML here; the rest was not read")
        }
        let checker = HeadendChecker(
            shape: HeadendShape(document, problems: problems), problems: problems, directory: directory, readFile: readFile)
        let settings = checker.check()
        return HeadendLoadResult(settings: problems.hasErrors ? nil : settings, problems: problems.report(file: file, text: text))
    }

    private static func failure(_ file: String, line: Int = 1, _ what: String, _ remedy: String) -> HeadendLoadResult {
        HeadendLoadResult(
            settings: nil, problems: [SiteProblem(severity: .error, file: file, line: line, key: "", what: what, remedy: remedy)])
    }
}

/// Turns a headend's shape into settings.
struct HeadendChecker {
    let shape: HeadendShape
    let problems: Problems
    let directory: String
    let readFile: (String) -> SitePathContent

    private static let root = KeyPath.root

    func check() -> HeadendSettings? {
        let listen = endpoints(shape.listen, "headend", "listen", "write listen = [\"192.0.2.5:5090\"]", port: 5090)
        let name = shape.name?.value ?? "headend"
        let state = resolve(shape.state?.value ?? "run/headend")
        let files = (
            ca: file(shape.ca, "ca", "CERTIFICATE"), certificate: file(shape.certificate, "certificate", "CERTIFICATE"),
            key: file(shape.key, "key", "PRIVATE KEY"))
        let authorityKey = shape.caKey.flatMap { pem($0, "PRIVATE KEY") }
        let days = number(shape.certificateDays, 1...3650, or: 90)
        let life = duration(shape.tokenLife, or: .seconds(24 * 3600))
        let address = self.address()
        let nodes = self.nodes(near: address)
        let media = self.media()
        let limits = (sites: number(shape.maximumSites, 1...4096, or: 256), streams: number(shape.streamsPerSite, 8...512, or: 256))
        let mtu = number(shape.mtu, 548...1452, or: 1400)
        let dscp = TrafficClass(
            signalling: UInt8(number(shape.dscp?.signalling, 0...63, or: 24)), media: UInt8(number(shape.dscp?.media, 0...63, or: 46)))
        let level = logLevel()
        guard let ca = files.ca, let certificate = files.certificate, let key = files.key, let address, let media else { return nil }
        return HeadendSettings(
            name: name, listen: listen, statePath: state, controlPath: resolve(shape.control?.value ?? "run/headend.sock"), authorityPath: ca,
            certificatePath: certificate, keyPath: key, authorityKeyPath: authorityKey, certificateDays: days, tokenLife: life, nodes: nodes,
            address: address, pbxAuthorityPath: shape.pbxCA.flatMap { pem($0, "CERTIFICATE") }, media: media, mtu: mtu, maximumSites: limits.sites,
            streamsPerSite: limits.streams, dscp: dscp, logLevel: level)
    }

    private func resolve(_ path: String) -> String { SitePaths.resolve(path, from: directory) }

    private func missing(_ section: String, _ key: String, _ remedy: String) {
        problems.error(Self.root.key(section).key(key), "is missing", remedy)
    }

    // MARK: Values

    private func number(_ number: Placed<Int>?, _ bounds: ClosedRange<Int>, or fallback: Int) -> Int {
        guard let number else { return fallback }
        guard bounds.contains(number.value) else {
            problems.error(number.path, "\(number.value) is out of range", "choose between \(bounds.lowerBound) and \(bounds.upperBound)")
            return fallback
        }
        return number.value
    }

    private func duration(_ text: Placed<String>?, or fallback: Duration) -> Duration {
        guard let text else { return fallback }
        guard let value = ValueText.duration(text.value), value >= .seconds(60), value <= .seconds(30 * 86_400) else {
            problems.error(text.path, "\"\(text.value)\" is no usable length of time", "write 1m to 30d, as in \"24h\"")
            return fallback
        }
        return value
    }

    private func logLevel() -> LogLevel {
        guard let text = shape.level else { return .info }
        if let level = LogLevel(rawValue: text.value) { return level }
        problems.error(text.path, "\"\(text.value)\" is no level", "write debug, info, notice, warning or error")
        return .info
    }

    // MARK: Addresses

    private func endpoints(_ list: Placed<[Placed<String>]>?, _ section: String, _ key: String, _ remedy: String, port: UInt16) -> [Endpoint] {
        guard let list, !list.value.isEmpty else {
            missing(section, key, remedy)
            return []
        }
        return list.value.compactMap { text in
            let found = Endpoint(text.value) ?? IPAddress(text.value).map { Endpoint(address: $0, port: port) }
            if let found, found.port != 0, !found.address.isMulticast { return found }
            problems.error(text.path, "\"\(text.value)\" is no address and port of this machine", remedy)
            return nil
        }
    }

    private func address() -> IPAddress? {
        guard let text = shape.address else {
            missing("pbx", "address", "write address = \"10.0.0.5\", this machine's own in the PBX's network")
            return nil
        }
        if let address = IPAddress(text.value), !address.isUnspecified, !address.isMulticast { return address }
        problems.error(text.path, "\"\(text.value)\" is no address", "write this machine's own address in the PBX's network")
        return nil
    }

    private func nodes(near own: IPAddress?) -> [HeadendSettings.Node] {
        let remedy = "write nodes = [\"udp:10.0.0.20:5060\"]; tcp: and tls: are understood, too"
        guard let list = shape.nodes, !list.value.isEmpty else {
            missing("pbx", "nodes", remedy)
            return []
        }
        if list.value.count > PBXTarget.maximumTunnelWays {
            problems.error(list.path, "there are more than \(PBXTarget.maximumTunnelWays) nodes", "keep those that edges shall use")
        }
        var nodes: [HeadendSettings.Node] = []
        for text in list.value {
            guard let node = Self.node(text.value.lowercased()) else {
                problems.error(text.path, "\"\(text.value)\" is no transport, host and port", remedy)
                continue
            }
            if nodes.contains(node) { problems.error(text.path, "\(node.text) is listed twice", "take one of the two out") }
            if let own, let address = IPAddress(node.node.host), address.family != own.family {
                problems.error(text.path, "\(node.text) is of another address family than address = \"\(own)\"", "give both of one family")
            }
            nodes.append(node)
        }
        return nodes
    }

    private static func node(_ text: String) -> HeadendSettings.Node? {
        let forms: [(String, TransportProtocol, UInt16)] = [("udp:", .udp, 5060), ("tcp:", .tcp, 5060), ("tls:", .tls, 5061)]
        for (prefix, transport, port) in forms where text.hasPrefix(prefix) {
            return SiteChecker.hostAndPort(String(text.dropFirst(prefix.count)), port: port).map { .init(transport: transport, node: $0) }
        }
        return nil
    }

    private func media() -> MediaRange? {
        let remedy = "write [media] with address = \"10.0.0.5\" and ports = \"30000-33999\""
        guard let section = shape.media, let address = section.address?.value, !address.isEmpty, let ports = section.ports else {
            problems.error(shape.media?.path ?? Self.root.key("media"), "address and ports are needed", remedy)
            return nil
        }
        let addresses = address.compactMap { text -> IPAddress? in
            if let found = IPAddress(text.value), !found.isMulticast, !found.isUnspecified { return found }
            problems.error(text.path, "\"\(text.value)\" is no address", remedy)
            return nil
        }
        let bounds = ports.value.split(separator: "-").compactMap { UInt16($0) }
        guard bounds.count == 2, bounds[0] >= 1024, bounds[0] % 2 == 0, bounds[1] % 2 == 1, bounds[0] < bounds[1], !addresses.isEmpty else {
            problems.error(ports.path, "\"\(ports.value)\" is no range of ports", "begin it even and end it odd, from 1024 on: \"30000-33999\"")
            return nil
        }
        return MediaRange(addresses: addresses, ports: bounds[0]...bounds[1])
    }

    // MARK: Files

    private func file(_ path: Placed<String>?, _ key: String, _ kind: String) -> String? {
        guard let path else {
            missing("tls", key, "write \(key) = \"pki/\(key).pem\"; edgeproxy headend init makes all three")
            return nil
        }
        return pem(path, kind)
    }

    private func pem(_ file: Placed<String>, _ kind: String) -> String? {
        let path = resolve(file.value)
        switch readFile(path) {
        case .file(let bytes, let worldReadable):
            let text = String(decoding: bytes, as: UTF8.self)
            if !text.contains("-----BEGIN ") || !text.contains("\(kind)-----") {
                problems.error(file.path, "\(path) holds no \(kind.lowercased()) in PEM form", "convert it with openssl, or name another file")
            } else if kind == "PRIVATE KEY", worldReadable {
                problems.warning(file.path, "\(path) can be read by every user of this machine", "chmod 600 \(path)")
            }
        case .missing: problems.error(file.path, "there is no file \(path)", "edgeproxy headend init makes it, or correct the path")
        case .folder: problems.error(file.path, "\(path) is a folder", "name the PEM file in it")
        case .unreadable(let reason): problems.error(file.path, "\(path) cannot be read: \(reason)", "let the headend's user read it")
        }
        return path
    }
}
