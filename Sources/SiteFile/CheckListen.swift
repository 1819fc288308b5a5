import CoreTypes
import EdgeProxy

/// `[site]`, `[listen]`, `[media]`, `[log]`, `[capture]`: the site itself and its sockets.
extension SiteChecker {
    func siteName() -> String {
        guard let name = required(shape.site.name, "name", in: shape.site.path, "write name = \"branch-01\"") else { return "site" }
        let isPlain = (1...64).contains(name.value.utf8.count) && name.value.utf8.first != UInt8(ascii: ".")
            && name.value.utf8.allSatisfy { ASCII.isLetter($0) || ASCII.isDigit($0) || "-_.".utf8.contains($0) }
        if !isPlain {
            problems.error(name.path, "\"\(name.value)\" cannot name a site", "use letters, digits, \"-\", \"_\" and \".\", at most 64")
        }
        if shape.site.location == nil {
            problems.warning(
                shape.site.path.key("location"), "is missing",
                "write the street address and floor: it stands in the audit of every emergency call")
        }
        return name.value
    }

    func listeners() -> [EdgeConfiguration.Listener] {
        let remedy = "write sip = [\"udp:192.0.2.10:5060\", \"tcp:192.0.2.10:5060\"]"
        guard let sip = required(shape.listen.sip, "sip", in: shape.listen.path, remedy) else { return [] }
        if sip.value.isEmpty { problems.error(sip.path, "phones have no address to send to", remedy) }
        return sip.value.compactMap(listener)
    }

    private func listener(_ text: Placed<String>) -> EdgeConfiguration.Listener? {
        let parts = text.value.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let transport: TransportProtocol
        switch parts.first {
        case "udp": transport = .udp
        case "tcp": transport = .tcp
        case "tls": transport = .tls
        default:
            problems.error(text.path, "\"\(text.value)\" does not begin with a transport", "write \"udp:192.0.2.10:5060\", \"tcp:192.0.2.10:5060\" or \"tls:192.0.2.10:5061\"")
            return nil
        }
        guard parts.count == 2, let endpoint = Endpoint(String(parts[1])), endpoint.port != 0 else {
            problems.error(
                text.path, "\"\(text.value)\" has no usable address and port",
                "write an address of this machine and a port, as in \"\(parts[0]):192.0.2.10:5060\" or \"\(parts[0]):[2001:db8::10]:5060\"")
            return nil
        }
        guard isUsable(endpoint.address, at: text.path) else { return nil }
        return EdgeConfiguration.Listener(transport: transport, endpoint: endpoint)
    }

    /// The edge's own certificate, shown to phones and browsers.
    func serverTLS(isNeeded: Bool) -> ServerTLS? {
        let files = certificateAndKey(
            shape.listen.certificate, shape.listen.key, called: "certificate", example: (certificate: "pki/branch-01.pem", key: "pki/branch-01.key"))
        if isNeeded, shape.listen.certificate == nil, shape.listen.key == nil {
            problems.error(
                shape.listen.path.key("certificate"), "is missing: phones that come by TLS must be shown one",
                "write certificate = \"pki/branch-01.pem\" and key = \"pki/branch-01.key\", or take the tls: listener out")
        }
        return files.map { ServerTLS(certificatePath: $0.certificate, keyPath: $0.key) }
    }

    private func isUsable(_ address: IPAddress, at path: KeyPath) -> Bool {
        if address.isUnspecified {
            problems.error(path, "\(address) is no address that phones could be told", "write the address of this machine in the phones' network")
            return false
        }
        if address.isMulticast {
            problems.error(path, "\(address) is a multicast address", "write the address of this machine in the phones' network")
            return false
        }
        return true
    }

    /// Ports for fewer than five calls, two pairs each, are surely a slip.
    private static let minimumMediaPorts = 20

    func mediaRange() -> MediaRange? {
        let path = shape.listen.path.key("media")
        guard let media = shape.listen.media else {
            if !problems.hasError(at: path) {
                problems.error(path, "is missing", "write media = { address = \"192.0.2.10\", ports = \"20000-20999\" }")
            }
            return nil
        }
        let addresses = mediaAddresses(media)
        let range = required(media.ports, "ports", in: media.path, "write ports = \"20000-20999\"").flatMap(mediaPorts)
        guard let range, !addresses.isEmpty else { return nil }
        return MediaRange(addresses: addresses, ports: range)
    }

    private func mediaAddresses(_ media: MediaSection) -> [IPAddress] {
        guard let list = required(media.address, "address", in: media.path, "write address = \"192.0.2.10\"") else { return [] }
        if list.value.isEmpty { problems.error(list.path, "media has no address", "write address = \"192.0.2.10\"") }
        var addresses: [IPAddress] = []
        for text in list.value {
            guard let address = IPAddress(text.value) else {
                problems.error(text.path, "\"\(text.value)\" is no IP address", "write an address of this machine, without a port")
                continue
            }
            guard isUsable(address, at: text.path) else { continue }
            if let other = addresses.first(where: { $0.family == address.family }) {
                problems.error(text.path, "\(other) is there already for that address family", "give one IPv4 and one IPv6 address at most")
                continue
            }
            addresses.append(address)
        }
        return addresses
    }

    private func mediaPorts(_ text: Placed<String>) -> ClosedRange<UInt16>? {
        guard let range = ValueText.portRange(text.value) else {
            problems.error(text.path, "\"\(text.value)\" is no range of ports", "write ports = \"20000-20999\"")
            return nil
        }
        let remedy = "each call takes two even ports and the odd ones above them: write ports = \"20000-20999\""
        if range.lowerBound < 1024 {
            problems.error(text.path, "ports below 1024 are kept for the system", "choose a range above 1023")
        } else if range.lowerBound % 2 != 0 || range.upperBound % 2 == 0 {
            problems.error(text.path, "the range must begin with an even port and end with an odd one", remedy)
        } else if range.count < Self.minimumMediaPorts {
            problems.error(text.path, "\(range.count) ports are too few: \(range.count / 4) calls", remedy)
        } else {
            return range
        }
        return nil
    }

    /// Sockets that would take each other's place.
    func checkListenConflicts(_ listeners: [EdgeConfiguration.Listener], media: MediaRange?, devices: Int) {
        var taken: [Bool: Set<Endpoint>] = [:]
        for text in shape.listen.sip?.value ?? [] {
            guard let listener = silently(text) else { continue }
            let isStream = listener.transport.isReliable
            if !taken[isStream, default: []].insert(listener.endpoint).inserted {
                problems.error(text.path, "\(listener.endpoint) is listened on twice", "take one of the two out")
            }
            guard let media else { continue }
            if !isStream, media.addresses.contains(listener.endpoint.address), media.ports.contains(listener.endpoint.port) {
                problems.error(
                    text.path, "port \(listener.endpoint.port) lies within the media ports \(media.ports.lowerBound)-\(media.ports.upperBound)",
                    "move the media ports or the SIP port")
            }
            let family = listener.endpoint.address.family
            if !media.addresses.contains(where: { $0.family == family }) {
                problems.error(
                    text.path, "there is no media address of the same family",
                    "add one to media: address = [\"192.0.2.10\", \"2001:db8::10\"]")
            }
        }
        guard let media, let ports = shape.listen.media?.ports, media.ports.count < devices * 4 else { return }
        problems.warning(
            ports.path, "\(media.ports.count) ports carry \(media.ports.count / 4) calls, fewer than there are devices (\(devices))",
            "widen the range to four ports a device")
    }

    private func silently(_ text: Placed<String>) -> EdgeConfiguration.Listener? {
        let parts = text.value.split(separator: ":", maxSplits: 1)
        guard parts.count == 2, let endpoint = Endpoint(String(parts[1])) else { return nil }
        switch parts[0] {
        case "udp": return EdgeConfiguration.Listener(transport: .udp, endpoint: endpoint)
        case "tcp": return EdgeConfiguration.Listener(transport: .tcp, endpoint: endpoint)
        case "tls": return EdgeConfiguration.Listener(transport: .tls, endpoint: endpoint)
        default: return nil
        }
    }
}

// MARK: Paths and options

extension SiteChecker {
    func storePath(_ name: String) -> String { resolve(shape.listen.store?.value ?? "run/\(name).sqlite") }

    /// The control socket of a site whose file was parsed and not checked.
    static func controlPath(_ document: [String: TOMLNode], directory: String) -> String {
        let checker = SiteChecker(shape: SiteShape(document, problems: Problems()), problems: Problems(), directory: directory) { _ in .missing }
        return checker.controlPath(checker.siteName())
    }

    /// A Unix socket's path has room for 107 bytes (unix(7)).
    func controlPath(_ name: String) -> String {
        let path = resolve(shape.listen.control?.value ?? "run/\(name).sock")
        if path.utf8.count > 107 {
            problems.error(
                shape.listen.path.key("control"), "the path of the control socket is longer than 107 bytes: \(path)",
                "choose a shorter one, as in control = \"/run/edgeproxy/\(name).sock\"")
        }
        return path
    }

    func trafficClass() -> TrafficClass {
        guard let dscp = shape.listen.dscp else { return TrafficClass() }
        let standard = TrafficClass()
        let signalling = number(dscp.signalling, within: 0...63, or: Int(standard.signalling))
        let media = number(dscp.media, within: 0...63, or: Int(standard.media))
        return TrafficClass(signalling: UInt8(clamping: signalling), media: UInt8(clamping: media))
    }

    /// Phones that leave out silence still send something every few seconds.
    func endAfterSilence() -> Duration? {
        guard let text = shape.media.endAfterSilence else { return nil }
        return duration(text, within: .seconds(10)...(.seconds(3600)), example: "60s", or: .seconds(60))
    }

    /// Whether media are protected, on each side.
    func srtpRules() -> SRTPRules {
        let standard = SRTPRules()
        return SRTPRules(
            phones: srtpPolicy(shape.media.srtp?.phones) ?? standard.phones, pbx: srtpPolicy(shape.media.srtp?.pbx) ?? standard.pbx)
    }

    private func srtpPolicy(_ text: Placed<String>?) -> SRTPPolicy? {
        guard let text else { return nil }
        if let policy = SRTPPolicy(rawValue: text.value) { return policy }
        let names = SRTPPolicy.allCases.map(\.rawValue).joined(separator: ", ")
        problems.error(text.path, "\"\(text.value)\" is no rule for SRTP", "choose one of \(names)")
        return nil
    }

    func logLevel() -> LogLevel {
        guard let level = shape.log.level else { return .info }
        if let known = LogLevel(rawValue: level.value) { return known }
        problems.error(level.path, "\"\(level.value)\" is no level", "choose debug, info, notice, warning or error")
        return .info
    }

    func capture() -> CaptureOptions? {
        guard let capture = shape.capture else { return nil }
        var maximum: UInt64 = 100 << 20
        if let text = capture.maxSize {
            if let size = ValueText.size(text.value), size >= 1 << 16 {
                maximum = size
            } else {
                problems.error(text.path, "\"\(text.value)\" is no usable size", "write a number with KB, MB or GB, at least \"64KB\"")
            }
        }
        guard let directory = required(capture.directory, "directory", in: capture.path, "write directory = \"/var/lib/edgeproxy/captures\"")
        else { return nil }
        return CaptureOptions(directory: resolve(directory.value), maximumSize: maximum)
    }
}
