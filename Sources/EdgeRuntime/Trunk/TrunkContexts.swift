import SiteFile
import Tunnel

/// The TLS contexts of the trunk: one per node, each for the name its certificate must bear.
enum TrunkContexts {
    /// In the order of the nodes. Nodes found by DNS must bear the domain's name: the answer of a name server is
    /// no proof of who they are (RFC 5922 §7.2).
    static func make(for site: Site) throws(EdgeServerError) -> [TLSContext] {
        switch site.pbx {
        case .nodes(let nodes):
            var contexts: [TLSContext] = []
            for node in nodes { contexts.append(try context(serverName: node.host, site.trunkTLS)) }
            return contexts
        case .service(let domain):
            let context = try context(serverName: domain, site.trunkTLS)
            return Array(repeating: context, count: PBXTarget.maximumServiceNodes)
        case .headends(let headends, mtu: _):
            // Only to find out now what is wrong with the files; each connection reads them anew.
            let files = TunnelFiles(site.trunkTLS)
            for headend in headends {
                do throws(TLSError) { _ = try files.context(for: headend.host) } catch { throw .certificate(reason: error.description) }
            }
            return []
        }
    }

    private static func context(serverName: String, _ files: TrunkTLS) throws(EdgeServerError) -> TLSContext {
        let trust = files.authorityPath.map { TLSTrust.certificates([.file($0)]) } ?? .system
        var identity: TLSIdentity?
        if let certificate = files.certificatePath, let key = files.keyPath {
            identity = TLSIdentity(certificateChain: .file(certificate), privateKey: .file(key))
        }
        do throws(TLSError) {
            return try TLSContext(TLSConfiguration(role: .client(serverName: serverName, trust: trust), identity: identity))
        } catch {
            throw .certificate(reason: error.description)
        }
    }
}
