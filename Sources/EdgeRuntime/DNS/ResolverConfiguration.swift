import CoreTypes
import FoundationEssentials

/// The name servers of resolv.conf(5); the machine itself where it names none.
struct ResolverConfiguration: Equatable {
    var servers: [Endpoint]

    /// As many as the system's own resolver takes.
    static let maximumServers = 3

    init(servers: [Endpoint]) { self.servers = servers }

    /// Lines `nameserver ADDRESS`; an IPv6 zone ("%eth0") is left out. Everything else is skipped.
    init(parsing text: String) {
        var found: [Endpoint] = []
        for line in text.utf8.split(whereSeparator: { $0 == 0x0A || $0 == 0x0D }) {
            let words = line.split(whereSeparator: { $0 == 0x20 || $0 == 0x09 })
            guard words.count >= 2, words[0].elementsEqual("nameserver".utf8) else { continue }
            let address = String(decoding: words[1].prefix { $0 != 0x25 }, as: UTF8.self)
            guard let address = IPAddress(address), found.count < Self.maximumServers else { continue }
            found.append(Endpoint(address: address, port: 53))
        }
        servers = found.isEmpty ? [Endpoint(address: IPAddress(v4: 0x7F00_0001), port: 53)] : found
    }

    static func system() -> ResolverConfiguration {
        let text = (try? Data(contentsOf: URL(filePath: "/etc/resolv.conf"))).map { String(decoding: $0, as: UTF8.self) }
        return ResolverConfiguration(parsing: text ?? "")
    }
}
