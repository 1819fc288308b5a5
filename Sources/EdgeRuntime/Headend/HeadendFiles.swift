import CoreTypes
import SiteFile
import Tunnel

/// What a headend reads from PEM files.
struct HeadendFiles {
    let context: TLSContext
    /// Nil: sites do not enrol here.
    let authority: CertificateAuthority?
    /// For each node of the PBX; nil where it is not spoken to by TLS.
    let nodeContexts: [TLSContext?]

    init(_ settings: HeadendSettings) throws(HeadendError) {
        do throws(TLSError) {
            context = try TLSContext(
                TLSConfiguration(
                    label: "headend", role: .server(clients: .certificates([.file(settings.authorityPath)]), isClientRequired: false),
                    identity: TLSIdentity(certificateChain: .file(settings.certificatePath), privateKey: .file(settings.keyPath)),
                    versions: .tls13 ... .tls13))
            authority = try settings.authorityKeyPath.map { key throws(TLSError) in
                try CertificateAuthority(certificate: .file(settings.authorityPath), key: .file(key))
            }
            var contexts: [TLSContext?] = []
            for node in settings.nodes { contexts.append(try Self.context(node, settings)) }
            nodeContexts = contexts
        } catch {
            throw .certificate(reason: error.description)
        }
    }

    private static func context(_ node: HeadendSettings.Node, _ settings: HeadendSettings) throws(TLSError) -> TLSContext? {
        switch node.transport {
        case .udp, .tcp: return nil
        case .tls:
            let trust = settings.pbxAuthorityPath.map { TLSTrust.certificates([.file($0)]) } ?? .system
            return try TLSContext(TLSConfiguration(label: "PBX", role: .client(serverName: node.node.host, trust: trust)))
        }
    }
}
